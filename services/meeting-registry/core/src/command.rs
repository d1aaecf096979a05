//! What can be asked of a meeting, what must be known for it, and why it can be refused.

mod needs;

use std::collections::BTreeSet;

use tributary_identifiers::{
    KeyThumbprint, ParticipantId, RelayId, RelaySessionId, TerminalSessionId, UserId,
};

use crate::{
    Attach, Audience, Caller, ChatText, Detach, DisplayName, LeaveReason, MEMBERS_MAX,
    PARTICIPANTS_MAX, RelayName, RelayPath, RemoveMembers, SetMembers, Subject, UnixMillis,
    WAITING_MAX,
};
pub use needs::{Needs, PlacesNeeded};

/// How many relays can lie between the core and a terminal.
pub const RELAY_DEPTH_MAX: u32 = 8;

/// How many participants one [`SetReachable`] can name.
pub const REACHED_PER_COMMAND_MAX: usize = 8_192;

/// What is to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A terminal comes in, or comes back.
    Join(Join),
    /// A relay says that a participant has left.
    Leave(Leave),
    /// The meeting ends for everybody.
    End,
    /// A relay is gone with all who are behind it.
    RelayLost {
        /// The run of its process.
        relay_session: RelaySessionId,
        /// How long ago it was last heard, in ms.
        silent: UnixMillis,
    },
    /// The relay of some can't be reached for now, or can again.
    SetReachable(SetReachable),
    /// What the meeting is, is changed.
    Update(Update),
    /// Users come onto the member list, or get another role.
    SetMembers(SetMembers),
    /// Users are taken off the member list.
    RemoveMembers(RemoveMembers),
    /// A file is attached.
    Attach(Attach),
    /// A file is taken away.
    Detach(Detach),
    /// The platform says something.
    Announce(Announce),
}

/// A terminal comes in, or comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// The user.
    pub user_id: UserId,
    /// The name shown to others.
    pub display_name: DisplayName,
    /// True for somebody without an account.
    pub guest: bool,
    /// The terminal's key.
    pub key: KeyThumbprint,
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
    /// True for the participant that the relay itself is.
    pub relay_itself: bool,
    /// The run of the relay's process.
    pub relay_session: RelaySessionId,
    /// True if the microphone is off.
    pub muted: bool,
    /// The run of the terminal. Another one than before ends the one before.
    pub session: TerminalSessionId,
    /// True if it comes for events only: it is live in another meeting.
    pub held: bool,
}

/// A relay says that a participant has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leave {
    /// Who.
    pub participant: ParticipantId,
    /// Who says so; not heard if the participant has come back under another.
    pub relay_session: RelaySessionId,
    /// Why.
    pub reason: LeaveReason,
    /// How long ago the participant was last there, in ms.
    pub silent: UnixMillis,
}

/// The relay of some can't be reached for now, or can again. Their stay goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetReachable {
    /// Who.
    pub participants: BTreeSet<ParticipantId>,
    /// Who says so; not heard for those who have come back under another.
    pub relay_session: RelaySessionId,
    /// The state from now on.
    pub reachable: bool,
}

/// The platform says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announce {
    /// What.
    pub text: ChatText,
    /// To whom; `None`: to everybody who is in.
    pub audience: Option<Audience>,
}

/// What a meeting is, is changed. What is absent stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// Who does it.
    pub by: Caller,
    /// What it is about.
    pub subject: Option<Subject>,
    /// When it is to begin, checked by [`check_start`](crate::check_start).
    pub starts_at: Option<UnixMillis>,
    /// Whether outsiders wait in the lobby.
    pub lobby: Option<bool>,
    /// The password of outsiders.
    pub password: Option<NewPassword>,
}

/// What becomes of a meeting's password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewPassword {
    /// There is none from now on.
    None,
    /// The hash of a new one, in PHC form.
    Hash(String),
}

/// Why a command can't be applied. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The meeting is over.
    #[error("the meeting has ended")]
    Ended,
    /// As many are in as may be.
    #[error("the meeting is full: {PARTICIPANTS_MAX} participants are in")]
    Full,
    /// As many wait in the lobby as may.
    #[error("the lobby is full: {WAITING_MAX} wait in it; try again later")]
    LobbyFull,
    /// A host has taken the user out.
    #[error("a host has taken this user out of the meeting")]
    Removed,
    /// The hosts let nobody else in.
    #[error("the meeting is locked: its hosts let nobody else in for now")]
    Locked,
    /// That participant is not in any more.
    #[error("participant {0} has left the meeting")]
    HasLeft(ParticipantId),
    /// There has never been such a participant.
    #[error("there is no participant {0} in the meeting")]
    UnknownParticipant(ParticipantId),
    /// Not for this role.
    #[error("only the organiser and hosts of the meeting may do this")]
    NotManager,
    /// Not for outsiders.
    #[error("only members of the meeting may do this")]
    NotMember,
    /// Not for who neither attached the file nor runs the meeting.
    #[error("only who attached the file, the organiser and hosts may take it away")]
    NotAttacher,
    /// The organiser has one role for ever.
    #[error("the organiser stays on the list, as organiser; leave the organiser out")]
    OrganiserStays,
    /// Nobody else gets that role.
    #[error("nobody can be made organiser; make them host")]
    NoSecondOrganiser,
    /// The list is as long as it may be.
    #[error("a meeting has at most {MEMBERS_MAX} members beside the organiser")]
    TooManyMembers,
    /// There is no such file.
    #[error("there is no such attachment")]
    NoSuchAttachment,
    /// The file is too large.
    #[error("a file may have at most {0} bytes")]
    AttachmentTooLarge(u64),
    /// All files together would be too large.
    #[error("the files of a meeting may have at most {0} bytes together; take one away first")]
    AttachmentsTooLarge(u64),
    /// There are too many files.
    #[error("a meeting may have at most {0} files; take one away first")]
    TooManyAttachments(u32),
}
