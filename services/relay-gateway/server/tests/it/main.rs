//! A whole relay with a real nats-server, which `NATS_SERVER` names, before services that answer as the
//! test says.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail like tests"
)]

mod addresses;
mod attachments;
mod expiry;
mod fake_access;
mod fake_credential;
mod fake_registry;
mod idle;
mod narrowing;
mod nats;
mod notices;
mod refusals;
mod revocation;
mod sharing;
mod transfers;
mod web;
mod world;
