//! What comes from the bus: tracks, onto the terminals' timelines, and plans.

use std::time::Instant;

use prost::Message as _;
use tributary_contracts::{media::v1 as media, relay::v1 as relay};
use tributary_message_bus::Delivery;
use tributary_relay_gateway_core::{Track, TrackFrame};
use tributary_rtc_session::OutgoingAudio;

use super::{
    super::{
        latency::unix_us,
        meetings::{MeetingKey, Topic},
        wire,
    },
    Worker, drive,
};

/// Bus messages taken in a row.
const MESSAGES_PER_TURN: usize = 64;
/// Frames that entered a relay longer ago are not worth hearing.
const FRAME_AGE_MAX_US: u64 = 1_000_000;

impl Worker {
    pub(super) fn take_messages(&mut self) {
        for _ in 0..MESSAGES_PER_TURN {
            let Some(Delivery { tag, message }) = self.inbox.pop() else { return };
            let now = Instant::now();
            match tag {
                Topic::Common(key) | Topic::Own(key) => {
                    self.counters.track_bytes += message.payload.len() as u64;
                    if self.meetings.get_mut(key).is_none_or(|meeting| !meeting.is_heard()) {
                        continue;
                    }
                    match media::TrackBatch::decode(message.payload) {
                        Ok(batch) => self.take_tracks(tag, key, batch, now),
                        Err(_) => self.counters.messages_malformed += 1,
                    }
                }
                Topic::Plan(key) => match relay::RoutePlan::decode(message.payload) {
                    Ok(plan) => self.take_plan(key, plan, now),
                    Err(_) => self.counters.messages_malformed += 1,
                },
            }
        }
        // More is waiting, but datagrams come first.
        self.inbox.arrive();
    }

    fn take_tracks(
        &mut self,
        topic: Topic,
        key: MeetingKey,
        batch: media::TrackBatch,
        now: Instant,
    ) {
        let Some(meeting) = self.meetings.get_mut(key) else { return };
        if !meeting.core.admit_epoch(batch.epoch, now) {
            self.counters.frames_stale_epoch += batch.frames.len() as u64;
            return;
        }
        let gaps = match topic {
            Topic::Own(_) => &mut meeting.own_gaps,
            _ => &mut meeting.common_gaps,
        };
        self.counters.track_batches_lost += gaps.missing_before(batch.epoch, batch.sequence);
        for frame in batch.frames {
            let ingress_us = frame.ingress_us;
            let now_us = unix_us();
            self.counters.track_frames += 1;
            if ingress_us.saturating_add(FRAME_AGE_MAX_US) < now_us {
                self.counters.frames_too_old += 1;
                continue;
            }
            match wire::track_frame(frame) {
                Some(frame) => self.fan_out(key, &frame, now, ingress_us),
                None => self.counters.messages_malformed += 1,
            }
        }
    }

    fn fan_out(&mut self, key: MeetingKey, frame: &TrackFrame, now: Instant, ingress_us: u64) {
        let Self { meetings, terminals, socket, heard, counters, .. } = self;
        let Some(meeting) = meetings.get_mut(key) else { return };
        let private = matches!(frame.track, Track::Private(_));
        let mut delivered = false;
        let crowded = meeting.core.handle_track(frame, now, &mut |id, delivery| {
            let Some(session) = terminals.get_mut(id).and_then(|t| t.session.as_mut()) else {
                return;
            };
            let audio = OutgoingAudio {
                section: delivery.section,
                media_time: delivery.placement.media_time,
                payload: frame.payload.clone(),
                level: Some(frame.level),
                talkspurt_start: delivery.placement.talkspurt_start,
            };
            // Refused while the connection is still coming up, mostly: there is nobody to hear it.
            if session.send_audio(&audio, now).is_ok() {
                counters.frames_out += 1;
                counters.frames_private_out += u64::from(private);
                delivered = true;
            } else {
                counters.frames_undeliverable += 1;
            }
            drive(id, terminals, socket, heard, counters);
        });
        counters.frames_private_crowded += crowded;
        if delivered {
            let path = if frame.sources.len() == 1 { &mut self.lone } else { &mut self.mixed };
            path.record(ingress_us, unix_us());
        }
    }

    fn take_plan(&mut self, key: MeetingKey, plan: relay::RoutePlan, now: Instant) {
        let Some(meeting) = self.meetings.get_mut(key) else { return };
        if meeting.core.handle_plan(wire::route_plan(plan), now) {
            meeting.speakers.send_replace(meeting.core.speakers().to_vec());
        }
    }
}
