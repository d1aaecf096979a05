//! Relays that attach to this one: each has one uplink, which carries everything of everybody behind
//! it.
//!
//! Start with [`Host`], the service, and [`Child`], the session of one of them. What is behind this
//! relay, NATS and services or a parent of its own, is a [`Backend`].
//!
//! **Invariant:** whatever a child does, it is cut itself, and nobody else notices.

mod at_core;
mod backend;
mod carry;
mod child;
mod connections;
mod control;
pub(crate) mod fetch;
mod figures;
mod host;
mod links;
mod listener;
mod paced;
mod queue;
mod sessions;

use std::{
    error::Error as _,
    time::{SystemTime, UNIX_EPOCH},
};

use tonic::{Code, Status};

pub(crate) use at_core::{AtCore, IntroductionError, Relays};
pub(crate) use backend::{Backend, FetchBody};
#[cfg(test)]
pub(crate) use child::Reach;
pub(crate) use child::{Carriage, Child};
pub(crate) use figures::describe;
pub(crate) use host::Host;
pub(crate) use links::Up;
pub(crate) use listener::{Listener, tune};
pub(crate) use paced::Paced;

/// Links of one uplink at a time.
pub(crate) const LINKS_MAX: usize = 20_000;

/// Whether a stream ended because of what came over it, and not because it broke.
fn is_garbage(status: &Status) -> bool {
    let code = matches!(status.code(), Code::Internal | Code::OutOfRange | Code::ResourceExhausted);
    code && status.source().is_none() && !status.message().starts_with("Unexpected EOF")
}

/// Unix time in microseconds.
fn unix_us() -> u64 {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH);
    passed.map_or(0, |passed| u64::try_from(passed.as_micros()).unwrap_or(u64::MAX))
}
