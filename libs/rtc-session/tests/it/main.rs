//! Two sessions against each other, without sockets and in virtual time.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail like tests"
)]

mod channel;
mod channel_descriptions;
mod conversation;
mod datagrams;
mod descriptions;
mod pair;
mod sections;
