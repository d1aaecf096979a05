//! Frames down: who gets them, once each.

use std::time::Instant;

use tributary_identifiers::ParticipantId;

use super::{Listener, Meeting, Place, UplinkId, rooms::heard_rooms};
use crate::{
    forward::Forwarding,
    route::{RoutePlan, Track, TrackFrame},
    timelines::{Crowded, Delivery},
};

/// Where a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit<'a, T> {
    /// To a terminal of this relay.
    Terminal(T, Delivery),
    /// To a terminal of this relay, but not now.
    Later(T),
    /// To an uplink, once for all that it carries. Of a private frame: for these of them.
    Uplink(UplinkId, &'a [ParticipantId]),
}

/// Lists that are made once.
#[derive(Default)]
pub(super) struct Scratch {
    rooms: Vec<u32>,
    served: Vec<UplinkId>,
    targets: Vec<ParticipantId>,
    audiences: Vec<(UplinkId, u64)>,
}

impl<T: Copy + PartialEq> Meeting<T> {
    /// A frame of a track has come down; `deliver` is called for everybody who gets it, uplinks first.
    /// Says how many at terminals it was meant for who have no section free for another private voice.
    pub fn handle_track(
        &mut self,
        frame: &TrackFrame,
        now: Instant,
        deliver: &mut impl FnMut(Exit<'_, T>),
    ) -> u64 {
        let Self { listeners, plan, forwarding, scratch, .. } = self;
        let plan = forwarding.as_ref().map_or(&*plan, Forwarding::plan);
        heard_rooms(&frame.sources, listeners, &mut scratch.rooms);
        let getting = Getting { frame, plan, rooms: &scratch.rooms };
        scratch.served.clear();
        for listener in &*listeners {
            if let Place::Carried(uplink) = listener.place
                && !scratch.served.contains(&uplink)
                && getting.is_for(listener)
            {
                scratch.served.push(uplink);
                getting.targets_behind(uplink, listeners, &mut scratch.targets);
                deliver(Exit::Uplink(uplink, &scratch.targets));
            }
        }
        let mut crowded = 0;
        for listener in listeners {
            let wanted = getting.is_for(listener);
            let Place::Here { timelines, is_late } = &mut listener.place else { continue };
            if !wanted {
                continue;
            }
            if *is_late {
                deliver(Exit::Later(listener.terminal));
                continue;
            }
            let delivery = match frame.track {
                Track::Private(talker) => {
                    timelines.place_private(talker, frame.stream, frame.media_time, now)
                }
                _ => Ok(timelines.place(frame.stream, frame.media_time, now)),
            };
            match delivery {
                Ok(Some(delivery)) => deliver(Exit::Terminal(listener.terminal, delivery)),
                Ok(None) => {}
                Err(Crowded) => crowded += 1,
            }
        }
        crowded
    }

    /// How many of those behind each uplink a frame is for, as [`Self::handle_track`] gives it out; only
    /// uplinks to which it goes are named.
    pub fn audiences(&mut self, frame: &TrackFrame, each: &mut impl FnMut(UplinkId, u64)) {
        let Self { listeners, plan, forwarding, scratch, .. } = self;
        let plan = forwarding.as_ref().map_or(&*plan, Forwarding::plan);
        heard_rooms(&frame.sources, listeners, &mut scratch.rooms);
        let getting = Getting { frame, plan, rooms: &scratch.rooms };
        scratch.audiences.clear();
        for listener in &*listeners {
            let Some(uplink) = listener.uplink() else { continue };
            if !getting.is_for(listener) {
                continue;
            }
            match scratch.audiences.iter_mut().find(|(known, _)| *known == uplink) {
                Some((_, people)) => *people += 1,
                None => scratch.audiences.push((uplink, 1)),
            }
        }
        for (uplink, people) in &scratch.audiences {
            each(*uplink, *people);
        }
    }
}

/// What decides who gets a frame.
struct Getting<'a> {
    frame: &'a TrackFrame,
    plan: &'a RoutePlan,
    /// Rooms in which it is heard anyway.
    rooms: &'a [u32],
}

impl Getting<'_> {
    fn is_for<T>(&self, listener: &Listener<T>) -> bool {
        let Self { frame, plan, rooms } = self;
        let who = listener.participant;
        if frame.sources.contains(&who) {
            return false;
        }
        match frame.track {
            Track::Private(talker) => who != talker && frame.targets.contains(&who),
            _ if listener.room.is_some_and(|room| rooms.contains(&room)) => false,
            track => plan.track_of(who, listener.room) == Some(track),
        }
    }

    fn targets_behind<T>(
        &self,
        uplink: UplinkId,
        listeners: &[Listener<T>],
        targets: &mut Vec<ParticipantId>,
    ) {
        targets.clear();
        if matches!(self.frame.track, Track::Private(_)) {
            let behind = listeners.iter().filter(|listener| listener.uplink() == Some(uplink));
            let getting = behind.filter(|listener| self.is_for(listener));
            targets.extend(getting.map(|listener| listener.participant));
        }
    }
}
