//! Terminals against a small relay of the test's own: real WebSockets, real WebRTC on loopback.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests may fail like tests"
)]

mod account;
mod command_line;
mod conversation;
mod lobby;
mod operations;
mod private_talk;
mod recovery;
mod stub_relay;
mod two_meetings;
mod wire;
