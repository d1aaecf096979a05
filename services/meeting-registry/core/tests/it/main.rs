//! The state machine against a small model of it, and its rules one by one.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by it, as tests do")]

mod model;
mod rules;

use tributary_identifiers::{ParticipantId, RelaySessionId};
use tributary_meeting_registry_core::{Command, Join, Leave, LeaveReason, UnixMillis};

const NOW: UnixMillis = 1_800_000_000_000;

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
