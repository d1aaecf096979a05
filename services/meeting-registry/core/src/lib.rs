//! What a meeting is and what may happen in it, without a clock, a network or a database.
//!
//! [`State::apply`] is the heart: a [`Command`] in, numbered [`Event`]s out. A [`Roster`] can be
//! rebuilt from the events alone. [`Listening`] says when a relay's silence counts.
//!
//! **Invariants:** events of a meeting are numbered 1, 2, 3, … without a gap; a participant id is
//! never used twice in a meeting; after [`Happening::Ended`] nobody comes in and the meeting itself
//! stays as it was, only its members and what is attached may still change; every meeting has one
//! organiser, who stays; nobody is invited twice for one beginning.

mod attachment;
mod command;
mod event;
mod listening;
mod meeting;
mod member;
mod notice;
mod page;
mod participant;
mod roster;
mod state;

/// Milliseconds since 1970-01-01 UTC.
pub type UnixMillis = u64;

pub use attachment::{
    Attach, Attachment, AttachmentLimits, AttachmentsChange, Detach, FILE_NAME_LENGTH_MAX,
    FileName, InvalidFileName, InvalidMediaType, MediaType,
};
pub use command::{Command, Join, Leave, Needs, NewPassword, PresentNeeded, Refusal, Update};
pub use event::{Event, Happening, LeaveReason};
pub use listening::Listening;
pub use meeting::{
    Draft, InvalidDraft, Meeting, PASSWORD_LENGTH_MAX, PasswordTooLong, Proposal, check_password,
    optional_name,
};
pub use member::{
    Caller, MEMBERS_MAX, MEMBERS_PER_COMMAND_MAX, MembersChange, RemoveMembers, Role, SetMembers,
};
pub use notice::{
    Beginning, INVITATION_LIFE, InvalidExpiry, InvalidStart, Invitation, LATE_MAX, Notice,
    NoticeKind, Occasion, SHARED_LIFE, SHARED_LIFE_MAX, Sender, TOLD_PER_REQUEST_MAX, check_start,
    shared_until,
};
pub use page::{
    Cursor, InvalidPage, MemberPageRequest, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, PageRequest,
    member_page_token, page_token,
};
pub use participant::{Participant, Present};
pub use roster::{Group, OutOfOrder, Roster};
pub use state::{Counters, PARTICIPANTS_MAX, State};
pub use tributary_shown_text::{
    DisplayName, InvalidText, NAME_LENGTH_MAX, RelayName, SUBJECT_LENGTH_MAX, Subject,
};
