//! What must hold, shown on all services as processes of their own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod access;
mod attendance;
mod caller;
mod databases;
mod edges;
mod expiry;
mod faults;
mod limits;
mod media;
mod meeting;
mod operations;
mod own_participant;
mod presence;
mod recovery;
mod refusals;
mod room;
mod rotation;
mod shutdown;
