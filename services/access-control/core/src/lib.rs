//! May this user do this to this meeting, now?
//!
//! [`decide`] is a pure function over [`Facts`]. What it answers for every combination of facts is
//! written down in `tests/policy-matrix.txt`; a test compares both, so that no change of the rules
//! goes unseen.
//!
//! **Invariant:** a refusal's reason is for logs and for members. To an outsider every refusal
//! looks like the one of a meeting that does not exist.

mod decision;
mod facts;

pub use decision::{Decision, Entitlement, Refusal, decide};
pub use facts::{Action, Facts, MeetingState, Membership, PasswordCheck, ShareMark};
