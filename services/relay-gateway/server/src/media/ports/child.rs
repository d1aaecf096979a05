//! What an edge relay's parent and its media thread have for each other.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use tokio::sync::{Notify, mpsc, oneshot};
use tributary_contracts::{
    media::v1::{SendBatch, TrackBatch},
    relay::v1::{CarriedSend, CarryRequest, CarryResponse, RoutePlan},
};

use super::{Arrivals, Arrived, Lane, MESSAGE_BYTES, OUT_CAPACITY, is_too_much, plans::Plans};
use crate::media::{Command, MediaError};

/// What an edge relay's parent and its media thread have for each other.
pub(in crate::media) struct ChildLanes {
    pub(in crate::media) from_parent: Lane<Arrived<CarryResponse>>,
    /// Of what the parent has said; not in the lane, which drops what is too much or too old.
    plans: Plans,
    to_parent: Lane<CarriedSend>,
    ready: Notify,
}

impl Default for ChildLanes {
    fn default() -> Self {
        Self {
            from_parent: Lane::new(OUT_CAPACITY),
            plans: Plans::default(),
            to_parent: Lane::new(OUT_CAPACITY),
            ready: Notify::new(),
        }
    }
}

impl ChildLanes {
    pub(in crate::media) fn send(&self, meeting_id: u64, batch: SendBatch, now: Instant) {
        self.to_parent.push(CarriedSend { meeting_id, batch: Some(batch) }, now);
        self.ready.notify_one();
    }

    /// What waits is not sent any more.
    pub(in crate::media) fn forget(&self) {
        self.to_parent.clear();
        self.from_parent.clear();
        self.plans.clear();
    }

    /// Plans that have come, by meeting: about so many bytes of them. True if more wait.
    pub(in crate::media) fn take_plans(&self, bytes: usize) -> (Vec<(u64, RoutePlan)>, bool) {
        (self.plans.take(bytes), self.plans.are_waiting())
    }

    /// Messages both ways that were dropped since the last call.
    pub(in crate::media) fn take_dropped(&self) -> u64 {
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
    pub(in crate::media) fn new(
        lanes: Arc<ChildLanes>,
        commands: mpsc::Sender<Command>,
        arrivals: Arrivals,
    ) -> Self {
        Self { lanes, commands, arrivals }
    }

    /// Something has come from the parent. Never waits. Plans are kept until they are taken, whatever
    /// becomes of the frames. `offset_us`: how far the parent's clock is ahead of this relay's, in
    /// microseconds.
    pub fn push(&self, mut message: CarryResponse, offset_us: i64) {
        for carried in &mut message.tracks {
            if let Some(plan) = carried.plan.take()
                && !self.lanes.plans.put(carried.meeting_id, plan)
            {
                self.lanes.from_parent.drop_one();
            }
        }
        message.tracks.retain(|carried| carried.batch.is_some());
        let batches = message.tracks.iter().filter_map(|tracks| tracks.batch.as_ref());
        if is_too_much(&message, batches.map(|batch: &TrackBatch| batch.frames.len())) {
            self.lanes.from_parent.drop_one();
        } else if !message.tracks.is_empty() {
            self.lanes.from_parent.push(Arrived { message, offset_us }, Instant::now());
        }
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
    use tributary_contracts::{media::v1::TrackFrame, relay::v1::CarriedTracks};

    use super::{
        super::{FRAMES_PER_MESSAGE_MAX, QUEUE_AGE_MAX},
        *,
    };

    fn port() -> (ChildPort, mpsc::Receiver<Command>) {
        let (commands, commanded) = mpsc::channel(1);
        let port = ChildPort::new(Arc::default(), commands, Arrivals::default());
        (port, commanded)
    }

    /// A message with a plan of meeting 7 and so many frames.
    fn message(version: u64, frames: usize) -> CarryResponse {
        let plan = RoutePlan { version, ..RoutePlan::default() };
        let batch = TrackBatch { frames: vec![TrackFrame::default(); frames], ..<_>::default() };
        let tracks = CarriedTracks { meeting_id: 7, batch: Some(batch), plan: Some(plan) };
        CarryResponse { tracks: vec![tracks] }
    }

    fn versions(port: &ChildPort) -> Vec<u64> {
        port.lanes.take_plans(usize::MAX).0.iter().map(|(_, plan)| plan.version).collect()
    }

    #[test]
    fn a_plan_is_kept_whatever_becomes_of_the_frames_that_it_came_with() {
        let (port, _commanded) = port();
        port.push(message(1, FRAMES_PER_MESSAGE_MAX + 1), 0);
        assert_eq!((versions(&port), port.lanes.take_dropped()), (vec![1], 1), "too much");
        port.push(message(2, 1), 0);
        for _ in 0..OUT_CAPACITY + 10 {
            port.push(message(0, 1), 0);
        }
        assert_eq!(versions(&port), [0], "the newest");
        assert_eq!(port.lanes.take_dropped(), 11, "too many");
        port.push(message(3, 1), 0);
        let late = Instant::now() + QUEUE_AGE_MAX * 2;
        assert!(port.lanes.from_parent.pop(late).is_none(), "too old");
        assert_eq!(versions(&port), [3]);
    }

    #[test]
    fn frames_wait_without_the_plans_and_plans_alone_are_no_message() {
        let (port, _commanded) = port();
        port.push(message(1, 2), -5);
        let arrived = port.lanes.from_parent.pop(Instant::now()).unwrap();
        assert_eq!((arrived.message.tracks.len(), arrived.offset_us), (1, -5));
        assert!(arrived.message.tracks.iter().all(|tracks| tracks.plan.is_none()));
        let plan = CarriedTracks { batch: None, ..message(2, 0).tracks.remove(0) };
        port.push(CarryResponse { tracks: vec![plan] }, 0);
        assert!(port.lanes.from_parent.is_empty());
        assert_eq!(versions(&port), [2]);
        port.push(message(3, 0), 0);
        port.lanes.forget();
        assert!(versions(&port).is_empty(), "the next stream tells all again");
    }
}
