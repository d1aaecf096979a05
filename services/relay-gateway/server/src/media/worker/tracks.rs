//! What comes from the bus or the parent: tracks, onto the terminals' timelines and to attached relays,
//! and plans.

use std::time::Instant;

use prost::Message as _;
use tributary_contracts::{media::v1 as media, relay::v1 as relay};
use tributary_message_bus::{Delivery, MediaInbox};
use tributary_relay_gateway_core::{Exit, Track, TrackFrame};
use tributary_rtc_session::OutgoingAudio;

use super::{
    super::{
        figures::FRAME_OVERHEAD_BYTES,
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
/// The same of frames from a parent: what holds them up on the way to the ear comes on top.
const PARENT_FRAME_AGE_MAX_US: u64 = 800_000;

impl Worker {
    pub(super) fn take_messages(&mut self) {
        for _ in 0..MESSAGES_PER_TURN {
            let next = self.inbox.as_ref().and_then(MediaInbox::pop);
            let Some(Delivery { tag, message }) = next else { return };
            let now = Instant::now();
            match tag {
                Topic::Common(key) | Topic::Own(key) => {
                    self.counters.track_bytes += message.payload.len() as u64;
                    if self.meetings.get_mut(key).is_none_or(|meeting| !meeting.is_heard()) {
                        continue;
                    }
                    match media::TrackBatch::decode(message.payload) {
                        Ok(batch) => self.take_tracks(tag, batch, now),
                        Err(_) => self.counters.messages_malformed += 1,
                    }
                }
                Topic::Plan(_) | Topic::Parent(_) => {
                    match relay::RoutePlan::decode(message.payload) {
                        Ok(plan) => self.take_plan(tag, plan, now),
                        Err(_) => self.counters.messages_malformed += 1,
                    }
                }
            }
        }
        // More is waiting, but datagrams come first.
        if let Some(inbox) = &self.inbox {
            inbox.arrive();
        }
    }

    pub(super) fn take_tracks(&mut self, topic: Topic, batch: media::TrackBatch, now: Instant) {
        let key = topic.meeting();
        let Some(meeting) = self.meetings.get_mut(key) else { return };
        if !meeting.core.admit_epoch(batch.epoch, now) {
            self.counters.frames_stale_epoch += batch.frames.len() as u64;
            self.figures.frames_stale_epoch += batch.frames.len() as u64;
            return;
        }
        let (gaps, run) = match topic {
            Topic::Own(_) => (&mut meeting.own_gaps, batch.epoch),
            // A parent counts its messages, whoever owns the meeting.
            Topic::Parent(_) => (&mut meeting.common_gaps, 0),
            _ => (&mut meeting.common_gaps, batch.epoch),
        };
        let age_max_us = match topic {
            Topic::Parent(_) => PARENT_FRAME_AGE_MAX_US,
            _ => FRAME_AGE_MAX_US,
        };
        let missing = gaps.missing_before(run, batch.sequence);
        self.counters.track_batches_lost = self.counters.track_batches_lost.saturating_add(missing);
        self.figures.messages_lost = self.figures.messages_lost.saturating_add(missing);
        for frame in batch.frames {
            let ingress_us = frame.ingress_us;
            let now_us = unix_us();
            self.counters.track_frames += 1;
            if ingress_us.saturating_add(age_max_us) < now_us {
                self.counters.frames_too_old += 1;
                self.figures.frames_too_old += 1;
                continue;
            }
            match wire::track_frame(frame) {
                Some(frame) => self.fan_out(key, &frame, now, ingress_us),
                None => self.counters.messages_malformed += 1,
            }
        }
        self.flush_uplinks(key, now);
    }

    /// Sends to attached relays what was collected for them.
    pub(super) fn flush_uplinks(&mut self, key: MeetingKey, now: Instant) {
        let Some(meeting) = self.meetings.get_mut(key) else { return };
        let sent = self.uplinks.flush(meeting.meeting_id, meeting.core.epoch(), now);
        self.figures.carried_frames_out += sent;
    }

    /// Sends a frame to the terminals that get it; to be followed by [`Self::flush_uplinks`].
    pub(super) fn fan_out(
        &mut self,
        key: MeetingKey,
        frame: &TrackFrame,
        now: Instant,
        ingress_us: u64,
    ) {
        let Self {
            meetings, terminals, uplinks, socket, heard, counters, figures, catch_up, ..
        } = self;
        let Some(meeting) = meetings.get_mut(key) else { return };
        let meeting_id = meeting.meeting_id;
        let private = matches!(frame.track, Track::Private(_));
        let (mut delivered, mut passed_on) = (false, false);
        let crowded = meeting.core.handle_track(frame, now, &mut |exit| {
            let (id, delivery) = match exit {
                Exit::Terminal(id, delivery) => (id, delivery),
                Exit::Later(id) => {
                    if let Some(terminal) = terminals.get_mut(id) {
                        figures.not_caught_up_frames += terminal.absence.keep(frame, now);
                    }
                    return;
                }
                Exit::Uplink(id, targets) => {
                    passed_on = true;
                    let frame = wire::passed_on(frame, targets, ingress_us);
                    return uplinks.collect(id, meeting_id, frame);
                }
            };
            let Some(terminal) = terminals.get_mut(id) else { return };
            if terminal.absence.keeping {
                figures.not_caught_up_frames += terminal.absence.keep(frame, now);
            }
            let Some(session) = terminal.session.as_mut() else { return };
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
                figures.delivered_frames += 1;
                figures.delivered_bytes += frame.payload.len() as u64 + FRAME_OVERHEAD_BYTES;
                delivered = true;
            } else {
                counters.frames_undeliverable += 1;
            }
            drive(id, terminals, socket, heard, counters, catch_up);
        });
        counters.frames_private_crowded += crowded;
        if delivered {
            let path = if frame.sources.len() == 1 { &mut self.lone } else { &mut self.mixed };
            path.record(ingress_us, unix_us());
        }
        if passed_on {
            self.note_direct(key, frame);
        }
    }

    /// At an edge relay: without it everybody to whom a relay takes the frame would have got it over the
    /// internet.
    fn note_direct(&mut self, key: MeetingKey, frame: &TrackFrame) {
        let Self { meetings, uplinks, parent: Some(_), .. } = self else { return };
        let Some(meeting) = meetings.get_mut(key) else { return };
        let (meeting_id, bytes) =
            (meeting.meeting_id, frame.payload.len() as u64 + FRAME_OVERHEAD_BYTES);
        meeting.core.audiences(frame, &mut |id, people| {
            uplinks.note_direct(id, meeting_id, people * bytes);
        });
    }

    pub(super) fn take_plan(&mut self, topic: Topic, plan: relay::RoutePlan, now: Instant) {
        let Some(meeting) = self.meetings.get_mut(topic.meeting()) else { return };
        let plan = wire::route_plan(plan);
        let taken = match topic {
            Topic::Parent(_) => meeting.core.replace_plan(plan, now),
            _ => meeting.core.handle_plan(plan, now),
        };
        if taken {
            meeting.announce_speakers();
            self.uplinks.tell_plans(meeting);
        }
    }
}
