//! Terminals whose peer connection was away: they get what they have missed, quickly but not at once.

use std::time::Instant;

use tributary_rtc_session::{OutgoingAudio, Session};

use super::{
    super::{
        TerminalId,
        catch_up::{FRAMES_AT_ONCE, Kept},
        figures::FRAME_OVERHEAD_BYTES,
    },
    Worker,
};

impl Worker {
    /// A terminal has a new peer connection that is not up yet.
    pub(super) fn expect_back(&mut self, id: TerminalId) {
        let Self { terminals, meetings, catch_up, .. } = self;
        let Some(terminal) = terminals.get_mut(id) else { return };
        let is_late = catch_up.expect_back(&mut terminal.absence);
        if let Some(meeting) = meetings.get_mut(terminal.meeting) {
            meeting.core.set_late(terminal.participant, is_late);
        }
    }

    /// Notes who is away, and forgets what is too old.
    pub(super) fn look_who_is_away(&mut self, now: Instant) {
        let Self { terminals, catch_up, figures, .. } = self;
        for terminal in terminals.all_mut().filter(|terminal| terminal.carried.is_none()) {
            let has_session = terminal.session.is_some();
            figures.not_caught_up_frames += catch_up.look(&mut terminal.absence, has_session, now);
        }
    }

    /// Gives everybody who is back the next of what they have missed.
    pub(super) fn catch_up(&mut self, now: Instant) {
        for id in self.catch_up.due(now) {
            let Some(terminal) = self.terminals.get_mut(id) else { continue };
            if !terminal.session.as_ref().is_some_and(Session::is_connected) {
                // Once more when it is up.
                continue;
            }
            let old = self.catch_up.is_back(&mut terminal.absence, now);
            self.figures.not_caught_up_frames += old;
            let mut done = false;
            for _ in 0..FRAMES_AT_ONCE {
                let next = self.terminals.get_mut(id).and_then(|t| t.absence.next());
                match next {
                    Some(kept) => self.send_late(id, &kept, now),
                    None => done = true,
                }
            }
            self.drive(id);
            if done {
                self.is_up_to_date(id);
            } else {
                self.catch_up.go_on(id, now);
            }
        }
    }

    fn send_late(&mut self, id: TerminalId, kept: &Kept, now: Instant) {
        let Self { terminals, meetings, figures, .. } = self;
        let Some(terminal) = terminals.get_mut(id) else { return };
        let Some(meeting) = meetings.get_mut(terminal.meeting) else { return };
        let place = (kept.stream, kept.media_time);
        let placed = meeting.core.place_late(terminal.participant, kept.track, place, now);
        let sent = placed.zip(terminal.session.as_mut()).is_some_and(|(delivery, session)| {
            let audio = OutgoingAudio {
                section: delivery.section,
                media_time: delivery.placement.media_time,
                payload: kept.payload.clone(),
                level: Some(kept.level),
                talkspurt_start: delivery.placement.talkspurt_start,
            };
            session.send_audio(&audio, now).is_ok()
        });
        if sent {
            figures.caught_up_frames += 1;
            figures.delivered_frames += 1;
            figures.delivered_bytes += kept.payload.len() as u64 + FRAME_OVERHEAD_BYTES;
        } else {
            figures.not_caught_up_frames += 1;
        }
    }

    fn is_up_to_date(&mut self, id: TerminalId) {
        let Self { terminals, meetings, .. } = self;
        if let Some(terminal) = terminals.get_mut(id)
            && let Some(meeting) = meetings.get_mut(terminal.meeting)
        {
            meeting.core.set_late(terminal.participant, false);
        }
    }
}
