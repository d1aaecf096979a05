//! When the silence of a relay counts.
//!
//! A relay is lost when it has been silent for some time. Silence counts only if this registry could
//! have heard the relay all that time: after a start, a database that was away, or a process that
//! stood still, the time begins anew, so that nobody is taken out because the registry was deaf.

use crate::UnixMillis;

/// Whether this registry has listened long enough to call a silent relay lost.
#[derive(Clone, Debug)]
pub struct Listening {
    silence_max: UnixMillis,
    gap_max: UnixMillis,
    since: Option<UnixMillis>,
    last: UnixMillis,
}

impl Listening {
    /// A relay is lost after `silence_max` ms. Two calls of [`Listening::lost_before`] more than
    /// `gap_max` ms apart mean that this process stood still in between.
    #[must_use]
    pub const fn new(silence_max: UnixMillis, gap_max: UnixMillis) -> Self {
        Self { silence_max, gap_max, since: None, last: 0 }
    }

    /// Called when the registry could not have heard a relay: the database does not answer.
    pub fn deaf(&mut self) {
        self.since = None;
    }

    /// Called regularly while all is well. Relays last heard before the returned time are lost;
    /// none may be called lost yet if there is none.
    pub fn lost_before(&mut self, now: UnixMillis) -> Option<UnixMillis> {
        let stood_still = now.saturating_sub(self.last) > self.gap_max || now < self.last;
        self.last = now;
        let since = match self.since {
            Some(since) if !stood_still => since,
            _ => *self.since.insert(now),
        };
        let listened_long_enough = now.saturating_sub(since) >= self.silence_max;
        listened_long_enough.then(|| now.saturating_sub(self.silence_max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: UnixMillis = 1_800_000_000_000;

    fn listening() -> Listening {
        Listening::new(15_000, 9_000)
    }

    #[test]
    fn relays_have_the_whole_time_after_a_start() {
        let mut listening = listening();
        for second in (0..15).step_by(3) {
            assert_eq!(listening.lost_before(START + second * 1000), None, "{second}");
        }
        assert_eq!(listening.lost_before(START + 15_000), Some(START));
        assert_eq!(listening.lost_before(START + 18_000), Some(START + 3_000));
    }

    #[test]
    fn time_without_the_database_is_not_the_relays_silence() {
        let mut listening = listening();
        for second in (0..=30).step_by(3) {
            listening.lost_before(START + second * 1000);
        }
        listening.deaf();
        assert_eq!(listening.lost_before(START + 33_000), None);
        assert_eq!(listening.lost_before(START + 42_000), None);
        assert_eq!(listening.lost_before(START + 48_000), Some(START + 33_000));
    }

    #[test]
    fn time_in_which_the_process_stood_still_is_not_the_relays_silence() {
        let mut listening = listening();
        for second in (0..=30).step_by(3) {
            listening.lost_before(START + second * 1000);
        }
        assert_eq!(listening.lost_before(START + 90_000), None);
        assert_eq!(listening.lost_before(START + 99_000), None);
        assert_eq!(listening.lost_before(START + 105_000), Some(START + 90_000));
    }

    #[test]
    fn a_clock_that_is_set_back_begins_anew() {
        let mut listening = listening();
        for second in (0..=30).step_by(3) {
            listening.lost_before(START + second * 1000);
        }
        assert_eq!(listening.lost_before(START - 60_000), None);
    }
}
