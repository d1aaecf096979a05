//! What a relay does that reaches nobody above: those behind it hear the loudest of them, untouched, and
//! the loudest hears the next.
//!
//! It is a plan like a mixer's, with two tracks: the common one is the loudest, and `Minus` of the loudest
//! is the next. Who sits in a room with the loudest hears it there, and gets the next who does not. So
//! relays behind this one split what they get as always.

use std::{collections::HashMap, time::Instant};

use tributary_identifiers::ParticipantId;

use crate::{
    meeting::{Meeting, Voice},
    route::{ParticipantPlan, RoomPlan, RoutePlan, Track, TrackFrame},
};

/// Set in the stream numbers of a relay; those of a mixer begin with its epoch.
const STREAM_BIT: u32 = 1 << 31;
/// A step in a participant's time by more than this is another time base: it has a new peer connection.
const STEP_MAX: u32 = 10 * 48_000;
/// So far back a frame is late, and no other time base.
const LATE_MAX: u32 = 48_000;

/// The time base of one participant's voice.
#[derive(Clone, Copy, Debug)]
struct Stream {
    number: u32,
    last_time: u32,
}

/// Stands in for a mixer.
#[derive(Debug, Default)]
pub(crate) struct Forwarding {
    plan: RoutePlan,
    /// Who is heard by the loudest and those in its room.
    second: Option<ParticipantId>,
    /// Of those who were passed on, on the floor and privately.
    streams: HashMap<(ParticipantId, bool), Stream>,
    last_stream: u32,
}

impl Forwarding {
    pub(crate) fn plan(&self) -> &RoutePlan {
        &self.plan
    }

    pub(crate) fn forget(&mut self, participant: ParticipantId) {
        self.streams.retain(|(who, _), _| *who != participant);
    }

    /// The number of the time base that a frame is of.
    fn stream_of(&mut self, frame: &Voice, private: bool) -> u32 {
        let Self { streams, last_stream, .. } = self;
        let time = frame.media_time;
        let known = streams.get(&(frame.participant, private)).copied();
        let continues = known.filter(|stream| {
            let step = time.wrapping_sub(stream.last_time);
            step <= STEP_MAX || step >= u32::MAX - LATE_MAX
        });
        let number = continues.map_or_else(
            || {
                *last_stream = last_stream.wrapping_add(1);
                STREAM_BIT | *last_stream
            },
            |stream| stream.number,
        );
        let last_time = match continues {
            Some(stream) if time.wrapping_sub(stream.last_time) > STEP_MAX => stream.last_time,
            _ => time,
        };
        streams.insert((frame.participant, private), Stream { number, last_time });
        number
    }
}

impl<T: Copy + PartialEq> Meeting<T> {
    /// Whether somebody above takes what goes up. If not, see [`Self::forward`]; the plan in force is of
    /// this relay then. As at the start: somebody does.
    pub fn set_attached(&mut self, attached: bool, now: Instant) {
        if attached == self.forwarding.is_none() {
            return;
        }
        if let Some(ended) = &self.forwarding {
            self.forwarded_streams = ended.last_stream;
        }
        let last_stream = self.forwarded_streams;
        self.forwarding = (!attached).then(|| Forwarding { last_stream, ..Forwarding::default() });
        self.begin_other_streams();
        self.look_who_speaks(now);
    }

    /// True while nobody above takes what goes up.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        self.forwarding.is_some()
    }

    /// While cut off: makes the plan that goes with who speaks now. True if it is another one.
    pub fn look_who_speaks(&mut self, now: Instant) -> bool {
        let Some(forwarding) = &self.forwarding else { return false };
        self.gate.expire(now);
        let same = self.gate.selected().eq(forwarding.plan.speakers.iter().copied());
        if same && self.epoch() == forwarding.plan.epoch {
            // Rooms can change, but rarely: they are looked at with the next speaker.
            return false;
        }
        let speakers: Vec<_> = self.gate.selected().collect();
        let loudest = speakers.first().copied();
        let room = loudest.and_then(|loudest| self.room_of(loudest));
        let elsewhere = |who: &ParticipantId| room.is_none() || self.room_of(*who) != room;
        let second = speakers.iter().skip(1).copied().find(elsewhere);
        let track = loudest.map(Track::Minus);
        let plan = RoutePlan {
            epoch: self.epoch(),
            version: self.plan.version,
            exceptions: loudest
                .map(|participant| ParticipantPlan { participant, track })
                .into_iter()
                .collect(),
            rooms: room.map(|room| RoomPlan { room, track }).into_iter().collect(),
            doubts: self.plan.doubts.clone(),
            speakers,
        };
        let Some(forwarding) = &mut self.forwarding else { return false };
        forwarding.second = second;
        let changed = forwarding.plan != plan;
        forwarding.plan = plan;
        changed
    }

    /// While cut off: makes a track of what would go up, as [`Self::handle_audio`] gave it out, for those
    /// behind this relay. `None`: nobody hears it now. After [`Self::look_who_speaks`].
    pub fn forward(&mut self, frame: Voice, targets: &[ParticipantId]) -> Option<TrackFrame> {
        let forwarding = self.forwarding.as_mut()?;
        let who = frame.participant;
        let track = match forwarding.plan.speakers.first().copied() {
            _ if !targets.is_empty() => Track::Private(who),
            Some(loudest) if loudest == who => Track::Common,
            Some(loudest) if forwarding.second == Some(who) => Track::Minus(loudest),
            _ => return None,
        };
        Some(TrackFrame {
            track,
            stream: forwarding.stream_of(&frame, !targets.is_empty()),
            media_time: frame.media_time,
            sources: vec![who],
            targets: targets.to_vec(),
            level: frame.level,
            payload: frame.payload,
        })
    }
}
