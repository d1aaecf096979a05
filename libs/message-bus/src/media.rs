//! The media connection: core NATS only, and small queues.
//!
//! A publisher never waits: what can't be handed over at once is dropped and counted. A receiver
//! has one [`MediaInbox`] for all its subscriptions; when it does not keep up, the oldest messages
//! go. Frames carry their time, so receivers also drop what is too old.

use std::{sync::Arc, time::Duration};

use async_nats::{Client, Message, Subject, connection::State};
use bytes::Bytes;
use crossbeam_queue::ArrayQueue;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
};
use tributary_service_runtime::{Dependency, NatsConfig};

use crate::connection::{self, ConnectError, Link};

/// Messages between the connection and the inbox: 100 ms of 50 relays.
const SUBSCRIPTION_CAPACITY: usize = 256;
/// Messages on their way to the server: 100 ms of 50 meetings.
const CLIENT_CAPACITY: usize = 256;
/// Messages in an inbox: 200 ms of 100 meetings' tracks.
const INBOX_CAPACITY: usize = 1024;

/// A process's connection for media.
#[derive(Clone)]
pub struct MediaBus {
    client: Client,
}

impl MediaBus {
    /// Opens the connection. An absent server is no error: the connection comes up when it does.
    /// The connection's tasks run on the calling tokio runtime.
    ///
    /// # Errors
    /// The configuration is not usable.
    pub async fn connect(
        config: &NatsConfig,
        name: &str,
        dependency: &Dependency,
    ) -> Result<Self, ConnectError> {
        let profile = connection::Profile {
            kind: "media",
            ping_interval: Duration::from_secs(2),
            subscription_capacity: SUBSCRIPTION_CAPACITY,
            client_capacity: CLIENT_CAPACITY,
        };
        // Media asks the client itself, frame by frame.
        let (link, _) = watch::channel(Link::default());
        Ok(Self { client: connection::open(config, name, profile, dependency, link).await? })
    }

    /// Hands a message over for sending, or drops it: never waits. True if handed over.
    pub fn publish(&self, subject: &Subject, payload: Bytes) -> bool {
        let sent = self.client.connection_state() == State::Connected
            && matches!(self.client.publish(subject.clone(), payload).now_or_never(), Some(Ok(())));
        if !sent {
            metrics::counter!("tributary_media_publish_dropped_total").increment(1);
        }
        sent
    }

    /// Subscribes into an inbox; messages carry the tag. Ends when the subscription is dropped.
    pub async fn subscribe<T: Clone + Send + Sync + 'static>(
        &self,
        subject: Subject,
        tag: T,
        inbox: &MediaInbox<T>,
    ) -> Option<MediaSubscription> {
        // The only error is a subject that can't be subscribed to, and subjects are typed.
        let mut subscriber = self.client.subscribe(subject).await.ok()?;
        let inbox = inbox.clone();
        let task = tokio::spawn(async move {
            while let Some(message) = subscriber.next().await {
                inbox.push(Delivery { tag: tag.clone(), message });
            }
        });
        Some(MediaSubscription { task: task.abort_handle() })
    }
}

/// A larger gap says nothing about what was lost: the publisher's numbers have jumped.
const GAP_MAX: u64 = 10_000;

/// Counts what a publisher's sequence numbers say was lost on the way.
#[derive(Clone, Copy, Debug, Default)]
pub struct SequenceGaps {
    last: Option<(u64, u64)>,
}

impl SequenceGaps {
    /// A message has come: how many before it are missing. Numbers start anew with each `run` of
    /// the publisher, such as an epoch. At most 10,000 are counted at once, whatever number is said.
    pub fn missing_before(&mut self, run: u64, sequence: u64) -> u64 {
        let missing = match self.last {
            Some((last_run, last)) if last_run == run => {
                sequence.saturating_sub(last.saturating_add(1)).min(GAP_MAX)
            }
            _ => 0,
        };
        self.last = Some((run, sequence));
        missing
    }
}

/// A subscription; dropping it ends it.
#[derive(Debug)]
pub struct MediaSubscription {
    task: AbortHandle,
}

impl Drop for MediaSubscription {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A message and what it was subscribed for.
#[derive(Debug)]
pub struct Delivery<T> {
    /// As given to [`MediaBus::subscribe`].
    pub tag: T,
    /// The message.
    pub message: Message,
}

/// A bounded queue for one receiver; drops the oldest.
pub struct MediaInbox<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    ring: ArrayQueue<Delivery<T>>,
    arrived: Notify,
}

impl<T> Clone for MediaInbox<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<T> Default for MediaInbox<T> {
    fn default() -> Self {
        let ring = ArrayQueue::new(INBOX_CAPACITY);
        Self { shared: Arc::new(Shared { ring, arrived: Notify::new() }) }
    }
}

impl<T> MediaInbox<T> {
    fn push(&self, delivery: Delivery<T>) {
        if self.shared.ring.force_push(delivery).is_some() {
            metrics::counter!("tributary_media_inbox_dropped_total").increment(1);
        }
        self.shared.arrived.notify_one();
    }

    /// Makes [`Self::arrived`] return once more: for a receiver that leaves messages for later.
    pub fn arrive(&self) {
        self.shared.arrived.notify_one();
    }

    /// Returns when something may have arrived since the last call.
    pub async fn arrived(&self) {
        self.shared.arrived.notified().await;
    }

    /// The oldest message, if there is one.
    #[must_use]
    pub fn pop(&self) -> Option<Delivery<T>> {
        self.shared.ring.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_counted_within_a_run_and_forgiven_between_runs() {
        let mut gaps = SequenceGaps::default();
        let missing: Vec<u64> = [(1, 5), (1, 6), (1, 9), (2, 40), (2, 41), (2, 1)]
            .into_iter()
            .map(|(run, sequence)| gaps.missing_before(run, sequence))
            .collect();
        assert_eq!(missing, [0, 0, 2, 0, 0, 0]);
    }

    #[test]
    fn numbers_at_the_end_of_their_range_are_counted_like_others() {
        let mut gaps = SequenceGaps::default();
        let missing: Vec<u64> = [0, u64::MAX, u64::MAX, 0, u64::MAX - 1, u64::MAX]
            .into_iter()
            .map(|sequence| gaps.missing_before(0, sequence))
            .collect();
        assert_eq!(missing, [0, GAP_MAX, 0, 0, GAP_MAX, 0]);
    }
}
