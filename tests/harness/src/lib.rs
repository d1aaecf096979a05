//! Worlds for tests, the demo and the smoke run.
//!
//! A [`World`] is a whole Tributary on loopback: its own folder, ports, secrets, nats-server and
//! database, and every service as a process of its own, started from the `tributary` program that
//! was built beside the caller. Processes can be stopped, killed and started again. Everything ends
//! with the `World`, however its owner ends.
//!
//! Waiting is always for a condition, with a deadline ([`wait`]); nothing here sleeps and hopes.

mod config;
pub mod demo;
pub mod directory;
pub mod hearing;
pub mod metrics;
mod nats;
mod ports;
pub mod process;
pub mod smoke;
pub mod wait;
mod world;

pub use config::Database;
pub use nats::locate as locate_nats_server;
pub use world::{Options, RelayOptions, Service, World, programs};
