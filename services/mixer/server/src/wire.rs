//! Between the contracts' media and plan messages and the core's own.

use tributary_contracts::{
    media::v1::{self as media, TrackRole},
    relay::v1 as relay,
};
use tributary_identifiers::ParticipantId;
use tributary_mixer_core::{
    LevelDoubt, ParticipantPlan, Room, RoomPlan, RoutePlan, SendFrame, Track, TrackFrame,
};

pub(crate) fn send_frame(frame: media::SendFrame) -> SendFrame {
    SendFrame {
        participant: ParticipantId(frame.participant_id),
        sequence: frame.sequence,
        media_time: frame.media_time,
        level: u8::try_from(frame.level).unwrap_or(127).min(127),
        ingress_us: frame.ingress_us,
        payload: frame.payload,
        targets: frame.target_ids.into_iter().map(ParticipantId).collect(),
    }
}

/// The rooms that a relay says are behind it.
pub(crate) fn rooms(rooms: &[relay::Room]) -> Vec<Room> {
    let room = |room: &relay::Room| Room {
        id: room.room_id,
        participants: room.participant_ids.iter().copied().map(ParticipantId).collect(),
    };
    rooms.iter().map(room).collect()
}

fn track(track: Track) -> media::Track {
    let (role, participant_id, room_id) = match track {
        Track::Common => (TrackRole::Common, 0, 0),
        Track::Minus(participant) => (TrackRole::Minus, participant.0, 0),
        Track::Room(room) => (TrackRole::Room, 0, room),
        Track::Private(participant) => (TrackRole::Private, participant.0, 0),
    };
    media::Track { role: role.into(), participant_id, room_id }
}

pub(crate) fn track_frame(frame: TrackFrame) -> media::TrackFrame {
    media::TrackFrame {
        track: Some(track(frame.track)),
        stream: frame.stream,
        media_time: frame.media_time,
        source_ids: frame.sources.iter().map(|source| source.0).collect(),
        ingress_us: frame.ingress_us,
        level: frame.level.into(),
        payload: frame.payload,
        target_ids: frame.targets.iter().map(|target| target.0).collect(),
    }
}

pub(crate) fn route_plan(plan: &RoutePlan) -> relay::RoutePlan {
    let level_doubt = |doubt: &LevelDoubt| relay::LevelDoubt {
        participant_id: doubt.participant.0,
        correction: doubt.correction.into(),
    };
    let participant_plan = |plan: &ParticipantPlan| relay::ParticipantPlan {
        participant_id: plan.participant.0,
        audio_slots: plan.audio_slot.into_iter().map(track).collect(),
    };
    let room_plan =
        |plan: &RoomPlan| relay::RoomPlan { room_id: plan.room, track: Some(track(plan.track)) };
    relay::RoutePlan {
        epoch: plan.epoch,
        version: plan.version,
        speaker_ids: plan.speakers.iter().map(|speaker| speaker.0).collect(),
        exceptions: plan.exceptions.iter().map(participant_plan).collect(),
        doubts: plan.doubts.iter().map(level_doubt).collect(),
        rooms: plan.rooms.iter().map(room_plan).collect(),
    }
}

#[cfg(test)]
mod tests {
    use tributary_mixer_core::Sources;

    use super::*;

    #[test]
    fn a_private_frame_keeps_whom_it_is_for_both_ways() {
        let sent = send_frame(media::SendFrame {
            participant_id: 7,
            target_ids: vec![1, 2],
            ..media::SendFrame::default()
        });
        assert_eq!(sent.targets, [ParticipantId(1), ParticipantId(2)]);
        let frame = track_frame(TrackFrame {
            track: Track::Private(ParticipantId(7)),
            stream: 1,
            media_time: 2,
            sources: std::iter::once(ParticipantId(7)).collect(),
            ingress_us: 3,
            level: 4,
            payload: sent.payload,
            targets: sent.targets.into(),
        });
        let track = frame.track.unwrap();
        assert_eq!((track.role(), track.participant_id), (TrackRole::Private, 7));
        assert_eq!((frame.target_ids, frame.source_ids), (vec![1, 2], vec![7]));
    }

    #[test]
    fn rooms_keep_their_numbers_both_ways() {
        let said = relay::Room { room_id: 7, participant_ids: vec![1, 2] };
        let understood = Room { id: 7, participants: vec![ParticipantId(1), ParticipantId(2)] };
        assert_eq!(rooms(&[said]), [understood]);
        let plan = route_plan(&RoutePlan {
            epoch: 1,
            version: 1,
            speakers: Sources::EMPTY,
            rooms: vec![RoomPlan { room: 7, track: Track::Room(7) }],
            exceptions: vec![],
            doubts: vec![],
        });
        let [room] = &plan.rooms[..] else { panic!("{plan:?}") };
        let track = room.track.unwrap();
        assert_eq!((room.room_id, track.role(), track.room_id), (7, TrackRole::Room, 7));
        assert_eq!(track.participant_id, 0);
    }
}
