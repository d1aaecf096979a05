//! The runtime from outside, over real sockets on ports of their own.

mod grpc;
mod ops;
mod otlp;
mod world;
