//! When an operation has its turn, and that it has one answer.

use tributary_meeting_registry_core::{
    Act, Admission, Command, NOT_AFTER_MAX, Operated, Operation, OperationRefusal as Why, Patience,
    SEQUENCE_MAX, State, admit,
};

use crate::{BOB, NOW, join, leave, operate, operation, refusal, session, told, with_three_in};

fn answer(state: &mut State, operation: &Operation, patience: Patience) -> Option<Why> {
    match state.operate(operation, patience, NOW) {
        Operated::Answered(events) => {
            let cause = events[0].cause.as_ref().unwrap();
            assert_eq!((cause.participant, &cause.operation), (BOB, &operation.id));
            refusal(&events)
        }
        other => panic!("{other:?}"),
    }
}

fn hand(state: &State, sequence: u64) -> Operation {
    let id = format!("op-{sequence}").parse().unwrap();
    Operation { id, sequence, ..operation(state, BOB, Act::SetHand(sequence % 2 == 1)) }
}

fn last(state: &State) -> u64 {
    state.place(BOB).unwrap().last_sequence
}

#[test]
fn operations_have_their_turn_one_after_the_other() {
    let mut state = with_three_in();
    let (first, second, third) = (hand(&state, 1), hand(&state, 2), hand(&state, 3));
    let before = state.clone();
    assert_eq!(state.operate(&second, Patience::Wait, NOW), Operated::Wait);
    assert_eq!(state, before, "waiting changes nothing");
    assert_eq!(answer(&mut state, &first, Patience::Wait), None);
    assert_eq!(answer(&mut state, &second, Patience::Wait), None);
    assert_eq!(answer(&mut state, &third, Patience::Wait), None);
    assert_eq!(last(&state), 3);
}

#[test]
fn who_has_been_waited_for_long_enough_is_overtaken() {
    let mut state = with_three_in();
    let (first, second) = (hand(&state, 1), hand(&state, 2));
    assert_eq!(answer(&mut state, &second, Patience::GoOn), None);
    assert_eq!(last(&state), 2);
    assert_eq!(answer(&mut state, &first, Patience::GoOn), Some(Why::Overtaken));
    assert_eq!(last(&state), 2);
}

#[test]
fn another_session_begins_at_one_and_ends_the_one_before() {
    let mut state = with_three_in();
    let old = hand(&state, 2);
    operate(&mut state, BOB, Act::SetHand(true));
    let mut again = join(2, 1, 1);
    again.session = "another".parse().unwrap();
    assert_eq!(state.apply(Command::Join(again), NOW).unwrap().len(), 1);
    assert_eq!(last(&state), 0);
    assert_eq!(answer(&mut state, &old, Patience::Wait), Some(Why::SessionOver));
    assert_eq!(last(&state), 0, "it took no place in the new session");
    let first = hand(&state, 1);
    assert_eq!(answer(&mut state, &first, Patience::Wait), None);
}

#[test]
fn the_same_session_goes_on_after_coming_back() {
    let mut state = with_three_in();
    operate(&mut state, BOB, Act::SetHand(true));
    state.apply(Command::Join(join(2, 2, 1)), NOW).unwrap();
    assert_eq!(last(&state), 1, "under another relay");
    state.apply(leave(2, session(2, 1)), NOW).unwrap();
    assert_eq!(last(&state), 1);
    let while_away = hand(&state, 2);
    assert_eq!(answer(&mut state, &while_away, Patience::Wait), Some(Why::NotIn));
    assert_eq!(last(&state), 2, "a refusal is an answer");
    state.apply(Command::Join(join(2, 1, 1)), NOW).unwrap();
    assert_eq!(last(&state), 2, "who was lost for a while goes on where they were");
    let again = hand(&state, 2);
    assert_eq!(answer(&mut state, &again, Patience::Wait), Some(Why::Overtaken));
}

#[test]
fn an_operation_is_good_until_its_time_and_a_day_at_most() {
    let state = with_three_in();
    let bob = state.place(BOB).unwrap();
    let check = |not_after| {
        let operation = Operation { not_after, ..hand(&state, 1) };
        match admit(&operation, bob, Patience::Wait, NOW) {
            Admission::Apply => None,
            Admission::Refuse(refused) => Some(refused.0),
            Admission::Wait => panic!("{operation:?}"),
        }
    };
    assert_eq!(check(NOW), None);
    assert_eq!(check(NOW - 1), Some(Why::Expired));
    assert_eq!(check(0), Some(Why::Expired));
    assert_eq!(check(NOW + NOT_AFTER_MAX), None);
    assert_eq!(check(NOW + NOT_AFTER_MAX + 1), Some(Why::Invalid));
    assert_eq!(check(u64::MAX), Some(Why::Invalid));
}

#[test]
fn a_refused_operation_has_had_its_turn() {
    let mut state = with_three_in();
    let expired = Operation { not_after: NOW - 1, ..hand(&state, 1) };
    assert_eq!(answer(&mut state, &expired, Patience::Wait), Some(Why::Expired));
    assert_eq!(last(&state), 1);
    let nonsense = Operation { act: Act::Malformed("nothing is said"), ..hand(&state, 2) };
    assert_eq!(answer(&mut state, &nonsense, Patience::Wait), Some(Why::Invalid));
    let unknown = Operation { act: Act::Unknown, ..hand(&state, 3) };
    assert_eq!(answer(&mut state, &unknown, Patience::Wait), Some(Why::Unsupported));
    assert_eq!(last(&state), 3);
}

#[test]
fn a_sequence_number_that_cant_be_counted_to_takes_no_place() {
    let mut state = with_three_in();
    for sequence in [SEQUENCE_MAX + 1, u64::MAX] {
        let operation = hand(&state, sequence);
        assert_eq!(answer(&mut state, &operation, Patience::GoOn), Some(Why::Invalid));
    }
    let zero = hand(&state, 0);
    assert_eq!(answer(&mut state, &zero, Patience::Wait), Some(Why::Overtaken));
    assert_eq!(last(&state), 0);
}

#[test]
fn an_id_that_was_anothers_is_refused_and_changes_nothing() {
    let mut state = with_three_in();
    let again = hand(&state, 1);
    operate(&mut state, BOB, Act::SetHand(true));
    let before = state.participants().cloned().collect::<Vec<_>>();
    let events = state.refuse_reused(&again, NOW);
    assert_eq!(refusal(&events), Some(Why::IdReused));
    assert_eq!(told(&events), [Some((vec![2], false))]);
    assert_eq!(state.participants().cloned().collect::<Vec<_>>(), before);
}

#[test]
fn nobody_of_that_number_is_nobody_to_tell() {
    let mut state = with_three_in();
    let participant = tributary_identifiers::ParticipantId(9);
    let operation = Operation { participant, ..hand(&state, 1) };
    let before = state.clone();
    assert_eq!(state.operate(&operation, Patience::Wait, NOW), Operated::NotTheirs);
    assert_eq!(state, before);
}

#[test]
fn after_the_end_everything_is_refused() {
    let mut state = with_three_in();
    state.apply(Command::End, NOW).unwrap();
    let late = hand(&state, 1);
    assert_eq!(answer(&mut state, &late, Patience::Wait), Some(Why::MeetingEnded));
    assert_eq!(state.participants().len(), 0);
}
