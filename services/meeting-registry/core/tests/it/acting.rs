//! What everybody may do.

use std::collections::BTreeSet;

use tributary_identifiers::ParticipantId;
use tributary_meeting_registry_core::{
    Act, ChatMessage, Command, Happening, Join, LeaveReason, OfflineReason,
    OperationRefusal as Why, Presence, State, TARGETS_MAX,
};

use crate::{
    ANN, BOB, CLEO, NOW, is_done, join, leave, lobby, operate, refusal, session, told, what,
    with_three_in,
};

const OFFLINE: Presence = Presence::Offline(OfflineReason::Interrupted);

fn talk(participant: ParticipantId, targets: &[ParticipantId]) -> Happening {
    Happening::TalkChanged { participant, targets: targets.iter().copied().collect() }
}

fn chat(text: &str, to: &[ParticipantId]) -> Act {
    Act::SendChat { text: text.into(), to: to.to_vec() }
}

fn bob(state: &State) -> &tributary_meeting_registry_core::Participant {
    &state.place(BOB).unwrap().participant
}

#[test]
fn a_microphone_is_switched_once_and_the_rest_is_done_already() {
    let mut state = with_three_in();
    let events = operate(&mut state, BOB, Act::SetMuted(true));
    assert_eq!(what(&events), [Happening::Muted { participant: BOB, muted: true, by: None }]);
    assert_eq!(told(&events), [None]);
    let again = operate(&mut state, BOB, Act::SetMuted(true));
    assert!(is_done(&again), "{again:?}");
    assert_eq!(told(&again), [Some((vec![2], false))]);
    assert_eq!(operate(&mut state, BOB, Act::SetMuted(false)).len(), 1);
    assert!(!bob(&state).muted);
}

#[test]
fn hands_are_in_the_order_in_which_they_were_raised() {
    let mut state = with_three_in();
    for who in [CLEO, ANN, BOB] {
        operate(&mut state, who, Act::SetHand(true));
    }
    let again = operate(&mut state, CLEO, Act::SetHand(true));
    assert!(is_done(&again), "raising it again keeps its place");
    let mut hands: Vec<_> =
        state.participants().map(|one| (one.participant.hand_raised, one.participant.id)).collect();
    hands.sort();
    assert_eq!(hands, [(4, CLEO), (5, ANN), (6, BOB)]);
    operate(&mut state, CLEO, Act::SetHand(false));
    operate(&mut state, CLEO, Act::SetHand(true));
    assert!(state.place(CLEO).unwrap().participant.hand_raised > 6);
    state.apply(Command::Join(join(3, 2, 1)), NOW).unwrap();
    assert!(state.place(CLEO).unwrap().participant.hand_raised > 6, "moving keeps it up");
    state.apply(leave(3, session(2, 1)), NOW).unwrap();
    state.apply(Command::Join(join(3, 2, 1)), NOW).unwrap();
    assert_eq!(state.place(CLEO).unwrap().participant.hand_raised, 0, "leaving lowers it");
}

#[test]
fn checking_in_counts_each_time() {
    let mut state = with_three_in();
    for _ in 0..2 {
        let events = operate(&mut state, BOB, Act::CheckIn);
        assert_eq!(what(&events), [Happening::CheckedIn { participant: BOB }]);
    }
    assert_eq!(bob(&state).checked_in_at, Some(NOW));
}

#[test]
fn a_message_to_some_is_told_to_them_and_its_writer() {
    let mut state = with_three_in();
    let events = operate(&mut state, BOB, chat(" hello ", &[]));
    let expected = ChatMessage {
        from: BOB,
        name: "User 2".parse().unwrap(),
        text: "hello".parse().unwrap(),
        to: BTreeSet::new(),
    };
    assert_eq!(
        (what(&events), told(&events)),
        (vec![Happening::ChatMessage(expected)], vec![None])
    );

    let events = operate(&mut state, BOB, chat("psst", &[CLEO, CLEO]));
    assert_eq!(told(&events), [Some((vec![2, 3], false))]);
    state.apply(leave(3, session(1, 1)), NOW).unwrap();
    let events = operate(&mut state, BOB, chat("see you", &[CLEO]));
    assert_eq!(refusal(&events), None, "it waits for who has left");
}

#[test]
fn what_cant_be_written_is_refused() {
    let mut state = with_three_in();
    let longest = "王".repeat(4_000);
    let many: Vec<_> = (10..=10 + TARGETS_MAX as u32).map(ParticipantId).collect();
    for (act, expected) in [
        (chat(&longest, &[]), None),
        (chat(&format!("{longest}!"), &[]), Some(Why::Invalid)),
        (chat(" \n", &[]), Some(Why::Invalid)),
        (chat("a\0", &[]), Some(Why::Invalid)),
        (chat("a", &[BOB]), Some(Why::Invalid)),
        (chat("a", &[CLEO, ParticipantId(9)]), Some(Why::Invalid)),
        (chat("a", &[ParticipantId(0)]), Some(Why::Invalid)),
        (chat("a", &many), Some(Why::Invalid)),
    ] {
        assert_eq!(refusal(&operate(&mut state, BOB, act.clone())), expected, "{act:?}");
    }
    state.apply(lobby(true), NOW).unwrap();
    state.apply(Command::Join(join(4, 1, 1)), NOW).unwrap();
    let events = operate(&mut state, BOB, chat("a", &[ParticipantId(4)]));
    assert_eq!(refusal(&events), Some(Why::NotPossible), "nobody talks into the lobby");
}

#[test]
fn presence_is_as_chosen_and_going_offline_ends_the_talk() {
    let mut state = with_three_in();
    let unreachable = false;
    let changed = |presence| Happening::PresenceChanged { participant: BOB, presence, unreachable };
    let away = operate(&mut state, BOB, Act::SetPresence(Presence::Away));
    assert_eq!(what(&away), [changed(Presence::Away)]);
    assert!(is_done(&operate(&mut state, BOB, Act::SetPresence(Presence::Away))));
    operate(&mut state, BOB, Act::TalkTo(vec![CLEO]));
    let offline = operate(&mut state, BOB, Act::SetPresence(OFFLINE));
    assert_eq!(what(&offline), [talk(BOB, &[]), changed(OFFLINE)]);
    assert_eq!(told(&offline), [Some((vec![2, 3], false)), None]);
    let talking = operate(&mut state, BOB, Act::TalkTo(vec![CLEO]));
    assert_eq!(refusal(&talking), Some(Why::NotPossible));
    let waiting = operate(&mut state, BOB, Act::SetPresence(Presence::Waiting));
    assert_eq!(refusal(&waiting), Some(Why::Invalid));
    assert_eq!(bob(&state).presence, OFFLINE);
}

#[test]
fn talk_is_told_to_the_talker_and_the_targets_before_and_after() {
    let mut state = with_three_in();
    let events = operate(&mut state, BOB, Act::TalkTo(vec![CLEO]));
    assert_eq!(
        (what(&events), told(&events)),
        (vec![talk(BOB, &[CLEO])], vec![Some((vec![2, 3], false))])
    );
    let events = operate(&mut state, BOB, Act::TalkTo(vec![ANN]));
    assert_eq!(told(&events), [Some((vec![1, 2, 3], false))]);
    let events = operate(&mut state, BOB, Act::TalkTo(vec![ANN]));
    assert_eq!(what(&events), [talk(BOB, &[ANN])], "told again, for a relay that has forgotten");
    let events = operate(&mut state, BOB, Act::TalkTo(vec![]));
    assert_eq!(
        (what(&events), told(&events)),
        (vec![talk(BOB, &[])], vec![Some((vec![1, 2], false))])
    );
    assert!(is_done(&operate(&mut state, BOB, Act::TalkTo(vec![]))));
}

#[test]
fn targets_are_others_who_are_in() {
    let mut state = with_three_in();
    state.apply(leave(3, session(1, 1)), NOW).unwrap();
    let many: Vec<_> = (10..=10 + TARGETS_MAX as u32).map(ParticipantId).collect();
    for (targets, expected) in [
        (vec![BOB], Why::Invalid),
        (vec![ANN, ParticipantId(9)], Why::Invalid),
        (vec![CLEO], Why::NotPossible),
        (many, Why::Invalid),
    ] {
        let events = operate(&mut state, BOB, Act::TalkTo(targets.clone()));
        assert_eq!(refusal(&events), Some(expected), "{targets:?}");
    }
    assert_eq!(state.place(BOB).unwrap().talk, BTreeSet::new());
}

#[test]
fn a_talk_ends_with_the_relay_session_the_terminal_session_being_held_and_leaving() {
    for how in 0..4 {
        let mut state = with_three_in();
        operate(&mut state, BOB, Act::TalkTo(vec![CLEO]));
        assert_eq!(state.apply(Command::Join(join(2, 1, 1)), NOW), Ok(vec![]), "a blip");
        let command = match how {
            0 => Command::Join(join(2, 1, 2)),
            1 => {
                let mut again = join(2, 1, 1);
                again.session = "another".parse().unwrap();
                Command::Join(again)
            }
            2 => Command::Join(Join { held: true, ..join(2, 1, 1) }),
            _ => leave(2, session(1, 1)),
        };
        let events = state.apply(command, NOW).unwrap();
        assert_eq!((events.len(), &events[0].what), (2, &talk(BOB, &[])), "{how}");
        assert_eq!(told(&events)[0], Some((vec![2, 3], false)));
    }
}

#[test]
fn a_talk_goes_on_when_its_target_leaves_lest_all_hear_it() {
    let mut state = with_three_in();
    operate(&mut state, BOB, Act::TalkTo(vec![CLEO]));
    let events = state.apply(leave(3, session(1, 1)), NOW).unwrap();
    let (participant, reason) = (CLEO, LeaveReason::Left);
    assert_eq!(what(&events), [Happening::Left { participant, reason, last_seen_at: None }]);
    assert_eq!(state.place(BOB).unwrap().talk, BTreeSet::from([CLEO]));
}

#[test]
fn a_name_that_was_taken_stays_with_the_participant() {
    let mut state = with_three_in();
    let events = operate(&mut state, BOB, Act::SetName(" Bobby ".into()));
    let name = "Bobby".parse().unwrap();
    assert_eq!(what(&events), [Happening::NameChanged { participant: BOB, name }]);
    assert!(is_done(&operate(&mut state, BOB, Act::SetName("Bobby".into()))));
    for bad in ["", "a\nb", &"x".repeat(65)] {
        let events = operate(&mut state, BOB, Act::SetName(bad.into()));
        assert_eq!(refusal(&events), Some(Why::Invalid), "{bad:?}");
    }
    state.apply(Command::Join(join(2, 2, 1)), NOW).unwrap();
    assert_eq!(bob(&state).display_name.as_str(), "Bobby");
    state.apply(leave(2, session(2, 1)), NOW).unwrap();
    state.apply(Command::Join(join(2, 2, 1)), NOW).unwrap();
    assert_eq!(bob(&state).display_name.as_str(), "Bobby");
}
