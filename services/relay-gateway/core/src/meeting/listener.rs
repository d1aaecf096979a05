//! One participant at this relay: where it is, and what is in force for it.

use std::time::{Duration, Instant};

use tributary_identifiers::ParticipantId;

use super::Dropped;
use crate::{talk::Talk, timelines::Timelines};

/// Frames a participant may send a second before the rest is dropped: twice what 10 ms frames need.
pub(super) const FRAMES_PER_SECOND_MAX: u32 = 200;

/// Names the uplink of a relay that is attached to this one; it outlives broken connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UplinkId(pub u64);

/// How a participant comes into a meeting.
#[derive(Clone, Copy, Debug)]
pub struct Entry<T> {
    /// Who.
    pub participant: ParticipantId,
    /// The server's handle of its place.
    pub terminal: T,
    /// True if the microphone is off.
    pub muted: bool,
    /// The room it sits in; none: it hears nobody but by the platform.
    pub room: Option<u32>,
    /// The uplink that carries it; none: it is at a terminal of this relay.
    pub uplink: Option<UplinkId>,
}

/// Where somebody is.
pub(super) enum Place {
    /// At a terminal of this relay.
    Here {
        timelines: Timelines,
        /// What comes is not placed now.
        is_late: bool,
    },
    /// Behind another relay.
    Carried(UplinkId),
}

impl Place {
    fn new(uplink: Option<UplinkId>) -> Self {
        match uplink {
            Some(uplink) => Self::Carried(uplink),
            None => Self::Here { timelines: Timelines::default(), is_late: false },
        }
    }
}

pub(super) struct Listener<T> {
    pub(super) participant: ParticipantId,
    pub(super) terminal: T,
    pub(super) place: Place,
    pub(super) room: Option<u32>,
    pub(super) muted: bool,
    pub(super) talk: Talk,
    pub(super) allowance: Allowance,
    /// What comes before this may be of another meeting, and is for nobody here.
    pub(super) quiet_until: Option<Instant>,
}

impl<T> Listener<T> {
    pub(super) fn new(entry: Entry<T>) -> Self {
        Self {
            participant: entry.participant,
            terminal: entry.terminal,
            place: Place::new(entry.uplink),
            room: entry.room,
            muted: entry.muted,
            talk: Talk::default(),
            allowance: Allowance::default(),
            quiet_until: None,
        }
    }

    /// It comes again, perhaps elsewhere.
    pub(super) fn enter_again(&mut self, entry: Entry<T>, now: Instant) {
        if self.uplink() != entry.uplink {
            self.place = Place::new(entry.uplink);
            self.quiet_until = None;
        }
        self.terminal = entry.terminal;
        self.room = entry.room;
        self.muted = entry.muted;
        self.talk.set(entry.participant, &[], now);
    }

    pub(super) fn uplink(&self) -> Option<UplinkId> {
        match self.place {
            Place::Here { .. } => None,
            Place::Carried(uplink) => Some(uplink),
        }
    }

    pub(super) fn is_quiet(&self, now: Instant) -> bool {
        self.quiet_until.is_some_and(|until| now < until)
    }
}

/// How many frames have come in the current second.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    since: Option<Instant>,
    frames: u32,
}

impl Allowance {
    pub(super) fn count(&mut self, now: Instant) -> Result<(), Dropped> {
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
