//! Between the contracts' media and plan messages and the core's own.

use tributary_contracts::{
    media::v1::{self as media, TrackRole},
    relay::v1 as relay,
};
use tributary_identifiers::{ParticipantId, RelayId};
use tributary_relay_gateway_core::{
    AUDIO_SLOTS_MAX, DOUBTS_MAX, Needs, ParticipantPlan, RoutePlan, SOURCES_MAX, SendFrame, Track,
    TrackFrame,
};
use tributary_rtc_session::PAYLOAD_BYTES_MAX;

pub(super) fn send_frame(frame: SendFrame) -> media::SendFrame {
    media::SendFrame {
        participant_id: frame.participant.0,
        sequence: frame.sequence,
        media_time: frame.media_time,
        level: frame.level.into(),
        ingress_us: frame.ingress_us,
        payload: frame.payload,
    }
}

/// `None`: not a track that this software knows, or out of bounds.
pub(super) fn track_frame(frame: media::TrackFrame) -> Option<TrackFrame> {
    let fits = frame.payload.len() <= PAYLOAD_BYTES_MAX
        && !frame.payload.is_empty()
        && frame.source_ids.len() <= SOURCES_MAX;
    fits.then(|| {
        Some(TrackFrame {
            track: track(frame.track.as_ref()?)?,
            stream: frame.stream,
            media_time: frame.media_time,
            sources: frame.source_ids.into_iter().map(ParticipantId).collect(),
            level: u8::try_from(frame.level).unwrap_or(127).min(127),
            payload: frame.payload,
        })
    })?
}

fn track(track: &media::Track) -> Option<Track> {
    match track.role() {
        TrackRole::Common => Some(Track::Common),
        TrackRole::Minus => Some(Track::Minus(ParticipantId(track.participant_id))),
        TrackRole::Unspecified => None,
    }
}

/// Tracks that this software does not know are left out of the slots.
pub(super) fn route_plan(plan: relay::RoutePlan) -> RoutePlan {
    let level_doubt = |doubt: &relay::LevelDoubt| {
        let correction = u8::try_from(doubt.correction).unwrap_or(u8::MAX);
        (ParticipantId(doubt.participant_id), correction)
    };
    let participant_plan = |plan: relay::ParticipantPlan| ParticipantPlan {
        participant: ParticipantId(plan.participant_id),
        audio_slots: plan.audio_slots.iter().filter_map(track).take(AUDIO_SLOTS_MAX).collect(),
    };
    RoutePlan {
        epoch: plan.epoch,
        version: plan.version,
        speakers: plan.speaker_ids.into_iter().map(ParticipantId).collect(),
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
    }
}
