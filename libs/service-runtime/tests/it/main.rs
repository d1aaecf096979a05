//! The runtime from outside, over real sockets on ports of their own.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by it, as tests do"
)]

mod grpc;
mod ops;
mod otlp;
mod world;
