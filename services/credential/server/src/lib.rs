//! The credential service: who is who, and the proof that a user may join a meeting.
//!
//! It keeps accounts, the signing keys, what was revoked, and relays that attach to others in its database and answers
//! `tributary.credential.v1.CredentialService` and `RelayIdentityService`, and
//! `tributary.admin.v1.UserService`, `CredentialAdminService` and `RelayAdminService`. What it decides about names, lives of tokens,
//! rotation and pages is in `tributary-credential-core`; how tokens are made and read is in
//! `tributary-join-credential`. Whether somebody may join is not for it to say: it asks
//! access-control.
//!
//! Start with [`Server::load`].

mod accounts;
mod announcer;
mod authority;
mod budgets;
mod clock;
mod config;
mod grpc;
mod keeper;
mod metrics;
mod oidc;
mod password_checks;
mod relay_tokens;
mod sealing;
mod server;
mod store;
mod trust;

pub use clock::Clock;
pub use config::{BootstrapUser, Config, InvalidConfig, Limits, OidcProvider};
pub use server::{Error, Server};
pub use store::{
    Changes, Enrolled, KeyChange, KeyRow, KeyRows, Migrations, NewRelayToken, NewRevocation,
    PrivateKey, Store, StoreError, StoredAccount,
};
