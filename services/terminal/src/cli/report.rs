//! The statistics of a stay, as JSON.

use std::time::{Duration, Instant};

use serde::Serialize;
use tributary_identifiers::{MeetingId, ParticipantId};

use crate::{Snapshot, SpeakingTime};

#[derive(Serialize)]
pub(super) struct Report {
    meeting_id: String,
    participant_id: u32,
    seconds: f64,
    connections: u32,
    ended: bool,
    heard: Heard,
    /// Tones that were listened for.
    tones: Vec<HeardTone>,
    /// Everybody who was announced as a speaker, the own participant too.
    speakers: Vec<Speaker>,
    participants: usize,
    /// What this terminal has done.
    operations: Operations,
}

#[derive(Serialize)]
struct Operations {
    applied: u64,
    refused: u64,
    pending: usize,
}

#[derive(Serialize)]
struct Heard {
    packets: u64,
    bytes: u64,
    lost: u64,
    undecodable: u64,
    pauses: u64,
    pause_max_ms: u128,
    stall_max_ms: u128,
}

#[derive(Serialize)]
struct HeardTone {
    hz: f32,
    heard_ms: u64,
}

#[derive(Serialize)]
struct Speaker {
    participant_id: u32,
    name: Option<String>,
    times: u32,
    seconds: f64,
}

impl Report {
    pub(super) fn new(meeting_id: MeetingId, snapshot: &Snapshot, stayed: Duration) -> Self {
        let (hearing, operations) = (&snapshot.hearing, &snapshot.operations);
        let tone = |&(hz, heard_ms): &(f32, u64)| HeardTone { hz, heard_ms };
        Self {
            meeting_id: meeting_id.to_string(),
            participant_id: snapshot.participant_id.map_or(0, |id| id.0),
            seconds: rounded(stayed),
            connections: snapshot.connections,
            ended: snapshot.ended.is_some(),
            heard: Heard {
                packets: hearing.packets,
                bytes: hearing.bytes,
                lost: hearing.lost,
                undecodable: hearing.undecodable,
                pauses: hearing.pauses,
                pause_max_ms: hearing.pause_max.as_millis(),
                stall_max_ms: hearing.stall_max.as_millis(),
            },
            tones: hearing.tone_ms.iter().map(tone).collect(),
            speakers: snapshot
                .speaking
                .iter()
                .map(|(id, time)| speaker(*id, time, snapshot))
                .collect(),
            participants: snapshot.roster.len(),
            operations: Operations {
                applied: operations.applied + operations.nothing_changed,
                refused: operations.refused + operations.not_taken,
                pending: operations.pending,
            },
        }
    }
}

fn speaker(id: ParticipantId, time: &SpeakingTime, snapshot: &Snapshot) -> Speaker {
    let going_on = time.since.map(|since| Instant::now().saturating_duration_since(since));
    Speaker {
        participant_id: id.0,
        name: snapshot.roster.get(&id).map(|person| person.display_name.clone()),
        times: time.times,
        seconds: rounded(time.total + going_on.unwrap_or_default()),
    }
}

fn rounded(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e3).round() / 1e3
}
