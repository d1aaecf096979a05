//! How an edge relay is doing, for its status page and for whoever looks after it.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::Serialize;
use tokio::sync::watch;
use tributary_contracts::relay::v1::{RelayHop, RelaySettings};

/// A relay on the way to the core.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Hop {
    /// Its id.
    pub relay_id: String,
    /// Its name.
    pub relay_name: String,
}

impl From<&RelayHop> for Hop {
    fn from(hop: &RelayHop) -> Self {
        Self { relay_id: hop.relay_id.clone(), relay_name: hop.relay_name.clone() }
    }
}

/// What the relay is attached to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AttachedTo {
    /// As it is configured, without secrets.
    pub upstream: String,
    /// The parent.
    pub parent: Hop,
    /// From the core to the parent, both included.
    pub path: Vec<Hop>,
    /// Version of the parent's software.
    pub version: String,
    /// Version of the protocol that is spoken.
    pub protocol: u32,
    /// Since when, Unix time in ms: the beginning of this connection.
    pub since_ms: u64,
    /// The way there and back, in µs; none before the first heartbeats.
    pub rtt_us: Option<u64>,
    /// What the parent's clock shows more than the own, in µs.
    pub clock_offset_us: i64,
}

/// What went wrong last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LastError {
    /// In plain words.
    pub text: String,
    /// When, Unix time in ms.
    pub at_ms: u64,
}

/// How the relay is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Its id; empty before it is enrolled.
    pub relay_id: String,
    /// Its name, as the administrator has set it.
    pub relay_name: String,
    /// What the uplink may carry, in kbit/s each way; 0: no limit; none: the core has not said it yet.
    pub limit_kbit: Option<u32>,
    /// True if everybody behind it sits in one room.
    pub room: bool,
    /// What it is attached to; none while there is no connection.
    pub attached: Option<AttachedTo>,
    /// Terminals that are connected to the relay itself.
    pub terminals: usize,
    /// Participants in meetings, those behind relays that are attached here included; none: not known, as
    /// the relay has not been attached since it started.
    pub participants: Option<usize>,
    /// Relays that are attached here.
    pub relays: usize,
    /// What was said to the parent and has not been acknowledged, in bytes.
    pub waiting_bytes: usize,
    /// True if the core has said that it does not accept this relay, and has not accepted it since.
    pub revoked: bool,
    /// How often the session went on after a connection was lost.
    pub resumed: u64,
    /// What went wrong last, also if it is over.
    pub last_error: Option<LastError>,
    /// What terminals were told and given, those behind relays that are attached here included, in bytes;
    /// their media comes on top.
    pub delivered_bytes: u64,
    /// What terminals have said and sent, in bytes, without their media; of those behind relays that are
    /// attached here what has come from there.
    pub heard_bytes: u64,
}

/// Where [`Status`] is kept.
#[derive(Clone, Debug)]
pub(super) struct Board(Arc<watch::Sender<Arc<Status>>>);

impl Default for Board {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::default()))
    }
}

impl Board {
    pub(super) fn subscribe(&self) -> watch::Receiver<Arc<Status>> {
        self.0.subscribe()
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Status)) {
        self.0.send_modify(|status| change(Arc::make_mut(status)));
    }

    /// Keeps what went wrong, and says it in the log, once.
    pub(super) fn fail(&self, text: &str) {
        let known = self.0.borrow().last_error.as_ref().is_some_and(|last| last.text == text);
        if !known {
            tracing::warn!(reason = text, "uplink");
        }
        let error = LastError { text: text.to_owned(), at_ms: unix_ms() };
        self.change(|status| status.last_error = Some(error));
    }

    pub(super) fn settle(&self, settings: &RelaySettings) {
        self.change(|status| {
            status.relay_id.clone_from(&settings.relay_id);
            status.relay_name.clone_from(&settings.relay_name);
            status.limit_kbit = Some(settings.uplink_limit_kbit);
            status.room = settings.room;
        });
    }
}

/// The time now, Unix, in ms.
pub(super) fn unix_ms() -> u64 {
    unix_us() / 1_000
}

/// The time now, Unix, in µs.
pub(super) fn unix_us() -> u64 {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(passed.as_micros()).unwrap_or(u64::MAX)
}
