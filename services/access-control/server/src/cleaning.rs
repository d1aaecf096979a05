//! Removing what is not needed any more: old budgets, decisions and attempts to share.

use std::time::Duration;

use tributary_service_runtime::CancellationToken;

use crate::{
    clock::Clock,
    config::Config,
    counting::Counting,
    store::{Store, StoreError},
};

/// How often it is done.
const INTERVAL: Duration = Duration::from_secs(600);
/// How long an attempt to share may be under way.
const ATTEMPT_MS: u64 = 3600 * 1000;

/// Cleans up.
pub struct Cleaner {
    store: Store,
    counting: Counting,
    clock: Clock,
    audit_ms: u64,
    longest_window_ms: u64,
}

impl Cleaner {
    /// Of what these keep.
    pub fn new(config: &Config, store: Store, counting: Counting, clock: Clock) -> Self {
        let (audit_ms, longest_window_ms) = (config.audit_ms(), config.longest_window_ms());
        Self { store, counting, clock, audit_ms, longest_window_ms }
    }

    /// Cleans now and then until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        loop {
            if let Err(error) = self.clean().await {
                tracing::warn!(%error, "can't remove what is old");
            }
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    async fn clean(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let entries = self.counting.forget(self.longest_window_ms, now).await?;
        let decisions = self.store.forget_decisions(now.saturating_sub(self.audit_ms)).await?;
        let attempts = self.store.forget_attempts(now.saturating_sub(ATTEMPT_MS)).await?;
        tracing::debug!(entries, decisions, attempts, "removed what is old");
        Ok(())
    }
}
