//! What bulk (attachments, reports) may take of an uplink: the administrator's limit minus what media
//! and control take. Those are never held back.

use std::time::{Duration, Instant};

/// What may be sent in one burst after a silence: no longer than a listener's playout can bridge.
const BURST: Duration = Duration::from_millis(50);
/// How much of what media and control took over the limit is remembered.
const DEBT_MAX: Duration = Duration::from_secs(2);
/// The least that may be sent in one burst, in bytes: a piece of a body must fit, and what comes
/// together between two looks.
const BURST_BYTES_MIN: f64 = 24_576.0;

/// A token bucket, for one direction of an uplink.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// 0: no limit.
    bytes_per_second: f64,
    /// Below 0: media and control took more than there was.
    tokens: f64,
    filled_at: Instant,
}

impl Budget {
    /// With a limit in kbit/s; 0: none.
    #[must_use]
    pub fn new(limit_kbit: u32, now: Instant) -> Self {
        let bytes_per_second = bytes_per_second(limit_kbit);
        Self { bytes_per_second, tokens: burst(bytes_per_second), filled_at: now }
    }

    /// The administrator has changed the limit.
    pub fn set_limit(&mut self, limit_kbit: u32, now: Instant) {
        self.fill(now);
        self.bytes_per_second = bytes_per_second(limit_kbit);
        self.tokens = self.tokens.min(burst(self.bytes_per_second));
    }

    /// Media or control have sent so many bytes.
    pub fn note(&mut self, bytes: u64, now: Instant) {
        if self.bytes_per_second == 0.0 {
            return;
        }
        self.fill(now);
        let debt_max = self.bytes_per_second * DEBT_MAX.as_secs_f64();
        self.tokens = (self.tokens - bytes as f64).max(-debt_max);
    }

    /// Takes what a piece of bulk needs, of 16 KiB at most.
    ///
    /// # Errors
    /// Not now: how long to wait before it is tried again.
    pub fn take(&mut self, bytes: usize, now: Instant) -> Result<(), Duration> {
        if self.bytes_per_second == 0.0 {
            return Ok(());
        }
        self.fill(now);
        let needed = (bytes as f64).min(burst(self.bytes_per_second));
        if self.tokens < needed {
            let missing = (needed - self.tokens) / self.bytes_per_second;
            // Never nothing, so that who waits does not spin.
            return Err(Duration::from_secs_f64(missing).max(Duration::from_millis(1)));
        }
        self.tokens -= needed;
        Ok(())
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        let filled = self.tokens + passed * self.bytes_per_second;
        self.tokens = filled.min(burst(self.bytes_per_second));
        self.filled_at = self.filled_at.max(now);
    }
}

fn bytes_per_second(limit_kbit: u32) -> f64 {
    f64::from(limit_kbit) * 1_000.0 / 8.0
}

fn burst(bytes_per_second: f64) -> f64 {
    (bytes_per_second * BURST.as_secs_f64()).max(BURST_BYTES_MIN)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PIECE: usize = 16 << 10;

    /// Bytes of bulk within so many seconds, while media takes so many bytes every 20 ms.
    fn bulk(budget: &mut Budget, begin: Instant, seconds: u64, media_per_tick: u64) -> usize {
        let mut sent = 0;
        for tick in 0..seconds * 50 {
            let now = begin + Duration::from_millis(20 * tick);
            budget.note(media_per_tick, now);
            while budget.take(PIECE, now).is_ok() {
                sent += PIECE;
            }
        }
        sent
    }

    #[test]
    fn bulk_gets_what_media_leaves() {
        let begin = Instant::now();
        // 2 Mbit/s are 250,000 bytes a second, of which media takes 100,000.
        let mut budget = Budget::new(2_000, begin);
        let sent = bulk(&mut budget, begin, 10, 2_000);
        assert!((1_400_000..1_600_000).contains(&sent), "{sent}");
    }

    #[test]
    fn bulk_waits_while_media_needs_everything() {
        let begin = Instant::now();
        let mut budget = Budget::new(2_000, begin);
        assert!(bulk(&mut budget, begin, 10, 5_000) <= 100_000);
        // What media took over the limit is not held against bulk for long.
        let later = begin + Duration::from_secs(13);
        assert_eq!(budget.take(PIECE, later), Ok(()));
    }

    #[test]
    fn who_waits_as_told_gets_it() {
        let begin = Instant::now();
        let mut budget = Budget::new(64, begin);
        while budget.take(PIECE, begin).is_ok() {}
        let wait = budget.take(PIECE, begin).unwrap_err();
        assert_eq!(budget.take(PIECE, begin + wait + Duration::from_millis(1)), Ok(()));
    }

    #[test]
    fn without_a_limit_nothing_waits() {
        let now = Instant::now();
        let mut budget = Budget::new(0, now);
        budget.note(u64::MAX, now);
        assert_eq!(budget.take(usize::MAX, now), Ok(()));
        budget.set_limit(8, now);
        assert!(std::iter::repeat_with(|| budget.take(PIECE, now)).take(10).any(|t| t.is_err()));
        budget.set_limit(0, now);
        assert_eq!(budget.take(usize::MAX, now), Ok(()));
    }

    proptest! {
        #[test]
        fn bulk_never_gets_more_than_the_limit(
            limit in 1..100_000u32,
            wants in prop::collection::vec((0..50u64, 1..PIECE), 1..500),
        ) {
            let begin = Instant::now();
            let mut budget = Budget::new(limit, begin);
            let (mut now, mut sent) = (begin, 0usize);
            for (wait, bytes) in wants {
                now += Duration::from_millis(wait);
                if budget.take(bytes, now).is_ok() {
                    sent += bytes;
                }
            }
            let rate = bytes_per_second(limit);
            let may = rate * (now - begin).as_secs_f64() + burst(rate);
            prop_assert!(sent as f64 <= may + 1.0, "{sent} of {may}");
        }
    }
}
