//! Takes out who is behind a relay that has been silent for too long.

use std::time::Duration;

use tributary_meeting_registry_core::{Listening, UnixMillis};
use tributary_service_runtime::CancellationToken;

use crate::{
    config::Config,
    metrics,
    store::{Store, StoreError},
};

/// Sweeps that may be missed before this process counts as having stood still.
const MISSED_SWEEPS_MAX: u32 = 3;
/// How long a relay session is remembered that has nobody behind it. Far longer than any join can
/// be under way.
const FORGET_AFTER_MS: UnixMillis = 3600 * 1000;
/// How often they are forgotten.
const FORGET_EVERY_MS: UnixMillis = 60 * 1000;

/// Looks for lost relays.
pub struct Sweeper {
    store: Store,
    listening: Listening,
    interval: Duration,
    forgot_at: UnixMillis,
}

impl Sweeper {
    /// Begins to listen with the first [`Sweeper::sweep`].
    #[must_use]
    pub fn new(store: Store, config: &Config) -> Self {
        let millis = |time: Duration| UnixMillis::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let interval = config.sweep_interval();
        let gap_max = millis(interval * MISSED_SWEEPS_MAX);
        let listening = Listening::new(millis(config.relay_silence()), gap_max);
        Self { store, listening, interval, forgot_at: 0 }
    }

    /// Sweeps until `shutdown`.
    pub async fn run(mut self, shutdown: CancellationToken) {
        loop {
            if let Err(error) = self.sweep().await {
                tracing::warn!(%error, "can't look for lost relays");
            }
            tokio::select! {
                () = tokio::time::sleep(self.interval) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Looks once, and dates who is taken out by when their relay was last heard; returns how many relay sessions have been taken out, counted by meeting.
    ///
    /// # Errors
    /// The database could not answer: the silence until now is not held against any relay.
    pub async fn sweep(&mut self) -> Result<usize, StoreError> {
        if self.store.has_missed_a_relay() {
            self.listening.deaf();
        }
        let swept = self.try_sweep().await;
        if swept.is_err() {
            self.listening.deaf();
        }
        swept
    }

    async fn try_sweep(&mut self) -> Result<usize, StoreError> {
        let now = self.store.shared_now().await?;
        let Some(silent_since) = self.listening.lost_before(now) else { return Ok(0) };
        let mut taken_out = 0;
        for (meeting, session) in self.store.lost_relays(silent_since).await? {
            let event_time = self.store.clock().now();
            let (scope, relay) = (&meeting, session.clone());
            let outcome =
                self.store.take_out_relay(scope, relay, silent_since, now, event_time).await;
            match outcome {
                Ok(false) | Err(StoreError::NoSuchMeeting) => {}
                Ok(true) => {
                    tracing::warn!(meeting = %meeting.meeting, %session, "relay lost");
                    metrics::relay_lost();
                    taken_out += 1;
                }
                Err(error) => return Err(error),
            }
        }
        if now.abs_diff(self.forgot_at) >= FORGET_EVERY_MS {
            self.forgot_at = now;
            self.store.forget_relays(now.saturating_sub(FORGET_AFTER_MS)).await?;
        }
        Ok(taken_out)
    }
}
