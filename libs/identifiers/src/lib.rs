//! One id, one type: what names an organisation, a meeting, a participant, a relay, …
//!
//! Every type here is checked when it is made, so that code which holds one can put it into a
//! subject, a path or a query without looking at it again.

mod meeting_id;
mod text_id;

pub use meeting_id::{
    AHEAD_MAX_SECONDS, InvalidMeetingId, MeetingId, MeetingIdVersion, UnixSeconds,
};
pub use text_id::{
    AttachmentId, InvalidTextId, KeyThumbprint, NoticeId, OperationId, OrganisationId, RelayId,
    RelaySessionId, RequestId, TerminalSessionId, UserId,
};

/// A participant's number in its meeting, from 1: one user through one terminal, also after having
/// left and come back; never used for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParticipantId(pub u32);

impl std::fmt::Display for ParticipantId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
