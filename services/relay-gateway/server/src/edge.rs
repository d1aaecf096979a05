//! An edge relay: attached to a parent by one outbound connection, which carries everything of
//! everybody behind it.

pub mod announce;
mod attaching;
mod bulk;
mod children;
mod client;
pub mod config;
pub mod connect;
pub mod diag;
mod fetch;
mod http;
pub mod identity;
mod introductions;
mod links;
mod outage;
pub mod own;
mod places;
mod server;
mod session;
mod silences;
pub mod state;
pub mod status;
mod terminal;
mod wire;

pub use server::{Error, Server};
pub use state::Status;
