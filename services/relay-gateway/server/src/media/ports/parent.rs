//! What an attached relay and the media thread of its parent have for each other.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use prost::Message as _;
use tokio::sync::Notify;
use tributary_contracts::{
    media::v1::{SendBatch, TrackBatch},
    relay::v1::{CarriedTracks, CarryRequest, CarryResponse, RoutePlan},
};

use super::{
    Arrivals, Arrived, IN_CAPACITY, Lane, MESSAGE_BYTES, OUT_CAPACITY, is_too_much, plans::Plans,
};

/// What one attached relay and the media thread have for each other.
pub(in crate::media) struct ParentLanes {
    pub(in crate::media) from_child: Lane<Arrived<CarryRequest>>,
    /// With what each would have cost on connections of their own, in bytes.
    to_child: Lane<(CarriedTracks, u64)>,
    /// The same of what was taken for the child since the last look.
    direct_bytes: AtomicU64,
    plans: Plans,
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
            direct_bytes: AtomicU64::new(0),
            plans: Plans::default(),
            ready: Notify::new(),
            closed: AtomicBool::new(false),
            closing: Notify::new(),
        }
    }
}

impl ParentLanes {
    /// `direct_bytes`: what the frames would have cost on connections of their own.
    pub(in crate::media) fn send(
        &self,
        meeting_id: u64,
        batch: TrackBatch,
        direct_bytes: u64,
        now: Instant,
    ) {
        if self.is_closed() {
            return;
        }
        let tracks = CarriedTracks { meeting_id, batch: Some(batch), plan: None };
        self.to_child.push((tracks, direct_bytes), now);
        self.ready.notify_one();
    }

    /// Says who gets what in a meeting, from now on.
    pub(in crate::media) fn send_plan(&self, meeting_id: u64, plan: RoutePlan) {
        // In more meetings than plans are kept of, nobody can be.
        let _ = self.plans.put(meeting_id, plan);
        self.ready.notify_one();
    }

    /// Nobody takes anything any more, and nothing is kept: who holds a closed port may do so for long.
    pub(in crate::media) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.from_child.clear();
        self.to_child.clear();
        self.plans.clear();
        self.ready.notify_one();
        self.closing.notify_one();
    }

    pub(in crate::media) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Messages both ways that were dropped since the last call.
    pub(in crate::media) fn take_dropped(&self) -> u64 {
        self.to_child.take_dropped() + self.from_child.take_dropped()
    }

    /// What was taken for the child since the last call would have cost so many bytes on connections of
    /// their own.
    pub(in crate::media) fn take_direct_bytes(&self) -> u64 {
        self.direct_bytes.swap(0, Ordering::Relaxed)
    }

    fn take(&self, now: Instant) -> Option<CarryResponse> {
        let (mut bytes, mut direct_bytes) = (0, 0);
        let mut tracks = Vec::new();
        for (meeting_id, plan) in self.plans.take(MESSAGE_BYTES) {
            bytes += plan.encoded_len();
            tracks.push(CarriedTracks { meeting_id, batch: None, plan: Some(plan) });
        }
        while bytes < MESSAGE_BYTES
            && let Some((next, direct)) = self.to_child.pop(now)
        {
            let frames = next.batch.iter().flat_map(|batch| &batch.frames);
            bytes += frames.map(|frame| frame.payload.len()).sum::<usize>();
            direct_bytes += direct;
            tracks.push(next);
        }
        self.direct_bytes.fetch_add(direct_bytes, Ordering::Relaxed);
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
    pub(in crate::media) fn new(lanes: Arc<ParentLanes>, arrivals: Arrivals) -> Self {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tributary_contracts::media::v1::TrackFrame;

    use super::{super::QUEUE_AGE_MAX, *};

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
            lanes.send(7, batch(sequence, 1_000), 100, now);
        }
        let first = lanes.take(now).unwrap();
        assert_eq!(sequences(&first), (1..=17).collect::<Vec<_>>());
        assert_eq!(sequences(&lanes.take(now).unwrap()), (18..=30).collect::<Vec<_>>());
        assert!(lanes.take(now).is_none());
        assert_eq!((lanes.take_direct_bytes(), lanes.take_direct_bytes()), (3_000, 0));
    }

    #[test]
    fn the_oldest_are_dropped_when_there_are_too_many_and_all_that_are_too_old() {
        let (lanes, now) = (ParentLanes::default(), Instant::now());
        for sequence in 1..=OUT_CAPACITY as u64 + 10 {
            lanes.send(7, batch(sequence, 10), 100, now);
        }
        assert_eq!(lanes.take_dropped(), 10);
        assert_eq!(sequences(&lanes.take(now + QUEUE_AGE_MAX).unwrap()).first(), Some(&11));
        lanes.send(7, batch(1, 10), 100, now);
        lanes.send(7, batch(2, 10), 100, now + QUEUE_AGE_MAX);
        let late = now + QUEUE_AGE_MAX + Duration::from_millis(1);
        lanes.take_direct_bytes();
        assert_eq!(sequences(&lanes.take(late).unwrap()), [2]);
        assert_eq!((lanes.take_dropped(), lanes.take_direct_bytes()), (1, 100));
    }

    #[test]
    fn of_each_meeting_the_newest_plan_comes_first_however_old_it_is() {
        let (lanes, now) = (ParentLanes::default(), Instant::now());
        let plan = |version| RoutePlan { version, ..RoutePlan::default() };
        for (meeting, version) in [(7, 1), (8, 1), (7, 2)] {
            lanes.send_plan(meeting, plan(version));
        }
        lanes.send(7, batch(1, 10), 100, now);
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
        lanes.send(7, batch(1, 10), 100, Instant::now());
        lanes.send_plan(7, RoutePlan::default());
        assert!(!lanes.from_child.is_empty() && !lanes.to_child.is_empty());
        tokio::join!(port.closed(), async { lanes.close() });
        assert!(lanes.from_child.is_empty() && lanes.take(Instant::now()).is_none());
        port.push(CarryRequest::default(), 0);
        lanes.send(7, batch(2, 10), 100, Instant::now());
        assert!(lanes.from_child.is_empty() && lanes.to_child.is_empty());
        assert!(port.next().await.is_none());
    }

    #[test]
    fn many_plans_go_in_several_messages_that_stay_small() {
        let (lanes, now) = (ParentLanes::default(), Instant::now());
        let plan = RoutePlan { speaker_ids: (0..1_000).collect(), ..RoutePlan::default() };
        for meeting in 0..100 {
            lanes.send_plan(meeting, plan.clone());
        }
        let mut told = Vec::new();
        while let Some(message) = lanes.take(now) {
            assert!(message.encoded_len() < 2 * MESSAGE_BYTES);
            told.extend(message.tracks.iter().map(|tracks| tracks.meeting_id));
        }
        assert_eq!(told, (0..100).collect::<Vec<_>>());
    }
}
