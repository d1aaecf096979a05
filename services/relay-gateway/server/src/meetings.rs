//! The meetings of this relay on the control side: one roster and one event log a meeting, however
//! many terminals follow it.

mod follower;
mod hub;
mod log;
mod roster;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

pub(crate) use hub::{Hub, Look, Sound};
pub(crate) use log::{After, Happening};
pub(crate) use roster::{Seen, Standing, is_carried_by};
use tributary_message_bus::{ControlBus, subjects::MeetingScope};

use crate::upstream::Upstream;

/// The hubs of all meetings with a participant here.
pub(crate) struct Meetings {
    upstream: Upstream,
    bus: ControlBus,
    hubs: Mutex<HashMap<MeetingScope, Weak<Hub>>>,
}

impl Meetings {
    pub(crate) fn new(upstream: Upstream, bus: ControlBus) -> Self {
        Self { upstream, bus, hubs: Mutex::default() }
    }

    /// The hub of a meeting; it lives as long as somebody holds it.
    pub(crate) fn open(&self, scope: &MeetingScope) -> Arc<Hub> {
        let mut hubs = self.hubs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hub) = hubs.get(scope).and_then(Weak::upgrade) {
            return hub;
        }
        hubs.retain(|_, hub| hub.strong_count() > 0);
        let hub = Hub::start(scope.clone(), self.upstream.clone(), self.bus.clone());
        hubs.insert(scope.clone(), Arc::downgrade(&hub));
        metrics::gauge!("tributary_relay_meetings").set(hubs.len() as f64);
        hub
    }
}
