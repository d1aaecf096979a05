//! What users are told outside of meetings: one subscription a user, however many connections of the
//! user want to hear it.
//!
//! The registry keeps what a user was told; the bus only brings it at once. Whenever the bus may have
//! missed something, the registry is asked again, and connections pass over what they have sent.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use bytes::Bytes;
use futures_util::StreamExt as _;
use prost::Message as _;
use tokio::{sync::broadcast, task::AbortHandle, time::Instant};
use tributary_contracts::{
    notice::v1::Notice,
    terminal::v1::{RelayMessage, relay_message::Body},
};
use tributary_identifiers::{OrganisationId, UserId};
use tributary_message_bus::{ControlBus, Subscriber, subjects};

use crate::upstream::Upstream;

/// Notices that a slow connection can be behind before it asks the registry itself.
const NOTICES_BEHIND_MAX: usize = 64;
/// Notices that a connection remembers to have sent.
const SENT_MAX: usize = 1_024;
/// After the subscription was made or came back: by then the server knows of it.
const SETTLING_TIME: Duration = Duration::from_secs(1);
/// So that not all users are asked for at once.
const JITTER_MAX_MS: u64 = 2_000;
/// After the registry could not be asked, and while there is no bus.
const ASK_INTERVAL: Duration = Duration::from_secs(10);

/// A notice, and how it goes over a WebSocket.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) notice_id: String,
    pub(crate) encoded: Bytes,
}

impl Told {
    pub(crate) fn new(notice: Notice) -> Self {
        let notice_id = notice.notice_id.clone();
        let message = RelayMessage { body: Some(Body::Notice(notice)), ..RelayMessage::default() };
        Self { notice_id, encoded: message.encode_to_vec().into() }
    }
}

type User = (OrganisationId, UserId);

/// The feeds of all users who want to hear.
pub(crate) struct NoticeDesk {
    upstream: Upstream,
    bus: ControlBus,
    feeds: Mutex<Feeds>,
}

#[derive(Default)]
struct Feeds {
    by_user: HashMap<User, Weak<Feed>>,
    /// At this size those that have ended are taken out.
    tidy_at: usize,
}

/// What one user is told; lives as long as a connection holds it.
pub(crate) struct Feed {
    told: broadcast::Sender<Arc<Told>>,
    task: AbortHandle,
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
        metrics::gauge!("tributary_relay_notice_feeds").decrement(1);
    }
}

impl Feed {
    pub(crate) fn listen(&self) -> broadcast::Receiver<Arc<Told>> {
        self.told.subscribe()
    }
}

impl NoticeDesk {
    pub(crate) fn new(upstream: Upstream, bus: ControlBus) -> Self {
        Self { upstream, bus, feeds: Mutex::default() }
    }

    /// The feed of a user; it begins now if nobody holds it yet.
    pub(crate) fn open(&self, organisation: &OrganisationId, user: &UserId) -> Arc<Feed> {
        let key = (organisation.clone(), user.clone());
        let mut feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(feed) = feeds.by_user.get(&key).and_then(Weak::upgrade) {
            return feed;
        }
        feeds.tidy();
        let told = broadcast::Sender::new(NOTICES_BEHIND_MAX);
        let follower = Follower {
            user: key.clone(),
            upstream: self.upstream.clone(),
            bus: self.bus.clone(),
            told: told.clone(),
        };
        let task = tokio::spawn(follower.run()).abort_handle();
        let feed = Arc::new(Feed { told, task });
        metrics::gauge!("tributary_relay_notice_feeds").increment(1);
        feeds.by_user.insert(key, Arc::downgrade(&feed));
        feed
    }
}

impl Feeds {
    fn tidy(&mut self) {
        if self.by_user.len() >= self.tidy_at {
            self.by_user.retain(|_, feed| feed.strong_count() > 0);
            self.tidy_at = 2 * self.by_user.len() + 16;
        }
    }
}

struct Follower {
    user: User,
    upstream: Upstream,
    bus: ControlBus,
    told: broadcast::Sender<Arc<Told>>,
}

impl Follower {
    async fn run(self) {
        let mut link = self.bus.link();
        let subject = subjects::notice(&self.user.0, &self.user.1);
        let mut heard = self.bus.hear(subject).await;
        link.mark_unchanged();
        let mut ask_at = Some(Instant::now() + SETTLING_TIME);
        loop {
            tokio::select! {
                payload = next(&mut heard) => match Notice::decode(payload) {
                    Ok(notice) => self.tell(notice),
                    Err(_) => ask_at = Some(Instant::now()),
                },
                Ok(()) = link.changed() => {
                    ask_at = Some(Instant::now() + SETTLING_TIME + jitter());
                }
                () = at(ask_at) => {
                    let asked = self.ask().await;
                    let up = link.borrow().up;
                    ask_at = (!asked || !up).then(|| Instant::now() + ASK_INTERVAL + jitter());
                }
            }
        }
    }

    fn tell(&self, notice: Notice) {
        let (organisation, user) = &self.user;
        if notice.organisation != organisation.as_str() || notice.user_id != user.as_str() {
            return tracing::warn!("a notice for somebody else was published for this user");
        }
        // Nobody listens at this moment: then nobody misses it.
        let _ = self.told.send(Arc::new(Told::new(notice)));
    }

    /// True if the registry has answered.
    async fn ask(&self) -> bool {
        let (organisation, user) = &self.user;
        match self.upstream.notices(organisation, user).await {
            Ok(notices) => {
                notices.into_iter().for_each(|notice| self.tell(notice));
                true
            }
            Err(refused) => {
                tracing::debug!(%refused, "notices not listed");
                false
            }
        }
    }
}

/// The next message; never, when there can't be any: then only the registry is asked.
async fn next(heard: &mut Option<Subscriber>) -> Bytes {
    if let Some(heard) = heard
        && let Some(message) = heard.next().await
    {
        return message.payload;
    }
    std::future::pending().await
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// None if the system has no randomness.
fn jitter() -> Duration {
    Duration::from_millis(getrandom::u64().unwrap_or_default() % JITTER_MAX_MS)
}

/// Which notices a connection has sent, so that it sends none twice.
#[derive(Default)]
pub(crate) struct Sent {
    known: HashSet<String>,
    order: VecDeque<String>,
}

impl Sent {
    /// True if it was not sent before.
    pub(crate) fn note(&mut self, notice_id: &str) -> bool {
        if !self.known.insert(notice_id.to_owned()) {
            return false;
        }
        self.order.push_back(notice_id.to_owned());
        if self.order.len() > SENT_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_sent_once_and_memory_is_bounded() {
        let mut sent = Sent::default();
        assert!(sent.note("a"));
        assert!(!sent.note("a"));
        for number in 0..3 * SENT_MAX {
            assert!(sent.note(&number.to_string()));
        }
        assert_eq!((sent.known.len(), sent.order.len()), (SENT_MAX, SENT_MAX));
        assert!(!sent.note(&(3 * SENT_MAX - 1).to_string()));
    }
}
