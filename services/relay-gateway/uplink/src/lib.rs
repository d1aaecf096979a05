//! The uplink between a relay and its parent, as far as it is a matter of deciding: which messages
//! come again after a broken connection, how far away the other side is and what its clock shows, whether
//! it is still there, which chains are loops, what bulk may be sent now, when to try again. Pure: time
//! and randomness are arguments.
//!
//! Start with [`Outgoing`] and [`Incoming`]: over any number of broken connections, every numbered
//! message comes once and in order, or the session is over.

mod attempts;
mod budget;
mod distance;
mod order;
mod path;
mod payloads;
pub mod protocol;
mod silence;

pub use attempts::{Attempt, Attempts};
pub use budget::Budget;
pub use distance::{Beat, Distance};
pub use order::{Arrival, Impossible, Incoming, Outgoing, Overflow, UNACKNOWLEDGED_BYTES_MAX};
pub use path::{DEPTH_MAX, PathError, check_child, check_link, check_parent};
pub use payloads::{PAYLOADS_MAX, PayloadReceiver, PayloadSender, Shared, UnknownPayload};
pub use silence::{BYTES_MIN, MESSAGE_TIME_MAX, SILENCE_MAX, Silence, Silent};
