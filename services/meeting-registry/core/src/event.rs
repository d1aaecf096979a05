//! What has happened in a meeting, who is told of it, and what caused it.

use std::collections::BTreeSet;

use tributary_identifiers::{OperationId, ParticipantId, RelayId};

use crate::{
    AttachmentsChange, ChatText, DisplayName, MembersChange, OperationRefusal, Participant,
    Presence, UnixMillis,
};

/// One thing that has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Position in the meeting's log, from 1.
    pub number: u64,
    /// When it was applied; never before the event with the number before.
    pub at: UnixMillis,
    /// The operation that caused it; `None` if none did.
    pub cause: Option<Cause>,
    /// Who is told; `None`: everybody who is in.
    pub audience: Option<Audience>,
    /// What.
    pub what: Happening,
}

/// The operation that caused an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Who did it.
    pub participant: ParticipantId,
    /// As the terminal has called it.
    pub operation: OperationId,
}

/// Who is told of an event: all whom any of these name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audience {
    /// These, also while they wait in the lobby.
    pub participants: BTreeSet<ParticipantId>,
    /// The hosts, at the time when it is passed on.
    pub hosts: bool,
    /// Who is behind this relay.
    pub relay: Option<RelayId>,
}

impl Audience {
    /// Some, by their ids.
    #[must_use]
    pub fn of(participants: impl IntoIterator<Item = ParticipantId>) -> Self {
        Self { participants: participants.into_iter().collect(), ..Self::default() }
    }

    /// Whether a participant is told; `None` is everybody who is in.
    #[must_use]
    pub fn includes(audience: Option<&Self>, participant: &Participant) -> bool {
        match audience {
            None => participant.presence != Presence::Waiting,
            Some(audience) => {
                audience.participants.contains(&participant.id)
                    || participant.presence != Presence::Waiting
                        && (audience.hosts && participant.host
                            || audience.relay.as_ref() == Some(&participant.relay_id))
            }
        }
    }
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// Somebody came in, or came back with something changed; replaces what was known of the id.
    Joined(Participant),
    /// Somebody left or was lost. Ends their private talk and that they are shown to everybody.
    Left {
        /// Who.
        participant: ParticipantId,
        /// Why.
        reason: LeaveReason,
        /// When it was last there, if that was before the event.
        last_seen_at: Option<UnixMillis>,
    },
    /// Somebody's microphone was switched.
    Muted {
        /// Whose.
        participant: ParticipantId,
        /// The state from now on.
        muted: bool,
        /// The host who did it; `None`: the participant.
        by: Option<ParticipantId>,
    },
    /// The meeting is over.
    Ended,
    /// The member list is another.
    MembersChanged(MembersChange),
    /// Subject, start, lobby or password are others.
    MeetingChanged,
    /// A file was attached or taken away.
    AttachmentsChanged(AttachmentsChange),
    /// Somebody is online, away or offline now.
    PresenceChanged {
        /// Who.
        participant: ParticipantId,
        /// What from now on, as others are shown it.
        presence: Presence,
        /// Whether the relay can't be reached.
        unreachable: bool,
    },
    /// A hand was raised or lowered.
    HandChanged {
        /// Whose.
        participant: ParticipantId,
        /// True: raised.
        raised: bool,
        /// The host who lowered it; `None`: the participant.
        by: Option<ParticipantId>,
    },
    /// Somebody said that they are there.
    CheckedIn {
        /// Who.
        participant: ParticipantId,
    },
    /// Somebody wrote something.
    ChatMessage(ChatMessage),
    /// Somebody talks to some only, or to everybody again.
    TalkChanged {
        /// Who.
        participant: ParticipantId,
        /// To whom from now on; empty: to everybody.
        targets: BTreeSet<ParticipantId>,
    },
    /// A host asks to unmute.
    AskedToUnmute {
        /// Who is asked.
        participant: ParticipantId,
        /// Who asks.
        by: ParticipantId,
    },
    /// The meeting was locked or unlocked.
    LockChanged {
        /// The state from now on.
        locked: bool,
    },
    /// Somebody became a host, or is one no longer.
    HostChanged {
        /// Who.
        participant: ParticipantId,
        /// The state from now on.
        host: bool,
    },
    /// Somebody is shown to everybody.
    SpotlightChanged {
        /// Who; `None`: nobody.
        participant: Option<ParticipantId>,
    },
    /// Somebody has another name.
    NameChanged {
        /// Who.
        participant: ParticipantId,
        /// The name from now on.
        name: DisplayName,
    },
    /// An operation was not applied.
    OperationRefused {
        /// Why, for programs.
        reason: OperationRefusal,
        /// Why, for people who read logs.
        why: &'static str,
    },
    /// An operation was applied and changed nothing.
    OperationDone,
    /// The platform says something.
    Announcement(ChatText),
}

/// Something that somebody wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatMessage {
    /// Who.
    pub from: ParticipantId,
    /// The name at that time.
    pub name: DisplayName,
    /// What.
    pub text: ChatText,
    /// To whom; empty: to everybody.
    pub to: BTreeSet<ParticipantId>,
}

/// Why a participant left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaveReason {
    /// By choice.
    Left,
    /// The terminal's connection was lost and did not come back.
    TerminalLost,
    /// The relay was lost and did not come back.
    RelayLost,
    /// The meeting ended.
    MeetingEnded,
    /// Taken out by a host.
    Removed,
    /// Sent away from the lobby by a host.
    NotAdmitted,
}

impl LeaveReason {
    /// Whether nobody said that they leave: they were not heard of any more.
    #[must_use]
    pub const fn is_loss(self) -> bool {
        matches!(self, Self::TerminalLost | Self::RelayLost)
    }
}
