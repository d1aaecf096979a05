//! What attachments and reports wait for: their part of an uplink's limit, in one direction.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tributary_relay_uplink::Budget;

/// A wait ends at least so often, because the limit may have changed.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// A budget that one can wait for, each in turn.
#[derive(Debug)]
pub(crate) struct Paced {
    budget: Mutex<Budget>,
    turn: tokio::sync::Mutex<()>,
}

impl Paced {
    /// With a limit in kbit/s; 0: none.
    pub(crate) fn new(limit_kbit: u32) -> Self {
        let budget = Mutex::new(Budget::new(limit_kbit, Instant::now()));
        Self { budget, turn: tokio::sync::Mutex::default() }
    }

    /// The administrator has changed the limit.
    pub(crate) fn set_limit(&self, limit_kbit: u32) {
        self.budget().set_limit(limit_kbit, Instant::now());
    }

    /// Media or control has taken so many bytes.
    pub(crate) fn note(&self, bytes: usize) {
        self.budget().note(bytes as u64, Instant::now());
    }

    /// Waits until so many bytes may be sent.
    pub(crate) async fn take(&self, bytes: usize) {
        let _turn = self.turn.lock().await;
        loop {
            let taken = self.budget().take(bytes, Instant::now());
            let Err(wait) = taken else { return };
            tokio::time::sleep(wait.min(WAIT_MAX)).await;
        }
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
