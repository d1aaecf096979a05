//! Tracks and the route plan, as a relay sees them.

use bytes::Bytes;
use tributary_identifiers::ParticipantId;

/// Audio slots a participant can have at most.
pub const AUDIO_SLOTS_MAX: usize = 3;
/// Voices that can be heard in one frame at most.
pub const SOURCES_MAX: usize = 16;
/// The most participants of a relay whose levels are doubted at once.
pub const DOUBTS_MAX: usize = 64;

/// One encoded media sequence that exists once in a meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Track {
    /// What everyone who is not speaking hears.
    Common,
    /// What one active speaker hears: all the others.
    Minus(ParticipantId),
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
    /// Audio level (RFC 6464), 0 to 127 in -dBov.
    pub level: u8,
    /// The Opus packet.
    pub payload: Bytes,
}

/// What a participant gets instead of the common track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParticipantPlan {
    /// Who.
    pub participant: ParticipantId,
    /// One track per audio slot; none: silence.
    pub audio_slots: Vec<Track>,
}

/// Which participant of a relay gets which tracks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoutePlan {
    /// Fencing number of the mixer.
    pub epoch: u64,
    /// Grows with each change within an epoch.
    pub version: u64,
    /// The active speakers, loudest first.
    pub speakers: Vec<ParticipantId>,
    /// Who gets something else than the common track.
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

    /// The slot in which a participant gets a track, if at all.
    #[must_use]
    pub fn slot_of(&self, participant: ParticipantId, track: Track) -> Option<usize> {
        match self.exceptions.iter().find(|plan| plan.participant == participant) {
            Some(plan) => {
                plan.audio_slots.iter().take(AUDIO_SLOTS_MAX).position(|slot| *slot == track)
            }
            None => (track == Track::Common).then_some(0),
        }
    }
}
