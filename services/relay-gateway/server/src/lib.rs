//! Where terminals attach.
//!
//! A relay serves the web client, speaks the terminal protocol over a WebSocket, and ends WebRTC on
//! one UDP port. It asks the other services on behalf of its terminals, sends the loudest local
//! voices to the mixer, and fans the merged stream out by the route plan.
//!
//! Two halves that only meet in [`media::MediaHandle`]: the control side, on the process's runtime,
//! and the media thread. **Invariant:** the media thread never waits for the control side.

mod address;
mod attachments;
mod attendance;
mod config;
pub mod edge;
mod http;
pub mod media;
mod meetings;
mod metrics;
mod narrowings;
mod notices;
mod operations;
mod refusal;
mod server;
mod terminals;
mod trust;
mod uplink;
mod upstream;
mod web;

pub use config::{Config, UplinkConfig};
pub use server::{Error, Server};
