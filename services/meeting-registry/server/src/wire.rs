//! From the domain to the contracts; and back, of what is read from stored events.

mod events;

use prost::Message as _;
use prost_types::Timestamp;
use tributary_contracts::{
    admin::v1 as admin,
    event::v1 as event,
    notice::v1::{self as notice, InvitationOccasion, notice::Kind},
    registry::v1 as registry,
};
use tributary_identifiers::UserId;
use tributary_meeting_registry_core::{
    Attachment, Attendance, Meeting, Notice, NoticeKind, Occasion, RelayPath, Role, Roster,
    UnixMillis,
};

pub use events::{event_payload, participant, presence, read_event};

const MILLIS_PER_SECOND: u64 = 1000;
const NANOS_PER_MILLI: i32 = 1_000_000;

/// Who is in, as of one event.
pub fn roster(roster: &Roster) -> registry::GetRosterResponse {
    let state = roster.state();
    registry::GetRosterResponse {
        participants: roster.participants().map(participant).collect(),
        event_number: roster.event_number(),
        state: Some(event::MeetingState {
            locked: state.locked,
            spotlight_participant_id: state.spotlight.map_or(0, |id| id.0),
        }),
        talks: roster
            .talks()
            .map(|(id, targets)| event::Talk {
                participant_id: id.0,
                target_ids: targets.iter().map(|target| target.0).collect(),
            })
            .collect(),
    }
}

/// One participant's attendance.
pub fn attendance(attendance: &Attendance, now: UnixMillis) -> admin::Attendance {
    let stays = attendance.stays.iter().map(|stay| admin::Stay {
        from: Some(timestamp(stay.from)),
        to: stay.to.map(timestamp),
        relay_id: stay.relay_id.to_string(),
        relay_name: stay.relay_name.to_string(),
        inferred: stay.inferred,
    });
    admin::Attendance {
        participant_id: attendance.participant.0,
        user_id: attendance.user_id.to_string(),
        display_name: attendance.display_name.to_string(),
        guest: attendance.guest,
        stays: stays.collect(),
        checked_in_at: attendance.checked_in_at.iter().copied().map(timestamp).collect(),
        present_ms: attendance.present_ms(now),
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

/// The names of relays, from the core on.
pub fn relay_path(path: &RelayPath) -> Vec<String> {
    path.names().iter().map(ToString::to_string).collect()
}

/// A point in time.
pub fn timestamp(at: UnixMillis) -> Timestamp {
    let seconds = i64::try_from(at / MILLIS_PER_SECOND).unwrap_or(i64::MAX);
    let millis = i32::try_from(at % MILLIS_PER_SECOND).unwrap_or(0);
    Timestamp { seconds, nanos: millis * NANOS_PER_MILLI }
}
