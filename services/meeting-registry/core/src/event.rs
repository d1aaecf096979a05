//! What has happened in a meeting.

use tributary_identifiers::ParticipantId;

use crate::{AttachmentsChange, MembersChange, Participant, UnixMillis};

/// One thing that has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Position in the meeting's log, from 1.
    pub number: u64,
    /// When it was applied; clocks may differ, so order is the number.
    pub at: UnixMillis,
    /// What.
    pub what: Happening,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// Somebody came in, or came back with something changed; replaces what was known of the id.
    Joined(Participant),
    /// Somebody left or was lost.
    Left {
        /// Who.
        participant: ParticipantId,
        /// Why.
        reason: LeaveReason,
    },
    /// Somebody switched their microphone.
    Muted {
        /// Who.
        participant: ParticipantId,
        /// The state from now on.
        muted: bool,
    },
    /// The meeting is over.
    Ended,
    /// The member list is another.
    MembersChanged(MembersChange),
    /// Subject, start, lobby or password are others.
    MeetingChanged,
    /// A file was attached or taken away.
    AttachmentsChanged(AttachmentsChange),
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
}
