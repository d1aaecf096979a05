//! The mixer: owns meetings by leases, makes their receive streams, and tells relays the plan.
//!
//! The control side hears which relays need a mixer, takes leases and renews them; worker threads
//! carry the media. They meet in commands only. **Invariant:** media never waits for a lease,
//! JetStream or the control side.

mod config;
mod metrics;
mod ownership;
mod server;
mod wire;
mod worker;

pub use config::Config;
pub use server::{Error, Server};
