//! Who comes in, who leaves and who can't be reached, as relays say it.

use tonic::Status;
use tributary_contracts::{
    event::v1::LeaveReason as WireLeaveReason,
    registry::v1::{JoinRequest, LeaveRequest, SetReachableRequest},
};
use tributary_identifiers::RelayId;
use tributary_meeting_registry_core::{
    Join, Leave, LeaveReason, REACHED_PER_COMMAND_MAX, RELAY_DEPTH_MAX, RelayName, RelayPath,
    SetReachable,
};

use super::{read, status::invalid};

/// A terminal that comes in.
pub fn read_join(request: &JoinRequest) -> Result<Join, Status> {
    let relay_name = read::field("relay_name", &request.relay_name)?;
    let relay_depth = read_depth(request.relay_depth)?;
    Ok(Join {
        user_id: read::field("user_id", &request.user_id)?,
        display_name: read::field("display_name", &request.display_name)?,
        guest: request.guest,
        key: read::field("key_thumbprint", &request.key_thumbprint)?,
        relay_id: read::field("relay_id", &request.relay_id)?,
        relay_path: read_path(&request.relay_path, &relay_name, relay_depth)?,
        core_relay: read_core(&request.core_relay_id)?,
        relay_name,
        relay_depth,
        relay_itself: request.relay_itself,
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

fn read_depth(depth: u32) -> Result<u32, Status> {
    if depth > RELAY_DEPTH_MAX {
        let why = format!("at most {RELAY_DEPTH_MAX} relays can be in a chain, not {depth}");
        return Err(invalid("relay_depth", &why));
    }
    Ok(depth)
}

/// The way to a relay of that name and depth; a relay of the version before does not say it.
fn read_path(names: &[String], relay: &RelayName, depth: u32) -> Result<RelayPath, Status> {
    let name = |(index, text): (usize, &String)| read::field(&format!("relay_path[{index}]"), text);
    let names = names.iter().enumerate().map(name).collect::<Result<Vec<RelayName>, _>>()?;
    RelayPath::new(relay, depth, names).map_err(|error| invalid("relay_path", &error))
}

/// The core relay that carries a terminal; a relay of the version before does not say it.
fn read_core(id: &str) -> Result<Option<RelayId>, Status> {
    if id.is_empty() { Ok(None) } else { read::field("core_relay_id", id).map(Some) }
}

/// Participants whose relay can't be reached for now, or can again.
pub fn read_reachable(request: &SetReachableRequest) -> Result<SetReachable, Status> {
    let named = request.participant_ids.len();
    if named > REACHED_PER_COMMAND_MAX {
        let why =
            format!("at most {REACHED_PER_COMMAND_MAX} at once, not {named}; ask several times");
        return Err(invalid("participant_ids", &why));
    }
    Ok(SetReachable {
        participants: request
            .participant_ids
            .iter()
            .map(|id| read::participant(*id))
            .collect::<Result<_, _>>()?,
        relay_session: read::field("relay_session_id", &request.relay_session_id)?,
        reachable: request.reachable,
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
    fn a_chain_is_not_longer_than_it_can_be() {
        assert_eq!(read_depth(8).unwrap(), 8);
        assert_eq!(read_depth(9).unwrap_err().code(), tonic::Code::InvalidArgument);
    }

    #[test]
    fn so_many_can_be_named_at_once_and_nobody_is_number_0() {
        let read = |participant_ids: Vec<u32>| {
            let relay_session_id = "run".to_owned();
            let request =
                SetReachableRequest { participant_ids, relay_session_id, ..Default::default() };
            read_reachable(&request).map(|set| set.participants.len())
        };
        assert_eq!(read((1..=8192).collect()).unwrap(), 8192);
        let many = read((1..=8193).collect()).unwrap_err();
        assert_eq!(many.code(), tonic::Code::InvalidArgument);
        assert!(many.message().starts_with("participant_ids: at most 8192"), "{many}");
        assert_eq!(read(vec![1, 0]).unwrap_err().code(), tonic::Code::InvalidArgument);
    }

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
