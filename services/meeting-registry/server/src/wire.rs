//! From the domain to the contracts.

use prost::Message as _;
use prost_types::Timestamp;
use tributary_contracts::{
    event::v1::{
        self as event, MeetingEnded, MeetingEvent, ParticipantJoined, ParticipantLeft,
        ParticipantMuted, meeting_event::Body,
    },
    registry::v1 as registry,
};
use tributary_meeting_registry_core::{
    Event, Happening, LeaveReason, Meeting, Participant, UnixMillis,
};
use tributary_message_bus::subjects::MeetingScope;

const MILLIS_PER_SECOND: u64 = 1000;
const NANOS_PER_MILLI: i32 = 1_000_000;

/// An event as it is stored, listed and published.
pub fn event_payload(meeting: &MeetingScope, event: &Event) -> Vec<u8> {
    let body = match &event.what {
        Happening::Joined(who) => {
            Body::Joined(ParticipantJoined { participant: Some(participant(who)) })
        }
        Happening::Left { participant, reason } => Body::Left(ParticipantLeft {
            participant_id: participant.0,
            reason: leave_reason(*reason).into(),
        }),
        Happening::Muted { participant, muted } => {
            Body::Muted(ParticipantMuted { participant_id: participant.0, muted: *muted })
        }
        Happening::Ended => Body::Ended(MeetingEnded {}),
    };
    let event = MeetingEvent {
        organisation: meeting.organisation.to_string(),
        meeting_id: meeting.meeting.to_string(),
        number: event.number,
        at: Some(timestamp(event.at)),
        body: Some(body),
    };
    event.encode_to_vec()
}

/// A participant as others see it.
pub fn participant(participant: &Participant) -> event::Participant {
    event::Participant {
        participant_id: participant.id.0,
        user_id: participant.user_id.to_string(),
        display_name: participant.display_name.to_string(),
        guest: participant.guest,
        relay_id: participant.relay_id.to_string(),
        relay_name: participant.relay_name.to_string(),
        muted: participant.muted,
        joined_at: Some(timestamp(participant.joined_at)),
    }
}

/// A meeting, without its password's hash.
pub fn meeting(meeting: &Meeting) -> registry::Meeting {
    registry::Meeting {
        meeting_id: meeting.id.to_string(),
        organisation: meeting.organisation.to_string(),
        subject: meeting.subject.to_string(),
        organiser_user_id: meeting.organiser.to_string(),
        has_password: meeting.password_hash.is_some(),
        created_at: Some(timestamp(meeting.created_at)),
        ended_at: meeting.ended_at.map(timestamp),
    }
}

/// A point in time.
pub fn timestamp(at: UnixMillis) -> Timestamp {
    let seconds = i64::try_from(at / MILLIS_PER_SECOND).unwrap_or(i64::MAX);
    let millis = i32::try_from(at % MILLIS_PER_SECOND).unwrap_or(0);
    Timestamp { seconds, nanos: millis * NANOS_PER_MILLI }
}

const fn leave_reason(reason: LeaveReason) -> event::LeaveReason {
    match reason {
        LeaveReason::Left => event::LeaveReason::Left,
        LeaveReason::TerminalLost => event::LeaveReason::TerminalLost,
        LeaveReason::RelayLost => event::LeaveReason::RelayLost,
        LeaveReason::MeetingEnded => event::LeaveReason::MeetingEnded,
    }
}
