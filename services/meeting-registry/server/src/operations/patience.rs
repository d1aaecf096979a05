//! How long an operation has waited for the one before it.
//!
//! What was delivered to another replica, or before a restart, counts for nothing: then the wait is
//! longer. Deliveries do not count either, as they also come of a database that was away, in which
//! time the operation before could not be applied.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use tributary_meeting_registry_core::Patience;

/// How long an operation waits for the one before it.
const PATIENCE: Duration = Duration::from_secs(30);
/// One that has not come for so long is answered elsewhere.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(120);
/// The first pause; each is longer by as much, up to the longest.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Operations that wait, by the hash of their envelopes. As many as the stream hands out at most.
#[derive(Debug, Default)]
pub struct Waiting(BTreeMap<[u8; 32], Wait>);

#[derive(Clone, Copy, Debug)]
struct Wait {
    since: Instant,
    last: Instant,
    times: u32,
}

impl Waiting {
    /// Whether to wait for the one before it any longer.
    pub fn patience(&self, hash: &[u8; 32], now: Instant) -> Patience {
        match self.0.get(hash) {
            Some(wait) if now.saturating_duration_since(wait.since) >= PATIENCE => Patience::GoOn,
            _ => Patience::Wait,
        }
    }

    /// It waits; returns for how long until the next look.
    pub fn waits(&mut self, hash: [u8; 32], now: Instant) -> Duration {
        let wait = self.0.entry(hash).or_insert(Wait { since: now, last: now, times: 0 });
        wait.last = now;
        wait.times = wait.times.saturating_add(1);
        PAUSE_MIN.saturating_mul(wait.times).min(PAUSE_MAX)
    }

    /// It waits no more.
    pub fn answered(&mut self, hash: &[u8; 32]) {
        self.0.remove(hash);
    }

    /// Forgets what comes no more; returns how many wait.
    pub fn tidy(&mut self, now: Instant) -> usize {
        self.0.retain(|_, wait| now.saturating_duration_since(wait.last) < FORGOTTEN_AFTER);
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: [u8; 32] = [7; 32];

    #[test]
    fn it_waits_half_a_minute_from_the_first_time_and_then_no_more() {
        let (mut waiting, start) = (Waiting::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(waiting.patience(&HASH, after(100)), Patience::Wait, "it has not waited yet");
        waiting.waits(HASH, start);
        waiting.waits(HASH, after(29));
        assert_eq!(waiting.patience(&HASH, after(29)), Patience::Wait);
        assert_eq!(waiting.patience(&HASH, after(30)), Patience::GoOn);
        assert_eq!(waiting.patience(&[8; 32], after(30)), Patience::Wait, "another one");
        waiting.answered(&HASH);
        assert_eq!(waiting.patience(&HASH, after(31)), Patience::Wait);
    }

    #[test]
    fn pauses_grow_to_a_second() {
        let (mut waiting, now) = (Waiting::default(), Instant::now());
        let pauses: Vec<_> = (0..7).map(|_| waiting.waits(HASH, now).as_millis()).collect();
        assert_eq!(pauses, [200, 400, 600, 800, 1000, 1000, 1000]);
    }

    #[test]
    fn what_comes_no_more_is_forgotten() {
        let (mut waiting, start) = (Waiting::default(), Instant::now());
        waiting.waits(HASH, start);
        waiting.waits([8; 32], start + FORGOTTEN_AFTER / 2);
        assert_eq!(waiting.tidy(start + FORGOTTEN_AFTER), 1);
    }
}
