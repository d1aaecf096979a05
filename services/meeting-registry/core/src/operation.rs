//! What participants do, and which of it is applied when.
//!
//! Operations of one terminal session are counted from 1 and are applied in that order. One that
//! comes before its predecessor waits a while; one that comes after its successor is refused.

use tributary_identifiers::{OperationId, ParticipantId, TerminalSessionId};

use crate::{Presence, Present, UnixMillis};

/// How many participants one operation can name.
pub const TARGETS_MAX: usize = 32;

/// How far ahead an operation may be good for: a day, and a minute for clocks that differ.
pub const NOT_AFTER_MAX: UnixMillis = (24 * 3600 + 60) * 1000;

/// The highest sequence number: what every terminal can count exactly.
pub const SEQUENCE_MAX: u64 = (1 << 53) - 1;

/// Something that a participant does, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// As the terminal has called it.
    pub id: OperationId,
    /// Its place in the session, from 1.
    pub sequence: u64,
    /// The session in which it is done.
    pub session: TerminalSessionId,
    /// Who does it.
    pub participant: ParticipantId,
    /// Not to be applied later than this.
    pub not_after: UnixMillis,
    /// What.
    pub act: Act,
}

/// What is done. Texts are as they came, and are checked when it is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Switch the own microphone.
    SetMuted(bool),
    /// Raise (true) or lower the own hand.
    SetHand(bool),
    /// Say that one is there.
    CheckIn,
    /// Write to everybody, or to some.
    SendChat {
        /// What.
        text: String,
        /// To whom; empty: to everybody.
        to: Vec<ParticipantId>,
    },
    /// Be online, away, or offline with the place kept; [`Presence::Waiting`] is refused.
    SetPresence(Presence),
    /// Talk to some; empty: to everybody again.
    TalkTo(Vec<ParticipantId>),
    /// Take another name.
    SetName(String),
    /// Hosts: mute somebody.
    MuteParticipant(ParticipantId),
    /// Hosts: ask somebody to unmute.
    AskToUnmute(ParticipantId),
    /// Hosts: take somebody out for good.
    RemoveParticipant(ParticipantId),
    /// Hosts: let nobody else in (true), or again.
    SetLocked(bool),
    /// Hosts: let somebody in who waits, or send them away.
    AnswerLobby {
        /// Who waits.
        participant: ParticipantId,
        /// True: let them in.
        admitted: bool,
    },
    /// Hosts: make somebody a host, or no longer.
    SetHost {
        /// Whom.
        participant: ParticipantId,
        /// The state from now on.
        host: bool,
    },
    /// Hosts: show somebody to everybody; `None`: nobody.
    SetSpotlight(Option<ParticipantId>),
    /// Hosts: lower somebody's hand; `None`: everybody's.
    LowerHand(Option<ParticipantId>),
    /// Hosts: end the meeting.
    End,
    /// Something of a known kind that says nothing sensible; refused as INVALID for this reason.
    Malformed(&'static str),
    /// Of a kind that is not known here; refused as UNSUPPORTED.
    Unknown,
}

/// Why an operation was not applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperationRefusal {
    /// What it says is not possible: too long, empty, nobody of that number.
    Invalid,
    /// Of a kind that is not known.
    Unsupported,
    /// Only hosts may.
    NotHost,
    /// It came later than it says that it may.
    Expired,
    /// A later one of the same session was applied before it came.
    Overtaken,
    /// It is of a session that is over.
    SessionOver,
    /// The participant is not in: left, or waiting in the lobby.
    NotIn,
    /// The meeting is over.
    MeetingEnded,
    /// The id was used for another operation.
    IdReused,
    /// Not in this state.
    NotPossible,
}

impl OperationRefusal {
    /// Whether an operation that is refused so has had its turn in its session.
    #[must_use]
    pub const fn counts(self) -> bool {
        !matches!(self, Self::SessionOver | Self::Overtaken | Self::IdReused)
    }
}

/// Why an operation is refused: for programs, and in a sentence for people who read logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(pub OperationRefusal, pub &'static str);

/// What to do when an operation has come before its predecessor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Wait for the predecessor.
    Wait,
    /// It has been waited for long enough.
    GoOn,
}

/// Whether it is an operation's turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Now.
    Apply,
    /// When its predecessor has come.
    Wait,
    /// Never.
    Refuse(Refused),
}

/// Whether it is an operation's turn, by what is known of its participant and nothing else.
#[must_use]
pub fn admit(
    operation: &Operation,
    actor: &Present,
    patience: Patience,
    now: UnixMillis,
) -> Admission {
    use OperationRefusal as Why;
    let refuse = |why, message| Admission::Refuse(Refused(why, message));
    if operation.session != actor.session {
        return refuse(Why::SessionOver, "the terminal has begun another session");
    }
    if operation.sequence > SEQUENCE_MAX {
        return refuse(Why::Invalid, "the sequence number is too high");
    }
    if operation.sequence <= actor.last_sequence {
        return refuse(Why::Overtaken, "a later operation of the session was applied before");
    }
    if operation.sequence > actor.last_sequence + 1 && patience == Patience::Wait {
        return Admission::Wait;
    }
    if operation.not_after < now {
        return refuse(Why::Expired, "it came later than it says that it may");
    }
    if operation.not_after > now.saturating_add(NOT_AFTER_MAX) {
        return refuse(Why::Invalid, "it may be good for a day at most");
    }
    Admission::Apply
}
