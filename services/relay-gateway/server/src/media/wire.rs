//! Between the contracts' media and plan messages and the core's own.

use tributary_contracts::{
    media::v1::{self as media, TrackRole},
    relay::v1 as relay,
};
use tributary_identifiers::{ParticipantId, RelayId};
use tributary_relay_gateway_core::{
    DOUBTS_MAX, Needs, ParticipantPlan, RoutePlan, SOURCES_MAX, TALK_TARGETS_MAX, Track,
    TrackFrame, Voice,
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
        level: u8::try_from(frame.level).unwrap_or(127).min(127),
        payload: frame.payload,
    })
}

fn track(track: &media::Track) -> Option<Track> {
    match track.role() {
        TrackRole::Common => Some(Track::Common),
        TrackRole::Minus => Some(Track::Minus(ParticipantId(track.participant_id))),
        TrackRole::Room => Some(Track::Room),
        TrackRole::Private => Some(Track::Private(ParticipantId(track.participant_id))),
        TrackRole::Unspecified => None,
    }
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
    RoutePlan {
        epoch: plan.epoch,
        version: plan.version,
        speakers: plan.speaker_ids.into_iter().map(ParticipantId).collect(),
        default_track: plan.default_track.as_ref().and_then(planned).unwrap_or_default(),
        exceptions: plan.exceptions.into_iter().map(participant_plan).collect(),
        doubts: plan.doubts.iter().take(DOUBTS_MAX).map(level_doubt).collect(),
    }
}

pub(super) fn needs(relay: &RelayId, needs: &Needs) -> relay::RelayNeeds {
    relay::RelayNeeds {
        relay_id: relay.to_string(),
        participant_ids: needs.participants.iter().map(|participant| participant.0).collect(),
        plan_epoch: needs.plan_epoch,
        plan_version: needs.plan_version,
        room: needs.room,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(role: TrackRole, who: u32, sources: &[u32], targets: &[u32]) -> media::TrackFrame {
        media::TrackFrame {
            track: Some(media::Track { role: role.into(), participant_id: who }),
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
        assert_eq!(read(TrackRole::Room, 0, &[7, 8], &[]), Some(Track::Room));
    }

    #[test]
    fn no_plan_gives_anybody_a_private_voice() {
        let track = |role: TrackRole| media::Track { role: role.into(), participant_id: 7 };
        let of = |role| relay::RoutePlan {
            default_track: Some(track(role)),
            exceptions: vec![relay::ParticipantPlan {
                participant_id: 1,
                audio_slots: vec![track(role)],
            }],
            ..relay::RoutePlan::default()
        };
        let plan = route_plan(of(TrackRole::Private));
        assert_eq!(plan.default_track, Track::Common);
        assert_eq!(plan.track_of(ParticipantId(1)), None);
        let plan = route_plan(of(TrackRole::Room));
        assert_eq!(plan.default_track, Track::Room);
        assert_eq!(plan.track_of(ParticipantId(1)), Some(Track::Room));
        assert_eq!(route_plan(relay::RoutePlan::default()).default_track, Track::Common);
    }
}
