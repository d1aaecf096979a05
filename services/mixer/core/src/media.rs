//! What goes in and comes out: frames, tracks and route plans, as this core's own types. They
//! mirror `tributary.media.v1` and `tributary.relay.v1`; the server converts.

use std::{fmt, ops::Deref, sync::Arc};

use bytes::Bytes;
use tributary_identifiers::{ParticipantId, RelayId};

/// The most speakers who can be heard at a time.
pub const SOURCES_MAX: usize = 8;
/// Whom somebody can talk to privately at a time, at most.
pub const TARGETS_MAX: usize = 32;

/// One audio frame from a participant, as its relay sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendFrame {
    /// Who sent it.
    pub participant: ParticipantId,
    /// Counts the participant's frames.
    pub sequence: u32,
    /// RTP timestamp, 48 kHz, wraps.
    pub media_time: u32,
    /// Audio level in -dBov, 0 to 127 (RFC 6464).
    pub level: u8,
    /// When the relay received it, Unix time in microseconds.
    pub ingress_us: u64,
    /// The Opus packet.
    pub payload: Bytes,
    /// Private talk: for these only. Nobody: for the open floor.
    pub targets: Vec<ParticipantId>,
}

/// One encoded media sequence that exists once in a meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Track {
    /// What everyone who is not speaking hears.
    Common,
    /// What this active speaker hears: all the others.
    Minus(ParticipantId),
    /// What everyone in this room, of the relay that it goes to, hears: all but those in the room.
    Room(u32),
    /// What this participant says to some only.
    Private(ParticipantId),
}

/// One audio frame of a track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackFrame {
    /// The track it belongs to.
    pub track: Track,
    /// Names the time base. It changes when the track's content gets another one; equal streams
    /// in two tracks are the same packets.
    pub stream: u32,
    /// Time of the frame in its stream, 48 kHz samples, wraps.
    pub media_time: u32,
    /// Who can be heard in it. One: the packet is untouched.
    pub sources: Sources,
    /// When the oldest of its sources entered a relay, Unix time in microseconds.
    pub ingress_us: u64,
    /// Audio level in -dBov, 0 to 127 (RFC 6464).
    pub level: u8,
    /// The Opus packet.
    pub payload: Bytes,
    /// With [`Track::Private`]: whom it is for, of those behind the relay that it goes to.
    pub targets: Arc<[ParticipantId]>,
}

/// Which participants of a relay get which tracks. A whole plan each time: the newest wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutePlan {
    /// Fencing number of the mixer's ownership.
    pub epoch: u64,
    /// Grows with each change within an epoch, from 1.
    pub version: u64,
    /// The active speakers of the meeting, loudest first.
    pub speakers: Sources,
    /// Rooms of this relay whose people get something else than the common track.
    pub rooms: Vec<RoomPlan>,
    /// Participants of this relay who get something else than the common track, whatever their room.
    pub exceptions: Vec<ParticipantPlan>,
    /// Participants of this relay who are not as loud as they claim.
    pub doubts: Vec<LevelDoubt>,
}

/// What the people of one room get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomPlan {
    /// Which of the relay's rooms.
    pub room: u32,
    /// What they hear.
    pub track: Track,
}

/// A participant whose claimed levels are not to be gone by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelDoubt {
    /// Who.
    pub participant: ParticipantId,
    /// To be added to the claimed level, which is in -dBov.
    pub correction: u8,
}

/// What one participant gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParticipantPlan {
    /// Who.
    pub participant: ParticipantId,
    /// The track in their audio slot; none: silence.
    pub audio_slot: Option<Track>,
}

/// Whom a track frame is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    /// All relays of the meeting.
    Common,
    /// This relay.
    Relay(RelayId),
}

/// What the server is to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A frame of a track.
    Track {
        /// Whom it is for.
        destination: Destination,
        /// The frame.
        frame: TrackFrame,
    },
    /// A relay's route plan.
    Plan {
        /// The relay it is for.
        relay: RelayId,
        /// The plan.
        plan: RoutePlan,
    },
}

/// A few participants, in order, without a heap allocation.
#[derive(Clone, Copy)]
pub struct Sources {
    ids: [ParticipantId; SOURCES_MAX],
    len: usize,
}

impl Sources {
    /// Nobody.
    pub const EMPTY: Self = Self { ids: [ParticipantId(0); SOURCES_MAX], len: 0 };

    /// All but this one.
    #[must_use]
    pub fn without(&self, who: ParticipantId) -> Self {
        self.iter().copied().filter(|id| *id != who).collect()
    }

    /// All but these.
    #[must_use]
    pub fn except(&self, others: &[ParticipantId]) -> Self {
        self.iter().copied().filter(|id| !others.contains(id)).collect()
    }

    /// Whether both hold the same participants, in any order.
    #[must_use]
    pub fn same_set(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().all(|id| other.contains(id))
    }
}

impl Deref for Sources {
    type Target = [ParticipantId];

    fn deref(&self) -> &[ParticipantId] {
        self.ids.get(..self.len).unwrap_or_default()
    }
}

impl FromIterator<ParticipantId> for Sources {
    /// Takes the first `SOURCES_MAX`.
    fn from_iter<I: IntoIterator<Item = ParticipantId>>(ids: I) -> Self {
        let mut sources = Self::EMPTY;
        for (place, id) in sources.ids.iter_mut().zip(ids) {
            *place = id;
            sources.len += 1;
        }
        sources
    }
}

impl PartialEq for Sources {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Sources {}

impl Default for Sources {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|id| id.0)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_hold_a_bounded_number_in_order() {
        let sources: Sources = (1..100).map(ParticipantId).collect();
        assert_eq!(sources.len(), SOURCES_MAX);
        assert_eq!(sources.first(), Some(&ParticipantId(1)));
        let without = sources.without(ParticipantId(1));
        assert_eq!(without.len(), SOURCES_MAX - 1);
        assert!(!without.contains(&ParticipantId(1)));
        assert_ne!(sources, without);
    }

    #[test]
    fn the_same_set_has_any_order() {
        let [one, two, three] = [1, 2, 3].map(ParticipantId);
        let sources: Sources = [one, two].into_iter().collect();
        assert!(sources.same_set(&[two, one].into_iter().collect()));
        assert!(!sources.same_set(&[two, three].into_iter().collect()));
        assert!(!sources.same_set(&Sources::EMPTY));
    }
}
