//! The state machine against a small model of it, and its rules one by one.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail by it, as tests do"
)]

mod beginnings;
mod files;
mod managing;
mod model;
mod rules;

use tributary_identifiers::{
    MeetingId, MeetingIdVersion, OrganisationId, ParticipantId, RelaySessionId, UserId,
};
use tributary_meeting_registry_core::{
    Caller, Command, Counters, Draft, Join, Leave, LeaveReason, Meeting, Proposal, Role, State,
    UnixMillis,
};

const NOW: UnixMillis = 1_800_000_000_000;
const MINUTE: UnixMillis = 60_000;
const HOUR: UnixMillis = 60 * MINUTE;

fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

fn by(name: &str) -> Caller {
    Caller::User(user(name))
}

/// Ann's meeting, created now.
fn meeting(starts_at: Option<UnixMillis>) -> Meeting {
    let organiser_name = "Ann A.";
    let proposal = Proposal {
        subject: "Planning",
        organiser: "ann",
        organiser_name,
        starts_at,
        ..Default::default()
    };
    let id = MeetingId::generate(MeetingIdVersion::CURRENT, 7, 1_800_000_000);
    Draft::read(&proposal, NOW).unwrap().meeting(id, OrganisationId::default(), None, NOW)
}

/// Ann's meeting with nobody in it and nobody but her on the list.
fn new_meeting() -> State {
    State::new(meeting(None), Counters::default(), [])
        .with_members([(user("ann"), Role::Organiser)])
}

/// A terminal of its own for `who`, behind relay `relay` in its run `run`.
fn join(who: u32, relay: u32, run: u32) -> Join {
    Join {
        user_id: format!("user-{who}").parse().unwrap(),
        display_name: format!("User {who}").parse().unwrap(),
        guest: false,
        key: format!("key-{who}").parse().unwrap(),
        relay_id: format!("relay-{relay}").parse().unwrap(),
        relay_name: format!("Office {relay}").parse().unwrap(),
        relay_session: session(relay, run),
        muted: false,
    }
}

fn session(relay: u32, run: u32) -> RelaySessionId {
    format!("relay-{relay}-run-{run}").parse().unwrap()
}

fn leave(participant: u32, relay_session: RelaySessionId) -> Command {
    let participant = ParticipantId(participant);
    Command::Leave(Leave { participant, relay_session, reason: LeaveReason::Left })
}
