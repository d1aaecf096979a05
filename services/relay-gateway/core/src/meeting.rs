//! One meeting at one relay: the voices behind it, its listeners, its route plan.

mod listener;
mod rooms;
mod tracks;
mod voices;

use std::time::Instant;

use tributary_identifiers::ParticipantId;
use tributary_speaker_selection::{Config as SelectionConfig, Gate};

pub use listener::{Entry, UplinkId};
use listener::{Listener, Place};
pub use rooms::Room;
pub use tracks::Exit;
pub use voices::{Dropped, Voice};

use crate::{
    epoch::EpochGuard,
    forward::Forwarding,
    route::{RoutePlan, Track},
    talk::SWITCH_GUARD,
    timelines::{Delivery, Timelines},
};

/// What the relay tells the mixer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Everybody here, in order of arrival.
    pub participants: Vec<ParticipantId>,
    /// Epoch of the plan in force, 0 if none.
    pub plan_epoch: u64,
    /// Version of the plan in force, 0 if none.
    pub plan_version: u64,
    /// The rooms among them.
    pub rooms: Vec<Room>,
}

/// One meeting at one relay. `T` is the server's handle of a participant's place.
pub struct Meeting<T> {
    pub(crate) gate: Gate<Voice>,
    listeners: Vec<Listener<T>>,
    guard: EpochGuard,
    /// Of the mixer.
    pub(crate) plan: RoutePlan,
    /// While nobody above this relay is reached: what is in force instead.
    pub(crate) forwarding: Option<Forwarding>,
    /// Streams that were made while cut off, over all times.
    pub(crate) forwarded_streams: u32,
    scratch: tracks::Scratch,
}

impl<T: Copy + PartialEq> Meeting<T> {
    /// An empty meeting that sends up the loudest voices as `selection` says.
    #[must_use]
    pub fn new(selection: SelectionConfig) -> Self {
        Self {
            gate: Gate::new(selection),
            listeners: Vec::new(),
            guard: EpochGuard::default(),
            plan: RoutePlan::default(),
            forwarding: None,
            forwarded_streams: 0,
            scratch: tracks::Scratch::default(),
        }
    }

    /// Brings a participant in, or gives it another place and ends its private talk.
    pub fn attach(&mut self, entry: Entry<T>, now: Instant) {
        match self.find(entry.participant) {
            Some(listener) => listener.enter_again(entry, now),
            None => self.listeners.push(Listener::new(entry)),
        }
    }

    /// The participant has a new peer connection with so many audio sections: timelines start anew.
    pub fn restart_timelines(&mut self, participant: ParticipantId, sections: usize) {
        if let Some(listener) = self.find(participant)
            && let Place::Here { timelines, .. } = &mut listener.place
        {
            *timelines = Timelines::new(sections);
            // By this one nothing has been said elsewhere.
            listener.quiet_until = None;
        }
    }

    /// The participant has come with the peer connection that it had in another meeting. What was said
    /// there is still under way: for [`SWITCH_GUARD`] nothing that comes is for anybody here.
    pub fn carry_on(&mut self, participant: ParticipantId, timelines: Timelines, now: Instant) {
        if let Some(listener) = self.find(participant)
            && let Place::Here { timelines: own, .. } = &mut listener.place
        {
            *own = timelines.carried();
            listener.quiet_until = Some(now + SWITCH_GUARD);
        }
    }

    /// From now on what comes for a terminal is given out as [`Exit::Later`], for [`Self::place_late`];
    /// or no more.
    pub fn set_late(&mut self, participant: ParticipantId, late: bool) {
        if let Some(listener) = self.find(participant)
            && let Place::Here { is_late, .. } = &mut listener.place
        {
            *is_late = late;
        }
    }

    /// Places a frame that was given out as [`Exit::Later`]. `None`: it lies before one that was sent
    /// already, or no section is free for it.
    pub fn place_late(
        &mut self,
        participant: ParticipantId,
        track: Track,
        (stream, media_time): (u32, u32),
        now: Instant,
    ) -> Option<Delivery> {
        let Place::Here { timelines, .. } = &mut self.find(participant)?.place else { return None };
        match track {
            Track::Private(talker) => {
                timelines.place_private(talker, stream, media_time, now).ok().flatten()
            }
            _ => timelines.place(stream, media_time, now),
        }
    }

    /// Takes a participant out, unless it has another place by now. Gives back the timelines, for
    /// [`Self::carry_on`] elsewhere.
    pub fn detach(&mut self, participant: ParticipantId, terminal: T) -> Option<Timelines> {
        let leaves = |listener: &Listener<T>| {
            listener.participant == participant && listener.terminal == terminal
        };
        let place = self.listeners.iter().position(leaves)?;
        self.gate.remove(participant);
        if let Some(forwarding) = &mut self.forwarding {
            forwarding.forget(participant);
        }
        match self.listeners.remove(place).place {
            Place::Here { timelines, .. } => Some(timelines),
            Place::Carried(_) => Some(Timelines::default()),
        }
    }

    /// True if nobody is here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listeners.is_empty()
    }

    /// How many are at terminals of this relay, and how many are carried.
    #[must_use]
    pub fn population(&self) -> (usize, usize) {
        let carried = self.listeners.iter().filter(|listener| listener.uplink().is_some()).count();
        (self.listeners.len() - carried, carried)
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
    ///
    /// Of who is carried, each frame says whom it is for: that is in force at once.
    pub fn set_talk(
        &mut self,
        participant: ParticipantId,
        targets: &[ParticipantId],
        now: Instant,
    ) -> Option<Instant> {
        let listener = self.find(participant)?;
        let mut in_force = listener.talk.set(participant, targets, now);
        let is_on = listener.talk.is_on();
        if listener.uplink().is_some() {
            in_force = now;
        } else if is_on {
            in_force = listener.quiet_until.map_or(in_force, |until| in_force.max(until));
        }
        if is_on {
            self.gate.remove(participant);
        }
        Some(in_force)
    }

    /// Selects voices by another rule from now on: who speaks is found out anew.
    pub fn select(&mut self, selection: SelectionConfig) {
        self.gate = Gate::new(selection);
    }

    /// What comes from now on is of other streams, even if their numbers are equal.
    pub(crate) fn begin_other_streams(&mut self) {
        for listener in &mut self.listeners {
            if let Place::Here { timelines, .. } = &mut listener.place {
                *timelines = std::mem::take(timelines).carried();
            }
        }
    }

    fn find(&mut self, participant: ParticipantId) -> Option<&mut Listener<T>> {
        self.listeners.iter_mut().find(|listener| listener.participant == participant)
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

    /// The epoch in force, 0 if none.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.guard.current()
    }

    /// A route plan has come from the mixer. True if it was taken.
    pub fn handle_plan(&mut self, plan: RoutePlan, now: Instant) -> bool {
        if !self.admit_epoch(plan.epoch, now) {
            return false;
        }
        if plan.epoch == self.plan.epoch && plan.version <= self.plan.version {
            return false;
        }
        self.plan = plan;
        true
    }

    /// A route plan has come from the parent, whose plans come in order: the same version says something
    /// else when others are behind this relay. True if it was taken.
    pub fn replace_plan(&mut self, plan: RoutePlan, now: Instant) -> bool {
        let admitted = self.admit_epoch(plan.epoch, now);
        if admitted {
            self.plan = plan;
        }
        admitted
    }

    /// The plan in force.
    fn plan(&self) -> &RoutePlan {
        self.forwarding.as_ref().map_or(&self.plan, Forwarding::plan)
    }

    /// The plan in force, as far as it is about those who are carried by this uplink.
    #[must_use]
    pub fn plan_for(&self, uplink: UplinkId) -> RoutePlan {
        let behind = |who: ParticipantId| {
            self.listeners.iter().any(|l| l.participant == who && l.uplink() == Some(uplink))
        };
        let seats = |room: u32| {
            self.listeners.iter().any(|l| l.room == Some(room) && l.uplink() == Some(uplink))
        };
        let mut plan = self.plan().clone();
        plan.exceptions.retain(|exception| behind(exception.participant));
        plan.doubts.retain(|(who, _)| behind(*who));
        plan.rooms.retain(|room| seats(room.room));
        plan
    }

    /// The active speakers, as the plan in force says.
    #[must_use]
    pub fn speakers(&self) -> &[ParticipantId] {
        &self.plan().speakers
    }

    /// What the mixer must know.
    #[must_use]
    pub fn needs(&self) -> Needs {
        Needs {
            participants: self.listeners.iter().map(|listener| listener.participant).collect(),
            plan_epoch: self.plan.epoch,
            plan_version: self.plan.version,
            rooms: self.rooms(),
        }
    }
}

#[cfg(test)]
mod tests;
