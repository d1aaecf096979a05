//! How often outsiders are refused, everywhere: the sign of somebody who tries ids from many places.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tributary_service_runtime::CancellationToken;

use crate::{
    clock::Clock,
    config::Config,
    metrics,
    store::{Store, StoreError},
};

/// How often the sum is written and read.
const INTERVAL: Duration = Duration::from_secs(5);
const MINUTE_MS: u64 = 60_000;
/// How long sums are kept, in minutes: longer than the longest window.
const KEPT_MINUTES: u64 = 2 * 24 * 60;

/// Refusals of this process that are not yet written. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Misses(Arc<AtomicU64>);

impl Misses {
    /// One more.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Adds up the refusals of all replicas, and says when there are too many.
pub struct Alarm {
    misses: Misses,
    store: Store,
    clock: Clock,
    threshold: u64,
    window_minutes: u64,
    raised: bool,
}

impl Alarm {
    /// Over the misses of this process and the sums of all.
    pub fn new(config: &Config, misses: Misses, store: Store, clock: Clock) -> Self {
        let (threshold, window_minutes) = (config.miss_alarm, config.miss_alarm_window_minutes);
        Self { misses, store, clock, threshold, window_minutes, raised: false }
    }

    /// Looks until `shutdown`.
    pub async fn run(mut self, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = shutdown.cancelled() => break,
            }
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "can't add up the refusals of outsiders");
            }
        }
        // What this process has counted must not be lost with it.
        if let Err(error) = self.look().await {
            tracing::warn!(%error, "the last refusals of outsiders were not added up");
        }
    }

    async fn look(&mut self) -> Result<(), StoreError> {
        let minute = self.clock.now() / MINUTE_MS;
        let new = self.misses.0.swap(0, Ordering::Relaxed);
        if new > 0
            && let Err(error) = self.store.add_misses(minute, new).await
        {
            self.misses.0.fetch_add(new, Ordering::Relaxed);
            return Err(error);
        }
        let since = minute.saturating_sub(self.window_minutes - 1);
        let lately = self.store.misses_since(since).await?;
        let raised = self.threshold > 0 && lately >= self.threshold;
        metrics::misses_lately(lately, raised);
        match (self.raised, raised) {
            (false, true) => tracing::warn!(
                misses = lately,
                minutes = self.window_minutes,
                "outsiders are refused unusually often: somebody may be trying meeting ids"
            ),
            (true, false) => tracing::info!(misses = lately, "outsiders are refused as usual"),
            _ => {}
        }
        self.raised = raised;
        self.store.forget_misses(minute.saturating_sub(KEPT_MINUTES)).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tributary_database::{
        connect, migrate,
        scratch::{self, ScratchDatabase},
    };
    use tributary_service_runtime::Readiness;

    use super::*;
    use crate::store::Migrations;

    async fn store(database: &ScratchDatabase) -> Store {
        let readiness = Readiness::new().dependency("database");
        let shutdown = CancellationToken::new();
        let connection = connect(database.config(), "access-control", &readiness, &shutdown).await;
        let connection = connection.unwrap();
        migrate::<Migrations>(&connection).await.unwrap();
        Store::new(connection)
    }

    async fn check(database: ScratchDatabase) {
        let millis = Arc::new(AtomicU64::new(1_800_000_000_000));
        let clock = Clock::Manual(Arc::clone(&millis));
        let store = store(&database).await;
        let config = Config { miss_alarm: 10, miss_alarm_window_minutes: 2, ..Config::default() };
        let replica = || {
            let misses = Misses::default();
            (misses.clone(), Alarm::new(&config, misses, store.clone(), clock.clone()))
        };
        let ((here, mut first), (there, mut second)) = (replica(), replica());
        (0..5).for_each(|_| here.add());
        first.look().await.unwrap();
        assert!(!first.raised);
        millis.fetch_add(MINUTE_MS, Ordering::SeqCst);
        (0..5).for_each(|_| there.add());
        second.look().await.unwrap();
        first.look().await.unwrap();
        assert!(first.raised && second.raised, "all replicas together");
        let (_, mut restarted) = replica();
        restarted.look().await.unwrap();
        assert!(restarted.raised, "after a restart");
        millis.fetch_add(MINUTE_MS, Ordering::SeqCst);
        first.look().await.unwrap();
        assert!(!first.raised, "the window has slid");
    }

    #[tokio::test]
    async fn the_alarm_is_raised_by_all_replicas_together_on_sqlite() {
        check(scratch::sqlite()).await;
    }

    #[tokio::test]
    async fn the_alarm_is_raised_by_all_replicas_together_on_postgres() {
        check(scratch::postgres().await).await;
    }
}
