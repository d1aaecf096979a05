//! The relay's media thread between a real peer connection and a mixer that a test plays; and a chain of
//! them.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests may fail like tests"
)]

mod away;
mod cut_off;
mod edge;
mod peer;
mod relays;
mod room;
mod switching;
mod talk;
mod world;
