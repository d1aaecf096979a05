//! Between the media thread and the connections of relays: queues that never wait.
//!
//! Frames are for now: a full queue drops its oldest, and what has waited too long is dropped when it is
//! taken. Plans are never dropped: of each meeting the newest waits until it is taken.

mod child;
mod parent;
mod plans;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_queue::ArrayQueue;
use prost::Message;
use tokio::sync::Notify;

pub(super) use child::ChildLanes;
pub use child::ChildPort;
pub(super) use parent::ParentLanes;
pub use parent::ParentPort;
pub(super) use plans::MEETINGS_MAX;

/// Messages on their way to another relay: 200 ms of 25 meetings.
const OUT_CAPACITY: usize = 256;
/// Messages of one relay that wait for the media thread.
const IN_CAPACITY: usize = 64;
/// What has waited for the connection for so long is not sent.
pub const QUEUE_AGE_MAX: Duration = Duration::from_millis(200);
/// What is ready is merged into messages of about this size, so that they stay small.
const MESSAGE_BYTES: usize = 16 << 10;
/// More in one message is nothing that a relay sends: frames, and bytes with all that is around them.
const FRAMES_PER_MESSAGE_MAX: usize = 1024;
const MESSAGE_BYTES_MAX: usize = 256 << 10;

/// A queue for one receiver, who may be on another runtime.
pub(super) struct Lane<T> {
    ring: ArrayQueue<(Instant, T)>,
    /// What was dropped because it was too much or too old.
    dropped: AtomicU64,
}

impl<T> Lane<T> {
    fn new(capacity: usize) -> Self {
        Self { ring: ArrayQueue::new(capacity), dropped: AtomicU64::new(0) }
    }

    /// Puts something in; the oldest goes if there is no room.
    pub(super) fn push(&self, item: T, now: Instant) {
        if self.ring.force_push((now, item)).is_some() {
            self.drop_one();
        }
    }

    /// The oldest that has not waited for too long.
    pub(super) fn pop(&self, now: Instant) -> Option<T> {
        while let Some((since, item)) = self.ring.pop() {
            if now.saturating_duration_since(since) <= QUEUE_AGE_MAX {
                return Some(item);
            }
            self.drop_one();
        }
        None
    }

    fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// How many were dropped since the last call.
    fn take_dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::Relaxed)
    }

    fn clear(&self) {
        while self.ring.pop().is_some() {}
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }
}

/// A message of another relay, and how far its clock is ahead of this one's, in microseconds.
#[derive(Debug)]
pub(super) struct Arrived<M> {
    pub(super) message: M,
    pub(super) offset_us: i64,
}

/// Says to the media thread that a relay has sent something.
pub(super) type Arrivals = Arc<Notify>;

fn is_too_much(message: &impl Message, frames: impl Iterator<Item = usize>) -> bool {
    frames.sum::<usize>() > FRAMES_PER_MESSAGE_MAX || message.encoded_len() > MESSAGE_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use tributary_contracts::media::v1::{TrackBatch, TrackFrame};

    use super::*;

    #[test]
    fn messages_that_no_relay_sends_are_too_much() {
        let message = |frames: usize, bytes: usize| {
            let payload = vec![0; bytes].into();
            let frame = TrackFrame { payload, ..TrackFrame::default() };
            TrackBatch { frames: vec![frame; frames], ..TrackBatch::default() }
        };
        let too_much = |batch: TrackBatch| is_too_much(&batch, std::iter::once(batch.frames.len()));
        assert!(!too_much(message(16, 1_100)) && !too_much(message(FRAMES_PER_MESSAGE_MAX, 10)));
        assert!(too_much(message(FRAMES_PER_MESSAGE_MAX + 1, 10)));
        assert!(too_much(message(1, MESSAGE_BYTES_MAX)));
    }
}
