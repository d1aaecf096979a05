//! Who is in a meeting, and what the registry alone knows of them.

use std::collections::BTreeSet;

use tributary_identifiers::{
    KeyThumbprint, ParticipantId, RelayId, RelaySessionId, TerminalSessionId, UserId,
};

use crate::{DisplayName, RelayName, RelayPath, UnixMillis};

/// One user in one meeting through one terminal, as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    /// Number in the meeting, from 1; the same for ever, never another's.
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
    /// How many relays lie between the core and that one, that one included: 0 for a core relay.
    pub relay_depth: u32,
    /// Which these are.
    pub relay_path: RelayPath,
    /// The core relay that its messages go through; `None`: not known.
    pub core_relay: Option<RelayId>,
    /// True for the participant that the relay itself is: a room's device.
    pub relay_itself: bool,
    /// True while the microphone is off.
    pub muted: bool,
    /// When it came in first; moving to another relay or coming back does not change it.
    pub joined_at: UnixMillis,
    /// Whether it is there, as others are shown it: see [`Presence::shown`].
    pub presence: Presence,
    /// True while its relay can't be reached.
    pub unreachable: bool,
    /// The number of the event by which the hand was raised, 0 while it is down.
    pub hand_raised: u64,
    /// When it last checked in.
    pub checked_in_at: Option<UnixMillis>,
    /// Whether it may use the host's operations.
    pub host: bool,
}

/// Whether a participant is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Presence {
    /// There.
    Online,
    /// In the meeting, but not at the device.
    Away,
    /// Not there for now; the place is kept.
    Offline(OfflineReason),
    /// In the lobby, until a host lets it in.
    Waiting,
}

impl Presence {
    /// What others are shown of somebody who has chosen this: who can't be reached is away, if not
    /// less than that.
    #[must_use]
    pub const fn shown(self, unreachable: bool) -> Self {
        match self {
            Self::Online if unreachable => Self::Away,
            chosen => chosen,
        }
    }
}

/// Why somebody is offline with the place kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OfflineReason {
    /// Not said.
    Unsaid,
    /// In another meeting.
    OtherMeeting,
    /// Something else has taken the microphone, such as a phone call.
    Interrupted,
}

/// What is true of a meeting beside who is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MeetingState {
    /// Nobody else is let in.
    pub locked: bool,
    /// Who is shown to everybody.
    pub spotlight: Option<ParticipantId>,
}

/// A participant who is in, or was, with what proves and keeps its presence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// As others see it.
    pub participant: Participant,
    /// Whether it is there, by its own choice or that of who lets it in.
    pub chosen: Presence,
    /// The terminal's key: who comes with the same one is the same participant.
    pub key: KeyThumbprint,
    /// The run of the relay's process that keeps it in.
    pub relay_session: RelaySessionId,
    /// The run of the terminal; operations of another one are not applied.
    pub session: TerminalSessionId,
    /// The highest sequence number that was answered in that session, 0 if none.
    pub last_sequence: u64,
    /// To whom it talks only; empty: to everybody.
    pub talk: BTreeSet<ParticipantId>,
    /// Whether the member list made it a host when that was last looked at.
    pub listed_host: bool,
    /// Whether it came for events only.
    pub held: bool,
    /// Whether it has been in, and not only in the lobby.
    pub admitted: bool,
    /// Whether it has taken another name here than it came with.
    pub renamed: bool,
}

impl Present {
    /// Is there or not from now on, by choice.
    pub(crate) const fn choose(&mut self, presence: Presence) {
        self.chosen = presence;
        self.participant.presence = presence.shown(self.participant.unreachable);
    }

    /// Can be reached or not from now on.
    pub(crate) const fn set_reachable(&mut self, reachable: bool) {
        self.participant.unreachable = !reachable;
        self.participant.presence = self.chosen.shown(!reachable);
    }
}
