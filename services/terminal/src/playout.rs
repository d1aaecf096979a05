//! What a simple receiver would have to conceal: one that plays every talkspurt 100 ms after its first
//! frame and never adapts. Frames that are missing then, or come later, are concealed.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// How long after the first frame of a talkspurt playing begins.
const DELAY: Duration = Duration::from_millis(100);
/// RTP clock ticks of one frame.
const FRAME_TICKS: u32 = 960;
const TICKS_PER_SECOND: u64 = 48_000;
/// Softer than this is the end of speech, in -dBov: relays' threshold.
const SPEECH_DBOV: u8 = 50;
/// A silence after this many soft frames in a row, or longer than this without a frame after a soft one,
/// ends a talkspurt.
const PAUSE_TICKS: u32 = 5 * FRAME_TICKS;
/// So many frames too late in a row: the receiver begins anew, as one does that hears nothing.
const LATE_MAX: u32 = 25;
/// A step of the RTP time beyond this is another stream.
const STEP_MAX: u32 = 60 * TICKS_PER_SECOND as u32;
/// Missing frames that may still come in time.
const MISSING_MAX: usize = 64;

/// Frames of 20 ms that belong to speech.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Concealment {
    /// That should have been played.
    pub expected: u64,
    /// Of these, that were missing or late when they were to be played.
    pub concealed: u64,
}

impl Concealment {
    /// The part that was concealed, 0 to 1; 0 if nothing was expected.
    pub fn ratio(&self) -> f64 {
        if self.expected == 0 { 0.0 } else { self.concealed as f64 / self.expected as f64 }
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            expected: self.expected + other.expected,
            concealed: self.concealed + other.concealed,
        }
    }
}

/// Where a talkspurt stands.
struct Talkspurt {
    /// RTP time of the first frame, and when that is played.
    media_time: u32,
    played_at: Instant,
    /// RTP time of the newest frame.
    newest: u32,
    /// It was soft.
    soft: bool,
    late: u32,
    missing: VecDeque<u32>,
}

/// The receiver, for one stream.
#[derive(Default)]
pub(crate) struct Playout {
    talkspurt: Option<Talkspurt>,
    counted: Concealment,
}

impl Playout {
    /// A frame has come; `level` in -dBov (RFC 6464), `None` taken as speech.
    pub(crate) fn push(&mut self, media_time: u32, level: Option<u8>, now: Instant) {
        let soft = level.is_some_and(|level| level > SPEECH_DBOV);
        let Some(talkspurt) = &mut self.talkspurt else { return self.begin(media_time, soft, now) };
        let step = media_time.wrapping_sub(talkspurt.newest);
        if step == 0 {
            return;
        }
        if step.cast_signed() < 0 {
            return self.counted.concealed -= talkspurt.filled(media_time, now);
        }
        if step > STEP_MAX || (talkspurt.soft && step > PAUSE_TICKS) {
            return self.begin(media_time, soft, now);
        }
        let missing = u64::from((step / FRAME_TICKS).saturating_sub(1));
        let is_late = now > talkspurt.due(media_time);
        talkspurt.take(media_time, soft, is_late);
        let begins_anew = talkspurt.late >= LATE_MAX;
        self.counted.expected += missing + 1;
        self.counted.concealed += missing + u64::from(is_late);
        if begins_anew {
            self.talkspurt = Some(Talkspurt::new(media_time, soft, now));
        }
    }

    fn begin(&mut self, media_time: u32, soft: bool, now: Instant) {
        self.counted.expected += 1;
        self.talkspurt = Some(Talkspurt::new(media_time, soft, now));
    }

    /// Another stream, whose RTP times have nothing to do with those before.
    pub(crate) fn start_stream(&mut self) {
        self.talkspurt = None;
    }

    pub(crate) fn counted(&self) -> Concealment {
        self.counted
    }

    pub(crate) fn reset(&mut self) {
        self.counted = Concealment::default();
        if let Some(talkspurt) = &mut self.talkspurt {
            // They were counted before.
            talkspurt.missing.clear();
        }
    }
}

impl Talkspurt {
    fn new(media_time: u32, soft: bool, now: Instant) -> Self {
        let (played_at, missing) = (now + DELAY, VecDeque::new());
        Self { media_time, played_at, newest: media_time, soft, late: 0, missing }
    }

    /// When a frame is to be played.
    fn due(&self, media_time: u32) -> Instant {
        let ticks = u64::from(media_time.wrapping_sub(self.media_time));
        self.played_at + Duration::from_micros(ticks * 1_000_000 / TICKS_PER_SECOND)
    }

    fn take(&mut self, media_time: u32, soft: bool, is_late: bool) {
        let mut at = self.newest.wrapping_add(FRAME_TICKS);
        // Of a long gap the end may still come.
        let gap = media_time.wrapping_sub(at) / FRAME_TICKS;
        at = at.wrapping_add(gap.saturating_sub(MISSING_MAX as u32) * FRAME_TICKS);
        while at != media_time && media_time.wrapping_sub(at).cast_signed() > 0 {
            if self.missing.len() == MISSING_MAX {
                self.missing.pop_front();
            }
            self.missing.push_back(at);
            at = at.wrapping_add(FRAME_TICKS);
        }
        self.newest = media_time;
        self.soft = soft;
        self.late = if is_late { self.late + 1 } else { 0 };
    }

    /// A frame that was taken for missing has come: 1 if it is not to be concealed after all.
    fn filled(&mut self, media_time: u32, now: Instant) -> u64 {
        let in_time = now <= self.due(media_time);
        match self.missing.iter().position(|missing| *missing == media_time) {
            Some(at) => {
                self.missing.remove(at);
                u64::from(in_time)
            }
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(20);

    /// Frames by number, each with its delay on the way in ms.
    fn heard(frames: impl IntoIterator<Item = (u32, u64)>) -> Concealment {
        let start = Instant::now();
        let mut arrivals: Vec<_> = frames
            .into_iter()
            .map(|(number, ms)| (start + FRAME * number + Duration::from_millis(ms), number))
            .collect();
        arrivals.sort_unstable();
        let mut playout = Playout::default();
        for (at, number) in arrivals {
            playout.push((u32::MAX - 9_600).wrapping_add(960 * number), Some(20), at);
        }
        playout.counted()
    }

    #[test]
    fn an_even_stream_conceals_nothing() {
        let counted = heard((0..500).map(|n| (n, 5)));
        assert_eq!(counted, Concealment { expected: 500, concealed: 0 });
        assert_eq!((counted.ratio(), Concealment::default().ratio()), (0.0, 0.0));
    }

    #[test]
    fn missing_and_late_frames_are_concealed() {
        let counted = heard((0..100).filter(|n| ![10, 11, 50].contains(n)).map(|n| (n, 0)));
        assert_eq!(counted, Concealment { expected: 100, concealed: 3 });
        // Held up for 150 ms at number 40 and delivered in a burst: those that are played before it ends.
        let held_up = |n| if (40..48).contains(&n) { 150 - 20 * (u64::from(n) - 40) } else { 0 };
        let counted = heard((0..100).map(|n| (n, held_up(n))));
        assert_eq!(counted, Concealment { expected: 100, concealed: 3 });
    }

    #[test]
    fn disorder_within_the_delay_does_no_harm_and_beyond_it_does() {
        let delayed = |ms| heard((0..100).map(move |n| (n, if n == 50 { ms } else { 0 })));
        assert_eq!(delayed(90), Concealment { expected: 100, concealed: 0 });
        assert_eq!(delayed(110), Concealment { expected: 100, concealed: 1 });
    }

    #[test]
    fn a_pause_after_silence_is_none_of_the_networks() {
        let mut playout = Playout::default();
        let start = Instant::now();
        let level = |n: u32| if n == 49 { 127 } else { 20 };
        for n in (0..50).chain(150..200) {
            playout.push(960 * n, Some(level(n)), start + FRAME * n + FRAME * (n / 150) * 20);
        }
        assert_eq!(playout.counted(), Concealment { expected: 100, concealed: 0 });
    }

    #[test]
    fn a_gap_in_speech_is_concealed_however_long() {
        let counted = heard((0..50).chain(150..200).map(|n| (n, 0)));
        assert_eq!(counted, Concealment { expected: 200, concealed: 100 });
    }

    #[test]
    fn who_is_late_for_long_begins_anew() {
        let counted = heard((0..200).map(|n| (n, if n < 50 { 0 } else { 300 })));
        assert_eq!(counted, Concealment { expected: 200, concealed: 25 });
    }

    #[test]
    fn counting_begins_anew_without_forgetting_where_it_is() {
        let mut playout = Playout::default();
        let start = Instant::now();
        for n in [0, 1, 3] {
            playout.push(960 * n, None, start + FRAME * n);
        }
        playout.reset();
        playout.push(960 * 2, None, start + FRAME * 4);
        playout.push(960 * 4, None, start + FRAME * 4);
        assert_eq!(playout.counted(), Concealment { expected: 1, concealed: 0 });
        playout.start_stream();
        playout.push(7, None, start);
        assert_eq!(playout.counted(), Concealment { expected: 2, concealed: 0 });
    }
}
