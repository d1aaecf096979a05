//! The bus against a real nats-server: `NATS_SERVER` names the program.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail by it, as tests do"
)]

mod events;
mod leases;
mod media;
mod operations;
mod permissions;
mod server;
