//! What waits to go down an uplink's control stream: in order, bounded, and what is the same for many
//! links once.
//!
//! Messages wait without a number until a connection takes them, so that what becomes the same for more
//! links meanwhile goes to all of them at once; numbered, they are kept until they are acknowledged.
//!
//! A child is stuck if it takes too little while there is a connection; without one nothing can be taken,
//! and how long that may last is not decided here.

use std::{
    collections::{HashMap, VecDeque},
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use tributary_contracts::relay::v1::{
    AttachResponse, CloseLink, Deliver, Introduction, Place, RelayRevoked, RelaySettings,
    attach_response::Body,
};
use tributary_identifiers::RelayId;
use tributary_relay_uplink::{Impossible, Outgoing, PayloadSender, UNACKNOWLEDGED_BYTES_MAX};

use crate::terminals::link::Audience;

/// Delivers wait when so much is not acknowledged; what must not wait has the rest.
const DELIVER_BYTES_MAX: usize = UNACKNOWLEDGED_BYTES_MAX - (512 << 10);
/// A child that takes less than [`STUCK_BYTES`] in so long, while a message waits to be put in, is cut.
const STUCK_MAX: Duration = Duration::from_secs(5);
/// What the thinnest line takes in that time, beside voices.
const STUCK_BYTES: u64 = 64 << 10;
/// What keeping an entry costs beside its payload.
const ENTRY_BYTES: usize = 64;
/// Links that one message names at most.
const LINKS_OF_ENTRY_MAX: usize = 1_024;

/// The session is over: nothing goes down any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Over;

/// Something to be told to the child.
pub(crate) enum Item {
    Deliver {
        payload: Bytes,
        to: Audience,
    },
    Place(Place),
    Close {
        code: u16,
    },
    Introduction(Introduction),
    Settings(RelaySettings),
    /// A relay behind the child is not accepted any more.
    Revoked(RelayId),
}

struct Entry {
    links: Vec<u32>,
    item: Item,
    cost: usize,
}

#[derive(Default)]
struct State {
    staged: VecDeque<Entry>,
    /// Number of entries that were taken before the first of them.
    taken: u64,
    staged_bytes: usize,
    /// Where the newest entry of a link is among all entries.
    newest_of: HashMap<u32, u64>,
    /// Where a payload for many is among all entries.
    shared: HashMap<(usize, usize), u64>,
    outgoing: Outgoing<Body>,
    payloads: PayloadSender,
    /// What was acknowledged in all, in bytes.
    taken_bytes: u64,
    over: bool,
}

/// The queue of one session.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    /// Counts what was put in.
    filled: watch::Sender<u64>,
    /// Counts what was acknowledged.
    eased: watch::Sender<u64>,
    /// True while a connection takes what waits.
    taking: watch::Sender<bool>,
}

/// A connection takes what waits until this is dropped.
pub(crate) struct Taking<'a>(&'a Queue);

impl Drop for Taking<'_> {
    fn drop(&mut self) {
        self.0.taking.send_replace(false);
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something for a terminal, after everything that was put in for it before. Waits while too much
    /// is on its way; a message that is larger than what may be on its way waits for all before it.
    ///
    /// # Errors
    /// The session is over; it is when the child takes too little for too long.
    pub(crate) async fn deliver(
        &self,
        link: u32,
        payload: Bytes,
        to: Audience,
    ) -> Result<(), Over> {
        let mut eased = self.eased.subscribe();
        let mut stuck = pin!(self.stuck());
        loop {
            eased.borrow_and_update();
            if self.offer(link, &payload, to)? {
                return Ok(());
            }
            tokio::select! {
                biased;
                // The queue outlives this: the sender is there.
                _ = eased.changed() => {}
                () = &mut stuck => {
                    self.end();
                    return Err(Over);
                }
            }
        }
    }

    /// The same for who must not wait: false if too much is on its way.
    ///
    /// # Errors
    /// The session is over.
    pub(crate) fn offer(&self, link: u32, payload: &Bytes, to: Audience) -> Result<bool, Over> {
        {
            let mut state = self.state();
            if state.over {
                return Err(Over);
            }
            if state.bytes() + cost_of_payload(payload) > DELIVER_BYTES_MAX {
                return Ok(false);
            }
            state.stage(Some(link), Item::Deliver { payload: payload.clone(), to });
        }
        self.filled.send_modify(|count| *count += 1);
        Ok(true)
    }

    /// Resolves when too little was taken for too long; time without a connection does not count.
    async fn stuck(&self) {
        let mut taking = self.taking.subscribe();
        let (mut left, mut taken) = (STUCK_MAX, self.state().taken_bytes);
        loop {
            until(&mut taking, true).await;
            let since = Instant::now();
            tokio::select! {
                () = sleep(left) => {
                    let now_taken = self.state().taken_bytes;
                    if now_taken.saturating_sub(taken) < STUCK_BYTES {
                        return;
                    }
                    (left, taken) = (STUCK_MAX, now_taken);
                }
                () = until(&mut taking, false) => left = left.saturating_sub(since.elapsed()),
            }
        }
    }

    /// A connection begins to take what waits.
    pub(crate) fn taking(&self) -> Taking<'_> {
        self.taking.send_replace(true);
        Taking(self)
    }

    /// Something that waits for nothing. If there is no room for it, the session is over.
    ///
    /// # Errors
    /// The session is over.
    pub(crate) fn push(&self, link: Option<u32>, item: Item) -> Result<(), Over> {
        {
            let mut state = self.state();
            if state.over {
                return Err(Over);
            }
            if state.bytes() + cost_of(&item) > UNACKNOWLEDGED_BYTES_MAX {
                drop(state);
                self.end();
                return Err(Over);
            }
            state.stage(link, item);
        }
        self.filled.send_modify(|count| *count += 1);
        Ok(())
    }

    /// Nothing goes down any more.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        *state = State { over: true, ..State::default() };
        drop(state);
        self.filled.send_modify(|count| *count += 1);
        self.eased.send_modify(|count| *count += 1);
    }

    /// What waits, numbered or not, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.state().bytes()
    }

    /// True if the session is over.
    #[cfg(test)]
    pub(crate) fn is_over(&self) -> bool {
        self.state().over
    }

    /// True if everything was acknowledged.
    pub(crate) fn is_empty(&self) -> bool {
        let state = self.state();
        state.over || (state.staged.is_empty() && state.outgoing.bytes() == 0)
    }

    /// Wakes when something is put in, or when it is over.
    pub(crate) fn filled(&self) -> watch::Receiver<u64> {
        self.filled.subscribe()
    }

    /// Wakes when something is acknowledged, or when it is over.
    pub(crate) fn eased(&self) -> watch::Receiver<u64> {
        self.eased.subscribe()
    }

    /// The next message for the connection there is, without its acknowledgement.
    pub(crate) fn next(&self) -> Option<AttachResponse> {
        let mut state = self.state();
        if !state.outgoing.has_unsent() {
            state.number_next();
        }
        let (sequence, body) = state.outgoing.next_unsent()?;
        Some(AttachResponse { sequence, acknowledged: 0, body: Some(body.clone()) })
    }

    /// Everything up to this number has arrived.
    pub(crate) fn acknowledge(&self, number: u64) -> Result<(), Impossible> {
        let eased = {
            let mut state = self.state();
            if state.over {
                return Ok(());
            }
            let before = state.outgoing.bytes();
            state.outgoing.acknowledge(number)?;
            state.note_taken(before)
        };
        if eased {
            self.eased.send_modify(|count| *count += 1);
        }
        Ok(())
    }

    /// A new connection, at whose other end everything up to this number has arrived.
    pub(crate) fn resume(&self, received: u64) -> Result<(), Impossible> {
        {
            let mut state = self.state();
            let before = state.outgoing.bytes();
            state.outgoing.resume(received)?;
            state.note_taken(before);
        }
        self.eased.send_modify(|count| *count += 1);
        Ok(())
    }
}

/// Resolves when somebody takes what waits, or nobody does.
async fn until(taking: &mut watch::Receiver<bool>, wanted: bool) {
    // Whoever waits for this has the queue: the sender is there.
    let _ = taking.wait_for(|taking| *taking == wanted).await;
}

/// What is larger than all that may wait counts as that: so it has room when nothing else waits.
fn cost_of_payload(payload: &Bytes) -> usize {
    (ENTRY_BYTES + payload.len()).min(DELIVER_BYTES_MAX)
}

fn cost_of(item: &Item) -> usize {
    match item {
        Item::Deliver { payload, .. } => cost_of_payload(payload),
        Item::Introduction(introduction) => ENTRY_BYTES + introduction.sdp.len(),
        Item::Place(_) | Item::Close { .. } | Item::Settings(_) | Item::Revoked(_) => {
            2 * ENTRY_BYTES
        }
    }
}

impl State {
    fn bytes(&self) -> usize {
        self.staged_bytes + self.outgoing.bytes()
    }

    /// Something may have been acknowledged since so much was not; true if it was.
    fn note_taken(&mut self, unacknowledged: usize) -> bool {
        let taken = unacknowledged.saturating_sub(self.outgoing.bytes());
        self.taken_bytes += taken as u64;
        taken > 0
    }

    fn stage(&mut self, link: Option<u32>, item: Item) {
        if let Some(link) = link
            && self.merge(link, &item)
        {
            return;
        }
        let place = self.taken + self.staged.len() as u64;
        if let Some(link) = link {
            self.newest_of.insert(link, place);
        }
        if let Item::Deliver { payload, to: Audience::Many } = &item {
            self.shared.insert(identity_of(payload), place);
        }
        let cost = cost_of(&item);
        self.staged_bytes += cost;
        self.staged.push_back(Entry { links: link.into_iter().collect(), item, cost });
    }

    /// Adds a link to an entry that waits with the same payload, if nothing for that link is behind it.
    fn merge(&mut self, link: u32, item: &Item) -> bool {
        let Item::Deliver { payload, to: Audience::Many } = item else { return false };
        let Some(place) = self.shared.get(&identity_of(payload)).copied() else { return false };
        if self.newest_of.get(&link).is_some_and(|newest| *newest >= place) {
            return false;
        }
        let index = place.checked_sub(self.taken).and_then(|index| usize::try_from(index).ok());
        let Some(entry) = index.and_then(|index| self.staged.get_mut(index)) else { return false };
        if entry.links.len() >= LINKS_OF_ENTRY_MAX {
            return false;
        }
        entry.links.push(link);
        entry.cost += size_of::<u32>();
        self.staged_bytes += size_of::<u32>();
        self.newest_of.insert(link, place);
        true
    }

    /// Gives the next entry its number.
    fn number_next(&mut self) {
        let Some(Entry { links, item, cost }) = self.staged.pop_front() else { return };
        let place = self.taken;
        self.taken += 1;
        self.staged_bytes = self.staged_bytes.saturating_sub(cost);
        for link in &links {
            if self.newest_of.get(link) == Some(&place) {
                self.newest_of.remove(link);
            }
        }
        let body = match item {
            Item::Deliver { payload, to } => {
                if to == Audience::Many {
                    let key = identity_of(&payload);
                    if self.shared.get(&key) == Some(&place) {
                        self.shared.remove(&key);
                    }
                }
                Body::Deliver(self.deliver(links, payload, to))
            }
            Item::Place(place) => Body::Place(place),
            Item::Close { code } => Body::CloseLink(CloseLink {
                link_id: links.first().copied().unwrap_or_default(),
                silent_ms: 0,
                code: code.into(),
            }),
            Item::Introduction(introduction) => Body::Introduction(introduction),
            Item::Settings(settings) => Body::Settings(settings),
            Item::Revoked(relay) => {
                Body::RelayRevoked(RelayRevoked { relay_id: relay.to_string() })
            }
        };
        // There was room for it when it was put in.
        if self.outgoing.push(body, cost.saturating_sub(ENTRY_BYTES)).is_err() {
            *self = Self { over: true, ..Self::default() };
        }
    }

    fn deliver(&mut self, link_ids: Vec<u32>, payload: Bytes, to: Audience) -> Deliver {
        if to == Audience::One || payload.is_empty() {
            return Deliver { link_ids, payload_id: 0, payload };
        }
        let shared = self.payloads.share(&payload);
        let payload = if shared.is_new { payload } else { Bytes::new() };
        Deliver { link_ids, payload_id: shared.id, payload }
    }
}

/// Clones of a payload share their memory, which stays while one of them waits.
fn identity_of(payload: &Bytes) -> (usize, usize) {
    (payload.as_ptr().addr(), payload.len())
}

#[cfg(test)]
#[path = "queue/tests.rs"]
mod tests;
