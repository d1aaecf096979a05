//! Who is in a meeting, and what the registry alone knows of them.

use tributary_identifiers::{KeyThumbprint, ParticipantId, RelayId, RelaySessionId, UserId};

use crate::{DisplayName, RelayName, UnixMillis};

/// One user in one meeting through one terminal, as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    /// Number in the meeting, from 1; never used twice.
    pub id: ParticipantId,
    /// The account or guest.
    pub user_id: UserId,
    /// The name shown to others.
    pub display_name: DisplayName,
    /// True for somebody without an account.
    pub guest: bool,
    /// The relay it is attached to.
    pub relay_id: RelayId,
    /// That relay's name.
    pub relay_name: RelayName,
    /// True while the microphone is off.
    pub muted: bool,
    /// When it came in first; moving to another relay does not change it.
    pub joined_at: UnixMillis,
}

/// A participant who is in, with what proves and keeps its presence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// As others see it.
    pub participant: Participant,
    /// The terminal's key: who comes with the same one is the same participant.
    pub key: KeyThumbprint,
    /// The run of the relay's process that keeps it in.
    pub relay_session: RelaySessionId,
}
