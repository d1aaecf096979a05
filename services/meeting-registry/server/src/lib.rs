//! The meeting registry: meetings, their members, who is in, and the numbered log of what happens.
//!
//! It answers `tributary.registry.v1.RegistryService` and `tributary.admin.v1.MeetingService` from
//! its database. What a command does is decided in `tributary-meeting-registry-core`; [`Store`]
//! reads what the decision needs and writes what has happened, in one transaction. Beside that five
//! things run: `operations` applies what participants do, [`Publisher`] tells events and notices,
//! [`Scheduler`] invites to meetings that begin, [`Sweeper`] takes out who is behind a lost relay,
//! and [`Remover`] removes files nobody wants.
//!
//! **Invariants:** the database is the truth, and any replica takes any meeting; an operation leaves
//! its stream only after it is committed; an event or notice is told only after it is committed, and
//! in the end always; nobody is invited twice for one beginning; no call waits for NATS, but for the
//! bytes of attached files if they are kept there.
//!
//! Start with [`Server::load`].

mod attachments;
mod bus;
mod clock;
mod config;
mod grpc;
mod metrics;
mod operations;
mod publisher;
mod registry;
mod scheduler;
mod server;
mod store;
mod sweeper;
mod wire;

pub use attachments::{
    AttachmentError, Attachments, DATA_BYTES_MAX, Files, Intake, NewFile, Place, Remover,
};
pub use bus::{Sink, SinkError};
pub use clock::Clock;
pub use config::{Config, InvalidConfig};
pub use publisher::Publisher;
pub use registry::{CreateError, OperatingSystem, RandomSource, Registry, UpdateError};
pub use scheduler::Scheduler;
pub use server::{Error, Server};
pub use store::{
    Address, Applied, Begun, Line, Migrations, NewMeeting, Operated, Outbox, Received, Shared,
    Store, StoreError, Untold,
};
pub use sweeper::Sweeper;
