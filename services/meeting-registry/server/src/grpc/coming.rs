//! Who comes in and who leaves, as relays say it.

use tonic::Status;
use tributary_contracts::{
    event::v1::LeaveReason as WireLeaveReason,
    registry::v1::{JoinRequest, LeaveRequest},
};
use tributary_meeting_registry_core::{Join, Leave, LeaveReason};

use super::{read, status::invalid};

/// A terminal that comes in.
pub fn read_join(request: &JoinRequest) -> Result<Join, Status> {
    Ok(Join {
        user_id: read::field("user_id", &request.user_id)?,
        display_name: read::field("display_name", &request.display_name)?,
        guest: request.guest,
        key: read::field("key_thumbprint", &request.key_thumbprint)?,
        relay_id: read::field("relay_id", &request.relay_id)?,
        relay_name: read::field("relay_name", &request.relay_name)?,
        relay_session: read::field("relay_session_id", &request.relay_session_id)?,
        muted: request.muted,
        session: read::field("session_id", &request.session_id)?,
        held: request.held,
    })
}

/// A participant who has left or was lost.
pub fn read_leave(request: &LeaveRequest) -> Result<Leave, Status> {
    Ok(Leave {
        participant: read::participant(request.participant_id)?,
        relay_session: read::field("relay_session_id", &request.relay_session_id)?,
        reason: read_reason(request.reason)?,
        silent: request.silent_ms,
    })
}

/// Why a relay says that somebody has left. What hosts do, and the end of the meeting, are not for a
/// relay to say.
fn read_reason(reason: i32) -> Result<LeaveReason, Status> {
    match WireLeaveReason::try_from(reason) {
        Ok(WireLeaveReason::Unspecified | WireLeaveReason::Left) => Ok(LeaveReason::Left),
        Ok(WireLeaveReason::TerminalLost) => Ok(LeaveReason::TerminalLost),
        Ok(WireLeaveReason::RelayLost) => Ok(LeaveReason::RelayLost),
        Ok(WireLeaveReason::MeetingEnded) => {
            Err(invalid("reason", &"a meeting is ended by EndMeeting or by a host"))
        }
        Ok(WireLeaveReason::Removed | WireLeaveReason::NotAdmitted) => {
            Err(invalid("reason", &"participants are taken out by hosts, with operations"))
        }
        Err(_) => Err(invalid("reason", &"must be a reason known here")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_says_only_what_it_can_know() {
        let read = |reason: i32| read_reason(reason).map_err(|status| status.code());
        assert_eq!(read(WireLeaveReason::TerminalLost.into()), Ok(LeaveReason::TerminalLost));
        for reason in [
            WireLeaveReason::MeetingEnded.into(),
            WireLeaveReason::Removed.into(),
            WireLeaveReason::NotAdmitted.into(),
            77,
        ] {
            assert_eq!(read(reason), Err(tonic::Code::InvalidArgument), "{reason}");
        }
    }
}
