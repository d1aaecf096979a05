//! How many requests a terminal may send over its connection, a user by HTTP, and an address that has
//! not said who it is.

use std::time::Instant;

/// Requests in a row, and a second, before a terminal is told to slow down.
const REQUESTS_BURST: f64 = 100.0;
const REQUESTS_PER_SECOND: f64 = 20.0;

/// A token bucket for requests.
pub(crate) struct Allowance {
    burst: f64,
    per_second: f64,
    tokens: f64,
    filled_at: Instant,
}

impl Allowance {
    pub(crate) fn new(now: Instant) -> Self {
        Self::of(REQUESTS_BURST, REQUESTS_PER_SECOND, now)
    }

    /// One of another size.
    pub(crate) fn of(burst: f64, per_second: f64, now: Instant) -> Self {
        Self { burst, per_second, tokens: burst, filled_at: now }
    }

    /// True if nothing was taken of late.
    pub(crate) fn is_full(&self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.tokens + passed * self.per_second >= self.burst
    }

    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.per_second).min(self.burst);
        self.filled_at = now;
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_allowance_takes_a_burst_and_then_a_steady_rate() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        let burst = (0..1000).filter(|_| allowance.take(start)).count();
        assert_eq!(burst, REQUESTS_BURST as usize);
        let later = start + Duration::from_secs(1);
        let steady = (0..1000).filter(|_| allowance.take(later)).count();
        assert_eq!(steady, REQUESTS_PER_SECOND as usize);
    }
}
