//! Events as they are stored, listed and published, and what of them is read again.

use std::collections::BTreeSet;

use prost::Message as _;
use prost_types::Timestamp;
use tributary_contracts::{
    event::v1::{self as event, MeetingEvent, meeting_event::Body},
    operation::v1 as operation,
};
use tributary_identifiers::ParticipantId;
use tributary_meeting_registry_core::{
    Audience, Cause, Event, Happening, LeaveReason, Meeting, OfflineReason, OperationRefusal,
    Participant, Presence, RelayName, RelayPath, UnixMillis,
};
use tributary_message_bus::subjects::MeetingScope;

use super::timestamp;

/// An event as it is stored, listed and published; of a meeting as it is after it.
pub fn event_payload(scope: &MeetingScope, meeting: &Meeting, event: &Event) -> Vec<u8> {
    let event = MeetingEvent {
        organisation: scope.organisation.to_string(),
        meeting_id: scope.meeting.to_string(),
        number: event.number,
        at: Some(timestamp(event.at)),
        cause: event.cause.as_ref().map(cause),
        audience: event.audience.as_ref().map(audience),
        body: body_of_one(&event.what).or_else(|| body(meeting, &event.what)),
    };
    event.encode_to_vec()
}

fn cause(cause: &Cause) -> event::Cause {
    event::Cause { participant_id: cause.participant.0, operation_id: cause.operation.to_string() }
}

fn audience(audience: &Audience) -> event::Audience {
    event::Audience {
        participant_ids: numbers(&audience.participants),
        hosts: audience.hosts,
        relay_id: audience.relay.as_ref().map(ToString::to_string).unwrap_or_default(),
    }
}

/// What happens to the meeting, or is said.
fn body(meeting: &Meeting, what: &Happening) -> Option<Body> {
    Some(match what {
        Happening::Ended => Body::Ended(event::MeetingEnded {}),
        Happening::MembersChanged(change) => {
            let removed = u32::try_from(change.removed.len()).unwrap_or(u32::MAX);
            Body::MembersChanged(event::MembersChanged { members: change.members, removed })
        }
        Happening::MeetingChanged => {
            Body::MeetingChanged(event::MeetingChanged { subject: meeting.subject.to_string() })
        }
        Happening::AttachmentsChanged(change) => {
            Body::AttachmentsChanged(event::AttachmentsChanged { attachments: change.attachments })
        }
        Happening::LockChanged { locked } => {
            Body::LockChanged(event::LockChanged { locked: *locked })
        }
        Happening::SpotlightChanged { participant } => {
            let participant_id = number(*participant);
            Body::SpotlightChanged(event::SpotlightChanged { participant_id })
        }
        Happening::ChatMessage(message) => Body::ChatMessage(event::ChatMessage {
            participant_id: message.from.0,
            display_name: message.name.to_string(),
            text: message.text.to_string(),
            to_participant_ids: numbers(&message.to),
        }),
        Happening::OperationRefused { reason, why } => {
            Body::OperationRefused(event::OperationRefused {
                reason: refusal(*reason).into(),
                message: (*why).to_owned(),
            })
        }
        Happening::OperationDone => Body::OperationDone(event::OperationDone {}),
        Happening::Announcement(text) => {
            Body::Announcement(event::Announcement { text: text.to_string() })
        }
        Happening::Joined(_)
        | Happening::Left { .. }
        | Happening::Muted { .. }
        | Happening::PresenceChanged { .. }
        | Happening::HandChanged { .. }
        | Happening::CheckedIn { .. }
        | Happening::TalkChanged { .. }
        | Happening::AskedToUnmute { .. }
        | Happening::HostChanged { .. }
        | Happening::NameChanged { .. } => return None,
    })
}

/// What happens to one participant.
fn body_of_one(what: &Happening) -> Option<Body> {
    Some(match *what {
        Happening::Joined(ref who) => {
            Body::Joined(event::ParticipantJoined { participant: Some(participant(who)) })
        }
        Happening::Left { participant: ParticipantId(participant_id), reason, last_seen_at } => {
            let reason = leave_reason(reason).into();
            let last_seen_at = last_seen_at.map(timestamp);
            Body::Left(event::ParticipantLeft { participant_id, reason, last_seen_at })
        }
        Happening::Muted { participant: ParticipantId(participant_id), muted, by } => {
            let by_participant_id = number(by);
            Body::Muted(event::ParticipantMuted { participant_id, muted, by_participant_id })
        }
        Happening::PresenceChanged { participant, presence: now, unreachable } => {
            Body::PresenceChanged(event::PresenceChanged {
                participant_id: participant.0,
                presence: presence(now).into(),
                reason: offline_reason(now).into(),
                unreachable,
            })
        }
        Happening::HandChanged { participant: ParticipantId(participant_id), raised, by } => {
            let by_participant_id = number(by);
            Body::HandChanged(event::HandChanged { participant_id, raised, by_participant_id })
        }
        Happening::CheckedIn { participant: ParticipantId(participant_id) } => {
            Body::CheckedIn(event::CheckedIn { participant_id })
        }
        Happening::TalkChanged { participant, ref targets } => {
            let target_ids = numbers(targets);
            Body::TalkChanged(event::TalkChanged { participant_id: participant.0, target_ids })
        }
        Happening::AskedToUnmute { participant: ParticipantId(participant_id), by } => {
            let by_participant_id = by.0;
            Body::AskedToUnmute(event::AskedToUnmute { participant_id, by_participant_id })
        }
        Happening::HostChanged { participant: ParticipantId(participant_id), host } => {
            Body::HostChanged(event::HostChanged { participant_id, host })
        }
        Happening::NameChanged { participant, ref name } => {
            let (participant_id, display_name) = (participant.0, name.to_string());
            Body::NameChanged(event::NameChanged { participant_id, display_name })
        }
        _ => return None,
    })
}

fn numbers(ids: &BTreeSet<ParticipantId>) -> Vec<u32> {
    ids.iter().map(|id| id.0).collect()
}

fn number(id: Option<ParticipantId>) -> u32 {
    id.map_or(0, |id| id.0)
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
        presence: presence(participant.presence).into(),
        hand_raised: participant.hand_raised,
        checked_in_at: participant.checked_in_at.map(timestamp),
        host: participant.host,
        offline_reason: offline_reason(participant.presence).into(),
        relay_depth: participant.relay_depth,
        relay_path: super::relay_path(&participant.relay_path),
        core_relay_id: participant.core_relay.as_ref().map(ToString::to_string).unwrap_or_default(),
        relay_itself: participant.relay_itself,
        unreachable: participant.unreachable,
    }
}

/// Whether somebody is there.
pub const fn presence(presence: Presence) -> event::Presence {
    match presence {
        Presence::Online => event::Presence::Online,
        Presence::Away => event::Presence::Away,
        Presence::Offline(_) => event::Presence::Offline,
        Presence::Waiting => event::Presence::Waiting,
    }
}

const fn offline_reason(presence: Presence) -> operation::OfflineReason {
    match presence {
        Presence::Offline(OfflineReason::OtherMeeting) => operation::OfflineReason::OtherMeeting,
        Presence::Offline(OfflineReason::Interrupted) => operation::OfflineReason::Interrupted,
        _ => operation::OfflineReason::Unspecified,
    }
}

const fn leave_reason(reason: LeaveReason) -> event::LeaveReason {
    match reason {
        LeaveReason::Left => event::LeaveReason::Left,
        LeaveReason::TerminalLost => event::LeaveReason::TerminalLost,
        LeaveReason::RelayLost => event::LeaveReason::RelayLost,
        LeaveReason::MeetingEnded => event::LeaveReason::MeetingEnded,
        LeaveReason::Removed => event::LeaveReason::Removed,
        LeaveReason::NotAdmitted => event::LeaveReason::NotAdmitted,
    }
}

const fn refusal(refusal: OperationRefusal) -> event::OperationRefusal {
    match refusal {
        OperationRefusal::Invalid => event::OperationRefusal::Invalid,
        OperationRefusal::Unsupported => event::OperationRefusal::Unsupported,
        OperationRefusal::NotHost => event::OperationRefusal::NotHost,
        OperationRefusal::Expired => event::OperationRefusal::Expired,
        OperationRefusal::Overtaken => event::OperationRefusal::Overtaken,
        OperationRefusal::SessionOver => event::OperationRefusal::SessionOver,
        OperationRefusal::NotIn => event::OperationRefusal::NotIn,
        OperationRefusal::MeetingEnded => event::OperationRefusal::MeetingEnded,
        OperationRefusal::IdReused => event::OperationRefusal::IdReused,
        OperationRefusal::NotPossible => event::OperationRefusal::NotPossible,
    }
}

/// The number of a stored event, and the event if it says who was there. `None` if it can't be read.
pub fn read_event(payload: &[u8]) -> Option<(u64, Option<Event>)> {
    let stored = MeetingEvent::decode(payload).ok()?;
    let what = match stored.body {
        Some(Body::Joined(joined)) => Happening::Joined(read_participant(joined.participant?)?),
        Some(Body::Left(left)) => Happening::Left {
            participant: ParticipantId(left.participant_id),
            reason: read_leave_reason(left.reason()),
            last_seen_at: match left.last_seen_at {
                None => None,
                Some(at) => Some(millis(at)?),
            },
        },
        Some(Body::PresenceChanged(change)) => Happening::PresenceChanged {
            participant: ParticipantId(change.participant_id),
            presence: read_presence(change.presence(), change.reason()),
            unreachable: change.unreachable,
        },
        Some(Body::CheckedIn(checked)) => {
            Happening::CheckedIn { participant: ParticipantId(checked.participant_id) }
        }
        Some(Body::NameChanged(change)) => Happening::NameChanged {
            participant: ParticipantId(change.participant_id),
            name: change.display_name.parse().ok()?,
        },
        Some(Body::Ended(_)) => Happening::Ended,
        _ => return Some((stored.number, None)),
    };
    let at = millis(stored.at?)?;
    let event = Event { number: stored.number, at, cause: None, audience: None, what };
    Some((stored.number, Some(event)))
}

fn read_participant(one: event::Participant) -> Option<Participant> {
    let presence = read_presence(one.presence(), one.offline_reason());
    let relay_name: RelayName = one.relay_name.parse().ok()?;
    let path = one.relay_path.iter().map(String::as_str);
    Some(Participant {
        id: ParticipantId(one.participant_id),
        user_id: one.user_id.parse().ok()?,
        display_name: one.display_name.parse().ok()?,
        guest: one.guest,
        relay_id: one.relay_id.parse().ok()?,
        relay_path: RelayPath::kept(&relay_name, one.relay_depth, path),
        // Empty, it is no id.
        core_relay: one.core_relay_id.parse().ok(),
        relay_name,
        relay_depth: one.relay_depth,
        relay_itself: one.relay_itself,
        muted: one.muted,
        joined_at: millis(one.joined_at?)?,
        presence,
        unreachable: one.unreachable,
        hand_raised: one.hand_raised,
        checked_in_at: match one.checked_in_at {
            None => None,
            Some(at) => Some(millis(at)?),
        },
        host: one.host,
    })
}

/// Events from before there was presence say none: who was in was online.
const fn read_presence(presence: event::Presence, reason: operation::OfflineReason) -> Presence {
    use operation::OfflineReason as Reason;
    match (presence, reason) {
        (event::Presence::Unspecified | event::Presence::Online, _) => Presence::Online,
        (event::Presence::Away, _) => Presence::Away,
        (event::Presence::Offline, Reason::Unspecified) => Presence::Offline(OfflineReason::Unsaid),
        (event::Presence::Offline, Reason::OtherMeeting) => {
            Presence::Offline(OfflineReason::OtherMeeting)
        }
        (event::Presence::Offline, Reason::Interrupted) => {
            Presence::Offline(OfflineReason::Interrupted)
        }
        (event::Presence::Waiting, _) => Presence::Waiting,
    }
}

const fn read_leave_reason(reason: event::LeaveReason) -> LeaveReason {
    match reason {
        event::LeaveReason::Unspecified | event::LeaveReason::Left => LeaveReason::Left,
        event::LeaveReason::TerminalLost => LeaveReason::TerminalLost,
        event::LeaveReason::RelayLost => LeaveReason::RelayLost,
        event::LeaveReason::MeetingEnded => LeaveReason::MeetingEnded,
        event::LeaveReason::Removed => LeaveReason::Removed,
        event::LeaveReason::NotAdmitted => LeaveReason::NotAdmitted,
    }
}

fn millis(time: Timestamp) -> Option<UnixMillis> {
    let seconds = u64::try_from(time.seconds).ok()?;
    let nanos = u64::try_from(time.nanos).ok()?;
    seconds.checked_mul(1000)?.checked_add(nanos / 1_000_000)
}
