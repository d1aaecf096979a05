//! What a meeting is and what may happen in it, without a clock, a network or a database.
//!
//! [`State::apply`] and [`State::operate`] are the heart: a [`Command`] of another service, or an
//! [`Operation`] of a participant, in, numbered [`Event`]s out. A [`Roster`] and an [`AttendanceReport`]
//! can be rebuilt from the events alone. [`Listening`] says when a relay's silence counts.
//!
//! **Invariants:** events of a meeting are numbered 1, 2, 3, … without a gap, and their time never goes
//! back; a participant id is one user with one terminal key for ever; after [`Happening::Ended`] nobody comes in and the meeting itself
//! stays as it was, only its members and what is attached may still change; every meeting has one
//! organiser, who stays; nobody is invited twice for one beginning; every operation has one answer: the
//! events that carry its cause, at least one of which its participant is told.

mod attachment;
mod attendance;
mod chat;
mod command;
mod event;
mod listening;
mod meeting;
mod member;
mod notice;
mod operation;
mod page;
mod participant;
mod relay_path;
mod roster;
mod state;

/// Milliseconds since 1970-01-01 UTC.
pub type UnixMillis = u64;

pub use attachment::{
    Attach, Attachment, AttachmentLimits, AttachmentsChange, Detach, FILE_NAME_LENGTH_MAX,
    FileName, InvalidFileName, InvalidMediaType, MediaType,
};
pub use attendance::{Attendance, AttendanceReport, Stay};
pub use chat::{CHAT_LENGTH_MAX, ChatText, InvalidChatText};
pub use command::{
    Announce, Command, Join, Leave, Needs, NewPassword, PlacesNeeded, REACHED_PER_COMMAND_MAX,
    RELAY_DEPTH_MAX, Refusal, SetReachable, Update,
};
pub use event::{Audience, Cause, ChatMessage, Event, Happening, LeaveReason};
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
pub use operation::{
    Act, Admission, NOT_AFTER_MAX, Operation, OperationRefusal, Patience, Refused, SEQUENCE_MAX,
    TARGETS_MAX, admit,
};
pub use page::{
    AttendancePageRequest, Cursor, InvalidPage, MemberPageRequest, PAGE_SIZE_DEFAULT,
    PAGE_SIZE_MAX, PageRequest, attendance_page_token, member_page_token, page_token,
};
pub use participant::{MeetingState, OfflineReason, Participant, Presence, Present};
pub use relay_path::{InvalidRelayPath, RELAY_PATH_BYTES_MAX, RelayPath};
pub use roster::{Group, OutOfOrder, Roster};
pub use state::{Counters, Operated, PARTICIPANTS_MAX, State, WAITING_MAX};
pub use tributary_shown_text::{
    DisplayName, InvalidText, NAME_LENGTH_MAX, RelayName, SUBJECT_LENGTH_MAX, Subject,
};
