//! Who is in a meeting, as a terminal knows it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prost_types::Timestamp;
use tributary_contracts::{
    event::v1::{Participant, Presence},
    operation::v1::OfflineReason,
};
use tributary_identifiers::ParticipantId;

/// Somebody who is in the meeting, or whose place is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Its number.
    pub participant_id: ParticipantId,
    /// The account or guest.
    pub user_id: String,
    /// The name shown to others.
    pub display_name: String,
    /// True for somebody without an account.
    pub guest: bool,
    /// The relay it is attached to.
    pub relay_id: String,
    /// The name of that relay: the group's name.
    pub relay_name: String,
    /// True while the microphone is off.
    pub muted: bool,
    /// Online, away, offline with the place kept, or waiting in the lobby.
    pub presence: Presence,
    /// Why it is offline with the place kept.
    pub offline_reason: OfflineReason,
    /// Number of the event by which the hand was raised, 0 while it is down.
    pub hand_raised: u64,
    /// When it last checked in.
    pub checked_in: Option<SystemTime>,
    /// May use the host's operations.
    pub host: bool,
    /// How many relays lie between the core and its own relay, that one included: 0 behind a core relay.
    pub relay_depth: u32,
    /// The names of those relays, from the core on, its own relay's the last; empty: none lies between,
    /// or they are not known.
    pub relay_path: Vec<String>,
    /// It is its relay itself: a room's device.
    pub relay_itself: bool,
    /// Its relay can't be reached for now: it is away, whatever it has chosen.
    pub unreachable: bool,
}

impl Person {
    /// True unless it is away, offline, waiting or out of reach.
    pub fn is_online(&self) -> bool {
        !self.unreachable && matches!(self.presence, Presence::Unspecified | Presence::Online)
    }
}

impl From<Participant> for Person {
    fn from(participant: Participant) -> Self {
        Self {
            participant_id: ParticipantId(participant.participant_id),
            presence: participant.presence(),
            offline_reason: participant.offline_reason(),
            user_id: participant.user_id,
            display_name: participant.display_name,
            guest: participant.guest,
            relay_id: participant.relay_id,
            relay_name: participant.relay_name,
            muted: participant.muted,
            hand_raised: participant.hand_raised,
            checked_in: participant.checked_in_at.map(system_time),
            host: participant.host,
            relay_depth: participant.relay_depth,
            relay_path: participant.relay_path,
            relay_itself: participant.relay_itself,
            unreachable: participant.unreachable,
        }
    }
}

pub(crate) fn system_time(at: Timestamp) -> SystemTime {
    let seconds = u64::try_from(at.seconds).unwrap_or_default();
    let nanos = u32::try_from(at.nanos).unwrap_or_default();
    UNIX_EPOCH + Duration::new(seconds, nanos.min(999_999_999))
}
