//! NATS, as the services use it: subjects, permissions, the media connection, the control
//! connection, leases and the event stream.
//!
//! **Invariants:** every subject is built in [`subjects`] and nowhere else; media never touches
//! JetStream; each process has one connection for media and another for control, so that a slow
//! one never holds up the other.

mod connection;
mod control;
mod lease;
mod media;
pub mod permissions;
pub mod subjects;

pub use async_nats::Subject;
pub use connection::ConnectError;
pub use control::{ControlBus, EventMessage, EventSubscription, PublishError};
pub use lease::{Lease, LeaseError, Leases, RENEWAL_INTERVAL, Renewal};
pub use media::{Delivery, MediaBus, MediaInbox, MediaSubscription, SequenceGaps};
