//! One meeting at one relay: its local voices, its listeners, its route plan.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tributary_identifiers::ParticipantId;
use tributary_speaker_selection::{Config as SelectionConfig, Gate};

use crate::{
    epoch::EpochGuard,
    route::{RoutePlan, Track, TrackFrame},
    talk::{SWITCH_GUARD, Talk},
    timelines::{Crowded, Delivery, FLOOR, PRIVATE, Timelines},
};

/// Frames a terminal may send a second before the rest is dropped: twice what 10 ms frames need.
const FRAMES_PER_SECOND_MAX: u32 = 200;

/// One audio frame from a local participant.
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

/// Why a frame from a terminal was not considered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// The participant is muted.
    Muted,
    /// Said on the open floor by somebody who talks privately.
    OffFloor,
    /// Said privately while no private talk is in force.
    NoTalk,
    /// It may have been said in the meeting that the participant has just come from.
    SaidElsewhere,
    /// In a section in which nothing can be said.
    Section,
    /// More frames a second than a microphone makes.
    Flood,
    /// Nobody of that id is here.
    Unknown,
}

/// What the relay tells the mixer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Everybody here, in order of arrival.
    pub participants: Vec<ParticipantId>,
    /// Epoch of the plan in force, 0 if none.
    pub plan_epoch: u64,
    /// Version of the plan in force, 0 if none.
    pub plan_version: u64,
    /// True if everybody here sits in one room.
    pub room: bool,
}

struct Listener<T> {
    participant: ParticipantId,
    terminal: T,
    muted: bool,
    talk: Talk,
    timelines: Timelines,
    allowance: Allowance,
    /// What comes before this may be of another meeting, and is for nobody here.
    quiet_until: Option<Instant>,
}

impl<T> Listener<T> {
    fn is_quiet(&self, now: Instant) -> bool {
        self.quiet_until.is_some_and(|until| now < until)
    }
}

/// How many frames have come in the current second.
#[derive(Debug, Default)]
struct Allowance {
    since: Option<Instant>,
    frames: u32,
}

/// One meeting at one relay. `T` is the server's handle of a terminal.
pub struct Meeting<T> {
    room: bool,
    gate: Gate<Voice>,
    listeners: Vec<Listener<T>>,
    guard: EpochGuard,
    plan: RoutePlan,
}

impl<T: Copy + PartialEq> Meeting<T> {
    /// An empty meeting that sends up the loudest voices as `selection` says. `room`: everybody at
    /// this relay sits in one room.
    #[must_use]
    pub fn new(selection: SelectionConfig, room: bool) -> Self {
        Self {
            room,
            gate: Gate::new(selection),
            listeners: Vec::new(),
            guard: EpochGuard::default(),
            plan: RoutePlan::default(),
        }
    }

    /// Brings a participant in, or gives it another terminal handle and ends its private talk.
    pub fn attach(&mut self, participant: ParticipantId, terminal: T, muted: bool, now: Instant) {
        if let Some(listener) = self.find(participant) {
            listener.terminal = terminal;
            listener.muted = muted;
            listener.talk.set(participant, &[], now);
            return;
        }
        self.listeners.push(Listener {
            participant,
            terminal,
            muted,
            talk: Talk::default(),
            timelines: Timelines::default(),
            allowance: Allowance::default(),
            quiet_until: None,
        });
    }

    /// The participant has a new peer connection with so many audio sections: timelines start anew.
    pub fn restart_timelines(&mut self, participant: ParticipantId, sections: usize) {
        if let Some(listener) = self.find(participant) {
            listener.timelines = Timelines::new(sections);
            // By this one nothing has been said elsewhere.
            listener.quiet_until = None;
        }
    }

    /// The participant has come with the peer connection that it had in another meeting. What was said
    /// there is still under way: for [`SWITCH_GUARD`] nothing that comes is for anybody here.
    pub fn carry_on(&mut self, participant: ParticipantId, timelines: Timelines, now: Instant) {
        if let Some(listener) = self.find(participant) {
            listener.timelines = timelines.carried();
            listener.quiet_until = Some(now + SWITCH_GUARD);
        }
    }

    /// Takes a participant out, unless it has another terminal by now. Gives back the timelines, for
    /// [`Self::carry_on`] elsewhere.
    pub fn detach(&mut self, participant: ParticipantId, terminal: T) -> Option<Timelines> {
        let leaves = |listener: &Listener<T>| {
            listener.participant == participant && listener.terminal == terminal
        };
        let place = self.listeners.iter().position(leaves)?;
        self.gate.remove(participant);
        Some(self.listeners.remove(place).timelines)
    }

    /// True if nobody is here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listeners.is_empty()
    }

    /// Switches a participant's microphone on the open floor; a muted one's frames are dropped here.
    pub fn set_muted(&mut self, participant: ParticipantId, muted: bool) {
        if let Some(listener) = self.find(participant) {
            listener.muted = muted;
        }
        if muted {
            self.gate.remove(participant);
        }
    }

    /// From now on the participant talks to these only, and is not on the open floor; to nobody: is on
    /// the floor again. Says when that is in force; `None`: not here.
    pub fn set_talk(
        &mut self,
        participant: ParticipantId,
        targets: &[ParticipantId],
        now: Instant,
    ) -> Option<Instant> {
        let listener = self.find(participant)?;
        let mut in_force = listener.talk.set(participant, targets, now);
        if listener.talk.is_on() {
            in_force = listener.quiet_until.map_or(in_force, |until| in_force.max(until));
            self.gate.remove(participant);
        }
        Some(in_force)
    }

    fn find(&mut self, participant: ParticipantId) -> Option<&mut Listener<T>> {
        self.listeners.iter_mut().find(|listener| listener.participant == participant)
    }

    /// A frame has come from a local terminal in one of its audio sections. `up` gets what is to be
    /// sent to the mixer, at once and in order, with whom it is for; nobody: for the open floor. That is
    /// nothing, the frame, or first the onset that was held back and then the frame.
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
        let listener = self.find(frame.participant).ok_or(Dropped::Unknown)?;
        match section {
            FLOOR | PRIVATE if listener.is_quiet(now) => return Err(Dropped::SaidElsewhere),
            FLOOR if listener.talk.is_on() => return Err(Dropped::OffFloor),
            FLOOR if listener.muted => return Err(Dropped::Muted),
            FLOOR => listener.allowance.count(now)?,
            PRIVATE => {
                let targets = listener.talk.in_force(now).ok_or(Dropped::NoTalk)?;
                listener.allowance.count(now)?;
                up(frame, targets);
                return Ok(());
            }
            _ => return Err(Dropped::Section),
        }
        // The frame goes up with the level that was claimed: the mixer compares.
        let who = frame.participant;
        let level = self.plan.corrected(who, frame.level);
        self.gate.push(who, level, frame, now, &mut |_, frame| up(frame, &[]));
        Ok(())
    }

    /// A frame of a track has come down; `deliver` is called for every terminal that gets it. Says how
    /// many it was meant for who have no section free for another private voice.
    pub fn handle_track(
        &mut self,
        frame: &TrackFrame,
        now: Instant,
        deliver: &mut impl FnMut(T, Delivery),
    ) -> u64 {
        let mut crowded = 0;
        let TrackFrame { stream, media_time, .. } = *frame;
        if self.room && self.is_heard_in_the_room(frame) {
            return crowded;
        }
        let Self { listeners, plan, .. } = self;
        for listener in listeners {
            let who = listener.participant;
            if frame.sources.contains(&who) {
                continue;
            }
            let delivery = match frame.track {
                Track::Private(talker) if who != talker && frame.targets.contains(&who) => {
                    match listener.timelines.place_private(talker, stream, media_time, now) {
                        Ok(delivery) => delivery,
                        Err(Crowded) => {
                            crowded += 1;
                            None
                        }
                    }
                }
                Track::Private(_) => None,
                track if plan.track_of(who) == Some(track) => {
                    listener.timelines.place(stream, media_time, now)
                }
                _ => None,
            };
            if let Some(delivery) = delivery {
                deliver(listener.terminal, delivery);
            }
        }
        crowded
    }

    /// Whether a frame of the open floor has a voice from this room in it.
    fn is_heard_in_the_room(&self, frame: &TrackFrame) -> bool {
        let here = |who: &ParticipantId| self.listeners.iter().any(|l| l.participant == *who);
        !matches!(frame.track, Track::Private(_)) && frame.sources.iter().any(here)
    }

    /// Something of this epoch has come: may it be used? A new epoch starts without a plan.
    pub fn admit_epoch(&mut self, epoch: u64, now: Instant) -> bool {
        match self.guard.admit(epoch, now) {
            None => false,
            Some(new) => {
                if new && self.plan.epoch != epoch {
                    self.plan =
                        RoutePlan { speakers: self.plan.speakers.clone(), ..<_>::default() };
                }
                true
            }
        }
    }

    /// A route plan has come. True if it was taken and the active speakers have changed.
    pub fn handle_plan(&mut self, plan: RoutePlan, now: Instant) -> bool {
        if !self.admit_epoch(plan.epoch, now) {
            return false;
        }
        if plan.epoch == self.plan.epoch && plan.version <= self.plan.version {
            return false;
        }
        let changed = plan.speakers != self.plan.speakers;
        self.plan = plan;
        changed
    }

    /// The active speakers, as the plan in force says.
    #[must_use]
    pub fn speakers(&self) -> &[ParticipantId] {
        &self.plan.speakers
    }

    /// What the mixer must know.
    #[must_use]
    pub fn needs(&self) -> Needs {
        Needs {
            participants: self.listeners.iter().map(|listener| listener.participant).collect(),
            plan_epoch: self.plan.epoch,
            plan_version: self.plan.version,
            room: self.room,
        }
    }
}

impl Allowance {
    fn count(&mut self, now: Instant) -> Result<(), Dropped> {
        let fresh = self
            .since
            .is_none_or(|start| now.saturating_duration_since(start) >= Duration::from_secs(1));
        if fresh {
            *self = Self { since: Some(now), frames: 0 };
        }
        self.frames = self.frames.saturating_add(1);
        if self.frames > FRAMES_PER_SECOND_MAX { Err(Dropped::Flood) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
