//! One audio section of a terminal: a single RTP timeline made of pieces of many streams.
//!
//! A stream is a time base, whichever track its frames come on. Inside a stream they keep their
//! distances, and what is not newer is dropped. At a change of stream the timeline goes on by
//! the time that has passed, so that a receiver sees a pause as a pause.

use std::time::{Duration, Instant};

const SAMPLES_PER_SECOND: u64 = 48_000;
const FRAME_SAMPLES: u32 = 960;
/// A step inside a stream beyond this is taken for a change of stream.
const STEP_MAX: u32 = 10 * 48_000;
/// A pause from which on the next frame starts a talkspurt (RFC 3551 §4.1, the RTP marker).
const TALKSPURT_PAUSE: Duration = Duration::from_millis(100);

/// Where a frame lies on the terminal's timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// RTP timestamp, 48 kHz, wraps.
    pub media_time: u32,
    /// True for the first frame after a pause.
    pub talkspurt_start: bool,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    /// Its stream and the time in it; none: of what was sent before, only the timeline is known.
    within: Option<(u32, u32)>,
    out_time: u32,
    sent_at: Instant,
}

/// The timeline of one audio section.
#[derive(Clone, Debug, Default)]
pub struct Slot {
    last: Option<Last>,
}

impl Slot {
    /// Places a frame. `None`: it lies before one that was sent already; drop it.
    pub fn place(&mut self, stream: u32, stream_time: u32, now: Instant) -> Option<Placement> {
        let within = Some((stream, stream_time));
        let Some(last) = self.last else {
            self.last = Some(Last { within, out_time: 0, sent_at: now });
            return Some(Placement { media_time: 0, talkspurt_start: true });
        };
        let pause = now.saturating_duration_since(last.sent_at);
        let before = last.within.filter(|(before, _)| *before == stream);
        let step = before.map(|(_, before)| stream_time.wrapping_sub(before));
        let advance = match step {
            Some(step) if step > 0 && step <= STEP_MAX => step,
            Some(step) if step == 0 || step > u32::MAX - STEP_MAX => return None,
            _ => passed_samples(pause).max(FRAME_SAMPLES),
        };
        let out_time = last.out_time.wrapping_add(advance);
        self.last = Some(Last { within, out_time, sent_at: now });
        Some(Placement { media_time: out_time, talkspurt_start: pause >= TALKSPURT_PAUSE })
    }

    /// What comes next is of another stream, even if it has the number of the last one.
    pub fn forget_stream(&mut self) {
        if let Some(last) = &mut self.last {
            last.within = None;
        }
    }
}

/// The passed time in samples, in whole frames; the RTP timeline may wrap.
fn passed_samples(pause: Duration) -> u32 {
    let frames =
        pause.as_micros() as u64 * SAMPLES_PER_SECOND / (1_000_000 * u64::from(FRAME_SAMPLES));
    (frames as u32).wrapping_mul(FRAME_SAMPLES)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn frames_of_a_stream_keep_their_distances_over_the_wrap() {
        let (mut slot, now) = (Slot::default(), Instant::now());
        let times = [u32::MAX - 1000, u32::MAX - 40, 919, 919 + 1920];
        let placed: Vec<u32> =
            times.iter().map(|time| slot.place(1, *time, now).unwrap().media_time).collect();
        assert_eq!(placed, [0, 960, 1920, 3840]);
    }

    #[test]
    fn repeated_and_older_frames_are_dropped() {
        let (mut slot, now) = (Slot::default(), Instant::now());
        assert!(slot.place(1, 5000, now).is_some());
        assert_eq!(slot.place(1, 5000, now), None);
        assert_eq!(slot.place(1, 4040, now), None);
        assert!(slot.place(1, 5960, now).is_some());
    }

    #[test]
    fn another_stream_goes_on_after_the_time_that_has_passed() {
        let (mut slot, now) = (Slot::default(), Instant::now());
        slot.place(1, 77, now);
        let later = now + Duration::from_millis(500);
        let placed = slot.place(2, 123_456, later).unwrap();
        assert_eq!(placed, Placement { media_time: 24_000, talkspurt_start: true });
        let at_once = slot.place(3, 9, later).unwrap();
        assert_eq!(at_once, Placement { media_time: 24_960, talkspurt_start: false });
    }

    #[test]
    fn a_forgotten_stream_is_another_one() {
        let (mut slot, now) = (Slot::default(), Instant::now());
        slot.forget_stream();
        slot.place(1, 5000, now);
        slot.forget_stream();
        let later = now + Duration::from_millis(40);
        let placed = slot.place(1, 5000, later).unwrap();
        assert_eq!(placed, Placement { media_time: 1920, talkspurt_start: false });
    }

    proptest! {
        #[test]
        fn the_timeline_always_moves_forward(
            steps in prop::collection::vec((0u32..3, any::<u32>(), 0u64..2000), 1..100),
        ) {
            let (mut slot, mut now) = (Slot::default(), Instant::now());
            let mut last: Option<u32> = None;
            for (stream, time, pause) in steps {
                now += Duration::from_millis(pause);
                if let Some(placed) = slot.place(stream, time, now) {
                    if let Some(last) = last {
                        let advance = placed.media_time.wrapping_sub(last);
                        prop_assert!(advance > 0 && advance <= STEP_MAX.max(96_000 + 960));
                    }
                    last = Some(placed.media_time);
                }
            }
        }
    }
}
