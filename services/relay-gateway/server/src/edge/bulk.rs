//! What attachments and reports may take of the uplink now.

use crate::uplink::Paced;

/// The budgets of both directions.
#[derive(Debug)]
pub(super) struct Bulk {
    up: Paced,
    down: Paced,
}

impl Bulk {
    /// Without a limit.
    pub(super) fn new() -> Self {
        Self { up: Paced::new(0), down: Paced::new(0) }
    }

    /// In kbit/s each way; 0: none.
    pub(super) fn set_limit(&self, limit_kbit: u32) {
        self.up.set_limit(limit_kbit);
        self.down.set_limit(limit_kbit);
    }

    /// Media or control has taken so much of the way up, in bytes.
    pub(super) fn note_up(&self, bytes: usize) {
        self.up.note(bytes);
    }

    /// The same of the way down.
    pub(super) fn note_down(&self, bytes: usize) {
        self.down.note(bytes);
    }

    /// Waits until so many bytes may go up.
    pub(super) async fn take_up(&self, bytes: usize) {
        self.up.take(bytes).await;
    }

    /// Waits until so many bytes may come down.
    pub(super) async fn take_down(&self, bytes: usize) {
        self.down.take(bytes).await;
    }
}
