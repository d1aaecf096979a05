//! Between the contracts' media and plan messages and the core's own.

use tributary_contracts::{
    media::v1::{self as media, TrackRole},
    relay::v1 as relay,
};
use tributary_identifiers::{ParticipantId, RelayId};
use tributary_relay_gateway_core::{
    DOUBTS_MAX, Needs, ParticipantPlan, ROOMS_MAX, Room, RoomPlan, RoutePlan, SOURCES_MAX,
    TALK_TARGETS_MAX, Track, TrackFrame, Voice,
};
use tributary_rtc_session::PAYLOAD_BYTES_MAX;

/// `targets`: whom it is for; nobody: for the open floor.
pub(super) fn send_frame(frame: Voice, targets: &[ParticipantId]) -> media::SendFrame {
    media::SendFrame {
        participant_id: frame.participant.0,
        sequence: frame.sequence,
        media_time: frame.media_time,
        level: frame.level.into(),
        ingress_us: frame.ingress_us,
        payload: frame.payload,
        target_ids: targets.iter().map(|target| target.0).collect(),
    }
}

/// The frame that an attached relay has sent, with whom it is for; `None`: out of bounds. `ingress_us` is
/// by this relay's clock.
pub(super) fn voice(
    frame: media::SendFrame,
    ingress_us: u64,
    targets: &mut Vec<ParticipantId>,
) -> Option<Voice> {
    let fits = frame.payload.len() <= PAYLOAD_BYTES_MAX
        && !frame.payload.is_empty()
        && frame.target_ids.len() <= TALK_TARGETS_MAX;
    targets.clear();
    targets.extend(frame.target_ids.iter().take(TALK_TARGETS_MAX).copied().map(ParticipantId));
    fits.then(|| Voice {
        participant: ParticipantId(frame.participant_id),
        sequence: frame.sequence,
        media_time: frame.media_time,
        level: level(frame.level),
        ingress_us,
        payload: frame.payload,
    })
}

fn level(level: u32) -> u8 {
    u8::try_from(level).unwrap_or(127).min(127)
}

/// The frame for an attached relay, as it came. `targets`: those of them that are behind it.
pub(super) fn passed_on(
    frame: &TrackFrame,
    targets: &[ParticipantId],
    ingress_us: u64,
) -> media::TrackFrame {
    media::TrackFrame {
        track: Some(said_track(frame.track)),
        stream: frame.stream,
        media_time: frame.media_time,
        source_ids: frame.sources.iter().map(|source| source.0).collect(),
        ingress_us,
        level: frame.level.into(),
        payload: frame.payload.clone(),
        target_ids: targets.iter().map(|target| target.0).collect(),
    }
}

/// `None`: not a track that this software knows, or out of bounds.
pub(super) fn track_frame(frame: media::TrackFrame) -> Option<TrackFrame> {
    let track = track(frame.track.as_ref()?)?;
    let fits = frame.payload.len() <= PAYLOAD_BYTES_MAX
        && !frame.payload.is_empty()
        && frame.source_ids.len() <= SOURCES_MAX
        && frame.target_ids.len() <= TALK_TARGETS_MAX;
    let private = match track {
        Track::Private(talker) => *frame.source_ids == [talker.0] && !frame.target_ids.is_empty(),
        _ => frame.target_ids.is_empty(),
    };
    (fits && private).then(|| TrackFrame {
        track,
        stream: frame.stream,
        media_time: frame.media_time,
        sources: frame.source_ids.into_iter().map(ParticipantId).collect(),
        targets: frame.target_ids.into_iter().map(ParticipantId).collect(),
        level: level(frame.level),
        payload: frame.payload,
    })
}

fn track(track: &media::Track) -> Option<Track> {
    match track.role() {
        TrackRole::Common => Some(Track::Common),
        TrackRole::Minus => Some(Track::Minus(ParticipantId(track.participant_id))),
        TrackRole::Room => Some(Track::Room(track.room_id)),
        TrackRole::Private => Some(Track::Private(ParticipantId(track.participant_id))),
        TrackRole::Unspecified => None,
    }
}

fn said_track(track: Track) -> media::Track {
    let (role, participant, room_id) = match track {
        Track::Common => (TrackRole::Common, ParticipantId(0), 0),
        Track::Minus(who) => (TrackRole::Minus, who, 0),
        Track::Room(room) => (TrackRole::Room, ParticipantId(0), room),
        Track::Private(talker) => (TrackRole::Private, talker, 0),
    };
    media::Track { role: role.into(), participant_id: participant.0, room_id }
}

/// A track of the open floor: what somebody says privately needs no plan, and gets none.
fn planned(wanted: &media::Track) -> Option<Track> {
    track(wanted).filter(|track| !matches!(track, Track::Private(_)))
}

/// Tracks that this software does not know are left out.
pub(super) fn route_plan(plan: relay::RoutePlan) -> RoutePlan {
    let level_doubt = |doubt: &relay::LevelDoubt| {
        let correction = u8::try_from(doubt.correction).unwrap_or(u8::MAX);
        (ParticipantId(doubt.participant_id), correction)
    };
    let participant_plan = |plan: relay::ParticipantPlan| ParticipantPlan {
        participant: ParticipantId(plan.participant_id),
        track: plan.audio_slots.first().and_then(planned),
    };
    let room_plan = |plan: &relay::RoomPlan| RoomPlan {
        room: plan.room_id,
        track: plan.track.as_ref().and_then(planned),
    };
    RoutePlan {
        epoch: plan.epoch,
        version: plan.version,
        speakers: plan.speaker_ids.into_iter().map(ParticipantId).collect(),
        rooms: plan.rooms.iter().take(ROOMS_MAX).map(room_plan).collect(),
        exceptions: plan.exceptions.into_iter().map(participant_plan).collect(),
        doubts: plan.doubts.iter().take(DOUBTS_MAX).map(level_doubt).collect(),
    }
}

/// The plan for an attached relay.
pub(super) fn said_plan(plan: &RoutePlan) -> relay::RoutePlan {
    let said = |track: Option<Track>| track.map(said_track);
    relay::RoutePlan {
        epoch: plan.epoch,
        version: plan.version,
        speaker_ids: plan.speakers.iter().map(|who| who.0).collect(),
        exceptions: plan
            .exceptions
            .iter()
            .map(|exception| relay::ParticipantPlan {
                participant_id: exception.participant.0,
                audio_slots: said(exception.track).into_iter().collect(),
            })
            .collect(),
        doubts: plan
            .doubts
            .iter()
            .map(|(who, correction)| relay::LevelDoubt {
                participant_id: who.0,
                correction: (*correction).into(),
            })
            .collect(),
        rooms: plan
            .rooms
            .iter()
            .map(|room| relay::RoomPlan { room_id: room.room, track: said(room.track) })
            .collect(),
    }
}

pub(super) fn needs(relay: &RelayId, needs: &Needs) -> relay::RelayNeeds {
    relay::RelayNeeds {
        relay_id: relay.to_string(),
        participant_ids: needs.participants.iter().map(|participant| participant.0).collect(),
        plan_epoch: needs.plan_epoch,
        plan_version: needs.plan_version,
        rooms: needs.rooms.iter().map(room).collect(),
    }
}

fn room(room: &Room) -> relay::Room {
    relay::Room {
        room_id: room.room,
        participant_ids: room.participants.iter().map(|participant| participant.0).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(role: TrackRole, who: u32, sources: &[u32], targets: &[u32]) -> media::TrackFrame {
        media::TrackFrame {
            track: Some(media::Track { role: role.into(), participant_id: who, room_id: 3 }),
            source_ids: sources.to_vec(),
            target_ids: targets.to_vec(),
            payload: bytes::Bytes::from_static(b"opus"),
            ..media::TrackFrame::default()
        }
    }

    #[test]
    fn a_private_frame_has_its_talker_for_its_only_source_and_somebody_to_go_to() {
        let read = |role, who, sources: &[u32], targets: &[u32]| {
            track_frame(frame(role, who, sources, targets)).map(|frame| frame.track)
        };
        let private = Track::Private(ParticipantId(7));
        assert_eq!(read(TrackRole::Private, 7, &[7], &[1, 2]), Some(private));
        assert_eq!(read(TrackRole::Private, 7, &[7], &[]), None);
        assert_eq!(read(TrackRole::Private, 7, &[8], &[1]), None);
        assert_eq!(read(TrackRole::Private, 7, &[7, 8], &[1]), None);
        assert_eq!(read(TrackRole::Private, 7, &[], &[1]), None);
        assert_eq!(read(TrackRole::Private, 7, &[7], &[1; TALK_TARGETS_MAX + 1]), None);
        assert_eq!(read(TrackRole::Common, 0, &[7], &[]), Some(Track::Common));
        assert_eq!(read(TrackRole::Common, 0, &[7], &[1]), None, "not for everybody");
        assert_eq!(read(TrackRole::Room, 0, &[7, 8], &[]), Some(Track::Room(3)));
    }

    #[test]
    fn no_plan_gives_anybody_a_private_voice() {
        let track =
            |role: TrackRole| media::Track { role: role.into(), participant_id: 7, room_id: 3 };
        let of = |role| relay::RoutePlan {
            rooms: vec![relay::RoomPlan { room_id: 3, track: Some(track(role)) }],
            exceptions: vec![relay::ParticipantPlan {
                participant_id: 1,
                audio_slots: vec![track(role)],
            }],
            ..relay::RoutePlan::default()
        };
        let plan = route_plan(of(TrackRole::Private));
        let [exception, other] = [1, 2].map(ParticipantId);
        assert_eq!(plan.track_of(exception, None), None);
        assert_eq!(plan.track_of(other, Some(3)), None);
        assert_eq!(plan.track_of(other, None), Some(Track::Common));
        let plan = route_plan(of(TrackRole::Room));
        assert_eq!(plan.track_of(exception, None), Some(Track::Room(3)));
        assert_eq!(plan.track_of(other, Some(3)), Some(Track::Room(3)));
        assert_eq!(plan.track_of(other, Some(4)), Some(Track::Common));
    }

    #[test]
    fn what_is_said_to_another_relay_is_read_as_it_was() {
        let [one, two] = [1, 2].map(ParticipantId);
        let plan = RoutePlan {
            epoch: 7,
            version: 3,
            speakers: vec![two, one],
            exceptions: vec![
                ParticipantPlan { participant: one, track: Some(Track::Minus(one)) },
                ParticipantPlan { participant: two, track: None },
            ],
            rooms: vec![RoomPlan { room: 9, track: Some(Track::Room(9)) }],
            doubts: vec![(two, 40)],
        };
        assert_eq!(route_plan(said_plan(&plan)), plan);
        let whisper = frame(TrackRole::Private, 7, &[7], &[1, 2]);
        let read = track_frame(whisper).unwrap();
        let passed = passed_on(&read, &[two], 55);
        assert_eq!((passed.ingress_us, &passed.target_ids[..]), (55, &[2][..]));
        let read_again = track_frame(passed).unwrap();
        assert_eq!((read_again.track, read_again.sources), (read.track, read.sources));
    }

    #[test]
    fn a_voice_that_no_relay_would_send_is_not_read() {
        let frame = |bytes: usize, targets: usize| media::SendFrame {
            participant_id: 7,
            level: 500,
            payload: vec![0; bytes].into(),
            target_ids: vec![1; targets],
            ..media::SendFrame::default()
        };
        let mut targets = Vec::new();
        let read = voice(frame(PAYLOAD_BYTES_MAX, 2), 5, &mut targets).unwrap();
        assert_eq!((read.level, read.ingress_us, targets.len()), (127, 5, 2));
        for (bytes, many) in [(0, 0), (PAYLOAD_BYTES_MAX + 1, 0), (9, TALK_TARGETS_MAX + 1)] {
            assert!(voice(frame(bytes, many), 5, &mut targets).is_none());
        }
    }
}
