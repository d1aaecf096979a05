//! One relay that is attached: its session, which outlives broken connections, and what goes down it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::extract::ws::CloseCode;
use bytes::Bytes;
use tokio::{
    sync::{Semaphore, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tributary_contracts::relay::v1::{Introduction, Place, RelaySettings, place};
use tributary_identifiers::RelayId;
use tributary_relay_uplink::Incoming;

use super::{
    fetch::FETCHES_MAX,
    figures::Counts,
    links::Links,
    paced::Paced,
    queue::{Item, Over, Queue},
};
use crate::{
    media::{TerminalId, UplinkId},
    terminals::link::Audience,
};

/// Length of a session token, in bytes.
pub(crate) const TOKEN_BYTES: usize = 32;

/// Nobody is introduced to a child for which more waits, in bytes: no introduction ends a session.
const INTRODUCE_BYTES_MAX: usize = 1 << 20;

/// A child is not asked to answer an introduction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAsked;

/// What names a session; whoever has it speaks for the child.
pub(crate) struct SessionToken([u8; TOKEN_BYTES]);

impl SessionToken {
    /// A random one.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub(crate) fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; TOKEN_BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    pub(crate) fn to_vec(&self) -> Vec<u8> {
        self.0.to_vec()
    }

    /// Whether this is it; takes as long whatever differs.
    pub(crate) fn is(&self, other: &[u8]) -> bool {
        if other.len() != TOKEN_BYTES {
            return false;
        }
        let differing = self.0.iter().zip(other).fold(0, |all, (own, other)| all | (own ^ other));
        std::hint::black_box(differing) == 0
    }
}

/// Whether a child can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// By the connection of this number.
    Attached(u64),
    /// Its connection was lost then.
    Lost(Instant),
}

/// A session of a relay that is attached here.
pub(crate) struct Child {
    /// Names the session in this process.
    pub(crate) uplink: UplinkId,
    /// Who is attached.
    pub(crate) relay: RelayId,
    pub(crate) token: SessionToken,
    pub(crate) queue: Queue,
    pub(crate) links: Mutex<Links>,
    pub(crate) counts: Counts,
    /// What has arrived; held by the connection there is.
    pub(crate) incoming: Arc<tokio::sync::Mutex<Incoming>>,
    pub(crate) received: AtomicU64,
    /// The child's clock minus the own one, in µs.
    pub(crate) offset_us: AtomicI64,
    /// There and back, in µs; 0: not measured yet.
    pub(crate) rtt_us: AtomicU64,
    pub(crate) reach: watch::Sender<Reach>,
    /// Places for HTTP requests.
    pub(crate) fetches: Arc<Semaphore>,
    /// What their answers wait for: the child reads them at its limit, but up to a window of HTTP/2 would
    /// be on its line at once.
    pub(crate) files: Paced,

    /// What was told about the relay and those behind it.
    settings: Mutex<HashMap<RelayId, RelaySettings>>,
    over: CancellationToken,
    why: Mutex<Option<Status>>,
}

impl Child {
    /// A session that has no connection yet.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub(crate) fn new(
        uplink: UplinkId,
        relay: RelayId,
        settings: RelaySettings,
    ) -> Result<Self, getrandom::Error> {
        let files = Paced::new(settings.uplink_limit_kbit);
        let settings = Mutex::new(HashMap::from([(relay.clone(), settings)]));
        Ok(Self {
            uplink,
            relay,
            token: SessionToken::generate()?,
            queue: Queue::default(),
            links: Mutex::default(),
            counts: Counts::default(),
            incoming: Arc::default(),
            received: AtomicU64::default(),
            offset_us: AtomicI64::default(),
            rtt_us: AtomicU64::default(),
            reach: watch::Sender::new(Reach::Lost(Instant::now())),
            fetches: Arc::new(Semaphore::new(FETCHES_MAX)),
            files,

            settings,
            over: CancellationToken::new(),
            why: Mutex::default(),
        })
    }

    pub(crate) fn links(&self) -> MutexGuard<'_, Links> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the administrator has set for the relay.
    pub(crate) fn settings(&self) -> RelaySettings {
        let known = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&self.relay).cloned().unwrap_or_default()
    }

    /// Tells the child what the administrator has set for it or for a relay behind it, if that is new.
    pub(crate) fn set_settings(&self, relay: &RelayId, settings: RelaySettings) {
        if *relay == self.relay {
            self.files.set_limit(settings.uplink_limit_kbit);
        }
        let is_new = {
            let mut known = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
            let is_new = known.get(relay) != Some(&settings);
            // What a relay behind the child has now, it was told when it was verified.
            let is_first = known.insert(relay.clone(), settings.clone()).is_none();
            is_new && !is_first
        };
        if is_new {
            // A session that is over has no settings.
            let _ = self.push(None, Item::Settings(settings));
        }
    }

    /// Something for a terminal; waits while the child is slow.
    ///
    /// # Errors
    /// The session is over; it is when the child takes too little for too long.
    pub(crate) async fn deliver(
        &self,
        link: u32,
        payload: Bytes,
        to: Audience,
    ) -> Result<(), Over> {
        let delivered = self.queue.deliver(link, payload, to).await;
        self.note(delivered)
    }

    /// The same for who must not wait: false if there is no room.
    ///
    /// # Errors
    /// The session is over.
    pub(crate) fn offer(&self, link: u32, payload: Bytes, to: Audience) -> Result<bool, Over> {
        self.queue.offer(link, &payload, to)
    }

    /// Something for the media of a participant that a link carries, in force before what is delivered
    /// to that link from now on.
    pub(crate) fn place(&self, link: u32, place: TerminalId, body: place::Body) {
        let place = Place { place_id: place.0, body: Some(body) };
        // A session that is over has no places.
        let _ = self.push(Some(link), Item::Place(place));
    }

    /// A terminal's connection is to be closed.
    pub(crate) fn close_link(&self, link: u32, code: CloseCode) {
        if self.links().close(link) {
            let _ = self.push(Some(link), Item::Close { code });
        }
    }

    /// A relay behind the child is not accepted any more: whoever it is attached to is to cut it off.
    pub(crate) fn revoke_behind(&self, relay: &RelayId) {
        // When a session is over, so are those behind it.
        let _ = self.push(None, Item::Revoked(relay.clone()));
    }

    /// Asks the child to answer an introduction.
    ///
    /// # Errors
    /// The session is over, or too much waits for the child already.
    pub(crate) fn introduce(&self, introduction: Introduction) -> Result<(), NotAsked> {
        if self.queue.bytes() > INTRODUCE_BYTES_MAX {
            return Err(NotAsked);
        }
        self.push(None, Item::Introduction(introduction)).map_err(|Over| NotAsked)
    }

    fn push(&self, link: Option<u32>, item: Item) -> Result<(), Over> {
        let pushed = self.queue.push(link, item);
        self.note(pushed)
    }

    fn note(&self, result: Result<(), Over>) -> Result<(), Over> {
        if result.is_err() {
            self.end(Status::resource_exhausted(
                "this relay does not take what is sent to it: 4 MiB wait; attach anew",
            ));
        }
        result
    }

    /// The session is over, for this reason; an earlier one stands.
    pub(crate) fn end(&self, why: Status) {
        {
            let mut known = self.why.lock().unwrap_or_else(PoisonError::into_inner);
            known.get_or_insert(why);
        }
        self.queue.end();
        self.over.cancel();
    }

    /// Resolves when the session is over.
    pub(crate) async fn over(&self) {
        self.over.cancelled().await;
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }

    /// Why it is over.
    pub(crate) fn why(&self) -> Status {
        let why = self.why.lock().unwrap_or_else(PoisonError::into_inner).clone();
        why.unwrap_or_else(|| Status::unavailable("the session is over: attach anew"))
    }

    pub(crate) fn offset_us(&self) -> i64 {
        self.offset_us.load(Ordering::Relaxed)
    }

    /// Since when the child can't be reached; none: it can.
    pub(crate) fn lost_since(&self) -> Option<Instant> {
        match *self.reach.borrow() {
            Reach::Attached(_) => None,
            Reach::Lost(since) => Some(since),
        }
    }

    /// Waits until everything that was told has arrived, or for so long.
    pub(crate) async fn flush(&self, patience: Duration) {
        let mut eased = self.queue.eased();
        let flushed = async { while !self.queue.is_empty() && eased.changed().await.is_ok() {} };
        let _ = tokio::time::timeout(patience, flushed).await;
    }
}

/// One terminal's way over an uplink.
#[derive(Clone)]
pub(crate) struct Carriage {
    pub(crate) child: Arc<Child>,
    pub(crate) link: u32,
    /// The room that the terminal's relay stands in.
    pub(crate) room: Option<u32>,
}

impl Carriage {
    pub(crate) fn uplink(&self) -> UplinkId {
        self.child.uplink
    }

    /// Something for the terminal; waits while the uplink is slow.
    ///
    /// # Errors
    /// The session of the uplink is over.
    pub(crate) async fn deliver(&self, message: Bytes, to: Audience) -> Result<(), Over> {
        self.child.deliver(self.link, message, to).await
    }

    /// Closes the terminal's connection.
    pub(crate) fn close(&self, code: CloseCode) {
        self.child.close_link(self.link, code);
    }

    /// Something for the media of the terminal's participant.
    pub(crate) fn place(&self, place: TerminalId, body: place::Body) {
        self.child.place(self.link, place, body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_itself_only() {
        let token = SessionToken::generate().unwrap();
        assert!(token.is(&token.to_vec()));
        assert!(!token.is(&token.to_vec()[1..]) && !token.is(&[]));
        for index in 0..TOKEN_BYTES {
            let mut other = token.to_vec();
            other[index] ^= 1;
            assert!(!token.is(&other));
        }
    }
}
