//! When to try which upstream again, after the uplink was lost.
//!
//! Attempts overlap: the next one begins whether or not the one before has failed, as a connection
//! that hangs says nothing.

use std::time::Duration;

/// Between attempts while the loss is fresh.
const INTERVAL: Duration = Duration::from_millis(500);
/// For so long it is fresh: as long as parents keep the session.
const FRESH: Duration = Duration::from_secs(30);
/// For so long only the upstream that it was attached to is tried: it has the session.
const FIRST_ALONE: Duration = Duration::from_secs(2);
/// Between attempts at last, and after a refusal.
const INTERVAL_MAX: Duration = Duration::from_secs(10);
/// One attempt in so many goes to an upstream that has refused, while there are others.
const REFUSED_EVERY: usize = 20;
/// Jitter, in percent either way.
const JITTER_PERCENT: u32 = 20;

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// How long to wait before it.
    pub wait: Duration,
    /// Which upstream, from 0.
    pub upstream: usize,
}

/// The attempts since one loss.
#[derive(Clone, Copy, Debug)]
pub struct Attempts {
    upstreams: usize,
    first: usize,
    made: usize,
    /// How many were made elsewhere than the first alone.
    turned: usize,
    interval: Duration,
    /// One bit for each upstream that has refused.
    refused: u64,
}

impl Attempts {
    /// After a loss: with so many upstreams, of which `first` was attached to.
    #[must_use]
    pub fn new(upstreams: usize, first: usize) -> Self {
        let upstreams = upstreams.max(1);
        let first = first % upstreams;
        Self { upstreams, first, made: 0, turned: 0, interval: INTERVAL, refused: 0 }
    }

    /// An upstream has refused: to ask often won't change its mind. The others are tried as before, and
    /// this one now and then.
    pub fn refuse(&mut self, upstream: usize) {
        self.refused |= bit(upstream);
    }

    fn has_refused(&self, upstream: usize) -> bool {
        self.refused & bit(upstream) != 0
    }

    fn have_all_refused(&self) -> bool {
        (0..self.upstreams).all(|upstream| self.has_refused(upstream))
    }

    /// The next attempt: `lost_for` after the loss, with any number for the jitter.
    pub fn next(&mut self, lost_for: Duration, random: u32) -> Attempt {
        let wait = if self.made == 0 { Duration::ZERO } else { self.wait(lost_for, random) };
        self.made += 1;
        let is_first_alone = lost_for + wait < FIRST_ALONE && !self.has_refused(self.first);
        if is_first_alone {
            return Attempt { wait, upstream: self.first };
        }
        // The first one has had its time: the next in turn, and the first again at the end.
        let takes_all = self.have_all_refused() || self.made.is_multiple_of(REFUSED_EVERY);
        for _ in 0..self.upstreams {
            self.turned += 1;
            if takes_all || !self.has_refused(self.in_turn()) {
                break;
            }
        }
        Attempt { wait, upstream: self.in_turn() }
    }

    fn in_turn(&self) -> usize {
        (self.first + self.turned) % self.upstreams
    }

    fn wait(&mut self, lost_for: Duration, random: u32) -> Duration {
        if self.have_all_refused() {
            self.interval = INTERVAL_MAX;
        } else if lost_for >= FRESH {
            self.interval = (self.interval * 2).min(INTERVAL_MAX);
        }
        let percent = 100 - JITTER_PERCENT + random % (2 * JITTER_PERCENT + 1);
        self.interval * percent / 100
    }
}

/// Upstreams beyond the 64th share a bit.
fn bit(upstream: usize) -> u64 {
    1 << upstream.min(63)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// When attempts are made, and where, until `end`.
    fn made(mut attempts: Attempts, end: Duration, random: u32) -> Vec<(Duration, usize)> {
        let (mut now, mut made) = (Duration::ZERO, Vec::new());
        loop {
            let Attempt { wait, upstream } = attempts.next(now, random);
            now += wait;
            if now > end {
                return made;
            }
            made.push((now, upstream));
        }
    }

    #[test]
    fn it_tries_at_once_and_twice_a_second_for_half_a_minute() {
        // 20: no jitter.
        let made = made(Attempts::new(1, 0), Duration::from_secs(30), 20);
        assert_eq!(made.len(), 61);
        assert_eq!(made.first(), Some(&(Duration::ZERO, 0)));
    }

    #[test]
    fn after_half_a_minute_it_slows_down_to_every_ten_seconds() {
        let made = made(Attempts::new(1, 0), Duration::from_secs(120), 20);
        let late = made.iter().filter(|(at, _)| *at > Duration::from_secs(60)).count();
        assert_eq!(late, 6, "{made:?}");
    }

    #[test]
    fn the_other_upstreams_get_their_turn_after_two_seconds() {
        let made = made(Attempts::new(3, 1), Duration::from_secs(4), 20);
        let order: Vec<usize> = made.iter().map(|(_, upstream)| *upstream).collect();
        assert_eq!(order, [1, 1, 1, 1, 2, 0, 1, 2, 0]);
    }

    #[test]
    fn a_refused_relay_asks_elsewhere_and_slowly_when_all_have_refused() {
        let mut attempts = Attempts::new(2, 0);
        attempts.next(Duration::ZERO, 20);
        attempts.refuse(0);
        for made in 1..REFUSED_EVERY - 1 {
            let next = attempts.next(Duration::from_millis(500 * made as u64), 20);
            assert_eq!(next, Attempt { wait: INTERVAL, upstream: 1 });
        }
        let asked: Vec<usize> =
            (0..10).map(|_| attempts.next(Duration::from_secs(11), 20).upstream).collect();
        assert!(asked.contains(&0), "{asked:?}");
        attempts.refuse(1);
        let next = [0; 2].map(|_| attempts.next(Duration::from_secs(12), 20));
        assert!(next.iter().all(|next| next.wait == INTERVAL_MAX), "{next:?}");
        assert_ne!(next[0].upstream, next[1].upstream);
    }

    proptest! {
        #[test]
        fn the_jitter_is_a_fifth_at_most(random in any::<u32>(), upstreams in 0..4usize) {
            let made = made(Attempts::new(upstreams, 0), Duration::from_secs(25), random);
            for pair in made.windows(2) {
                let [(before, _), (after, _)] = pair else { unreachable!() };
                let wait = *after - *before;
                prop_assert!((400..=600).contains(&wait.as_millis()), "{wait:?}");
            }
        }
    }
}
