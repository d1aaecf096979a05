//! One owned meeting in a worker: its core, its subscription, and what it sends.

use std::{collections::HashMap, time::Instant};

use bytes::BytesMut;
use prost::Message as _;
use tokio::task::AbortHandle;
use tokio_util::time::delay_queue;
use tributary_contracts::{media::v1 as media, relay::v1::RelayNeeds};
use tributary_identifiers::{ParticipantId, RelayId};
use tributary_message_bus::{MediaBus, MediaInbox, SequenceGaps, Subject, subjects::MeetingScope};
use tributary_mixer_core::{
    Config, Counters, Destination, Meeting, Needs, Output, PlanHeld, RELAYS_MAX,
};

use super::MeetingKey;
use crate::{metrics, wire};

/// What is collected for one subject until it is sent.
struct Outlet {
    subject: Subject,
    batch: media::TrackBatch,
}

impl Outlet {
    fn new(subject: Subject, epoch: u64) -> Self {
        Self { subject, batch: media::TrackBatch { epoch, sequence: 0, frames: Vec::new() } }
    }

    fn send(&mut self, bus: &MediaBus, buffer: &mut BytesMut) {
        if self.batch.frames.is_empty() {
            return;
        }
        self.batch.sequence += 1;
        // Writing to a BytesMut only fails when memory ends.
        let _ = self.batch.encode(buffer);
        self.batch.frames.clear();
        bus.publish(&self.subject, buffer.split().freeze());
    }
}

/// A meeting that this worker carries.
pub(super) struct OwnedMeeting {
    pub(super) core: Meeting,
    pub(super) timeout: Option<(Instant, delay_queue::Key)>,
    scope: MeetingScope,
    epoch: u64,
    common: Outlet,
    relays: HashMap<RelayId, Outlet>,
    up_gaps: HashMap<RelayId, SequenceGaps>,
    buffer: BytesMut,
    counted: Counters,
    subscription: AbortHandle,
}

impl Drop for OwnedMeeting {
    fn drop(&mut self) {
        self.subscription.abort();
    }
}

impl OwnedMeeting {
    pub(super) fn open(
        scope: &MeetingScope,
        key: MeetingKey,
        config: Config,
        bus: &MediaBus,
        inbox: &MediaInbox<MeetingKey>,
        now: Instant,
    ) -> Self {
        let (bus, inbox, subject) = (bus.clone(), inbox.clone(), scope.up_all());
        // A task, because subscribing waits while the connection is down. It holds the
        // subscription until the meeting closes.
        let subscription = tokio::spawn(async move {
            let _up = bus.subscribe(subject, key, &inbox).await;
            std::future::pending::<()>().await;
        });
        Self {
            core: Meeting::new(config, now),
            timeout: None,
            scope: scope.clone(),
            epoch: config.epoch,
            common: Outlet::new(scope.down_common(), config.epoch),
            relays: HashMap::new(),
            up_gaps: HashMap::new(),
            buffer: BytesMut::new(),
            counted: Counters::default(),
            subscription: subscription.abort_handle(),
        }
    }

    /// False if the message can't be read.
    pub(super) fn handle_needs(&mut self, needs: &RelayNeeds, now: Instant) -> bool {
        let Ok(relay) = needs.relay_id.parse::<RelayId>() else { return false };
        let participants: Vec<ParticipantId> =
            needs.participant_ids.iter().copied().map(ParticipantId).collect();
        let held = PlanHeld { epoch: needs.plan_epoch, version: needs.plan_version };
        let rooms = wire::rooms(&needs.rooms);
        let said = Needs { participants: &participants, rooms: &rooms, held };
        self.core.handle_needs(&relay, said, now);
        if !participants.is_empty() && self.up_gaps.len() < RELAYS_MAX {
            self.up_gaps.entry(relay.clone()).or_default();
        }
        if participants.is_empty() {
            self.relays.remove(&relay);
            self.up_gaps.remove(&relay);
        }
        true
    }

    /// The ownership goes on under a higher number.
    pub(super) fn handle_epoch(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.common.batch.epoch = epoch;
        for outlet in self.relays.values_mut() {
            outlet.batch.epoch = epoch;
        }
        self.core.handle_epoch(epoch);
    }

    /// Returns how many messages of this relay are missing before this one.
    pub(super) fn handle_frames(
        &mut self,
        relay: &RelayId,
        batch: media::SendBatch,
        now: Instant,
    ) -> u64 {
        // Only for relays that have said their needs: the map is as bounded as they are.
        let missing = match self.up_gaps.get_mut(relay) {
            Some(gaps) => gaps.missing_before(0, batch.sequence),
            None => 0,
        };
        for frame in batch.frames {
            self.core.handle_frame(relay, wire::send_frame(frame), now);
        }
        missing
    }

    /// Sends what the core has decided: one message for each subject.
    pub(super) fn send(&mut self, bus: &MediaBus) {
        while let Some(output) = self.core.poll() {
            match output {
                Output::Track { destination, frame } => {
                    let outlet = match destination {
                        Destination::Common => &mut self.common,
                        Destination::Relay(relay) => {
                            self.relays.entry(relay).or_insert_with_key(|relay| {
                                Outlet::new(self.scope.down_relay(relay), self.epoch)
                            })
                        }
                    };
                    outlet.batch.frames.push(wire::track_frame(frame));
                }
                Output::Plan { relay, plan } => {
                    let payload = wire::route_plan(&plan).encode_to_vec();
                    bus.publish(&self.scope.plan(&relay), payload.into());
                }
            }
        }
        self.common.send(bus, &mut self.buffer);
        for outlet in self.relays.values_mut() {
            outlet.send(bus, &mut self.buffer);
        }
    }

    /// Hands over what was counted since the last time.
    pub(super) fn flush_counters(&mut self) {
        let now = self.core.counters();
        metrics::count(&now, &self.counted);
        self.counted = now;
    }

    /// Hands over what was counted, at the end.
    pub(super) fn count(mut self) {
        self.flush_counters();
    }
}
