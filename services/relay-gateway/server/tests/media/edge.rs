//! An edge relay's media thread, and the uplink to its parent.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::task::AbortHandle;
use tributary_contracts::relay::v1::{CarryRequest, CarryResponse};
use tributary_identifiers::RelayId;
use tributary_relay_gateway_server::media::{
    CarriedBy, ChildPort, Figures, MediaConfig, MediaHandle, TerminalId, UplinkId,
};
use tributary_service_runtime::{Platform, PlatformConfig};
use tributary_speaker_selection::Config as SelectionConfig;

use crate::world::{PATIENCE, attaching};

pub struct Edge {
    pub media: MediaHandle,
    pub port: Arc<ChildPort>,
    pub relay: RelayId,
    pub uplink: UplinkId,
    room: bool,
    platform: Platform,
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.platform.shutdown.cancel();
    }
}

impl Edge {
    pub async fn start(name: &str, uplink: u64, room: bool) -> Self {
        let platform = Platform::new(PlatformConfig::default());
        let relay: RelayId = name.parse().unwrap();
        let config = MediaConfig {
            relay: relay.clone(),
            udp_listen: ([127, 0, 0, 1], 0).into(),
            udp_advertise: Vec::new(),
            selection: SelectionConfig::default(),
            room,
            catch_up: Duration::from_secs(2),
        };
        let (media, port) = MediaHandle::start_edge(config, &platform).await.unwrap();
        Self { media, port: Arc::new(port), relay, uplink: UplinkId(uplink), room, platform }
    }

    /// How relays above know somebody here.
    pub fn carried(&self) -> CarriedBy {
        self.carried_from(self)
    }

    /// How relays above know somebody at `leaf`, which is behind this one.
    pub fn carried_from(&self, leaf: &Self) -> CarriedBy {
        CarriedBy { uplink: self.uplink, room: leaf.room.then(|| leaf.relay.room_id()) }
    }

    /// Brings somebody in here and at the parent, in meeting 1, as what the parent says does.
    pub async fn attach(&self, parent: &MediaHandle, place: u64, participant: u32) -> TerminalId {
        let place = TerminalId(place);
        parent.attach(attaching(place, 1, participant, Some(self.carried()))).await.unwrap();
        self.media.attach(attaching(place, 1, participant, None)).await.unwrap();
        place
    }

    /// Attaches it: from now on what one says comes to the other.
    pub async fn attach_to(&self, parent: &MediaHandle) -> Line {
        self.attach_with_clocks(parent, 0).await
    }

    /// The same; the parent's clock seems to be behind by so much.
    pub async fn attach_with_clocks(&self, parent: &MediaHandle, behind_us: i64) -> Line {
        let above = parent.open_uplink(self.uplink).await.unwrap();
        let below = self.port.clone();
        let counts = Arc::new(Counts::default());
        let counting = counts.clone();
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    message = below.next() => {
                        counting.up.fetch_add(frames_up(&message), Ordering::Relaxed);
                        above.push(shifted_up(message, behind_us), behind_us);
                    }
                    message = above.next() => {
                        let Some(message) = message else { return };
                        counting.note_down(&message);
                        below.push(shifted_down(message, -behind_us), -behind_us);
                    }
                }
            }
        });
        self.port.set_attached(true).await.unwrap();
        Line { counts, task: task.abort_handle() }
    }

    /// Waits until the figures are as expected.
    pub async fn figures_when(&self, expected: impl Fn(&Figures) -> bool) -> Figures {
        figures_when(&self.media, expected).await
    }
}

/// Waits until a relay's figures are as expected.
pub async fn figures_when(media: &MediaHandle, expected: impl Fn(&Figures) -> bool) -> Figures {
    let look = async {
        let mut often = tokio::time::interval(Duration::from_millis(20));
        loop {
            often.tick().await;
            let figures = media.figures();
            if expected(&figures) {
                return figures;
            }
        }
    };
    let seen = tokio::time::timeout(PATIENCE, look).await;
    seen.unwrap_or_else(|_| panic!("figures are {:?}", media.figures()))
}

/// An uplink. Dropped, it is cut, and neither side knows it.
pub struct Line {
    pub counts: Arc<Counts>,
    task: AbortHandle,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What has passed.
#[derive(Default)]
pub struct Counts {
    up: AtomicU64,
    down: AtomicU64,
    plans: AtomicU64,
    /// Targets of private frames.
    targets: std::sync::Mutex<Vec<u32>>,
}

impl Counts {
    fn note_down(&self, message: &CarryResponse) {
        for tracks in &message.tracks {
            self.plans.fetch_add(u64::from(tracks.plan.is_some()), Ordering::Relaxed);
            for frame in tracks.batch.iter().flat_map(|batch| &batch.frames) {
                self.down.fetch_add(1, Ordering::Relaxed);
                self.targets.lock().unwrap().extend(&frame.target_ids);
            }
        }
    }

    pub fn frames_up(&self) -> u64 {
        self.up.load(Ordering::Relaxed)
    }

    pub fn frames_down(&self) -> u64 {
        self.down.load(Ordering::Relaxed)
    }

    pub fn plans(&self) -> u64 {
        self.plans.load(Ordering::Relaxed)
    }

    pub fn targets(&self) -> Vec<u32> {
        let mut targets = self.targets.lock().unwrap().clone();
        targets.sort_unstable();
        targets.dedup();
        targets
    }
}

fn frames_up(message: &CarryRequest) -> u64 {
    let batches = message.sends.iter().filter_map(|send| send.batch.as_ref());
    batches.map(|batch| batch.frames.len() as u64).sum()
}

fn shifted_up(mut message: CarryRequest, by_us: i64) -> CarryRequest {
    for batch in message.sends.iter_mut().filter_map(|send| send.batch.as_mut()) {
        for frame in &mut batch.frames {
            frame.ingress_us = frame.ingress_us.checked_add_signed(by_us).unwrap();
        }
    }
    message
}

fn shifted_down(mut message: CarryResponse, by_us: i64) -> CarryResponse {
    for batch in message.tracks.iter_mut().filter_map(|tracks| tracks.batch.as_mut()) {
        for frame in &mut batch.frames {
            frame.ingress_us = frame.ingress_us.checked_add_signed(by_us).unwrap();
        }
    }
    message
}
