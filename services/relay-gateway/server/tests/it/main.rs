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
mod attendance;
mod cable;
mod expiry;
mod failover;
mod fake_access;
mod fake_credential;
mod fake_log;
mod fake_registry;
mod fake_relays;
mod idle;
mod large_meeting;
mod lobby;
mod narrowing;
mod nats;
mod neighbour;
mod notices;
mod office;
mod operations;
#[path = "../media/peer.rs"]
#[expect(dead_code, reason = "what is heard is looked at by other tests")]
mod peer;
mod person;
mod presence;
mod raw;
mod refusals;
mod resuming;
mod revocation;
mod services;
mod sharing;
mod sound;
mod transfers;
mod two_meetings;
mod uplink_attacks;
mod uplink_limits;
mod uplink_sessions;
mod uplink_terminals;
mod uplink_versions;
mod web;
mod world;
