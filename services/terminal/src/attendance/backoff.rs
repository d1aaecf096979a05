//! How long to wait before the next attempt.

use std::time::Duration;

use crate::random_id::random_bytes;

const BACKOFF_MIN: Duration = Duration::from_millis(200);
const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// Grows from attempt to attempt, with jitter, so that many terminals don't come back at once.
#[derive(Default)]
pub(super) struct Backoff {
    attempts: u32,
}

impl Backoff {
    pub(super) fn next(&mut self) -> Duration {
        let most = (BACKOFF_MIN * 2_u32.pow(self.attempts.min(8))).min(BACKOFF_MAX);
        self.attempts += 1;
        let random = f64::from(u32::from_ne_bytes(random_bytes())) / f64::from(u32::MAX);
        BACKOFF_MIN + (most - BACKOFF_MIN).mul_f64(random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backoff_stays_between_its_bounds_and_grows() {
        let mut backoff = Backoff::default();
        let waits: Vec<Duration> = (0..50).map(|_| backoff.next()).collect();
        assert_eq!(waits[0], BACKOFF_MIN);
        assert!(waits.iter().all(|wait| (BACKOFF_MIN..=BACKOFF_MAX).contains(wait)));
        assert!(waits[10..].iter().any(|wait| *wait > Duration::from_secs(1)));
    }
}
