//! The relay's media thread between a real peer connection and a mixer that a test plays.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail like tests"
)]

mod peer;
mod room;
mod switching;
mod talk;
mod world;
