//! Whether the database is there: what takes long while others are answered is busy, not down.
//!
//! The difference matters: while it is down, who was let in a moment ago is let in again without being
//! counted. A crowd that makes the database slow must not have that for itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use sea_orm::DbErr;

use super::StoreError;

/// A database that has answered nobody for so long counts as down for a decision: who waits for one has
/// a deadline too, and a pool waits longer for a server that does not answer.
const SILENCE_MAX: Duration = Duration::from_secs(2);
/// Nobody waits longer than this, whoever is answered meanwhile.
const BUSY_MAX: Duration = Duration::from_secs(10);

/// When the database last answered. Clones share it.
#[derive(Clone, Debug)]
pub struct Pulse {
    start: Instant,
    /// Milliseconds after `start`.
    answered: Arc<AtomicU64>,
}

impl Default for Pulse {
    fn default() -> Self {
        Self { start: Instant::now(), answered: Arc::default() }
    }
}

impl Pulse {
    /// Waits for an answer as long as the database answers somebody.
    ///
    /// # Errors
    /// The database could not answer, or answers nobody any more.
    pub async fn in_time<T, E: Into<StoreError>>(
        &self,
        asking: impl Future<Output = Result<T, E>>,
    ) -> Result<T, StoreError> {
        tokio::pin!(asking);
        let asked = Instant::now();
        let mut silent_since = asked;
        loop {
            let until = (silent_since + SILENCE_MAX).min(asked + BUSY_MAX);
            if let Ok(answer) = tokio::time::timeout_at(until.into(), &mut asking).await {
                let answer = answer.map_err(Into::into);
                if answer.is_ok() {
                    self.answered.store(self.since_start(), Ordering::Relaxed);
                }
                return answer;
            }
            let last = self.start + Duration::from_millis(self.answered.load(Ordering::Relaxed));
            if last <= silent_since || asked.elapsed() >= BUSY_MAX {
                let waited = asked.elapsed();
                return Err(DbErr::Custom(format!("no answer within {waited:?}")).into());
            }
            silent_since = last;
        }
    }

    fn since_start(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    type Never = std::future::Pending<Result<(), StoreError>>;

    #[tokio::test(start_paused = true)]
    async fn a_database_that_answers_nobody_is_down() {
        let pulse = Pulse::default();
        let never: Never = pending();
        assert!(pulse.in_time(never).await.is_err());
    }

    #[tokio::test]
    async fn a_database_that_answers_others_is_waited_for() {
        let pulse = Pulse::default();
        let others = async {
            for _ in 0..6 {
                tokio::time::sleep(Duration::from_millis(500)).await;
                let answer: Result<(), StoreError> =
                    pulse.in_time(ready(Ok::<_, StoreError>(()))).await;
                assert!(answer.is_ok());
            }
            pending::<()>().await;
        };
        let slow = async {
            tokio::time::sleep(SILENCE_MAX + Duration::from_millis(500)).await;
            Ok::<_, StoreError>(7)
        };
        tokio::select! {
            answer = pulse.in_time(slow) => assert_eq!(answer.ok(), Some(7)),
            () = others => {}
        }
    }
}
