//! Tracks and the route plan, as a relay sees them.

use bytes::Bytes;
use tributary_identifiers::ParticipantId;

/// Voices that can be heard in one frame at most.
pub const SOURCES_MAX: usize = 16;
/// The most participants of a relay whose levels are doubted at once.
pub const DOUBTS_MAX: usize = 64;
/// The most rooms behind one relay that a mixer takes.
pub const ROOMS_MAX: usize = 512;

/// One encoded media sequence that exists once in a meeting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Track {
    /// What everyone who is not speaking hears.
    #[default]
    Common,
    /// What one active speaker hears: all the others.
    Minus(ParticipantId),
    /// What everyone in this room hears: all but those in the room.
    Room(u32),
    /// What one participant says to some only.
    Private(ParticipantId),
}

/// One audio frame of a track.
#[derive(Clone, Debug)]
pub struct TrackFrame {
    /// Which track.
    pub track: Track,
    /// Changes with the content's time base.
    pub stream: u32,
    /// Time in the stream, 48 kHz, wraps.
    pub media_time: u32,
    /// Who can be heard in it.
    pub sources: Vec<ParticipantId>,
    /// With [`Track::Private`]: whom it is for.
    pub targets: Vec<ParticipantId>,
    /// Audio level (RFC 6464), 0 to 127 in -dBov.
    pub level: u8,
    /// The Opus packet.
    pub payload: Bytes,
}

/// What a participant gets instead of the track of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParticipantPlan {
    /// Who.
    pub participant: ParticipantId,
    /// What they hear of the meeting; none: nothing.
    pub track: Option<Track>,
}

/// What the people of one room get instead of the common track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomPlan {
    /// Which.
    pub room: u32,
    /// What they hear of the meeting; none: nothing.
    pub track: Option<Track>,
}

/// Which participant of a relay gets which tracks. Everybody gets the common one who is named nowhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoutePlan {
    /// Fencing number of the mixer.
    pub epoch: u64,
    /// Grows with each change within an epoch.
    pub version: u64,
    /// The active speakers, loudest first.
    pub speakers: Vec<ParticipantId>,
    /// Rooms that get something else.
    pub rooms: Vec<RoomPlan>,
    /// Who gets something else, whatever their room.
    pub exceptions: Vec<ParticipantPlan>,
    /// Who is not as loud as they claim, and what is to be added to their levels (-dBov).
    pub doubts: Vec<(ParticipantId, u8)>,
}

impl RoutePlan {
    /// The level to go by, in -dBov.
    #[must_use]
    pub fn corrected(&self, participant: ParticipantId, claimed: u8) -> u8 {
        let doubt = self.doubts.iter().find(|(who, _)| *who == participant);
        claimed.saturating_add(doubt.map_or(0, |(_, correction)| *correction))
    }

    /// What a participant who sits in that room, or in none, hears of the meeting, if anything.
    #[must_use]
    pub fn track_of(&self, participant: ParticipantId, room: Option<u32>) -> Option<Track> {
        let exception = self.exceptions.iter().find(|plan| plan.participant == participant);
        if let Some(exception) = exception {
            return exception.track;
        }
        let room = room.and_then(|room| self.rooms.iter().find(|plan| plan.room == room));
        room.map_or(Some(Track::Common), |plan| plan.track)
    }
}
