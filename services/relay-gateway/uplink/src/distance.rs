//! How far away the other side is, and what its clock shows: from heartbeats, as in RFC 5905 §8.

use std::collections::VecDeque;

/// What is looked at: 30 s of heartbeats every 500 ms.
const SAMPLES_MAX: usize = 60;
/// Heartbeats whose echo may still come.
const SENT_MAX: usize = 64;
/// What two clocks may drift apart within the samples that are looked at, in µs: 100 ppm of 30 s.
const DRIFT_US: i64 = 3_000;
/// What takes longer comes from a connection that was given up meanwhile.
const RTT_US_MAX: i64 = 60_000_000;

/// A heartbeat. Times are Unix times in µs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beat {
    /// When it was sent, by the sender's clock.
    pub sent_us: u64,
    /// `sent_us` of the last one that has arrived there; 0: none.
    pub echoed_sent_us: u64,
    /// When that arrived, by the sender's clock.
    pub echoed_received_us: u64,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    rtt_us: i64,
    offset_us: i64,
}

/// Measures the distance to the other side of one connection.
///
/// Of the samples of the last 30 s, that with the shortest way counts: what waited in queues says
/// little about clocks.
#[derive(Debug, Default)]
pub struct Distance {
    samples: VecDeque<Sample>,
    sent: VecDeque<u64>,
    /// The last heartbeat of the other side: its time, and the own one when it came.
    heard: Option<(u64, u64)>,
    guess_us: i64,
}

impl Distance {
    /// Begins with the offset of an earlier connection to the same relay, in µs, until there is a
    /// newer one.
    #[must_use]
    pub fn with_guess(offset_us: i64) -> Self {
        Self { guess_us: offset_us, ..Self::default() }
    }

    /// The heartbeat to be sent now.
    pub fn beat(&mut self, now_us: u64) -> Beat {
        if self.sent.len() == SENT_MAX {
            self.sent.pop_front();
        }
        self.sent.push_back(now_us);
        let (echoed_sent_us, echoed_received_us) = self.heard.unwrap_or_default();
        Beat { sent_us: now_us, echoed_sent_us, echoed_received_us }
    }

    /// A heartbeat of the other side has come.
    pub fn hear(&mut self, beat: Beat, now_us: u64) {
        self.heard = Some((beat.sent_us, now_us));
        // Nobody but this side knows when it has sent: what it did not send has no echo.
        let Some(index) = self.sent.iter().position(|sent| *sent == beat.echoed_sent_us) else {
            return;
        };
        // One echo is one sample; of repeated ones only the first has waited for nothing.
        self.sent.drain(..=index);
        if let Some(sample) = sample(beat, now_us) {
            self.take(sample);
        }
    }

    fn take(&mut self, sample: Sample) {
        if let Some(best) = self.best() {
            // Each is wrong by half its way at most. If both can't be right, a clock has been set.
            let wrong_by = (best.rtt_us + sample.rtt_us) / 2 + DRIFT_US;
            if best.offset_us.abs_diff(sample.offset_us) > wrong_by.unsigned_abs() {
                self.samples.clear();
            }
        }
        if self.samples.len() == SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }

    fn best(&self) -> Option<Sample> {
        // Of equal ones the newest.
        self.samples.iter().rev().min_by_key(|sample| sample.rtt_us).copied()
    }

    /// The way there and back, in µs, without what waited; none before the first echo.
    #[must_use]
    pub fn rtt_us(&self) -> Option<u64> {
        self.best().map(|best| best.rtt_us.unsigned_abs())
    }

    /// What the other side's clock shows more than the own, in µs: subtracted from its times it gives
    /// own times.
    #[must_use]
    pub fn offset_us(&self) -> i64 {
        self.best().map_or(self.guess_us, |best| best.offset_us)
    }
}

fn sample(beat: Beat, now_us: u64) -> Option<Sample> {
    let [t1, t2] = [beat.echoed_sent_us, beat.echoed_received_us].map(i64::try_from);
    let [t3, t4] = [beat.sent_us, now_us].map(i64::try_from);
    let (t1, t2, t3, t4) = (t1.ok()?, t2.ok()?, t3.ok()?, t4.ok()?);
    let rtt_us = (t4.checked_sub(t1)?).checked_sub(t3.checked_sub(t2)?)?;
    // Less than nothing: a clock was set meanwhile. More than there was time for: it makes things up.
    let is_possible = (0..=RTT_US_MAX).contains(&rtt_us) && t3 >= t2 && t4 >= t1;
    let there = i128::from(t2) - i128::from(t1);
    let back = i128::from(t3) - i128::from(t4);
    let offset_us = i64::try_from((there + back) / 2).ok()?;
    is_possible.then_some(Sample { rtt_us, offset_us })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START_US: u64 = 1_700_000_000_000_000;

    /// Two sides whose clocks differ by `offset`; `ways` are the delays there and back, one pair for
    /// each heartbeat.
    fn measured(offset: i64, ways: &[(u64, u64)]) -> Distance {
        let (mut here, mut there) = (Distance::default(), Distance::default());
        let mut now = START_US;
        let by_there = |now: u64| now.checked_add_signed(offset).unwrap();
        for (way_there, way_back) in ways {
            let beat = here.beat(now);
            there.hear(beat, by_there(now + way_there));
            let answered = now + way_there + 100_000;
            let beat = there.beat(by_there(answered));
            here.hear(beat, answered + way_back);
            now += 500_000;
        }
        here
    }

    #[test]
    fn without_queues_the_measure_is_exact() {
        let distance = measured(-7_000_000, &[(20_000, 20_000)]);
        assert_eq!((distance.rtt_us(), distance.offset_us()), (Some(40_000), -7_000_000));
    }

    #[test]
    fn the_shortest_way_of_the_last_30_s_counts() {
        let mut ways = vec![(10_000, 10_000)];
        ways.extend([(10_000, 90_000); 59]);
        let distance = measured(5_000, &ways);
        assert_eq!((distance.rtt_us(), distance.offset_us()), (Some(20_000), 5_000));
        ways.push((10_000, 90_000));
        assert_eq!(measured(5_000, &ways).rtt_us(), Some(100_000), "the short one is too old");
    }

    #[test]
    fn a_clock_that_was_set_is_followed_at_once() {
        let mut distance = measured(0, &[(1_000, 1_000); 10]);
        // An hour later by the other clock; the own one has gone on by half a second.
        let now = START_US + 5_000_000;
        let sent = distance.beat(now);
        let there = now + 3_600_000_000;
        let beat = Beat {
            sent_us: there + 300_000,
            echoed_sent_us: sent.sent_us,
            echoed_received_us: there + 100_000,
        };
        distance.hear(beat, now + 400_000);
        assert_eq!(distance.offset_us(), 3_600_000_000);
    }

    #[test]
    fn echoes_of_what_was_not_sent_and_impossible_times_are_dropped() {
        let mut distance = Distance::with_guess(42);
        distance.beat(START_US);
        let now = START_US + 1_000;
        let strange = [
            Beat { sent_us: 5, echoed_sent_us: START_US + 1, echoed_received_us: 4 },
            Beat { sent_us: u64::MAX, echoed_sent_us: START_US, echoed_received_us: 0 },
            Beat { sent_us: 9, echoed_sent_us: 0, echoed_received_us: 0 },
        ];
        for beat in strange {
            distance.hear(beat, now);
        }
        assert_eq!((distance.rtt_us(), distance.offset_us()), (None, 42));
    }

    proptest! {
        #[test]
        fn the_error_is_never_more_than_half_the_way(
            offset in -10_000_000_000i64..10_000_000_000,
            ways in prop::collection::vec((0..400_000u64, 0..400_000u64), 1..100),
        ) {
            let distance = measured(offset, &ways);
            let rtt = distance.rtt_us().unwrap();
            prop_assert!(distance.offset_us().abs_diff(offset) <= rtt / 2 + 1);
        }

        #[test]
        fn nothing_that_comes_makes_it_fall_over(
            beats in prop::collection::vec((any::<u64>(), any::<bool>(), any::<u64>(), any::<u64>()), 0..50),
        ) {
            let mut distance = Distance::default();
            for (sent_us, echoes, received, now) in beats {
                let own = distance.beat(now);
                let echoed_sent_us = if echoes { own.sent_us } else { received };
                distance.hear(Beat { sent_us, echoed_sent_us, echoed_received_us: received }, now);
                let _ = (distance.rtt_us(), distance.offset_us());
            }
        }
    }
}
