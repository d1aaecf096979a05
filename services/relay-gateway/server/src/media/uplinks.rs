//! The relays that are attached here, in the media thread: who is behind them, and what they are told.

use std::{collections::HashMap, sync::Arc, time::Instant};

use tributary_contracts::media::v1 as media;
use tributary_message_bus::SequenceGaps;
use tributary_relay_gateway_core::{RoutePlan, UplinkId};

use super::{
    figures::Figures,
    meetings::{MeetingKey, MeetingMedia},
    ports::ParentLanes,
    wire,
};

/// Those behind one uplink in one meeting.
pub(super) struct Behind {
    pub(super) key: MeetingKey,
    /// Their places, held ones too.
    places: usize,
    pub(super) gaps: SequenceGaps,
    /// Of the last message to them.
    sequence: u64,
    /// What they were told last.
    plan: Option<RoutePlan>,
    /// Frames of the message that is being put together.
    frames: Vec<media::TrackFrame>,
    /// What it would have cost on connections of their own, in bytes.
    direct_bytes: u64,
}

/// One attached relay.
#[derive(Default)]
pub(super) struct Uplink {
    /// None: it has no stream for media now.
    pub(super) lanes: Option<Arc<ParentLanes>>,
    /// By the meetings' numbers.
    pub(super) meetings: HashMap<u64, Behind>,
}

/// All of them.
#[derive(Default)]
pub(super) struct Uplinks {
    pub(super) by_id: HashMap<UplinkId, Uplink>,
    /// Which have frames to be sent.
    touched: Vec<UplinkId>,
}

impl Uplinks {
    /// Somebody is behind an uplink.
    pub(super) fn enter(&mut self, id: UplinkId, meeting_id: u64, key: MeetingKey) {
        let behind = |key| Behind {
            key,
            places: 0,
            gaps: SequenceGaps::default(),
            sequence: 0,
            plan: None,
            frames: Vec::new(),
            direct_bytes: 0,
        };
        let uplink = self.by_id.entry(id).or_default();
        uplink.meetings.entry(meeting_id).or_insert_with(|| behind(key)).places += 1;
    }

    /// Somebody is no more.
    pub(super) fn leave(&mut self, id: UplinkId, meeting_id: u64) {
        let Some(uplink) = self.by_id.get_mut(&id) else { return };
        if let Some(behind) = uplink.meetings.get_mut(&meeting_id) {
            behind.places = behind.places.saturating_sub(1);
            if behind.places == 0 {
                uplink.meetings.remove(&meeting_id);
            }
        }
        self.forget_if_gone(id);
    }

    fn forget_if_gone(&mut self, id: UplinkId) {
        if self.by_id.get(&id).is_some_and(|u| u.meetings.is_empty() && u.lanes.is_none()) {
            self.by_id.remove(&id);
        }
    }

    /// An uplink has a new stream for media: nothing that was said on an earlier one counts.
    pub(super) fn open(&mut self, id: UplinkId, lanes: Arc<ParentLanes>) {
        let uplink = self.by_id.entry(id).or_default();
        if let Some(earlier) = uplink.lanes.replace(lanes) {
            earlier.close();
        }
        for behind in uplink.meetings.values_mut() {
            behind.gaps = SequenceGaps::default();
            behind.plan = None;
        }
    }

    /// Forgets the streams that have ended, and counts what they have dropped.
    pub(super) fn keep_house(&mut self, figures: &mut Figures) {
        let mut closed = Vec::new();
        for (id, uplink) in &mut self.by_id {
            let Some(lanes) = &uplink.lanes else { continue };
            figures.messages_dropped += lanes.take_dropped();
            figures.carried_direct_bytes += lanes.take_direct_bytes();
            if lanes.is_closed() {
                uplink.lanes = None;
                closed.push(*id);
            }
        }
        for id in closed {
            self.forget_if_gone(id);
        }
    }

    /// Tells everybody behind whom a meeting's plan has changed.
    pub(super) fn tell_plans(&mut self, meeting: &MeetingMedia) {
        for (id, uplink) in &mut self.by_id {
            let Some(lanes) = uplink.lanes.as_ref().filter(|lanes| !lanes.is_closed()) else {
                continue;
            };
            let Some(behind) = uplink.meetings.get_mut(&meeting.meeting_id) else { continue };
            let plan = meeting.core.plan_for(*id);
            if behind.plan.as_ref() != Some(&plan) {
                lanes.send_plan(meeting.meeting_id, wire::said_plan(&plan));
                behind.plan = Some(plan);
            }
        }
    }

    /// Puts a frame into the message to an uplink.
    pub(super) fn collect(&mut self, id: UplinkId, meeting_id: u64, frame: media::TrackFrame) {
        let Some(uplink) = self.by_id.get_mut(&id) else { return };
        if uplink.lanes.as_ref().is_none_or(|lanes| lanes.is_closed()) {
            return;
        }
        let Some(behind) = uplink.meetings.get_mut(&meeting_id) else { return };
        behind.frames.push(frame);
        if !self.touched.contains(&id) {
            self.touched.push(id);
        }
    }

    /// A frame that was just collected would have cost so much on connections of their own.
    pub(super) fn note_direct(&mut self, id: UplinkId, meeting_id: u64, bytes: u64) {
        if let Some(uplink) = self.by_id.get_mut(&id)
            && uplink.lanes.as_ref().is_some_and(|lanes| !lanes.is_closed())
            && let Some(behind) = uplink.meetings.get_mut(&meeting_id)
        {
            behind.direct_bytes += bytes;
        }
    }

    /// Sends what was collected in a meeting. Says how many frames that were.
    pub(super) fn flush(&mut self, meeting_id: u64, epoch: u64, now: Instant) -> u64 {
        let mut sent = 0;
        for id in self.touched.drain(..) {
            let Some(uplink) = self.by_id.get_mut(&id) else { continue };
            let Some(behind) = uplink.meetings.get_mut(&meeting_id) else { continue };
            let Some(lanes) = &uplink.lanes else { continue };
            behind.sequence += 1;
            let frames = std::mem::take(&mut behind.frames);
            sent += frames.len() as u64;
            let batch = media::TrackBatch { epoch, sequence: behind.sequence, frames };
            lanes.send(meeting_id, batch, std::mem::take(&mut behind.direct_bytes), now);
        }
        sent
    }
}
