//! May this user do this to this meeting, now?
//!
//! [`decide`] is a pure function over [`Facts`]. What it answers for every combination of facts is
//! written down in `tests/policy-matrix.txt`; a test compares both, so that no change of the rules
//! goes unseen. [`told`] says what a refused user may learn, [`Charge`] what an access costs, and
//! [`evaluate`] what the shares of a meeting are worth to who asks.
//!
//! **Invariant:** a refusal's reason is for logs and for members. To an outsider who holds no share
//! secret every refusal looks like the one of a meeting that does not exist.

mod charge;
mod decision;
mod facts;
mod prefix;
mod share;

pub use charge::{Charge, PasswordBudget, PasswordCharge};
pub use decision::{Decision, Entitlement, Refusal, Told, decide, told};
pub use facts::{
    Action, Count, Counting, Facts, MeetingState, PasswordCheck, Removed, Role, SecretPolicy,
    ShareProof, ShareState,
};
pub use prefix::AddressPrefix;
pub use share::{Presented, Share, evaluate, lasts_until};
