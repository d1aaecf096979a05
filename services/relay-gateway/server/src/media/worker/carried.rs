//! What other relays say: voices of those behind them, and what the parent sends down; and where voices
//! go from here.

use std::time::Instant;

use tributary_contracts::{
    media::v1 as media,
    relay::v1::{CarriedTracks, CarryRequest, CarryResponse, RoutePlan},
};
use tributary_identifiers::ParticipantId;
use tributary_relay_gateway_core::{Dropped, UplinkId};

use super::{
    super::{
        figures::{FRAME_OVERHEAD_BYTES, Figures, publish},
        latency::unix_us,
        meetings::{MeetingKey, Meetings, Topic},
        ports::Arrived,
        uplinks::Uplink,
        wire,
    },
    Worker,
};

/// Messages of one relay taken in a row, before others get their turn.
const MESSAGES_PER_TURN: usize = 16;
/// The same of plans, in bytes.
const PLAN_BYTES_PER_TURN: usize = 64 << 10;

/// Voices that entered a relay longer ago are not passed on: their way down is still before them, and
/// nothing is to be heard that is older than a second.
const VOICE_AGE_MAX_US: u64 = 700_000;

/// A time of another relay, by this one's clock; nothing is from the future.
fn own_time(their_us: u64, offset_us: i64, now_us: u64) -> u64 {
    let own = i128::from(their_us) - i128::from(offset_us);
    u64::try_from(own.clamp(0, now_us.into())).unwrap_or(now_us)
}

impl Worker {
    pub(super) fn take_relays(&mut self) {
        let now = Instant::now();
        let mut more = self.take_parent(now);
        let Self { uplinks, meetings, touched, figures, .. } = self;
        for (id, uplink) in &mut uplinks.by_id {
            let Some(lanes) = uplink.lanes.clone() else { continue };
            for turn in 0.. {
                if turn == MESSAGES_PER_TURN {
                    more = true;
                    break;
                }
                let Some(arrived) = lanes.from_child.pop(now) else { break };
                Hearing { id: *id, uplink, meetings, touched, figures }.take(arrived, now);
            }
        }
        if more {
            // Datagrams come first.
            self.arrivals.notify_one();
        }
    }

    /// True if more is waiting.
    fn take_parent(&mut self, now: Instant) -> bool {
        let Some(lanes) = self.parent.clone() else { return false };
        let (plans, more) = lanes.take_plans(PLAN_BYTES_PER_TURN);
        for (meeting_id, plan) in plans {
            self.take_parents_plan(meeting_id, plan, now);
        }
        for _ in 0..MESSAGES_PER_TURN {
            let Some(Arrived { message, offset_us }) = lanes.from_parent.pop(now) else {
                return more;
            };
            let CarryResponse { tracks } = message;
            for carried in tracks {
                self.take_carried_tracks(carried, offset_us, now);
            }
        }
        true
    }

    fn take_carried_tracks(&mut self, carried: CarriedTracks, offset_us: i64, now: Instant) {
        let CarriedTracks { meeting_id, batch, .. } = carried;
        let Some(key) = self.meetings.by_number(meeting_id) else { return };
        let Some(mut batch) = batch else { return };
        self.figures.parent_frames_in += batch.frames.len() as u64;
        let Some(meeting) = self.meetings.get_mut(key) else { return };
        // Cut off, this relay makes the tracks; what is still under way is of before.
        if !meeting.is_heard() || meeting.core.is_cut_off() {
            return;
        }
        let now_us = unix_us();
        for frame in &mut batch.frames {
            frame.ingress_us = own_time(frame.ingress_us, offset_us, now_us);
        }
        self.take_tracks(Topic::Parent(key), batch, now);
    }

    fn take_parents_plan(&mut self, meeting_id: u64, plan: RoutePlan, now: Instant) {
        match self.meetings.by_number(meeting_id) {
            Some(key) => self.take_plan(Topic::Parent(key), plan, now),
            None => self.early_plans.keep(meeting_id, plan, now),
        }
    }

    /// A meeting is open here now: its plan may have come before.
    pub(super) fn take_early_plan(&mut self, key: MeetingKey, meeting_id: u64, now: Instant) {
        if let Some(plan) = self.early_plans.take(meeting_id) {
            self.take_plan(Topic::Parent(key), plan, now);
        }
    }

    /// Sends what was selected where it goes: up, or while nobody above takes it, round.
    pub(super) fn send_up(&mut self, now: Instant) {
        while let Some(key) = self.touched.pop() {
            if self.meetings.get_mut(key).is_some_and(|meeting| meeting.core.is_cut_off()) {
                self.pass_round(key, now);
            } else {
                self.figures.parent_frames_out += self.meetings.send_up(key, now);
            }
        }
    }

    fn pass_round(&mut self, key: MeetingKey, now: Instant) {
        self.look_who_speaks_in(key, now);
        let Some(meeting) = self.meetings.get_mut(key) else { return };
        let mut stranded = std::mem::take(&mut meeting.stranded);
        for (voice, targets) in stranded.drain(..) {
            let ingress_us = voice.ingress_us;
            let Some(meeting) = self.meetings.get_mut(key) else { break };
            if let Some(frame) = meeting.core.forward(voice, &targets) {
                self.figures.forwarded_frames += 1;
                self.fan_out(key, &frame, now, ingress_us);
            }
        }
        if let Some(meeting) = self.meetings.get_mut(key) {
            meeting.stranded = stranded;
        }
        self.flush_uplinks(key, now);
    }

    /// While cut off: who speaks is for this relay to say.
    pub(super) fn look_who_speaks(&mut self, now: Instant) {
        let Self { meetings, uplinks, .. } = self;
        for meeting in meetings.all_mut() {
            if meeting.core.look_who_speaks(now) {
                meeting.announce_speakers();
                uplinks.tell_plans(meeting);
            }
        }
    }

    fn look_who_speaks_in(&mut self, key: MeetingKey, now: Instant) {
        if let Some(meeting) = self.meetings.get_mut(key)
            && meeting.core.look_who_speaks(now)
        {
            meeting.announce_speakers();
            self.uplinks.tell_plans(meeting);
        }
    }

    pub(super) fn keep_figures(&mut self) {
        let Self { meetings, figures, parent, shared, .. } = self;
        let populations = meetings.all_mut().map(|meeting| meeting.core.population());
        let (here, carried) = populations.fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
        figures.terminals = here as u64;
        figures.carried = carried as u64;
        if let Some(lanes) = parent {
            figures.messages_dropped += lanes.take_dropped();
        }
        shared.figures.write(figures);
        publish(figures);
    }
}

/// One attached relay that is listened to.
struct Hearing<'a> {
    id: UplinkId,
    uplink: &'a mut Uplink,
    meetings: &'a mut Meetings,
    touched: &'a mut Vec<MeetingKey>,
    figures: &'a mut Figures,
}

impl Hearing<'_> {
    fn take(&mut self, arrived: Arrived<CarryRequest>, now: Instant) {
        let Arrived { message, offset_us } = arrived;
        for send in message.sends {
            if let Some(batch) = send.batch {
                self.take_batch(send.meeting_id, batch, offset_us, now);
            }
        }
    }

    fn take_batch(
        &mut self,
        meeting_id: u64,
        batch: media::SendBatch,
        offset_us: i64,
        now: Instant,
    ) {
        let Some(behind) = self.uplink.meetings.get_mut(&meeting_id) else {
            self.figures.carried_frames_foreign += batch.frames.len() as u64;
            return;
        };
        let missing = behind.gaps.missing_before(0, batch.sequence);
        self.figures.messages_lost = self.figures.messages_lost.saturating_add(missing);
        let key = behind.key;
        let now_us = unix_us();
        let mut targets = Vec::new();
        for frame in batch.frames {
            let ingress_us = own_time(frame.ingress_us, offset_us, now_us);
            if ingress_us.saturating_add(VOICE_AGE_MAX_US) < now_us {
                self.figures.frames_too_old += 1;
                continue;
            }
            self.take_frame(key, frame, ingress_us, &mut targets, now);
        }
        if !self.touched.contains(&key) {
            self.touched.push(key);
        }
    }

    fn take_frame(
        &mut self,
        key: MeetingKey,
        frame: media::SendFrame,
        ingress_us: u64,
        targets: &mut Vec<ParticipantId>,
        now: Instant,
    ) {
        let Some(meeting) = self.meetings.get_mut(key) else { return };
        let bytes = frame.payload.len() as u64 + FRAME_OVERHEAD_BYTES;
        let taken = wire::voice(frame, ingress_us, targets)
            .map(|voice| meeting.handle_carried(self.id, voice, targets, now));
        if let Some(Ok(())) = taken {
            self.figures.carried_heard_bytes += bytes;
        }
        let counted = match taken {
            Some(Ok(())) => &mut self.figures.carried_frames_in,
            Some(Err(Dropped::Unknown | Dropped::Foreign)) => {
                &mut self.figures.carried_frames_foreign
            }
            Some(Err(_)) | None => &mut self.figures.carried_frames_refused,
        };
        *counted += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_another_clock_become_own_ones_and_never_lie_ahead() {
        assert_eq!(own_time(1_000, 300, 5_000), 700);
        assert_eq!(own_time(1_000, -300, 5_000), 1_300);
        assert_eq!(own_time(9_000, 0, 5_000), 5_000);
        assert_eq!(own_time(100, 300, 5_000), 0);
        assert_eq!(own_time(u64::MAX, i64::MIN, 5_000), 5_000);
    }
}
