//! Frames up: from terminals and from uplinks, through the same checks and the same selection.

use std::time::Instant;

use bytes::Bytes;
use tributary_identifiers::ParticipantId;

use super::{Forwarding, Listener, Meeting, UplinkId};
use crate::timelines::{FLOOR, PRIVATE};

/// One audio frame from a participant behind this relay.
#[derive(Clone, Debug)]
pub struct Voice {
    /// Who.
    pub participant: ParticipantId,
    /// Counts the participant's frames.
    pub sequence: u32,
    /// RTP timestamp, 48 kHz.
    pub media_time: u32,
    /// Audio level (RFC 6464), 0 to 127 in -dBov.
    pub level: u8,
    /// When it arrived, Unix time in microseconds.
    pub ingress_us: u64,
    /// The Opus packet.
    pub payload: Bytes,
}

/// Why a frame was not considered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// The participant is muted.
    Muted,
    /// Said on the open floor by somebody who talks privately.
    OffFloor,
    /// Said privately while no private talk is in force, or to others than those that it is with.
    NoTalk,
    /// It may have been said in the meeting that the participant has just come from.
    SaidElsewhere,
    /// In a section in which nothing can be said.
    Section,
    /// More frames a second than a microphone makes.
    Flood,
    /// Nobody of that id is here.
    Unknown,
    /// The participant is elsewhere than where the frame came from.
    Foreign,
}

impl<T: Copy + PartialEq> Meeting<T> {
    /// A frame has come from a terminal of this relay in one of its audio sections. `up` gets what is to
    /// be sent to the mixer, at once and in order, with whom it is for; nobody: for the open floor. That
    /// is nothing, the frame, or first the onset that was held back and then the frame.
    ///
    /// # Errors
    /// The frame was not considered.
    pub fn handle_audio(
        &mut self,
        section: usize,
        frame: Voice,
        now: Instant,
        up: &mut impl FnMut(Voice, &[ParticipantId]),
    ) -> Result<(), Dropped> {
        let listener = self.speaker(frame.participant, None)?;
        match section {
            FLOOR | PRIVATE if listener.is_quiet(now) => return Err(Dropped::SaidElsewhere),
            FLOOR => listener.speak(now)?,
            PRIVATE => {
                let targets = listener.talk.in_force(now).ok_or(Dropped::NoTalk)?;
                listener.allowance.count(now)?;
                up(frame, targets);
                return Ok(());
            }
            _ => return Err(Dropped::Section),
        }
        self.push(frame, now, up);
        Ok(())
    }

    /// The same of a frame that an uplink has brought, with whom it is for; nobody: for the open floor.
    ///
    /// # Errors
    /// The frame was not considered.
    pub fn handle_carried(
        &mut self,
        uplink: UplinkId,
        frame: Voice,
        targets: &[ParticipantId],
        now: Instant,
        up: &mut impl FnMut(Voice, &[ParticipantId]),
    ) -> Result<(), Dropped> {
        let listener = self.speaker(frame.participant, Some(uplink))?;
        if targets.is_empty() {
            listener.speak(now)?;
            self.push(frame, now, up);
            return Ok(());
        }
        // What was said to others is still under way when they change.
        if !listener.talk.is_to(targets) {
            return Err(Dropped::NoTalk);
        }
        listener.allowance.count(now)?;
        up(frame, targets);
        Ok(())
    }

    fn speaker(
        &mut self,
        participant: ParticipantId,
        uplink: Option<UplinkId>,
    ) -> Result<&mut Listener<T>, Dropped> {
        let listener = self.find(participant).ok_or(Dropped::Unknown)?;
        if listener.uplink() == uplink { Ok(listener) } else { Err(Dropped::Foreign) }
    }

    fn push(&mut self, frame: Voice, now: Instant, up: &mut impl FnMut(Voice, &[ParticipantId])) {
        let who = frame.participant;
        let Self { gate, plan, forwarding, .. } = self;
        let plan = forwarding.as_ref().map_or(&*plan, Forwarding::plan);
        // The frame goes up with the level that was claimed: the mixer compares.
        let level = plan.corrected(who, frame.level);
        gate.push(who, level, frame, now, &mut |_, frame| up(frame, &[]));
    }
}

impl<T> Listener<T> {
    /// Something has come for the open floor.
    fn speak(&mut self, now: Instant) -> Result<(), Dropped> {
        if self.talk.is_on() {
            return Err(Dropped::OffFloor);
        }
        if self.muted {
            return Err(Dropped::Muted);
        }
        self.allowance.count(now)
    }
}
