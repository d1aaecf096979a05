//! What participants have asked for and what is not stored yet: one queue and one publisher for each
//! participation, as long as there is something in it.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use metrics::{counter, gauge};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tributary_contracts::terminal::v1::RefusalCode;
use tributary_identifiers::{OperationId, ParticipantId};
use tributary_message_bus::subjects::MeetingScope;

use super::Carrier;
use crate::refusal::Refused;

/// Operations of one participant that are not stored yet.
pub(super) const UNRESOLVED_MAX: usize = 32;
/// What waits of all participants together, in bytes.
pub(super) const BYTES_MAX: usize = 128 << 20;
/// How soon one is tried again, and how long that may grow.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LONGEST: Duration = Duration::from_secs(5);
/// What nobody waits for any more is tried for so long; its terminal keeps it and sends it again.
const ABANDONED_AFTER: Duration = Duration::from_secs(10 * 60);

/// An operation can't be lost any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// The request that has brought it.
    pub(crate) request_id: u64,
    pub(crate) operation: OperationId,
}

struct Entry {
    payload: Bytes,
    operation: OperationId,
    request_id: u64,
    /// The connection that waits for it; it may be gone.
    waits: mpsc::Sender<Stored>,
    since: Instant,
}

type Key = (MeetingScope, ParticipantId);

#[derive(Default)]
struct Queues {
    /// A queue is there exactly as long as its publisher.
    by_key: HashMap<Key, VecDeque<Entry>>,
    /// What is in them.
    bytes: usize,
}

/// The operations of all participants of this relay that are not stored yet. A clone shares them.
#[derive(Clone)]
pub(crate) struct Operations<C>(Arc<Inner<C>>);

struct Inner<C> {
    carrier: C,
    queues: Mutex<Queues>,
    publishers: TaskTracker,
    shutdown: CancellationToken,
}

impl<C: Carrier> Operations<C> {
    /// Publishes until `shutdown`.
    pub(crate) fn new(carrier: C, shutdown: CancellationToken) -> Self {
        let queues = Mutex::default();
        Self(Arc::new(Inner { carrier, queues, publishers: TaskTracker::new(), shutdown }))
    }

    /// Takes a participant's next operation. When it is stored, `waits` is told. The same bytes again
    /// while they wait take no second place; who brought them last is told.
    ///
    /// # Errors
    /// `LIMIT` if too many wait already, `TRY_AGAIN` if this relay ends.
    pub(crate) fn push(
        &self,
        scope: &MeetingScope,
        participant: ParticipantId,
        payload: Bytes,
        stored: Stored,
        waits: mpsc::Sender<Stored>,
    ) -> Result<(), Refused> {
        if self.0.shutdown.is_cancelled() {
            let text = "this relay goes away: keep the operation and send it again elsewhere";
            return Err(Refused::new(RefusalCode::TryAgain, text));
        }
        let Stored { request_id, operation } = stored;
        let entry = Entry { payload, operation, request_id, waits, since: Instant::now() };
        let key = (scope.clone(), participant);
        let mut queues = self.0.queues();
        let Queues { by_key, bytes } = &mut *queues;
        let queue = by_key.get_mut(&key);
        let is_new = queue.is_none();
        let waiting = queue.as_ref().map_or(0, |queue| queue.len());
        let mut all = queue.into_iter().flatten();
        if let Some(same) = all.find(|other| other.payload == entry.payload) {
            *same = Entry { since: same.since, ..entry };
            return Ok(());
        }
        if waiting >= UNRESOLVED_MAX {
            let text = format!(
                "{UNRESOLVED_MAX} operations of this participant are on their way already: keep this \
                 one and send it again later"
            );
            return Err(Refused::new(RefusalCode::Limit, text));
        }
        if *bytes + entry.payload.len() > BYTES_MAX {
            let text =
                "too many operations are on their way: keep this one and send it again later";
            return Err(Refused::new(RefusalCode::TryAgain, text));
        }
        *bytes += entry.payload.len();
        by_key.entry(key.clone()).or_default().push_back(entry);
        gauge!("tributary_relay_operations_pending").increment(1);
        if is_new {
            self.0.publishers.spawn(publish_all(self.0.clone(), key));
        }
        Ok(())
    }

    /// Waits until what is tried at this moment is stored or not. Call after shutdown.
    pub(crate) async fn drain(&self) {
        self.0.publishers.close();
        self.0.publishers.wait().await;
    }
}

impl<C> Inner<C> {
    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be published next, and since when it waits. If there is nothing, the queue ends.
    fn first(&self, key: &Key) -> Option<(Bytes, Instant)> {
        let by_key = &mut self.queues().by_key;
        let first = by_key.get(key).and_then(VecDeque::front);
        let first = first.map(|entry| (entry.payload.clone(), entry.since));
        if first.is_none() {
            by_key.remove(key);
        }
        first
    }

    fn is_abandoned(&self, key: &Key, since: Instant) -> bool {
        let queues = self.queues();
        let first = queues.by_key.get(key).and_then(VecDeque::front);
        since.elapsed() >= ABANDONED_AFTER && first.is_none_or(|entry| entry.waits.is_closed())
    }

    fn take_first(&self, key: &Key) -> Option<Entry> {
        let mut queues = self.queues();
        let entry = queues.by_key.get_mut(key).and_then(VecDeque::pop_front)?;
        queues.bytes -= entry.payload.len();
        gauge!("tributary_relay_operations_pending").decrement(1);
        Some(entry)
    }
}

/// Publishes what is in a queue until nothing is.
async fn publish_all<C: Carrier>(inner: Arc<Inner<C>>, key: Key) {
    while let Some((payload, since)) = inner.first(&key) {
        let is_stored = publish(&inner, &key, payload, since).await;
        if inner.shutdown.is_cancelled() && !is_stored {
            while inner.take_first(&key).is_some() {}
            return;
        }
        let Some(entry) = inner.take_first(&key) else { continue };
        let outcome = if is_stored { "stored" } else { "abandoned" };
        counter!("tributary_relay_operations_total", "outcome" => outcome).increment(1);
        if is_stored {
            let Entry { request_id, operation, waits, .. } = entry;
            // Who is not there, or does not read, sends it again and is told then.
            let _ = waits.try_send(Stored { request_id, operation });
        }
    }
}

/// True when it is stored, false if it is given up.
async fn publish<C: Carrier>(inner: &Inner<C>, key: &Key, payload: Bytes, since: Instant) -> bool {
    let mut pause = RETRY_FIRST;
    loop {
        match inner.carrier.carry(&key.0, payload.clone()).await {
            Ok(()) => return true,
            Err(error) => tracing::debug!(%error, "operation not stored; trying again"),
        }
        counter!("tributary_relay_operation_retries_total").increment(1);
        if inner.is_abandoned(key, since) {
            return false;
        }
        tokio::select! {
            () = tokio::time::sleep(jittered(pause)) => pause = (pause * 2).min(RETRY_LONGEST),
            () = inner.carrier.recovers() => {
                // Not all at the same moment, and often at first: the server may have to get ready.
                pause = RETRY_FIRST;
                tokio::time::sleep(jittered(pause)).await;
            }
            () = inner.shutdown.cancelled() => return false,
        }
    }
}

/// Half of it to all of it, so that not all queues try at the same moment.
fn jittered(pause: Duration) -> Duration {
    // All of it if the system has no randomness.
    let random = getrandom::u32().unwrap_or(u32::MAX);
    pause.mul_f64(0.5 + 0.5 * f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests;
