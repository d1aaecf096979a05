//! What must happen on each command.

use tributary_identifiers::ParticipantId;
use tributary_meeting_registry_core::{
    Command, Counters, Event, Happening, Leave, LeaveReason, PARTICIPANTS_MAX, Refusal, Roster,
    State,
};

use crate::{NOW, join, leave, meeting, new_meeting, session, what};

fn numbers(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.number).collect()
}

fn left(id: u32, reason: LeaveReason) -> Happening {
    Happening::Left { participant: ParticipantId(id), reason, last_seen_at: None }
}

fn with_two_in() -> State {
    let mut state = new_meeting();
    state.apply(Command::Join(join(1, 1, 1)), NOW).unwrap();
    state.apply(Command::Join(join(2, 1, 1)), NOW).unwrap();
    state
}

#[test]
fn the_same_terminal_is_the_same_participant_and_joining_again_changes_nothing() {
    let mut state = with_two_in();
    let before = state.clone();
    assert_eq!(state.apply(Command::Join(join(1, 1, 1)), NOW + 9), Ok(vec![]));
    assert_eq!(state, before);
}

#[test]
fn a_join_under_another_relay_session_moves_the_participant() {
    let mut state = with_two_in();
    let events = state.apply(Command::Join(join(1, 2, 1)), NOW + 9).unwrap();
    let Happening::Joined(participant) = &events[0].what else { panic!("{events:?}") };
    assert_eq!((numbers(&events), participant.id), (vec![3], ParticipantId(1)));
    assert_eq!((participant.relay_id.as_str(), participant.joined_at), ("relay-2", NOW));
    assert_eq!(state.counters().present, 2);

    let events = state.apply(Command::Join(join(1, 2, 2)), NOW + 10).unwrap();
    assert_eq!(numbers(&events), [4], "another run of the same relay is another session");
}

#[test]
fn who_has_left_comes_in_again_as_who_they_were() {
    let mut state = with_two_in();
    state.apply(leave(1, session(1, 1)), NOW).unwrap();
    let events = state.apply(Command::Join(join(1, 1, 1)), NOW + 7).unwrap();
    let Happening::Joined(participant) = &events[0].what else { panic!("{events:?}") };
    assert_eq!((participant.id, participant.joined_at), (ParticipantId(1), NOW));
    assert_eq!((state.counters().present, state.gone().len()), (2, 0));
}

#[test]
fn another_user_at_the_same_terminal_is_another_participant() {
    let mut state = with_two_in();
    let mut other = join(1, 1, 1);
    other.user_id = "somebody-else".parse().unwrap();
    let events = state.apply(Command::Join(other), NOW).unwrap();
    assert_eq!(events[0].what, left(1, LeaveReason::Left));
    let Happening::Joined(participant) = &events[1].what else { panic!("{events:?}") };
    assert_eq!((participant.id, state.counters().present), (ParticipantId(3), 2));
    let events = state.apply(Command::Join(join(1, 1, 1)), NOW).unwrap();
    assert_eq!(events[0].what, left(3, LeaveReason::Left));
    let Happening::Joined(participant) = &events[1].what else { panic!("{events:?}") };
    assert_eq!(participant.id, ParticipantId(1), "each user is a participant of their own");
}

#[test]
fn a_relay_that_a_participant_has_left_behind_cannot_take_it_out() {
    let mut state = with_two_in();
    state.apply(Command::Join(join(1, 2, 1)), NOW).unwrap();
    assert_eq!(state.apply(leave(1, session(1, 1)), NOW), Ok(vec![]));
    assert!(state.participant(ParticipantId(1)).is_some());
    assert_eq!(state.apply(leave(1, session(2, 1)), NOW).unwrap().len(), 1);
    assert_eq!(state.apply(leave(1, session(2, 1)), NOW), Ok(vec![]), "leaving twice");
}

#[test]
fn leaving_as_nobody_is_refused() {
    let mut state = with_two_in();
    for id in [0, 3, u32::MAX] {
        let refusal = Refusal::UnknownParticipant(ParticipantId(id));
        assert_eq!(state.apply(leave(id, session(1, 1)), NOW), Err(refusal));
    }
}

#[test]
fn the_end_takes_everybody_out_first_and_is_final() {
    let mut state = with_two_in();
    let events = state.apply(Command::End, NOW + 5).unwrap();
    let left = |id| left(id, LeaveReason::MeetingEnded);
    assert_eq!(what(&events), [left(1), left(2), Happening::Ended]);
    assert_eq!((state.meeting().ended_at, state.counters().present), (Some(NOW + 5), 0));
    assert_eq!(state.apply(Command::End, NOW + 6), Ok(vec![]));
    assert_eq!(state.apply(Command::Join(join(3, 1, 1)), NOW + 6), Err(Refusal::Ended));
    assert_eq!(state.meeting().ended_at, Some(NOW + 5));
}

#[test]
fn a_lost_relay_takes_only_its_own_with_it() {
    let mut state = with_two_in();
    state.apply(Command::Join(join(3, 2, 1)), NOW).unwrap();
    let lost = Command::RelayLost { relay_session: session(1, 1), silent: 8_000 };
    let events = state.apply(lost.clone(), NOW + 20_000).unwrap();
    let left = |id| Happening::Left {
        participant: ParticipantId(id),
        reason: LeaveReason::RelayLost,
        last_seen_at: Some(NOW + 12_000),
    };
    assert_eq!(what(&events), [left(1), left(2)]);
    assert_eq!(state.apply(lost, NOW), Ok(vec![]));
    assert_eq!(state.participants().len(), 1);
}

#[test]
fn the_meeting_is_full_at_five_thousand_but_those_who_are_in_may_come_back() {
    let mut state = new_meeting();
    for who in 0..PARTICIPANTS_MAX {
        state.apply(Command::Join(join(who, 1, 1)), NOW).unwrap();
    }
    assert_eq!(state.apply(Command::Join(join(9_999, 1, 1)), NOW), Err(Refusal::Full));
    assert_eq!(state.apply(Command::Join(join(7, 2, 1)), NOW).unwrap().len(), 1);
    state.apply(leave(1, session(1, 1)), NOW).unwrap();
    assert!(state.apply(Command::Join(join(9_999, 1, 1)), NOW).is_ok());
}

#[test]
fn participant_ids_never_run_over() {
    let counters = Counters { next_participant: u32::MAX, ..Counters::default() };
    let mut state = State::new(meeting(None), counters, []);
    assert_eq!(state.apply(Command::Join(join(1, 1, 1)), NOW), Err(Refusal::Full));
}

#[test]
fn groups_are_the_participants_by_relay() {
    let mut roster = Roster::default();
    let mut state = new_meeting();
    for (who, relay) in [(1, 2), (2, 1), (3, 2)] {
        for event in state.apply(Command::Join(join(who, relay, 1)), NOW).unwrap() {
            roster.apply(&event).unwrap();
        }
    }
    let groups: Vec<_> = roster
        .groups()
        .into_iter()
        .map(|group| {
            let ids: Vec<_> = group.participants.iter().map(|one| one.id.0).collect();
            (group.relay_name.to_string(), ids)
        })
        .collect();
    assert_eq!(groups, [("Office 1".to_owned(), vec![2]), ("Office 2".to_owned(), vec![1, 3])]);
}

#[test]
fn a_roster_refuses_an_event_out_of_order() {
    let mut roster = Roster::default();
    let mut state = new_meeting();
    let events = state.apply(Command::Join(join(1, 1, 1)), NOW).unwrap();
    roster.apply(&events[0]).unwrap();
    assert_eq!(roster.apply(&events[0]).unwrap_err().expected, 2);
}

#[test]
fn the_time_of_events_never_goes_back() {
    let mut state = with_two_in();
    state.apply(leave(1, session(1, 1)), NOW + 9_000).unwrap();
    let events = state.apply(Command::Join(join(4, 1, 1)), NOW).unwrap();
    let Happening::Joined(participant) = &events[0].what else { panic!("{events:?}") };
    assert_eq!((events[0].at, participant.joined_at), (NOW + 9_000, NOW + 9_000));
    let ended = state.apply(Command::End, 5).unwrap();
    assert!(ended.iter().all(|event| event.at == NOW + 9_000));
    assert_eq!(state.meeting().ended_at, Some(NOW + 9_000));
}

#[test]
fn who_was_lost_was_last_seen_after_coming_in() {
    let mut state = with_two_in();
    let lost = Leave {
        participant: ParticipantId(1),
        relay_session: session(1, 1),
        reason: LeaveReason::TerminalLost,
        silent: u64::MAX,
    };
    let events = state.apply(Command::Leave(lost), NOW + 5).unwrap();
    let Happening::Left { last_seen_at, .. } = events[0].what else { panic!("{events:?}") };
    assert_eq!(last_seen_at, Some(NOW));
}
