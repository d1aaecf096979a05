//! The access-control service: may this user do this to this meeting, now?
//!
//! It answers `tributary.access.v1.AccessService`. The rules are in `tributary-access-control-core`;
//! this crate finds out the facts: meeting and membership from the meeting registry, cached for a
//! second, share marks from its own database, the password by its Argon2 hash.
//!
//! **Invariant:** it fails closed. When a fact can't be found out, the answer is an error and
//! never "allowed".
//!
//! Start with [`Server::load`].

mod clock;
mod config;
mod facts;
mod grpc;
mod metrics;
mod server;
mod store;

pub use config::Config;
pub use server::{Error, Server};
pub use store::{Migrations, Store, StoreError};
