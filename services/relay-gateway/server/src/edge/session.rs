//! The uplink session: what is said to the parent and what the parent says, over any number of broken
//! connections.
//!
//! **Invariants:** messages are handed to links in the order of the parent's numbers, each once. What is
//! said of a place is in force before what comes after it for the same link is passed on.

mod saying;
mod taking;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status, transport::Channel};
use tributary_contracts::relay::v1::{
    AttachResponse, Attached, Heartbeat, Introduction, Place, RelayHop, RelaySettings,
    attach_request::Body as Up, attach_response::Body, relay_uplink_client::RelayUplinkClient,
};
use tributary_identifiers::RelayId;
use tributary_relay_uplink::{Arrival, Beat, Distance, Incoming, Outgoing, PayloadReceiver};

use super::{
    links::Links,
    outage::{Outage, UplinkWatch},
    places::Places,
    state::{Board, unix_us},
};
use crate::media::{CarriedBy, UplinkId};

/// Largest message of the parent: the roster of a full meeting with the longest names.
pub(super) const MESSAGE_BYTES_MAX: usize = 16 << 20;
const SESSION_METADATA: &str = "tributary-uplink-session";

/// Nothing more can be said over the uplink now: it is to be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// The session or the connection can't go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the parent does not keep to the protocol: {0}")]
pub(super) struct Violation(String);

/// What is left to be done about a message, in its turn.
#[derive(Debug)]
pub(super) enum Task {
    /// About a place whose link has no task any more, or is about to have none.
    Place {
        place: Place,
        carried: Option<CarriedBy>,
        after: Option<CancellationToken>,
    },
    /// A place has gone from behind a relay that is attached here, whose link has no task any more, or
    /// is about to have none.
    Leave {
        place: u64,
        by: UplinkId,
        after: Option<CancellationToken>,
    },
    Introduce(Introduction),
    Settle(RelaySettings),
    /// A relay behind this one is not accepted any more.
    Revoke(String),
}

/// A place's link, and whether that is behind another relay.
#[derive(Clone, Copy, Debug)]
struct Placed {
    link: u32,
    carried: Option<CarriedBy>,
}

struct Inner {
    /// Empty: there is no session yet. Whoever has it speaks for this relay.
    token: Vec<u8>,
    /// The upstream that the session was begun at; nobody else is shown its token.
    upstream: usize,
    over: CancellationToken,
    outgoing: Outgoing<Up>,
    incoming: Incoming,
    payloads: PayloadReceiver,
    distance: Distance,
    links: Links,
    placed: HashMap<u64, Placed>,
    path: Arc<[RelayHop]>,
    settings: RelaySettings,
    /// For so long the parent keeps the session without a connection, in ms; 0: it has not said.
    hold_ms: u32,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            token: Vec::new(),
            upstream: 0,
            over: CancellationToken::new(),
            outgoing: Outgoing::default(),
            incoming: Incoming::default(),
            payloads: PayloadReceiver::default(),
            distance: Distance::default(),
            links: Links::default(),
            placed: HashMap::new(),
            path: Arc::default(),
            settings: RelaySettings::default(),
            hold_ms: 0,
        }
    }
}

/// A connection to the parent, with the token of the session that it carries: they go together.
struct Way {
    channel: Channel,
    token: String,
}

/// What all tasks of an edge relay share.
pub(super) struct Uplink {
    inner: Mutex<Inner>,
    unsent: Notify,
    /// Everything that was said has arrived.
    eased: Notify,
    /// The session can't go on, and so the connection can't.
    broken: Notify,
    way: Mutex<Option<Way>>,
    /// As `Inner::distance` has it, for those who can't wait for that.
    offset_us: AtomicI64,
    delivered_bytes: AtomicU64,
    heard_bytes: AtomicU64,
    connected: watch::Sender<bool>,
    outage: UplinkWatch,
    pub(super) places: Places,
    pub(super) board: Board,
}

/// How a session continues on a new connection.
#[derive(Default)]
pub(super) struct Resume {
    pub(super) token: Vec<u8>,
    pub(super) received: u64,
}

/// What a connection begins with.
#[derive(Debug)]
pub(super) enum Beginning {
    /// The session goes on.
    Resumed,
    /// It is another one; these tell when the tasks of the old one's links have ended.
    New { ending: Vec<CancellationToken> },
    /// The parent goes on with a session that this relay does not know like that: another has to be
    /// begun.
    Impossible,
}

impl Uplink {
    pub(super) fn new(places: Places, board: Board) -> Self {
        Self {
            inner: Mutex::default(),
            unsent: Notify::new(),
            eased: Notify::new(),
            broken: Notify::new(),
            way: Mutex::default(),
            offset_us: AtomicI64::default(),
            delivered_bytes: AtomicU64::default(),
            heard_bytes: AtomicU64::default(),
            connected: watch::Sender::new(false),
            outage: UplinkWatch::default(),
            places,
            board,
        }
    }

    /// True while there is a connection to the parent.
    pub(super) fn is_connected(&self) -> bool {
        *self.connected.borrow()
    }

    /// Whether there is a connection, and when that changes.
    pub(super) fn connection(&self) -> watch::Receiver<bool> {
        self.connected.subscribe()
    }

    /// There is a connection now, or none any more.
    pub(super) fn set_channel(&self, channel: Option<Channel>) {
        let connected = channel.is_some();
        let token = || self.token().iter().map(|byte| format!("{byte:02x}")).collect();
        *self.way() = channel.map(|channel| Way { channel, token: token() });
        let was_connected = self.connected.send_replace(connected);
        if connected {
            self.outage.attached();
        } else if was_connected {
            let hold_ms = self.inner().hold_ms;
            self.outage.lost(hold_ms);
        }
        if !connected {
            self.board.change(|status| status.attached = None);
        }
    }

    /// What a terminal is to be told of the uplink.
    pub(super) fn outage(&self) -> Outage {
        self.outage.outage()
    }

    /// Calls to the parent, beside the control stream.
    ///
    /// # Errors
    /// `UNAVAILABLE`: there is no connection.
    pub(super) fn client(&self) -> Result<RelayUplinkClient<Channel>, Status> {
        let way = self.way();
        let way = way.as_ref().ok_or_else(not_attached)?;
        Ok(calls_by(way))
    }

    /// The same, with a request in the name of the session.
    ///
    /// # Errors
    /// `UNAVAILABLE`: there is no connection.
    pub(super) fn in_session<T>(
        &self,
        message: T,
    ) -> Result<(RelayUplinkClient<Channel>, Request<T>), Status> {
        let way = self.way();
        let way = way.as_ref().ok_or_else(not_attached)?;
        let mut request = Request::new(message);
        let token = way.token.parse().map_err(|_| Status::internal("the session has no token"))?;
        request.metadata_mut().insert(SESSION_METADATA, token);
        Ok((calls_by(way), request))
    }

    fn way(&self) -> MutexGuard<'_, Option<Way>> {
        self.way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves when the session can't go on.
    pub(super) async fn broken(&self) {
        self.broken.notified().await;
    }

    /// From the core to this relay's parent, both included; empty before the first attaching.
    pub(super) fn path(&self) -> Arc<[RelayHop]> {
        self.inner().path.clone()
    }

    pub(super) fn settings(&self) -> RelaySettings {
        self.inner().settings.clone()
    }

    /// This relay, on a way.
    pub(super) fn own_hop(&self) -> RelayHop {
        let RelaySettings { relay_id, relay_name, .. } = self.settings();
        RelayHop { relay_id, relay_name }
    }

    pub(super) fn token(&self) -> Vec<u8> {
        self.inner().token.clone()
    }

    /// What to say to have the session go on at this upstream; at another one than it was begun at there
    /// is nothing to go on with.
    pub(super) fn resume(&self, upstream: usize) -> Resume {
        let inner = self.inner();
        if inner.upstream != upstream {
            return Resume::default();
        }
        Resume { token: inner.token.clone(), received: inner.incoming.received() }
    }

    /// The parent, which `upstream` leads to, has answered. If the session does not go on, whatever was is
    /// forgotten: all links are over, and when their tasks have ended, all places have to be forgotten.
    pub(super) fn attach(&self, attached: &Attached, upstream: usize) -> Beginning {
        let mut inner = self.inner();
        let parent = |path: &[RelayHop]| path.last().map(|hop| hop.relay_id.clone());
        let is_same = inner.upstream == upstream && parent(&inner.path) == parent(&attached.path);
        inner.path = attached.path.clone().into();
        inner.settings = attached.settings.clone().unwrap_or_default();
        inner.hold_ms = attached.hold_ms;
        let beginning = if attached.resumed {
            let is_known = !inner.token.is_empty() && is_same;
            if !is_known || inner.outgoing.resume(attached.received).is_err() {
                inner.token.clear();
                return Beginning::Impossible;
            }
            // Both clocks are what they were.
            inner.distance = Distance::with_guess(inner.distance.offset_us());
            Beginning::Resumed
        } else {
            Beginning::New { ending: inner.end() }
        };
        inner.token.clone_from(&attached.session_token);
        inner.upstream = upstream;
        self.keep_offset(&inner);
        beginning
    }

    /// The session is given up: it will not be resumed, and everything is as for another one.
    pub(super) fn give_up(&self) -> Vec<CancellationToken> {
        self.inner().end()
    }

    pub(super) fn settle(&self, settings: RelaySettings) {
        self.inner().settings = settings;
    }

    /// A terminal of this relay, or behind it, was told so many bytes.
    pub(super) fn delivered(&self, bytes: usize) {
        self.delivered_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// One has said so many.
    pub(super) fn heard(&self, bytes: usize) {
        self.heard_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// The parent's clock minus the own, in µs.
    pub(super) fn offset_us(&self) -> i64 {
        self.offset_us.load(Ordering::Relaxed)
    }

    fn keep_offset(&self, inner: &Inner) {
        self.offset_us.store(inner.distance.offset_us(), Ordering::Relaxed);
    }

    /// What the status page shows of the session.
    pub(super) fn report(&self, relays: usize) {
        let (rtt_us, offset_us, waiting) = {
            let inner = self.inner();
            (inner.distance.rtt_us(), inner.distance.offset_us(), inner.outgoing.bytes())
        };
        let participants = self.places.len();
        self.board.change(|status| {
            status.waiting_bytes = waiting;
            if status.attached.is_some() || status.participants.is_some() {
                status.participants = Some(participants);
            }
            status.relays = relays;
            status.delivered_bytes = self.delivered_bytes.load(Ordering::Relaxed);
            status.heard_bytes = self.heard_bytes.load(Ordering::Relaxed);
            if let Some(attached) = &mut status.attached {
                attached.rtt_us = rtt_us;
                attached.clock_offset_us = offset_us;
            }
        });
    }

    /// Takes a message of the parent in; says what is left to be done for it.
    ///
    /// # Errors
    /// The parent does not keep to the protocol; the connection is to be given up.
    pub(super) fn accept(&self, response: AttachResponse) -> Result<Vec<Task>, Violation> {
        let mut inner = self.inner();
        let acknowledged = response.acknowledged;
        inner.outgoing.acknowledge(acknowledged).map_err(violation)?;
        inner.links.acknowledge(acknowledged);
        if inner.outgoing.bytes() == 0 {
            self.eased.notify_waiters();
        }
        if response.sequence == 0 {
            if let Some(Body::Heartbeat(heartbeat)) = response.body {
                let Heartbeat { sent_us, echoed_sent_us, echoed_received_us } = heartbeat;
                let beat = Beat { sent_us, echoed_sent_us, echoed_received_us };
                inner.distance.hear(beat, unix_us());
                self.keep_offset(&inner);
            }
            return Ok(Vec::new());
        }
        match inner.incoming.accept(response.sequence) {
            Arrival::New => inner.take(response.body),
            Arrival::Known => Ok(Vec::new()),
            Arrival::Gap => Err(Violation(format!("message {} is early", response.sequence))),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_attached() -> Status {
    Status::unavailable("this relay is not attached to its parent now: try again, or another relay")
}

fn calls_by(way: &Way) -> RelayUplinkClient<Channel> {
    let client = RelayUplinkClient::new(way.channel.clone());
    client.max_decoding_message_size(MESSAGE_BYTES_MAX)
}

fn violation(error: impl ToString) -> Violation {
    Violation(error.to_string())
}

/// The ids of a path.
///
/// # Errors
/// One of them can't be one.
pub(super) fn relay_ids(path: &[RelayHop]) -> Result<Vec<RelayId>, Violation> {
    path.iter().map(|hop| hop.relay_id.parse().map_err(violation)).collect()
}
