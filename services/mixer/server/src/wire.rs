//! Between the contracts' media and plan messages and the core's own.

use tributary_contracts::{
    media::v1::{self as media, TrackRole},
    relay::v1 as relay,
};
use tributary_identifiers::ParticipantId;
use tributary_mixer_core::{LevelDoubt, ParticipantPlan, RoutePlan, SendFrame, Track, TrackFrame};

pub(crate) fn send_frame(frame: media::SendFrame) -> SendFrame {
    SendFrame {
        participant: ParticipantId(frame.participant_id),
        sequence: frame.sequence,
        media_time: frame.media_time,
        level: u8::try_from(frame.level).unwrap_or(127).min(127),
        ingress_us: frame.ingress_us,
        payload: frame.payload,
    }
}

fn track(track: Track) -> media::Track {
    let (role, participant_id) = match track {
        Track::Common => (TrackRole::Common, 0),
        Track::Minus(participant) => (TrackRole::Minus, participant.0),
    };
    media::Track { role: role.into(), participant_id }
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
    relay::RoutePlan {
        epoch: plan.epoch,
        version: plan.version,
        speaker_ids: plan.speakers.iter().map(|speaker| speaker.0).collect(),
        exceptions: plan.exceptions.iter().map(participant_plan).collect(),
        doubts: plan.doubts.iter().map(level_doubt).collect(),
    }
}
