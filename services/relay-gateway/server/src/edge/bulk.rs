//! What attachments and reports may take of the uplink now.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tributary_relay_uplink::Budget;

/// The budgets of both directions.
#[derive(Debug)]
pub(super) struct Bulk {
    up: Mutex<Budget>,
    down: Mutex<Budget>,
}

impl Bulk {
    /// Without a limit.
    pub(super) fn new() -> Self {
        let budget = || Mutex::new(Budget::new(0, Instant::now()));
        Self { up: budget(), down: budget() }
    }

    /// In kbit/s each way; 0: none.
    pub(super) fn set_limit(&self, limit_kbit: u32) {
        for budget in [&self.up, &self.down] {
            with(budget, |budget| budget.set_limit(limit_kbit, Instant::now()));
        }
    }

    /// Media or control has taken so much of the way up, in bytes.
    pub(super) fn note_up(&self, bytes: usize) {
        with(&self.up, |budget| budget.note(bytes as u64, Instant::now()));
    }

    /// The same of the way down.
    pub(super) fn note_down(&self, bytes: usize) {
        with(&self.down, |budget| budget.note(bytes as u64, Instant::now()));
    }

    /// Waits until so many bytes may go up.
    pub(super) async fn take_up(&self, bytes: usize) {
        take(&self.up, bytes).await;
    }

    /// Waits until so many bytes may come down.
    pub(super) async fn take_down(&self, bytes: usize) {
        take(&self.down, bytes).await;
    }
}

async fn take(budget: &Mutex<Budget>, bytes: usize) {
    while let Err(wait) = with(budget, |budget| budget.take(bytes, Instant::now())) {
        tokio::time::sleep(wait.min(Duration::from_secs(1))).await;
    }
}

fn with<T>(budget: &Mutex<Budget>, act: impl FnOnce(&mut Budget) -> T) -> T {
    act(&mut budget.lock().unwrap_or_else(PoisonError::into_inner))
}
