//! What a meeting is and what may happen in it, without a clock, a network or a database.
//!
//! [`State::apply`] is the heart: a [`Command`] in, numbered [`Event`]s out. A [`Roster`] can be
//! rebuilt from the events alone. [`Listening`] says when a relay's silence counts.
//!
//! **Invariants:** events of a meeting are numbered 1, 2, 3, … without a gap; a participant id is
//! never used twice in a meeting; after [`Happening::Ended`] nothing happens any more.

mod event;
mod listening;
mod meeting;
mod page;
mod participant;
mod roster;
mod state;

/// Milliseconds since 1970-01-01 UTC.
pub type UnixMillis = u64;

pub use event::{Event, Happening, LeaveReason};
pub use listening::Listening;
pub use meeting::{Draft, InvalidDraft, MEMBERS_MAX, Meeting, PASSWORD_LENGTH_MAX};
pub use page::{Cursor, InvalidPage, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, PageRequest, page_token};
pub use participant::{Participant, Present};
pub use roster::{Group, OutOfOrder, Roster};
pub use state::{Command, Counters, Join, Leave, Needs, PARTICIPANTS_MAX, Refusal, State};
pub use tributary_shown_text::{
    DisplayName, InvalidText, NAME_LENGTH_MAX, RelayName, SUBJECT_LENGTH_MAX, Subject,
};
