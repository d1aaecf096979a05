//! Data channels through the relay's media port: terminals that speak the terminal protocol by WebRTC.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail like tests"
)]
#![allow(dead_code, reason = "the voice's peer is shared with other tests")]

mod bounds;
mod messages;
#[path = "../media/peer.rs"]
mod peer;
mod terminal;
mod world;
