//! Edge relays, alone and in a chain, before a real core relay with a real nats-server, which
//! `NATS_SERVER` names, and services that answer as the test says.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail like tests"
)]
#![allow(dead_code, reason = "the fakes are shared with other tests")]

mod attaching;
mod cable;
mod chains;
mod cuts;
#[path = "../it/fake_access.rs"]
mod fake_access;
#[path = "../it/fake_credential.rs"]
mod fake_credential;
#[path = "../it/fake_log.rs"]
mod fake_log;
#[path = "../it/fake_registry.rs"]
mod fake_registry;
mod fake_relays;
mod links;
#[path = "../it/nats.rs"]
mod nats;
mod newer;
mod outages;
mod own;
#[path = "../channels/terminal.rs"]
mod page;
#[path = "../media/peer.rs"]
mod peer;
#[path = "../it/person.rs"]
mod person;
mod proxy;
#[path = "../it/raw.rs"]
mod raw;
mod savings;
#[path = "../it/services.rs"]
mod services;
mod sound;
mod stage;
mod tls;
mod versions;
mod world;
