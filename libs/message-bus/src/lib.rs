//! NATS, as the services use it: subjects, permissions, the media connection, the control
//! connection, leases, the streams of events and operations, and the bucket of objects.
//!
//! **Invariants:** every subject is built in [`subjects`] and nowhere else; media never touches
//! JetStream; each process has one connection for media and another for control, so that a slow
//! one never holds up the other.

mod connection;
mod control;
mod lease;
mod media;
mod objects;
mod operations;
pub mod permissions;
pub mod subjects;

pub use async_nats::{Subject, Subscriber};
pub use connection::{ConnectError, Link};
pub use control::{ControlBus, EventMessage, EventSubscription, PublishError, RelayChanges};
pub use lease::{Lease, LeaseError, Leases, RENEWAL_INTERVAL, Renewal};
pub use media::{Delivery, MediaBus, MediaInbox, MediaSubscription, SequenceGaps};
pub use objects::{CHUNK_BYTES_MAX, ObjectDescription, ObjectError, ObjectKey, Objects, SentChunk};
pub use operations::{Operations, ReceivedOperation};
