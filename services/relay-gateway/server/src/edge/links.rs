//! The links that go over the uplink: one for each terminal that is attached here, and for each one
//! behind a relay that is attached here.
//!
//! **Invariant:** what the parent says about a link is handled by the link's own task, in its order. When
//! the task has ended, and not before, what is left to do for the link's places is done elsewhere.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tributary_contracts::relay::v1::Place;

use crate::media::CarriedBy;

/// What waits for a link's task, in messages and in bytes: more, and the terminal is told to come
/// again. A single message passes, however large it is.
const DOWNS_MAX: usize = 1_024;
const DOWN_BYTES_MAX: usize = 8 << 20;
/// What a terminal has said and the parent has not acknowledged, in bytes, before the terminal is asked
/// to try again.
const UP_BYTES_MAX: usize = 64 << 10;

/// Something from the parent for one link.
#[derive(Debug)]
pub(super) enum Down {
    /// An encoded `RelayMessage`; true if others get the same bytes.
    Message(Bytes, bool),
    /// Something for the media of a participant, to be in force before what comes after it.
    Place(Place),
    /// The link is to be closed with this code.
    Close(u16),
    /// Another link waits for this one to have come so far.
    Reached(oneshot::Sender<()>),
    /// To be waited for: a place comes from another link.
    Wait(oneshot::Receiver<()>),
    /// A place is not behind the relay of this link any more.
    Left(u64),
}

impl Down {
    fn bytes(&self) -> usize {
        match self {
            Self::Message(message, _) => message.len(),
            _ => 0,
        }
    }
}

/// What the session has of a link.
#[derive(Debug)]
pub(super) struct Entry {
    downs: mpsc::Sender<Down>,
    queued: Arc<AtomicUsize>,
    /// The link's task must end: the session is over, or too much waits.
    pub(super) over: CancellationToken,
    /// Its task has ended.
    pub(super) ended: CancellationToken,
    /// What was said by the terminal and is not acknowledged yet, in bytes.
    unacknowledged: usize,
    /// How the media of the terminal comes, if the terminal is behind another relay.
    pub(super) carried: Option<CarriedBy>,
}

/// What a link's task has of it.
#[derive(Debug)]
pub(super) struct Inbox {
    downs: mpsc::Receiver<Down>,
    queued: Arc<AtomicUsize>,
    /// The link must end, though nobody has said so.
    pub(super) over: CancellationToken,
    pub(super) ended: CancellationToken,
}

impl Inbox {
    /// The next thing from the parent; none when there won't be any more. Nothing is lost when this is
    /// not waited for to the end.
    pub(super) async fn next(&mut self) -> Option<Down> {
        let down = self.downs.recv().await?;
        self.queued.fetch_sub(down.bytes(), Ordering::Relaxed);
        Some(down)
    }

    /// Takes in no more.
    pub(super) fn close(&mut self) {
        self.downs.close();
    }
}

/// A link, in two halves.
pub(super) fn link(carried: Option<CarriedBy>, session: &CancellationToken) -> (Entry, Inbox) {
    let (sender, downs) = mpsc::channel(DOWNS_MAX);
    let queued = Arc::new(AtomicUsize::new(0));
    let (over, ended) = (session.child_token(), CancellationToken::new());
    let inbox = Inbox { downs, queued: queued.clone(), over: over.clone(), ended: ended.clone() };
    (Entry { downs: sender, queued, over, ended, unacknowledged: 0, carried }, inbox)
}

/// All links of a session.
#[derive(Debug, Default)]
pub(super) struct Links {
    open: HashMap<u32, Entry>,
    /// Never used again, not even in another session.
    last: u32,
    /// What was said by number of the message: which link, how many bytes.
    charges: VecDeque<(u64, u32, usize)>,
}

impl Links {
    /// The number of the next link; none if all are used up.
    pub(super) fn allot(&mut self) -> Option<u32> {
        self.last = self.last.checked_add(1)?;
        Some(self.last)
    }

    pub(super) fn add(&mut self, id: u32, entry: Entry) {
        self.open.insert(id, entry);
    }

    pub(super) fn get(&self, id: u32) -> Option<&Entry> {
        self.open.get(&id)
    }

    pub(super) fn contains(&self, id: u32) -> bool {
        self.open.contains_key(&id)
    }

    pub(super) fn remove(&mut self, id: u32) -> Option<Entry> {
        self.open.remove(&id)
    }

    /// Whether a link may say something more now.
    pub(super) fn may_say(&self, id: u32) -> bool {
        self.open.get(&id).is_some_and(|entry| entry.unacknowledged < UP_BYTES_MAX)
    }

    /// A link has said something.
    pub(super) fn charge(&mut self, sequence: u64, id: u32, bytes: usize) {
        if let Some(entry) = self.open.get_mut(&id) {
            entry.unacknowledged += bytes;
            self.charges.push_back((sequence, id, bytes));
        }
    }

    /// Everything up to this number has arrived at the parent.
    pub(super) fn acknowledge(&mut self, sequence: u64) {
        while let Some((_, id, bytes)) = self.charges.pop_front_if(|(s, ..)| *s <= sequence) {
            if let Some(entry) = self.open.get_mut(&id) {
                entry.unacknowledged = entry.unacknowledged.saturating_sub(bytes);
            }
        }
    }

    /// Hands something to a link's task; false if it has none any more. A task that can't keep up ends.
    pub(super) fn give(&self, id: u32, down: Down) -> bool {
        let Some(entry) = self.open.get(&id) else { return false };
        if entry.downs.is_closed() {
            return false;
        }
        let bytes = down.bytes();
        let before = entry.queued.fetch_add(bytes, Ordering::Relaxed);
        let too_much = before > 0 && before + bytes > DOWN_BYTES_MAX;
        if too_much || entry.downs.try_send(down).is_err() {
            entry.over.cancel();
        }
        true
    }

    /// Another session: all of the old one's links are over. Gives what tells when their tasks have
    /// ended.
    pub(super) fn forget_all(&mut self) -> Vec<CancellationToken> {
        self.charges.clear();
        let forgotten = self.open.drain().map(|(_, entry)| {
            entry.over.cancel();
            entry.ended
        });
        forgotten.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(links: &mut Links) -> (u32, Inbox) {
        let id = links.allot().unwrap();
        let (entry, inbox) = link(None, &CancellationToken::new());
        links.add(id, entry);
        (id, inbox)
    }

    #[test]
    fn what_a_link_has_said_is_bounded_until_it_is_acknowledged() {
        let mut links = Links::default();
        let (id, _inbox) = opened(&mut links);
        let (other, _other) = opened(&mut links);
        assert!(links.may_say(id));
        links.charge(1, id, UP_BYTES_MAX / 2);
        links.charge(2, id, UP_BYTES_MAX / 2);
        assert!(!links.may_say(id) && links.may_say(other));
        links.acknowledge(1);
        assert!(links.may_say(id));
        assert!(!links.may_say(77), "there is no such link");
    }

    #[tokio::test]
    async fn who_does_not_take_what_comes_is_over_and_others_are_not() {
        let mut links = Links::default();
        let (slow, inbox) = opened(&mut links);
        let (other, mut reading) = opened(&mut links);
        let message = Bytes::from(vec![0; DOWN_BYTES_MAX / 4]);
        for _ in 0..5 {
            links.give(slow, Down::Message(message.clone(), false));
            links.give(other, Down::Message(message.clone(), false));
            assert!(matches!(reading.next().await, Some(Down::Message(..))));
        }
        assert!(inbox.over.is_cancelled() && !reading.over.is_cancelled());
    }

    #[tokio::test]
    async fn a_message_larger_than_the_bound_passes_alone() {
        let mut links = Links::default();
        let (id, mut inbox) = opened(&mut links);
        let large = Bytes::from(vec![0; 2 * DOWN_BYTES_MAX]);
        links.give(id, Down::Message(large.clone(), false));
        assert!(matches!(inbox.next().await, Some(Down::Message(..))));
        assert!(!inbox.over.is_cancelled());
        links.give(id, Down::Message(Bytes::from_static(b"x"), false));
        links.give(id, Down::Message(large, false));
        assert!(inbox.over.is_cancelled());
    }

    #[tokio::test]
    async fn who_has_ended_gets_nothing_and_is_not_said_to_have_got_it() {
        let mut links = Links::default();
        let (id, mut inbox) = opened(&mut links);
        assert!(links.give(id, Down::Close(1000)));
        inbox.close();
        assert!(!links.give(id, Down::Close(1000)));
        assert!(matches!(inbox.next().await, Some(Down::Close(1000))));
        assert!(inbox.next().await.is_none());
    }

    #[test]
    fn numbers_are_not_used_twice_whatever_is_forgotten() {
        let mut links = Links::default();
        let (first, inbox) = opened(&mut links);
        links.forget_all();
        assert!(inbox.over.is_cancelled());
        assert!(opened(&mut links).0 > first);
    }
}
