//! What can be asked of a meeting, what must be known for it, and why it can be refused.

use tributary_identifiers::{
    AttachmentId, KeyThumbprint, ParticipantId, RelayId, RelaySessionId, UserId,
};

use crate::{
    Attach, Caller, Detach, DisplayName, LeaveReason, MEMBERS_MAX, PARTICIPANTS_MAX, Present,
    RelayName, RemoveMembers, SetMembers, Subject, UnixMillis,
};

/// What is to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A terminal comes in, or comes back.
    Join(Join),
    /// A relay says that a participant has left.
    Leave(Leave),
    /// A participant switches the own microphone.
    SetMuted {
        /// Who.
        participant: ParticipantId,
        /// The state from now on.
        muted: bool,
    },
    /// The meeting ends for everybody.
    End,
    /// A relay is gone with all who are behind it.
    RelayLost {
        /// The run of its process.
        relay_session: RelaySessionId,
    },
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
    /// The run of the relay's process.
    pub relay_session: RelaySessionId,
    /// True if the microphone is off.
    pub muted: bool,
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

/// What a command needs to know of a meeting beside its counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needs<'a> {
    /// Which of those who are in.
    pub present: PresentNeeded<'a>,
    /// Whose place on the member list.
    pub members: Vec<&'a UserId>,
    /// Which file.
    pub attachment: Option<&'a AttachmentId>,
}

/// Which of those who are in a command needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresentNeeded<'a> {
    /// None.
    Nobody,
    /// Who has this key.
    Key(&'a KeyThumbprint),
    /// This one.
    Participant(ParticipantId),
    /// Those kept in by this run of a relay.
    RelaySession(&'a RelaySessionId),
    /// All.
    Everybody,
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

impl Command {
    /// What must be in the state that this is applied to.
    #[must_use]
    pub fn needs(&self) -> Needs<'_> {
        let present = match self {
            Self::Join(join) => PresentNeeded::Key(&join.key),
            Self::Leave(leave) => PresentNeeded::Participant(leave.participant),
            Self::SetMuted { participant, .. } => PresentNeeded::Participant(*participant),
            Self::End => PresentNeeded::Everybody,
            Self::RelayLost { relay_session } => PresentNeeded::RelaySession(relay_session),
            _ => PresentNeeded::Nobody,
        };
        let mut attachment = None;
        let members = match self {
            Self::Update(update) => update.by.user().into_iter().collect(),
            Self::SetMembers(set) => set.by.user().into_iter().chain(set.members.keys()).collect(),
            Self::RemoveMembers(remove) => {
                remove.by.user().into_iter().chain(&remove.members).collect()
            }
            Self::Attach(attach) => vec![&attach.attachment.by],
            Self::Detach(detach) => {
                attachment = Some(&detach.attachment);
                detach.by.user().into_iter().collect()
            }
            _ => Vec::new(),
        };
        Needs { present, members, attachment }
    }
}

impl PresentNeeded<'_> {
    /// Whether `present` is one of them.
    #[must_use]
    pub fn include(&self, present: &Present) -> bool {
        match self {
            Self::Nobody => false,
            Self::Key(key) => present.key == **key,
            Self::Participant(id) => present.participant.id == *id,
            Self::RelaySession(session) => present.relay_session == **session,
            Self::Everybody => true,
        }
    }
}
