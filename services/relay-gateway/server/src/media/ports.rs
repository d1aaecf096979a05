//! Between the media thread and the connections of relays: queues that never wait.
//!
//! Frames are for now: a full queue drops its oldest, and what has waited too long is dropped when it is
//! taken. Plans are never dropped: of each meeting the newest waits until it is taken.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_queue::ArrayQueue;
use prost::Message;
use tokio::sync::{Notify, mpsc, oneshot};
use tributary_contracts::{
    media::v1::{SendBatch, TrackBatch},
    relay::v1::{CarriedSend, CarriedTracks, CarryRequest, CarryResponse, RoutePlan},
};

use super::{Command, MediaError};

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

/// What one attached relay and the media thread have for each other.
pub(super) struct ParentLanes {
    pub(super) from_child: Lane<Arrived<CarryRequest>>,
    to_child: Lane<CarriedTracks>,
    /// The newest plan of each meeting that has not been taken.
    plans: Mutex<BTreeMap<u64, RoutePlan>>,
    has_plans: AtomicBool,
    ready: Notify,
    closed: AtomicBool,
    /// Wakes who waits for the end.
    closing: Notify,
}

impl Default for ParentLanes {
    fn default() -> Self {
        Self {
            from_child: Lane::new(IN_CAPACITY),
            to_child: Lane::new(OUT_CAPACITY),
            plans: Mutex::default(),
            has_plans: AtomicBool::new(false),
            ready: Notify::new(),
            closed: AtomicBool::new(false),
            closing: Notify::new(),
        }
    }
}

impl ParentLanes {
    pub(super) fn send(&self, meeting_id: u64, batch: TrackBatch, now: Instant) {
        if self.is_closed() {
            return;
        }
        self.to_child.push(CarriedTracks { meeting_id, batch: Some(batch), plan: None }, now);
        self.ready.notify_one();
    }

    /// Rare: taken under a lock, which frames never are.
    pub(super) fn send_plan(&self, meeting_id: u64, plan: RoutePlan) {
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        plans.insert(meeting_id, plan);
        self.has_plans.store(true, Ordering::Release);
        drop(plans);
        self.ready.notify_one();
    }

    /// Nobody takes anything any more, and nothing is kept: who holds a closed port may do so for long.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.from_child.clear();
        self.to_child.clear();
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.ready.notify_one();
        self.closing.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Messages both ways that were dropped since the last call.
    pub(super) fn take_dropped(&self) -> u64 {
        self.to_child.take_dropped() + self.from_child.take_dropped()
    }

    fn take(&self, now: Instant) -> Option<CarryResponse> {
        let mut tracks = Vec::new();
        if self.has_plans.swap(false, Ordering::AcqRel) {
            let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
            let plans = std::mem::take(&mut *plans);
            tracks.extend(plans.into_iter().map(|(meeting_id, plan)| CarriedTracks {
                meeting_id,
                batch: None,
                plan: Some(plan),
            }));
        }
        let mut bytes = 0;
        while bytes < MESSAGE_BYTES
            && let Some(next) = self.to_child.pop(now)
        {
            let frames = next.batch.iter().flat_map(|batch| &batch.frames);
            bytes += frames.map(|frame| frame.payload.len()).sum::<usize>();
            tracks.push(next);
        }
        (!tracks.is_empty()).then_some(CarryResponse { tracks })
    }
}

/// The media of one attached relay, at its parent. Dropping it closes it: its participants stay, but
/// nothing is sent to them.
pub struct ParentPort {
    lanes: Arc<ParentLanes>,
    arrivals: Arrivals,
}

impl ParentPort {
    pub(super) fn new(lanes: Arc<ParentLanes>, arrivals: Arrivals) -> Self {
        Self { lanes, arrivals }
    }

    /// Something has come from the child. Never waits; dropped if the port is closed. `offset_us`: how far
    /// the child's clock is ahead of this relay's, in microseconds.
    pub fn push(&self, message: CarryRequest, offset_us: i64) {
        if self.lanes.is_closed() {
            return;
        }
        let batches = message.sends.iter().filter_map(|send| send.batch.as_ref());
        if is_too_much(&message, batches.map(|batch: &SendBatch| batch.frames.len())) {
            return self.lanes.from_child.drop_one();
        }
        self.lanes.from_child.push(Arrived { message, offset_us }, Instant::now());
        self.arrivals.notify_one();
    }

    /// The next message for the child, with everything that is ready; `None`: the port is closed, there
    /// is a newer one. For one caller at a time; may be dropped while it waits.
    pub async fn next(&self) -> Option<CarryResponse> {
        loop {
            if self.lanes.is_closed() {
                return None;
            }
            if let Some(message) = self.lanes.take(Instant::now()) {
                return Some(message);
            }
            self.lanes.ready.notified().await;
        }
    }

    /// Resolves when the port is closed: there is a newer one. For one caller at a time; may be dropped
    /// while it waits.
    pub async fn closed(&self) {
        while !self.lanes.is_closed() {
            self.lanes.closing.notified().await;
        }
    }
}

impl Drop for ParentPort {
    fn drop(&mut self) {
        self.lanes.close();
    }
}

fn is_too_much(message: &impl Message, frames: impl Iterator<Item = usize>) -> bool {
    frames.sum::<usize>() > FRAMES_PER_MESSAGE_MAX || message.encoded_len() > MESSAGE_BYTES_MAX
}

/// What an edge relay's parent and its media thread have for each other.
pub(super) struct ChildLanes {
    pub(super) from_parent: Lane<Arrived<CarryResponse>>,
    to_parent: Lane<CarriedSend>,
    ready: Notify,
}

impl Default for ChildLanes {
    fn default() -> Self {
        Self {
            from_parent: Lane::new(OUT_CAPACITY),
            to_parent: Lane::new(OUT_CAPACITY),
            ready: Notify::new(),
        }
    }
}

impl ChildLanes {
    pub(super) fn send(&self, meeting_id: u64, batch: SendBatch, now: Instant) {
        self.to_parent.push(CarriedSend { meeting_id, batch: Some(batch) }, now);
        self.ready.notify_one();
    }

    /// What waits is not sent any more.
    pub(super) fn forget(&self) {
        self.to_parent.clear();
        self.from_parent.clear();
    }

    /// Messages both ways that were dropped since the last call.
    pub(super) fn take_dropped(&self) -> u64 {
        self.to_parent.take_dropped() + self.from_parent.take_dropped()
    }

    fn take(&self, now: Instant) -> Option<CarryRequest> {
        let (mut sends, mut bytes) = (VecDeque::new(), 0);
        while bytes < MESSAGE_BYTES
            && let Some(next) = self.to_parent.pop(now)
        {
            let frames = next.batch.iter().flat_map(|batch| &batch.frames);
            bytes += frames.map(|frame| frame.payload.len()).sum::<usize>();
            sends.push_back(next);
        }
        (!sends.is_empty()).then(|| CarryRequest { sends: sends.into() })
    }
}

/// An edge relay's media towards its parent; lives as long as the media thread.
pub struct ChildPort {
    lanes: Arc<ChildLanes>,
    commands: mpsc::Sender<Command>,
    arrivals: Arrivals,
}

impl ChildPort {
    pub(super) fn new(
        lanes: Arc<ChildLanes>,
        commands: mpsc::Sender<Command>,
        arrivals: Arrivals,
    ) -> Self {
        Self { lanes, commands, arrivals }
    }

    /// Something has come from the parent. Never waits. `offset_us`: how far the parent's clock is ahead
    /// of this relay's, in microseconds.
    pub fn push(&self, message: CarryResponse, offset_us: i64) {
        let batches = message.tracks.iter().filter_map(|tracks| tracks.batch.as_ref());
        if is_too_much(&message, batches.map(|batch: &TrackBatch| batch.frames.len())) {
            return self.lanes.from_parent.drop_one();
        }
        self.lanes.from_parent.push(Arrived { message, offset_us }, Instant::now());
        self.arrivals.notify_one();
    }

    /// The next message for the parent, with everything that is ready. For one caller at a time; may be
    /// dropped while it waits.
    pub async fn next(&self) -> CarryRequest {
        loop {
            if let Some(message) = self.lanes.take(Instant::now()) {
                return message;
            }
            self.lanes.ready.notified().await;
        }
    }

    /// True from when a `Carry` stream is open, false from when it is lost. Until it is true, and again
    /// from when it is false, the loudest voices are passed on between those behind this relay, and
    /// nothing goes up. Returns when it is in force.
    ///
    /// # Errors
    /// The media thread is gone.
    pub async fn set_attached(&self, attached: bool) -> Result<(), MediaError> {
        self.command(|done| Command::SetAttached { attached, done }).await
    }

    /// Takes everybody out: the parent knows nothing of them. Returns when it is done; what is attached
    /// afterwards stays.
    ///
    /// # Errors
    /// The media thread is gone.
    pub async fn forget_all(&self) -> Result<(), MediaError> {
        self.command(|done| Command::ForgetAll { done }).await
    }

    async fn command(
        &self,
        command: impl FnOnce(oneshot::Sender<()>) -> Command,
    ) -> Result<(), MediaError> {
        let (done, is_done) = oneshot::channel();
        self.commands.send(command(done)).await.map_err(|_| MediaError::Gone)?;
        is_done.await.map_err(|_| MediaError::Gone)
    }
}

#[cfg(test)]
mod tests {
    use tributary_contracts::media::v1::TrackFrame;

    use super::*;

    fn batch(sequence: u64, bytes: usize) -> TrackBatch {
        let frames = vec![TrackFrame { payload: vec![0; bytes].into(), ..TrackFrame::default() }];
        TrackBatch { epoch: 1, sequence, frames }
    }

    fn sequences(message: &CarryResponse) -> Vec<u64> {
        let batches = message.tracks.iter().filter_map(|tracks| tracks.batch.as_ref());
        batches.map(|batch| batch.sequence).collect()
    }

    #[test]
    fn what_is_ready_is_merged_into_messages_that_stay_small_in_order() {
        let (lanes, now) = (ParentLanes::default(), Instant::now());
        for sequence in 1..=30 {
            lanes.send(7, batch(sequence, 1_000), now);
        }
        let first = lanes.take(now).unwrap();
        assert_eq!(sequences(&first), (1..=17).collect::<Vec<_>>());
        assert_eq!(sequences(&lanes.take(now).unwrap()), (18..=30).collect::<Vec<_>>());
        assert!(lanes.take(now).is_none());
    }

    #[test]
    fn the_oldest_are_dropped_when_there_are_too_many_and_all_that_are_too_old() {
        let (lanes, now) = (ParentLanes::default(), Instant::now());
        for sequence in 1..=OUT_CAPACITY as u64 + 10 {
            lanes.send(7, batch(sequence, 10), now);
        }
        assert_eq!(lanes.take_dropped(), 10);
        assert_eq!(sequences(&lanes.take(now + QUEUE_AGE_MAX).unwrap()).first(), Some(&11));
        lanes.send(7, batch(1, 10), now);
        lanes.send(7, batch(2, 10), now + QUEUE_AGE_MAX);
        let late = now + QUEUE_AGE_MAX + Duration::from_millis(1);
        assert_eq!(sequences(&lanes.take(late).unwrap()), [2]);
        assert_eq!(lanes.take_dropped(), 1);
    }

    #[test]
    fn of_each_meeting_the_newest_plan_comes_first_however_old_it_is() {
        let (lanes, now) = (ParentLanes::default(), Instant::now());
        let plan = |version| RoutePlan { version, ..RoutePlan::default() };
        for (meeting, version) in [(7, 1), (8, 1), (7, 2)] {
            lanes.send_plan(meeting, plan(version));
        }
        lanes.send(7, batch(1, 10), now);
        let message = lanes.take(now + Duration::from_secs(60)).unwrap();
        let plans: Vec<_> = message
            .tracks
            .iter()
            .map(|tracks| (tracks.meeting_id, tracks.plan.as_ref().unwrap().version))
            .collect();
        assert_eq!(plans, [(7, 2), (8, 1)]);
        assert!(lanes.take(now).is_none());
    }

    #[tokio::test]
    async fn a_closed_port_keeps_nothing_and_takes_nothing() {
        let lanes = Arc::new(ParentLanes::default());
        let port = ParentPort::new(lanes.clone(), Arrivals::default());
        port.push(CarryRequest::default(), 0);
        lanes.send(7, batch(1, 10), Instant::now());
        lanes.send_plan(7, RoutePlan::default());
        assert!(!lanes.from_child.is_empty() && !lanes.to_child.is_empty());
        tokio::join!(port.closed(), async { lanes.close() });
        assert!(lanes.from_child.is_empty() && lanes.take(Instant::now()).is_none());
        port.push(CarryRequest::default(), 0);
        lanes.send(7, batch(2, 10), Instant::now());
        assert!(lanes.from_child.is_empty() && lanes.to_child.is_empty());
        assert!(port.next().await.is_none());
    }

    #[test]
    fn messages_that_no_relay_sends_are_too_much() {
        let message = |frames: usize, bytes: usize| TrackBatch {
            frames: vec![batch(1, bytes).frames.remove(0); frames],
            ..TrackBatch::default()
        };
        let too_much = |batch: TrackBatch| is_too_much(&batch, std::iter::once(batch.frames.len()));
        assert!(!too_much(message(16, 1_100)) && !too_much(message(FRAMES_PER_MESSAGE_MAX, 10)));
        assert!(too_much(message(FRAMES_PER_MESSAGE_MAX + 1, 10)));
        assert!(too_much(message(1, MESSAGE_BYTES_MAX)));
    }
}
