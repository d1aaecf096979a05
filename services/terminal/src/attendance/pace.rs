//! How fast operations are sent: relays take 100 messages at once from a connection, and 20 a second then.

use std::time::{Duration, Instant};

/// Operations at once; the rest of the relay's burst is for joining and whatever else is asked.
const BURST: f64 = 30.0;
/// And a second; pings come beside.
const PER_SECOND: f64 = 16.0;

/// A token bucket.
pub(super) struct Pace {
    tokens: f64,
    filled_at: Instant,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { tokens: BURST, filled_at: now }
    }

    /// When the next one may be sent; not later than `now`: at once.
    pub(super) fn next_at(&mut self, now: Instant) -> Instant {
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.tokens = (self.tokens + passed * PER_SECOND).min(BURST);
        self.filled_at = now;
        let missing = (1.0 - self.tokens).max(0.0);
        now + Duration::from_secs_f64(missing / PER_SECOND)
    }

    pub(super) fn sent(&mut self) {
        self.tokens -= 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_the_rest_steadily() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let mut now = start;
        let mut sent = 0;
        while now < start + Duration::from_secs(10) {
            // As a caller does: to be late a little is to be right.
            now = pace.next_at(now).max(now + Duration::from_micros(1));
            pace.sent();
            sent += 1;
        }
        assert!((185..=195).contains(&sent), "{sent}");
        let idle = now + Duration::from_secs(60);
        let at_once = (0..100).take_while(|_| {
            let ready = pace.next_at(idle) <= idle;
            pace.sent();
            ready
        });
        assert_eq!(at_once.count(), 30);
    }
}
