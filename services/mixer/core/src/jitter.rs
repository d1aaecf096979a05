//! The jitter buffer of one active speaker: small, adaptive, only used while mixing.
//!
//! Frames wait until the playout delay is the target, which follows the lateness of recent
//! packets. When the buffer runs dry the mix goes on with concealment and time stands still, so
//! that a late frame is still played: the delay grows by itself. When the delay is beyond the
//! target, silence is skipped at once, quiet frames are played two in the time of one, and loud
//! ones too after a while. A frame that is missing between others is concealed and passed over,
//! unless the delay is still short of the target.
//!
//! Invariants: frames come out in order of media time, none twice; at most `BUFFERED_MAX` samples
//! wait.

mod delay;

#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;
use delay::Delay;

use crate::counters::Counters;

/// 200 ms: what is older is of no use in a talk.
const BUFFERED_MAX: i64 = 9600;
/// As many frames as `BUFFERED_MAX` has of the shortest duration, 2.5 ms.
const FRAMES_MAX: usize = 80;
/// Opus conceals in steps of 2.5 ms.
const CONCEAL_STEP: u32 = 120;
/// 60 ms: longer concealment sounds worse than silence.
const CONCEAL_MAX: u32 = 2880;
/// 200 ms: a longer gap is not waited out.
const GAP_MAX: i64 = 9600;
/// 100 ms without a frame: the speaker has paused, and the wait starts anew.
const PAUSE: u32 = 4800;
/// So many late frames in a row are on time in another time base: 200 ms of 20 ms frames.
const LATE_RUN_MAX: u32 = 10;
/// How far beyond target and frame duration the delay must be to count as too long.
const EXCESS: Duration = Duration::from_millis(5);
/// For how long it must be, to shorten what is loud.
const EXCESS_FOR: Duration = Duration::from_millis(300);
/// In -dBov: quieter than this is left out without being missed.
const SILENT: u8 = 80;
/// In -dBov: quieter than this is played faster without being noticed.
const QUIET: u8 = 50;

/// Bounds of the playout delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The wait on a clean link. A tick adds 10 ms on average.
    pub delay_min: Duration,
    /// The wait on the worst link, at most 200 ms.
    pub delay_max: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { delay_min: Duration::from_millis(10), delay_max: Duration::from_millis(180) }
    }
}

/// A frame that waits.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Unwrapped.
    pub media_time: i64,
    /// Duration, 48 kHz.
    pub samples: u32,
    pub level: u8,
    pub ingress_us: u64,
    pub payload: Bytes,
}

impl Frame {
    pub fn end(&self) -> i64 {
        self.media_time + i64::from(self.samples)
    }
}

/// What to play next.
#[derive(Debug)]
pub enum Next {
    Frame(Frame),
    /// Both, the first fading into the second, in the time of one.
    Merged(Frame, Frame),
    /// So many samples of concealment.
    Concealment(u32),
    /// So many samples of nothing.
    Silence(u32),
}

/// The buffer, and what is known of the packets that pass it.
#[derive(Debug)]
pub struct Buffer {
    config: Config,
    delay: Delay,
    /// Unwrapped media time of the newest packet.
    newest: Option<i64>,
    /// In order of media time.
    frames: VecDeque<Frame>,
    /// The media time that is played next; none before the first frame.
    position: Option<i64>,
    /// How long time has stood still for want of frames, in samples.
    stalled: u32,
    /// Whether the wait for the target is over.
    playing: bool,
    /// Samples made up since the last frame.
    made_up: u32,
    late_run: u32,
    excess_since: Option<Instant>,
}

impl Buffer {
    pub fn new(config: Config, now: Instant) -> Self {
        Self {
            config,
            delay: Delay::new(now),
            newest: None,
            frames: VecDeque::with_capacity(FRAMES_MAX),
            position: None,
            stalled: 0,
            playing: false,
            made_up: 0,
            late_run: 0,
            excess_since: None,
        }
    }

    /// A talkspurt begins, and its first `packets` may come all at once.
    pub fn begin_spurt(&mut self, packets: usize) {
        self.delay.settle(packets);
    }

    /// Takes in that a packet has come, whether or not it will be buffered. Gives its media time
    /// unwrapped, and whether that has another base than before.
    pub fn observe(&mut self, media_time: u32, arrived: Instant) -> (i64, bool) {
        let newest = self.newest.unwrap_or(i64::from(media_time));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "wraps")]
        let ahead = media_time.wrapping_sub(newest as u32).cast_signed();
        let unwrapped = newest + i64::from(ahead);
        if self.delay.observe(unwrapped, arrived) {
            self.newest = Some(newest.max(unwrapped));
            return (unwrapped, false);
        }
        let rebased = i64::from(media_time);
        self.delay.rebase();
        self.delay.observe(rebased, arrived);
        self.newest = Some(rebased);
        (rebased, true)
    }

    /// Keeps a frame until its time has come.
    pub fn push(&mut self, frame: Frame, jumped: bool, counters: &mut Counters) {
        if jumped {
            counters.frames_dropped_overflow += self.frames.len() as u64;
            self.restart();
        }
        if self.position.is_some_and(|position| frame.media_time < position) {
            self.late_run += 1;
            if self.late_run < LATE_RUN_MAX {
                counters.frames_dropped_late += 1;
                return;
            }
            counters.frames_dropped_late += self.frames.len() as u64;
            self.restart();
        }
        let place = self.frames.iter().rposition(|other| other.media_time <= frame.media_time);
        let place = match place {
            Some(place)
                if self.frames.get(place).is_some_and(|f| f.media_time == frame.media_time) =>
            {
                counters.frames_dropped_duplicate += 1;
                return;
            }
            Some(place) => place + 1,
            None => 0,
        };
        self.frames.insert(place, frame);
        self.drop_oldest(counters);
    }

    /// What to play in the next `wanted` samples or less.
    pub fn take(&mut self, wanted: u32, now: Instant, counters: &mut Counters) -> Next {
        loop {
            let Some(head) = self.frames.front() else { return self.starve(wanted) };
            let playout = self.delay.playout(head.media_time, now);
            if !self.playing && playout < self.target() {
                return self.starve(wanted);
            }
            self.playing = true;
            let start = head.media_time;
            let position = *self.position.get_or_insert(start);
            let credit = (start - position).clamp(0, i64::from(self.stalled));
            let gap = start - position - credit;
            if gap < 0 {
                self.frames.pop_front();
                counters.frames_dropped_late += 1;
                continue;
            }
            let position = position + credit;
            if (i64::from(CONCEAL_STEP)..=GAP_MAX).contains(&gap) {
                if credit == 0 && self.delay.playout(position, now) < self.target() {
                    return self.starve(wanted);
                }
                self.stalled = 0;
                return self.pass_over(position, gap, wanted);
            }
            self.stalled = 0;
            if let Some(next) = self.pop(playout, now, counters) {
                return next;
            }
        }
    }

    /// The media time that is played next.
    pub fn position(&self) -> Option<i64> {
        self.position
    }

    /// What waits, oldest first.
    pub fn frames(&self) -> impl Iterator<Item = &Frame> {
        self.frames.iter()
    }

    /// Forgets what waits and where it was, but not what it knows of the packets' lateness.
    pub fn restart(&mut self) {
        self.frames.clear();
        self.position = None;
        self.stalled = 0;
        self.playing = false;
        self.made_up = 0;
        self.late_run = 0;
        self.excess_since = None;
    }

    fn target(&self) -> Duration {
        self.delay.target().max(self.config.delay_min).min(self.config.delay_max)
    }

    /// Takes the first frame, with the second if it is time to catch up. None: it was left out.
    fn pop(&mut self, playout: Duration, now: Instant, counters: &mut Counters) -> Option<Next> {
        let head = self.frames.pop_front()?;
        self.position = Some(head.end());
        self.late_run = 0;
        let shorten = self.is_excessive(playout, head.samples, now);
        let follower = self.frames.front().filter(|next| next.media_time == head.end());
        let Some(next) = follower.filter(|next| shorten && next.samples == head.samples) else {
            self.made_up = 0;
            return Some(Next::Frame(head));
        };
        let quieter_than = |level: u8| head.level >= level && next.level >= level;
        if quieter_than(SILENT) {
            counters.frames_compressed += 1;
            return None;
        }
        let long_enough = self
            .excess_since
            .is_some_and(|since| now.saturating_duration_since(since) >= EXCESS_FOR);
        self.made_up = 0;
        if !long_enough && !quieter_than(QUIET) {
            return Some(Next::Frame(head));
        }
        self.excess_since = None;
        let next = self.frames.pop_front()?;
        self.position = Some(next.end());
        counters.frames_compressed += 1;
        Some(Next::Merged(head, next))
    }

    fn is_excessive(&mut self, playout: Duration, samples: u32, now: Instant) -> bool {
        let duration = Duration::from_micros(u64::from(samples) * 125 / 6);
        let excessive = playout >= self.target() + duration + EXCESS;
        self.excess_since = excessive.then(|| self.excess_since.unwrap_or(now));
        excessive
    }

    /// Goes on without what is missing.
    fn pass_over(&mut self, position: i64, gap: i64, wanted: u32) -> Next {
        let missing = u32::try_from(gap).unwrap_or(wanted).min(wanted);
        let missing = (missing - missing % CONCEAL_STEP).max(CONCEAL_STEP);
        self.position = Some(position + i64::from(missing));
        self.make_up(missing)
    }

    /// Goes on without moving on: what is late may still come.
    fn starve(&mut self, wanted: u32) -> Next {
        if self.position.is_none() {
            return Next::Silence(wanted);
        }
        self.stalled = self.stalled.saturating_add(wanted);
        self.playing &= self.stalled < PAUSE;
        self.make_up(wanted)
    }

    fn make_up(&mut self, samples: u32) -> Next {
        let conceal = self.made_up < CONCEAL_MAX;
        self.made_up = self.made_up.saturating_add(samples);
        if conceal { Next::Concealment(samples) } else { Next::Silence(samples) }
    }

    fn drop_oldest(&mut self, counters: &mut Counters) {
        while let (Some(first), Some(last)) = (self.frames.front(), self.frames.back())
            && (last.end() - first.media_time > BUFFERED_MAX || self.frames.len() > FRAMES_MAX)
            && self.frames.len() > 1
        {
            self.frames.pop_front();
            counters.frames_dropped_overflow += 1;
            let next = self.frames.front().map(|frame| frame.media_time);
            self.position = self.position.and(next);
        }
    }
}
