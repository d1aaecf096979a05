//! From the domain to the contracts.

use prost::Message as _;
use prost_types::Timestamp;
use tributary_contracts::{
    event::v1::{
        self as event, AttachmentsChanged, MeetingChanged, MeetingEnded, MeetingEvent,
        MembersChanged, ParticipantJoined, ParticipantLeft, ParticipantMuted, meeting_event::Body,
    },
    notice::v1::{self as notice, InvitationOccasion, notice::Kind},
    registry::v1 as registry,
};
use tributary_identifiers::UserId;
use tributary_meeting_registry_core::{
    Attachment, Event, Happening, LeaveReason, Meeting, Notice, NoticeKind, Occasion, Participant,
    Role, UnixMillis,
};
use tributary_message_bus::subjects::MeetingScope;

const MILLIS_PER_SECOND: u64 = 1000;
const NANOS_PER_MILLI: i32 = 1_000_000;

/// An event as it is stored, listed and published; of a meeting as it is after it.
pub fn event_payload(scope: &MeetingScope, meeting: &Meeting, event: &Event) -> Vec<u8> {
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
        Happening::MembersChanged(change) => {
            let removed = u32::try_from(change.removed.len()).unwrap_or(u32::MAX);
            Body::MembersChanged(MembersChanged { members: change.members, removed })
        }
        Happening::MeetingChanged => {
            Body::MeetingChanged(MeetingChanged { subject: meeting.subject.to_string() })
        }
        Happening::AttachmentsChanged(change) => {
            Body::AttachmentsChanged(AttachmentsChanged { attachments: change.attachments })
        }
    };
    let event = MeetingEvent {
        organisation: scope.organisation.to_string(),
        meeting_id: scope.meeting.to_string(),
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
        starts_at: meeting.starts_at.map(timestamp),
        lobby: meeting.lobby,
        organiser_display_name: meeting
            .organiser_name
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
    }
}

/// A place on a member list.
pub fn member((user, role): &(UserId, Role)) -> registry::Member {
    registry::Member { user_id: user.to_string(), role: member_role(Some(*role)).into() }
}

/// A role; none is said as such.
pub const fn member_role(role: Option<Role>) -> registry::MemberRole {
    match role {
        None => registry::MemberRole::Unspecified,
        Some(Role::Organiser) => registry::MemberRole::Organiser,
        Some(Role::Host) => registry::MemberRole::Host,
        Some(Role::Member) => registry::MemberRole::Member,
    }
}

/// A file.
pub fn attachment(attachment: &Attachment) -> registry::Attachment {
    registry::Attachment {
        attachment_id: attachment.id.to_string(),
        file_name: attachment.name.to_string(),
        media_type: attachment.media_type.to_string(),
        size: attachment.size,
        sha256: attachment.sha256.to_vec(),
        attached_by: attachment.by.to_string(),
        attached_at: Some(timestamp(attachment.at)),
    }
}

/// A notice as it is published.
pub fn notice_payload(notice: &Notice) -> Vec<u8> {
    self::notice(notice).encode_to_vec()
}

/// A notice as it is listed.
pub fn notice(notice: &Notice) -> notice::Notice {
    let kind = match notice.kind {
        NoticeKind::Invitation(occasion) => {
            let occasion = match occasion {
                Occasion::Begins { .. } => InvitationOccasion::Begins,
                Occasion::Added => InvitationOccasion::Added,
            };
            Kind::Invitation(notice::Invitation { occasion: occasion.into() })
        }
        NoticeKind::Shared { starts_at } => {
            Kind::Shared(notice::Shared { starts_at: starts_at.map(timestamp) })
        }
    };
    notice::Notice {
        notice_id: notice.id.to_string(),
        organisation: notice.organisation.to_string(),
        user_id: notice.user.to_string(),
        meeting_id: notice.meeting.to_string(),
        subject: notice.subject.to_string(),
        from_user_id: notice.from.user.to_string(),
        from_display_name: notice.from.shown().to_owned(),
        at: Some(timestamp(notice.at)),
        expires_at: Some(timestamp(notice.expires_at)),
        kind: Some(kind),
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
