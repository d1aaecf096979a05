//! The credential service: who is who, and the proof that a user may join a meeting.
//!
//! It keeps accounts and the signing keys in its database and answers
//! `tributary.credential.v1.CredentialService` and `tributary.admin.v1.UserService`. What it
//! decides about names, lives of tokens and pages is in `tributary-credential-core`; how tokens
//! are made and read is in `tributary-join-credential`. Whether somebody may join is not for it to
//! say: it asks access-control.
//!
//! Start with [`Server::load`].

mod accounts;
mod clock;
mod config;
mod grpc;
mod metrics;
mod server;
mod store;

pub use config::{BootstrapUser, Config};
pub use server::{Error, Server};
pub use store::{Migrations, Store, StoreError, StoredAccount};
