//! The meeting registry: meetings, their members, who is in, and the numbered log of what happens.
//!
//! It answers `tributary.registry.v1.RegistryService` and `tributary.admin.v1.MeetingService` from
//! its database. What a command does is decided in `tributary-meeting-registry-core`; [`Store`]
//! reads what the decision needs and writes what has happened, in one transaction. Beside that two
//! things run: [`Publisher`] tells the events, and [`Sweeper`] takes out who is behind a lost relay.
//!
//! **Invariants:** the database is the truth, and any replica takes any meeting; an event is told
//! only after it is committed, and in the end always; no call waits for NATS.
//!
//! Start with [`Server::load`].

mod bus;
mod clock;
mod config;
mod grpc;
mod metrics;
mod publisher;
mod registry;
mod server;
mod store;
mod sweeper;
mod wire;

pub use bus::{EventSink, SinkError};
pub use clock::Clock;
pub use config::{Config, InvalidConfig};
pub use publisher::Publisher;
pub use registry::{CreateError, OperatingSystem, RandomSource, Registry};
pub use server::{Error, Server};
pub use store::{Applied, Migrations, NewMeeting, Operation, Store, StoreError, Untold};
pub use sweeper::Sweeper;
