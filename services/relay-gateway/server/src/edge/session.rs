//! The uplink session: what is said to the parent and what the parent says, over any number of broken
//! connections.
//!
//! **Invariants:** messages are handed to links in the order of the parent's numbers, each once. What is
//! said of a place is in force before what comes after it for the same link is passed on.

mod taking;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status, transport::Channel};
use tributary_contracts::relay::v1::{
    AttachRequest, AttachResponse, Attached, CloseLink, Heartbeat, Introduction,
    IntroductionAnswer, LinkMessage, LinksReachable, OpenLink, Place, RelayHop, RelaySettings,
    attach_request::Body as Up, attach_response::Body, relay_uplink_client::RelayUplinkClient,
};
use tributary_identifiers::RelayId;
use tributary_relay_uplink::{
    Arrival, Beat, Distance, Incoming, Outgoing, PayloadReceiver, UNACKNOWLEDGED_BYTES_MAX,
};

use super::{
    links::{Down, Inbox, Links, link},
    places::Places,
    state::{Board, unix_us},
};
use crate::media::CarriedBy;

/// What terminals say is refused before so much waits, so that what ends links always has room. Bytes.
const SAYABLE_BYTES_MAX: usize = UNACKNOWLEDGED_BYTES_MAX / 4 * 3;
/// Largest message of the parent: the roster of a full meeting with the longest names.
pub(super) const MESSAGE_BYTES_MAX: usize = 16 << 20;
const SESSION_METADATA: &str = "tributary-uplink-session";
/// What goes around a message.
const FRAME_BYTES: usize = 16;

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
    Introduce(Introduction),
    Settle(RelaySettings),
}

/// A place's link, and whether that is behind another relay.
#[derive(Clone, Copy, Debug)]
struct Placed {
    link: u32,
    carried: Option<CarriedBy>,
}

#[derive(Debug)]
struct Inner {
    /// Empty: there is no session yet.
    token: Vec<u8>,
    over: CancellationToken,
    outgoing: Outgoing<Up>,
    incoming: Incoming,
    payloads: PayloadReceiver,
    distance: Distance,
    links: Links,
    placed: HashMap<u64, Placed>,
    path: Arc<[RelayHop]>,
    settings: RelaySettings,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            token: Vec::new(),
            over: CancellationToken::new(),
            outgoing: Outgoing::default(),
            incoming: Incoming::default(),
            payloads: PayloadReceiver::default(),
            distance: Distance::default(),
            links: Links::default(),
            placed: HashMap::new(),
            path: Arc::default(),
            settings: RelaySettings::default(),
        }
    }
}

/// What all tasks of an edge relay share.
pub(super) struct Uplink {
    inner: Mutex<Inner>,
    unsent: Notify,
    /// Everything that was said has arrived.
    eased: Notify,
    /// The session can't go on, and so the connection can't.
    broken: Notify,
    channel: Mutex<Option<Channel>>,
    delivered_bytes: AtomicU64,
    connected: watch::Sender<bool>,
    pub(super) places: Places,
    pub(super) board: Board,
}

/// How a session continues on a new connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
            channel: Mutex::default(),
            delivered_bytes: AtomicU64::default(),
            connected: watch::Sender::new(false),
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
        *self.channel.lock().unwrap_or_else(PoisonError::into_inner) = channel;
        self.connected.send_replace(connected);
        if !connected {
            self.board.change(|status| status.attached = None);
        }
    }

    /// Calls to the parent, beside the control stream.
    ///
    /// # Errors
    /// `UNAVAILABLE`: there is no connection.
    pub(super) fn client(&self) -> Result<RelayUplinkClient<Channel>, Status> {
        let channel = self.channel.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let text = "this relay is not attached to its parent now: try again, or another relay";
        let channel = channel.ok_or_else(|| Status::unavailable(text))?;
        Ok(RelayUplinkClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX))
    }

    /// A request in the name of the session.
    ///
    /// # Errors
    /// `INTERNAL`: the token can't be written as metadata.
    pub(super) fn in_session<T>(&self, message: T) -> Result<Request<T>, Status> {
        let token: String = self.token().iter().map(|byte| format!("{byte:02x}")).collect();
        let mut request = Request::new(message);
        let token = token.parse().map_err(|_| Status::internal("the session has no token"))?;
        request.metadata_mut().insert(SESSION_METADATA, token);
        Ok(request)
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

    /// What to say to have the session go on.
    pub(super) fn resume(&self) -> Resume {
        let inner = self.inner();
        Resume { token: inner.token.clone(), received: inner.incoming.received() }
    }

    /// The parent has answered. If the session does not go on, whatever was is forgotten: all links are
    /// over, and when their tasks have ended, all places have to be forgotten.
    pub(super) fn attach(&self, attached: &Attached) -> Beginning {
        let mut inner = self.inner();
        inner.path = attached.path.clone().into();
        inner.settings = attached.settings.clone().unwrap_or_default();
        let guess = inner.distance.offset_us();
        inner.distance = Distance::with_guess(guess);
        if attached.resumed {
            let known = !inner.token.is_empty();
            if !known || inner.outgoing.resume(attached.received).is_err() {
                inner.token.clear();
                return Beginning::Impossible;
            }
            inner.token.clone_from(&attached.session_token);
            return Beginning::Resumed;
        }
        let ending = inner.end();
        inner.token.clone_from(&attached.session_token);
        Beginning::New { ending }
    }

    /// The session is given up: it will not be resumed, and everything is as for another one.
    pub(super) fn give_up(&self) -> Vec<CancellationToken> {
        self.inner().end()
    }

    pub(super) fn settle(&self, settings: RelaySettings) {
        self.inner().settings = settings;
    }

    /// A terminal of this relay was told so many bytes.
    pub(super) fn delivered(&self, bytes: u64) {
        self.delivered_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    // What goes up.

    /// A terminal has connected; none if no more can be said.
    pub(super) fn open(&self, open: OpenLink, carried: Option<CarriedBy>) -> Option<(u32, Inbox)> {
        let mut inner = self.inner();
        if inner.outgoing.bytes() >= SAYABLE_BYTES_MAX {
            return None;
        }
        let id = inner.links.allot()?;
        let path_bytes: usize =
            open.path.iter().map(|hop| hop.relay_id.len() + hop.relay_name.len() + 8).sum();
        let bytes = FRAME_BYTES + open.client_address.len() + path_bytes;
        inner.outgoing.push(Up::OpenLink(OpenLink { link_id: id, ..open }), bytes).ok()?;
        let (entry, inbox) = link(carried, &inner.over);
        inner.links.add(id, entry);
        drop(inner);
        self.unsent.notify_one();
        Some((id, inbox))
    }

    /// A terminal says something.
    ///
    /// # Errors
    /// Too much waits, of this terminal or of all.
    pub(super) fn say(&self, link: u32, message: Bytes) -> Result<(), Full> {
        let mut inner = self.inner();
        if !inner.links.may_say(link) || inner.outgoing.bytes() >= SAYABLE_BYTES_MAX {
            return Err(Full);
        }
        let bytes = message.len() + FRAME_BYTES;
        let up = Up::LinkMessage(LinkMessage { link_id: link, message });
        let sequence = inner.outgoing.push(up, bytes).map_err(|_| Full)?;
        inner.links.charge(sequence, link, bytes);
        drop(inner);
        self.unsent.notify_one();
        Ok(())
    }

    /// Terminals behind a relay that is attached here can't be reached for now, or can again.
    pub(super) fn say_reachable(&self, link_ids: Vec<u32>, reachable: bool) {
        let bytes = FRAME_BYTES + 5 * link_ids.len();
        self.push(Up::LinksReachable(LinksReachable { link_ids, reachable }), bytes);
    }

    pub(super) fn answer_introduction(&self, answer: IntroductionAnswer) {
        let bytes = FRAME_BYTES + answer.sdp.len() + answer.reason.len();
        self.push(Up::IntroductionAnswer(answer), bytes);
    }

    /// A link is at its end: says so, unless the parent has, and does what was left to do for its places.
    pub(super) async fn end(
        &self,
        id: u32,
        mut inbox: Inbox,
        carried: Option<CarriedBy>,
        say: Option<CloseLink>,
    ) {
        if let Some(close) = say
            && self.inner().links.contains(id)
        {
            self.push(Up::CloseLink(CloseLink { link_id: id, ..close }), FRAME_BYTES);
        }
        inbox.close();
        while let Some(down) = inbox.next().await {
            match down {
                // Of an earlier session nothing is to be done any more.
                Down::Place(place) if self.inner().links.contains(id) => {
                    self.places.put(&place, carried).await;
                }
                // Whoever waits for it goes on.
                Down::Reached(reached) => drop(reached.send(())),
                Down::Place(_) | Down::Wait(_) | Down::Message(..) | Down::Close(_) => {}
            }
        }
        self.inner().links.remove(id);
        inbox.ended.cancel();
    }

    fn push(&self, up: Up, bytes: usize) {
        let mut inner = self.inner();
        if inner.outgoing.push(up, bytes).is_err() {
            // Nothing of a session may be lost.
            tracing::error!("the parent acknowledges nothing: the session is over");
            inner.token.clear();
            self.broken.notify_one();
        }
        drop(inner);
        self.unsent.notify_one();
    }

    /// The next message to be sent on this connection; none if there is nothing.
    pub(super) fn next_unsent(&self) -> Option<AttachRequest> {
        let mut inner = self.inner();
        let acknowledged = inner.incoming.received();
        let (sequence, up) = inner.outgoing.next_unsent()?;
        Some(AttachRequest { sequence, acknowledged, body: Some(up.clone()) })
    }

    /// Resolves when there may be something to be sent.
    pub(super) async fn has_unsent(&self) {
        self.unsent.notified().await;
    }

    /// A sign of life.
    pub(super) fn heartbeat(&self) -> AttachRequest {
        let mut inner = self.inner();
        let Beat { sent_us, echoed_sent_us, echoed_received_us } = inner.distance.beat(unix_us());
        let heartbeat = Heartbeat { sent_us, echoed_sent_us, echoed_received_us };
        let acknowledged = inner.incoming.received();
        AttachRequest { sequence: 0, acknowledged, body: Some(Up::Heartbeat(heartbeat)) }
    }

    /// The parent's clock minus the own, in µs.
    pub(super) fn offset_us(&self) -> i64 {
        self.inner().distance.offset_us()
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
            status.participants = participants;
            status.relays = relays;
            status.delivered_bytes = self.delivered_bytes.load(Ordering::Relaxed);
            if let Some(attached) = &mut status.attached {
                attached.rtt_us = rtt_us;
                attached.clock_offset_us = offset_us;
            }
        });
    }

    /// Resolves when everything that was said has arrived.
    pub(super) async fn acknowledged(&self) {
        loop {
            let eased = self.eased.notified();
            if self.inner().outgoing.bytes() == 0 {
                return;
            }
            eased.await;
        }
    }

    // What comes down.

    /// Takes a message of the parent in; says what is left to be done for it.
    ///
    /// # Errors
    /// The parent does not keep to the protocol; the connection is to be given up.
    pub(super) fn accept(&self, response: AttachResponse) -> Result<Option<Task>, Violation> {
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
            }
            return Ok(None);
        }
        match inner.incoming.accept(response.sequence) {
            Arrival::New => inner.take(response.body),
            Arrival::Known => Ok(None),
            Arrival::Gap => Err(Violation(format!("message {} is early", response.sequence))),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
