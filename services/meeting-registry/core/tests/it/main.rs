//! The state machine against a small model of it, and its rules one by one.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail by it, as tests do"
)]

mod acting;
mod admission;
mod attendance;
mod beginnings;
mod coming;
mod files;
mod hosting;
mod managing;
mod model;
mod reaching;
mod rules;

use tributary_identifiers::{
    MeetingId, MeetingIdVersion, OrganisationId, ParticipantId, RelaySessionId, UserId,
};
use tributary_meeting_registry_core::{
    Act, Caller, Command, Counters, Draft, Event, Happening, Join, Leave, LeaveReason, Meeting,
    Operated, Operation, OperationRefusal, Patience, Proposal, RelayPath, Role, State, UnixMillis,
    Update,
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
        relay_depth: 0,
        relay_path: RelayPath::default(),
        core_relay: None,
        relay_itself: false,
        relay_session: session(relay, run),
        muted: false,
        session: format!("terminal-{who}").parse().unwrap(),
        held: false,
    }
}

fn session(relay: u32, run: u32) -> RelaySessionId {
    format!("relay-{relay}-run-{run}").parse().unwrap()
}

fn leave(participant: u32, relay_session: RelaySessionId) -> Command {
    let participant = ParticipantId(participant);
    let reason = LeaveReason::Left;
    Command::Leave(Leave { participant, relay_session, reason, silent: 0 })
}

const ANN: ParticipantId = ParticipantId(1);
const BOB: ParticipantId = ParticipantId(2);
const CLEO: ParticipantId = ParticipantId(3);

/// Ann, who organises, and the users 2 and 3 are in, as participants of those numbers.
fn with_three_in() -> State {
    let mut state = new_meeting();
    state.apply(Command::Join(join_as("ann", 1)), NOW).unwrap();
    for who in [2, 3] {
        state.apply(Command::Join(join(who, 1, 1)), NOW).unwrap();
    }
    state
}

/// A terminal of its own for a user of that name.
fn join_as(name: &str, who: u32) -> Join {
    Join { user_id: user(name), ..join(who, 1, 1) }
}

/// The next operation of the terminal of the number `actor`.
fn operation(state: &State, actor: ParticipantId, act: Act) -> Operation {
    let place = state.place(actor).unwrap();
    let sequence = place.last_sequence + 1;
    Operation {
        id: format!("{actor}-{sequence}").parse().unwrap(),
        sequence,
        session: place.session.clone(),
        participant: actor,
        not_after: NOW + HOUR,
        act,
    }
}

/// What comes of the next operation, which has an answer.
fn operate(state: &mut State, actor: ParticipantId, act: Act) -> Vec<Event> {
    let operation = operation(state, actor, act);
    match state.operate(&operation, Patience::Wait, NOW) {
        Operated::Answered(events) => events,
        other => panic!("{other:?}"),
    }
}

fn what(events: &[Event]) -> Vec<Happening> {
    events.iter().map(|event| event.what.clone()).collect()
}

/// Why an operation was refused, if it was.
fn refusal(events: &[Event]) -> Option<OperationRefusal> {
    match events {
        [Event { what: Happening::OperationRefused { reason, .. }, .. }] => Some(*reason),
        _ => None,
    }
}

fn is_done(events: &[Event]) -> bool {
    matches!(events, [Event { what: Happening::OperationDone, .. }])
}

/// Who is told of each event: ids, and `hosts`; `None` for everybody.
fn told(events: &[Event]) -> Vec<Option<(Vec<u32>, bool)>> {
    let of = |event: &Event| {
        let audience = event.audience.as_ref()?;
        Some((audience.participants.iter().map(|id| id.0).collect(), audience.hosts))
    };
    events.iter().map(of).collect()
}

fn lobby(open: bool) -> Command {
    let (subject, starts_at, password) = (None, None, None);
    let by = by("ann");
    Command::Update(Update { by, subject, starts_at, lobby: Some(open), password })
}
