//! What terminals miss while their peer connection is away, and when they get it.
//!
//! A peer connection is away when it has ended, until the next one is up; and probably when nothing has
//! come from it for a while: then what is sent is kept as well, in case that the terminal comes back by
//! another one. A terminal that is heard costs nothing of this.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tributary_relay_gateway_core::{Track, TrackFrame};

use super::{TerminalId, terminals::Terminals};

/// Frames a terminal gets late at once, and how often: at four times the pace of speech.
pub(super) const FRAMES_AT_ONCE: usize = 4;
const PACE: Duration = Duration::from_millis(20);
/// Frames kept for one terminal at most: five seconds of the meeting and of two private voices.
const FRAMES_MAX: usize = 768;
/// A microphone that sends is probably away when nothing has come for so long.
const SENDER_SILENCE_MAX: Duration = Duration::from_millis(500);
/// A terminal that only listens says something every few seconds (RFC 7675 §5.1).
const LISTENER_SILENCE_MAX: Duration = Duration::from_secs(6);

/// A frame that a terminal would have got.
pub(super) struct Kept {
    since: Instant,
    pub(super) track: Track,
    pub(super) stream: u32,
    pub(super) media_time: u32,
    pub(super) level: u8,
    pub(super) payload: Bytes,
}

/// How a terminal's peer connection is doing, and what is kept for it.
#[derive(Default)]
pub(super) struct Absence {
    /// Whether there was one that was up.
    was_connected: bool,
    heard_at: Option<Instant>,
    spoke_at: Option<Instant>,
    /// Whether frames are to be kept.
    pub(super) keeping: bool,
    frames: VecDeque<Kept>,
}

impl Absence {
    /// Something has come.
    pub(super) fn note_heard(&mut self, now: Instant) {
        self.heard_at = Some(now);
    }

    /// A voice has come.
    pub(super) fn note_spoken(&mut self, now: Instant) {
        self.spoke_at = Some(now);
    }

    /// The same peer connection in another meeting: what was kept is of this one.
    pub(super) fn moved(mut self) -> Self {
        self.frames.clear();
        self.keeping = false;
        self
    }

    /// Whether there was a peer connection that is, probably, away.
    fn is_away(&self, now: Instant) -> bool {
        let Some(heard) = self.heard_at.filter(|_| self.was_connected) else { return false };
        let sends = self.spoke_at.is_some_and(|spoke| spoke + SENDER_SILENCE_MAX > heard);
        let silence_max = if sends { SENDER_SILENCE_MAX } else { LISTENER_SILENCE_MAX };
        now.saturating_duration_since(heard) > silence_max
    }

    /// Keeps a frame. Says how many are not kept any more.
    pub(super) fn keep(&mut self, frame: &TrackFrame, now: Instant) -> u64 {
        let dropped = self.frames.len() >= FRAMES_MAX;
        if dropped {
            self.frames.pop_front();
        }
        self.frames.push_back(Kept {
            since: now,
            track: frame.track,
            stream: frame.stream,
            media_time: frame.media_time,
            level: frame.level,
            payload: frame.payload.clone(),
        });
        u64::from(dropped)
    }

    /// Forgets what is too old. Says how much that was.
    fn forget_old(&mut self, keep: Duration, now: Instant) -> u64 {
        let before = self.frames.len();
        while self.frames.front().is_some_and(|f| now.saturating_duration_since(f.since) > keep) {
            self.frames.pop_front();
        }
        (before - self.frames.len()) as u64
    }

    /// The oldest frame.
    pub(super) fn next(&mut self) -> Option<Kept> {
        self.frames.pop_front()
    }
}

/// Who is catching up.
pub(super) struct CatchUp {
    keep: Duration,
    who: Vec<TerminalId>,
    next: Option<Instant>,
}

impl CatchUp {
    /// What is older than `keep` is not caught up; zero: nothing is.
    pub(super) fn new(keep: Duration) -> Self {
        Self { keep, who: Vec::new(), next: None }
    }

    /// When there is something to be done.
    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// A terminal's peer connection is up.
    pub(super) fn begin(&mut self, id: TerminalId, now: Instant) {
        if !self.who.contains(&id) {
            self.who.push(id);
        }
        self.next = Some(self.next.map_or(now, |next| next.min(now)));
    }

    /// Those whose turn it is; who is not done comes again by [`Self::go_on`].
    pub(super) fn due(&mut self, now: Instant) -> Vec<TerminalId> {
        match self.next {
            Some(next) if next <= now => {
                self.next = None;
                std::mem::take(&mut self.who)
            }
            _ => Vec::new(),
        }
    }

    /// There is more for a terminal.
    pub(super) fn go_on(&mut self, id: TerminalId, now: Instant) {
        self.who.push(id);
        self.next = Some(now + PACE);
    }

    /// Whether the next peer connection of a terminal is to begin with what it has missed: it has had one.
    /// From now on its frames are kept until then.
    pub(super) fn expect_back(&self, absence: &mut Absence) -> bool {
        let back = absence.was_connected && !self.keep.is_zero();
        absence.keeping = false;
        if !back {
            absence.frames.clear();
        }
        back
    }

    /// A terminal's peer connection is up: what is too old for it is forgotten. Says how much that was.
    pub(super) fn is_back(&self, absence: &mut Absence, now: Instant) -> u64 {
        absence.was_connected = true;
        absence.heard_at = Some(now);
        absence.keeping = false;
        absence.forget_old(self.keep, now)
    }

    /// A terminal's peer connection has ended: what comes is kept until there is another.
    pub(super) fn keep_for(&self, id: TerminalId, terminals: &mut Terminals) {
        if let Some(terminal) = terminals.get_mut(id)
            && terminal.absence.was_connected
            && terminal.live
        {
            terminal.absence.keeping = !self.keep.is_zero();
        }
    }

    /// Looks whether a terminal is away. Says how much of what was kept is too old now.
    pub(super) fn look(&self, absence: &mut Absence, has_session: bool, now: Instant) -> u64 {
        if has_session {
            absence.keeping = !self.keep.is_zero() && absence.is_away(now);
        }
        absence.forget_old(self.keep, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const KEEP: Duration = Duration::from_secs(2);

    fn frame(time: u32) -> TrackFrame {
        TrackFrame {
            track: Track::Common,
            stream: 1,
            media_time: time,
            sources: vec![],
            targets: vec![],
            level: 20,
            payload: Bytes::from_static(b"opus"),
        }
    }

    #[test]
    fn a_silent_sender_is_away_sooner_than_a_silent_listener_and_neither_before_it_was_there() {
        let (start, catch_up) = (Instant::now(), CatchUp::new(KEEP));
        for (sends, silence) in [(true, SENDER_SILENCE_MAX), (false, LISTENER_SILENCE_MAX)] {
            let mut absence = Absence::default();
            absence.note_heard(start);
            assert_eq!(catch_up.look(&mut absence, true, start + silence * 2), 0);
            assert!(!absence.keeping, "never up");
            catch_up.is_back(&mut absence, start);
            if sends {
                absence.note_spoken(start);
            }
            catch_up.look(&mut absence, true, start + silence);
            assert!(!absence.keeping);
            catch_up.look(&mut absence, true, start + silence + MS);
            assert!(absence.keeping);
            absence.note_heard(start + silence + 2 * MS);
            catch_up.look(&mut absence, true, start + silence + 3 * MS);
            assert!(!absence.keeping);
        }
    }

    #[test]
    fn no_more_is_kept_than_there_is_time_for_and_the_oldest_goes() {
        let (start, catch_up) = (Instant::now(), CatchUp::new(KEEP));
        let mut absence = Absence::default();
        catch_up.is_back(&mut absence, start);
        let mut dropped = 0;
        for number in 0..200 {
            let now = start + 20 * MS * number;
            dropped += absence.keep(&frame(number * 960), now);
        }
        assert_eq!(dropped, 0);
        assert_eq!(catch_up.look(&mut absence, false, start + 20 * MS * 199), 99);
        assert_eq!(absence.next().unwrap().media_time, 99 * 960);
        for number in 0..2_000 {
            dropped += absence.keep(&frame(number), start);
        }
        assert_eq!(dropped as usize, 100 + 2_000 - FRAMES_MAX);
    }

    #[test]
    fn only_who_was_there_gets_what_was_missed_and_nobody_if_nothing_is_to_be_kept() {
        let start = Instant::now();
        let mut absence = Absence::default();
        absence.keep(&frame(0), start);
        assert!(!CatchUp::new(KEEP).expect_back(&mut absence));
        assert!(absence.next().is_none());
        CatchUp::new(KEEP).is_back(&mut absence, start);
        absence.keep(&frame(0), start);
        assert!(CatchUp::new(KEEP).expect_back(&mut absence));
        assert!(!CatchUp::new(Duration::ZERO).expect_back(&mut absence));
        assert!(absence.next().is_none());
    }

    #[test]
    fn who_is_not_done_comes_again_in_its_time() {
        let (start, mut catch_up) = (Instant::now(), CatchUp::new(KEEP));
        assert!(catch_up.next().is_none() && catch_up.due(start).is_empty());
        catch_up.begin(TerminalId(1), start);
        catch_up.begin(TerminalId(1), start);
        assert_eq!(catch_up.due(start), [TerminalId(1)]);
        assert!(catch_up.next().is_none());
        catch_up.go_on(TerminalId(1), start);
        assert!(catch_up.due(start).is_empty());
        assert_eq!(catch_up.due(start + PACE), [TerminalId(1)]);
    }
}
