//! How late packets come, and from that how long to wait for them.
//!
//! The delay of a packet is its arrival minus its media time. The least of the last seconds is
//! the floor: a packet on the floor came as fast as packets do. Lateness is what a packet takes
//! above it; a decaying histogram of it gives the playout delay that nearly all packets meet.

use std::time::{Duration, Instant};

/// Width of a histogram bin: finer than anything a 20 ms tick can use.
const BIN: Duration = Duration::from_millis(5);
/// Covers lateness up to 200 ms; what is later counts as that.
const BINS: usize = 41;
/// What remains of a packet's weight after the next one: four seconds of 20 ms packets count.
const DECAY: f32 = 0.995;
/// The share of packets that shall not come too late.
const QUANTILE: f32 = 0.99;
/// For how long the floor remembers at least; twice as long at most.
const FLOOR_WINDOW: Duration = Duration::from_secs(2);
/// A delay that differs by more than this from the last one is another time base.
const JUMP_US: u64 = 1_000_000;

/// Samples of 48 kHz as microseconds.
fn microseconds(samples: i64) -> i64 {
    samples.saturating_mul(125) / 6
}

fn microseconds_between(from: Instant, to: Instant) -> i64 {
    let forward = to.saturating_duration_since(from).as_micros();
    let backward = from.saturating_duration_since(to).as_micros();
    i64::try_from(forward).unwrap_or(i64::MAX) - i64::try_from(backward).unwrap_or(i64::MAX)
}

/// What is known of one participant's packets.
#[derive(Debug)]
pub struct Delay {
    /// Arrival of the first packet; the zero of all delays.
    origin: Option<Instant>,
    last_us: i64,
    /// The least delay of the current window and of the one before.
    floor_us: [i64; 2],
    window_started: Instant,
    lateness: [f32; BINS],
    /// How many packets are still not counted as late: an onset comes all at once.
    settling: usize,
}

impl Delay {
    pub fn new(now: Instant) -> Self {
        Self {
            origin: None,
            last_us: 0,
            floor_us: [i64::MAX; 2],
            window_started: now,
            lateness: [0.0; BINS],
            settling: 0,
        }
    }

    /// The next `packets` say nothing about the network.
    pub fn settle(&mut self, packets: usize) {
        self.settling = packets;
    }

    /// Takes in that the packet for `media_time` has come. Says whether it did: a packet of another
    /// time base is left alone, to be taken in after [`Delay::rebase`].
    pub fn observe(&mut self, media_time: i64, arrived: Instant) -> bool {
        let first = self.origin.is_none();
        let origin = *self.origin.get_or_insert(arrived);
        let delay_us =
            microseconds_between(origin, arrived).saturating_sub(microseconds(media_time));
        if !first && delay_us.abs_diff(self.last_us) > JUMP_US {
            return false;
        }
        self.last_us = delay_us;
        if arrived.saturating_duration_since(self.window_started) >= FLOOR_WINDOW {
            self.floor_us = [i64::MAX, self.floor_us[0]];
            self.window_started = arrived;
        }
        self.floor_us[0] = self.floor_us[0].min(delay_us);
        if self.settling > 0 {
            self.settling -= 1;
        } else {
            self.count(delay_us.saturating_sub(self.floor()));
        }
        true
    }

    /// Another time base begins. Lateness is the network's and stays known.
    pub fn rebase(&mut self) {
        self.origin = None;
        self.floor_us = [i64::MAX; 2];
    }

    /// How long after the earliest possible arrival of `media_time` it is now; zero if before.
    pub fn playout(&self, media_time: i64, now: Instant) -> Duration {
        let Some(origin) = self.origin else { return Duration::ZERO };
        let us = microseconds_between(origin, now)
            .saturating_sub(microseconds(media_time))
            .saturating_sub(self.floor());
        Duration::from_micros(u64::try_from(us).unwrap_or(0))
    }

    /// The wait that nearly all packets of the last seconds would have met; zero if none came.
    pub fn target(&self) -> Duration {
        let total: f32 = self.lateness.iter().sum();
        let mut late = 0.0;
        for (bin, weight) in (1_u32..).zip(&self.lateness) {
            late += weight;
            if late >= total * QUANTILE {
                return if total > 0.0 { BIN * bin } else { Duration::ZERO };
            }
        }
        Duration::ZERO
    }

    fn floor(&self) -> i64 {
        self.floor_us[0].min(self.floor_us[1])
    }

    fn count(&mut self, lateness_us: i64) {
        for weight in &mut self.lateness {
            *weight *= DECAY;
        }
        let bin = u128::from(lateness_us.unsigned_abs()) / BIN.as_micros();
        let bin = usize::try_from(bin).unwrap_or(BINS).min(BINS - 1);
        if let Some(weight) = self.lateness.get_mut(bin) {
            *weight += 1.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: i64 = 960;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_clean_link_needs_next_to_no_wait() {
        let start = Instant::now();
        let mut delay = Delay::new(start);
        for packet in 0..100_u32 {
            assert!(delay.observe(i64::from(packet) * FRAME, start + ms(20) * packet));
        }
        assert_eq!(delay.target(), BIN);
        assert_eq!(delay.playout(100 * FRAME, start + ms(2010)), ms(10));
    }

    #[test]
    fn the_target_covers_the_jitter_and_forgets_it() {
        let start = Instant::now();
        let mut delay = Delay::new(start);
        let mut at = 0;
        let mut send = |delay: &mut Delay, late: u64| {
            delay.observe(i64::from(at) * FRAME, start + ms(20) * at + ms(late));
            at += 1;
        };
        for packet in 0..200 {
            send(&mut delay, packet % 5 * 10);
        }
        assert_eq!(delay.target(), ms(45));
        for _ in 0..2000 {
            send(&mut delay, 0);
        }
        assert_eq!(delay.target(), BIN);
    }

    #[test]
    fn the_floor_follows_a_path_that_has_become_longer() {
        let start = Instant::now();
        let mut delay = Delay::new(start);
        for packet in 0..500_u32 {
            let longer = if packet < 100 { ms(0) } else { ms(70) };
            delay.observe(i64::from(packet) * FRAME, start + ms(20) * packet + longer);
        }
        let arrival = start + ms(20) * 500 + ms(70);
        assert_eq!(delay.playout(500 * FRAME, arrival), ms(0));
    }

    #[test]
    fn another_time_base_is_noticed_and_a_pause_is_not_one() {
        let start = Instant::now();
        let mut delay = Delay::new(start);
        delay.observe(0, start);
        assert!(delay.observe(48_000 * 60, start + ms(60_000)), "a pause of a minute");
        assert!(!delay.observe(1 << 31, start + ms(60_020)));
        delay.rebase();
        assert!(delay.observe(1 << 31, start + ms(60_020)));
        assert_eq!(delay.playout(1 << 31, start + ms(60_020)), ms(0));
    }

    #[test]
    fn extreme_times_do_not_overflow() {
        let start = Instant::now();
        let mut delay = Delay::new(start);
        for media_time in [0, i64::from(i32::MAX), i64::MIN / 4, i64::MAX / 4] {
            delay.observe(media_time, start);
            delay.playout(media_time, start + ms(1));
            assert!(delay.target() <= BIN * 41);
        }
    }
}
