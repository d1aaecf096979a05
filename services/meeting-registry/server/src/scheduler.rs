//! Invites the members of scheduled meetings when these begin, and forgets notices that mean nothing
//! any more.
//!
//! What is due is looked up in the database, so nothing is lost by a restart; a meeting is begun with
//! its row taken, so any number of replicas may look at once.

use std::time::Duration;

use tributary_meeting_registry_core::UnixMillis;
use tributary_service_runtime::CancellationToken;

use crate::{
    metrics,
    store::{Begun, Store, StoreError},
};

/// How often it is looked: invitations are at most so late.
const INTERVAL: Duration = Duration::from_secs(1);
/// Meetings looked up at once; the next follow when these have begun.
const MEETINGS_AT_ONCE: u64 = 100;
/// How long notices are kept that mean nothing any more: longer than anybody repeats a request.
const KEPT_MS: UnixMillis = 24 * 3600 * 1000;
/// How often notices are forgotten.
const FORGET_EVERY_MS: UnixMillis = 60 * 1000;
/// Notices forgotten by one statement.
const FORGOTTEN_AT_ONCE: u64 = 1_000;
/// Statements of one go, so that beginnings do not wait for it.
const FORGETTING_STATEMENTS: usize = 10;

/// Looks for meetings that begin.
pub struct Scheduler {
    store: Store,
    forgot_at: UnixMillis,
}

impl Scheduler {
    /// Over a store.
    #[must_use]
    pub const fn new(store: Store) -> Self {
        Self { store, forgot_at: 0 }
    }

    /// Looks until `shutdown`.
    pub async fn run(mut self, shutdown: CancellationToken) {
        loop {
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "can't look for meetings that begin");
            }
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Looks once; returns how many have been invited.
    ///
    /// # Errors
    /// The database could not answer: what is left is found by the next look.
    pub async fn look(&mut self) -> Result<usize, StoreError> {
        let now = self.store.calendar_now().await?;
        let invited = self.begin_due(now).await?;
        if now.saturating_sub(self.forgot_at) >= FORGET_EVERY_MS || now < self.forgot_at {
            self.forgot_at = now;
            self.forget(now).await?;
        }
        Ok(invited)
    }

    async fn begin_due(&self, now: UnixMillis) -> Result<usize, StoreError> {
        let mut invited = 0;
        loop {
            let due = self.store.beginning(now, MEETINGS_AT_ONCE).await?;
            let mut any = false;
            for meeting in &due {
                match self.store.begin_meeting(meeting, now).await {
                    Ok(Begun::No) | Err(StoreError::NoSuchMeeting) => {}
                    Ok(Begun::Missed) => {
                        any = true;
                        tracing::warn!(meeting = %meeting.meeting, "began too long ago to invite");
                        metrics::beginning_missed();
                    }
                    Ok(Begun::Invited(count)) => {
                        any = true;
                        tracing::info!(meeting = %meeting.meeting, members = count, "begins");
                        invited += count;
                    }
                    // One that can't be read must not keep the others from beginning.
                    Err(error @ StoreError::MalformedRow { .. }) => {
                        tracing::error!(%error, meeting = %meeting.meeting, "can't begin");
                    }
                    Err(error) => return Err(error),
                }
            }
            if due.len() < usize::try_from(MEETINGS_AT_ONCE).unwrap_or(usize::MAX) || !any {
                return Ok(invited);
            }
        }
    }

    async fn forget(&self, now: UnixMillis) -> Result<(), StoreError> {
        for _ in 0..FORGETTING_STATEMENTS {
            let before = now.saturating_sub(KEPT_MS);
            if self.store.forget_notices(before, FORGOTTEN_AT_ONCE).await? < FORGOTTEN_AT_ONCE {
                break;
            }
        }
        Ok(())
    }
}
