//! Worlds for tests, the demo and the smoke run.
//!
//! A [`World`] is a whole Tributary on loopback: its own folder, ports, secrets, nats-server and
//! database, and every service as a process of its own, started from the `tributary` program that
//! was built beside the caller. Processes can be stopped, killed and started again. Everything ends
//! with the `World`, however its owner ends.
//!
//! Waiting is always for a condition, with a deadline ([`wait`]); nothing here sleeps and hopes.

pub mod access;
pub mod ageing;
pub mod bench;
pub mod branch;
pub mod chain;
mod config;
pub mod demo;
pub mod device;
pub mod directory;
pub mod faults;
pub mod hearing;
mod http;
pub mod metrics;
mod nats;
pub mod netns;
pub mod office;
pub mod peers;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod seeded;
pub mod smoke;
pub mod talk;
pub mod wait;
mod wire;
mod world;

pub use config::Database;
pub use nats::locate as locate_nats_server;
pub use world::{
    EdgeOptions, OidcProvider, Options, Parent, RelayOptions, Service, World, is_attached, programs,
};
