//! What hosts may do, and nobody else.

use tributary_identifiers::ParticipantId;
use tributary_meeting_registry_core::{
    Act, Command, Happening, LeaveReason, OperationRefusal as Why, Refusal, RemoveMembers, Role,
    SetMembers, State,
};

use crate::{
    ANN, BOB, CLEO, NOW, by, is_done, join, join_as, leave, lobby, operate, operation, refusal,
    session, told, user, what, with_three_in,
};

fn host(participant: ParticipantId, host: bool) -> Act {
    Act::SetHost { participant, host }
}

fn members(list: &[(&str, Role)]) -> Command {
    let members = list.iter().map(|(name, role)| (user(name), *role)).collect();
    Command::SetMembers(SetMembers { by: by("ann"), by_name: None, members })
}

fn is_host(state: &State, id: ParticipantId) -> bool {
    state.place(id).unwrap().participant.host
}

#[test]
fn what_hosts_may_do_is_refused_to_others() {
    let acts = [
        Act::MuteParticipant(CLEO),
        Act::AskToUnmute(CLEO),
        Act::RemoveParticipant(CLEO),
        Act::SetLocked(true),
        Act::AnswerLobby { participant: CLEO, admitted: true },
        host(BOB, true),
        Act::SetSpotlight(Some(BOB)),
        Act::SetSpotlight(None),
        Act::LowerHand(None),
        Act::LowerHand(Some(CLEO)),
        Act::End,
    ];
    for act in acts {
        let mut state = with_three_in();
        let before: Vec<_> = state.participants().map(|one| one.participant.clone()).collect();
        let events = operate(&mut state, BOB, act.clone());
        assert_eq!(refusal(&events), Some(Why::NotHost), "{act:?}");
        let after: Vec<_> = state.participants().map(|one| one.participant.clone()).collect();
        assert_eq!(before, after);
        operate(&mut state, ANN, host(BOB, true));
        assert_ne!(refusal(&operate(&mut state, BOB, act)), Some(Why::NotHost));
    }
}

#[test]
fn muting_says_who_did_it_and_asking_is_told_to_both() {
    let mut state = with_three_in();
    assert!(is_done(&operate(&mut state, ANN, Act::AskToUnmute(BOB))), "it is not muted");
    let events = operate(&mut state, ANN, Act::MuteParticipant(BOB));
    assert_eq!(what(&events), [Happening::Muted { participant: BOB, muted: true, by: Some(ANN) }]);
    assert!(is_done(&operate(&mut state, ANN, Act::MuteParticipant(BOB))));
    let events = operate(&mut state, ANN, Act::AskToUnmute(BOB));
    assert_eq!(what(&events), [Happening::AskedToUnmute { participant: BOB, by: ANN }]);
    assert_eq!(told(&events), [Some((vec![1, 2], false))]);
    assert!(state.place(BOB).unwrap().participant.muted, "only they can unmute themselves");
    for (id, expected) in [(ParticipantId(9), Why::Invalid), (ParticipantId(0), Why::Invalid)] {
        let events = operate(&mut state, ANN, Act::MuteParticipant(id));
        assert_eq!(refusal(&events), Some(expected));
    }
}

#[test]
fn who_is_removed_goes_with_all_terminals_and_comes_back_from_the_list_only() {
    let mut state = with_three_in();
    state.apply(members(&[("user-2", Role::Host)]), NOW).unwrap();
    state.apply(Command::Join(join_as("user-2", 7)), NOW).unwrap();
    operate(&mut state, ANN, Act::SetSpotlight(Some(BOB)));
    let remove = Act::RemoveParticipant(ParticipantId(4));
    let needs = operation(&state, ANN, remove.clone());
    assert_eq!(needs.needs().user_of, Some(ParticipantId(4)), "whether they are on the list");
    let events = operate(&mut state, ANN, remove);
    let reason = LeaveReason::Removed;
    let left = |id| Happening::Left { participant: ParticipantId(id), reason, last_seen_at: None };
    let happened = what(&events);
    assert_eq!(happened[..2], [left(2), Happening::SpotlightChanged { participant: None }]);
    assert_eq!(happened[2], left(4));
    let Happening::MembersChanged(change) = &happened[3] else { panic!("{events:?}") };
    assert_eq!((change.members, change.removed.len()), (1, 1));
    assert_eq!((state.counters().present, state.counters().members), (2, 1));

    for who in [2, 7, 8] {
        let join = Command::Join(join_as("user-2", who));
        assert_eq!(state.apply(join, NOW), Err(Refusal::Removed), "{who}");
    }
    state.apply(members(&[("user-2", Role::Member)]), NOW).unwrap();
    let events = state.apply(Command::Join(join(2, 1, 1)), NOW).unwrap();
    let Happening::Joined(bob) = &events[0].what else { panic!("{events:?}") };
    assert_eq!((bob.id, bob.host), (BOB, false));
}

#[test]
fn neither_the_organiser_nor_oneself_can_be_removed() {
    let mut state = with_three_in();
    operate(&mut state, ANN, host(BOB, true));
    for (who, target) in [(BOB, ANN), (BOB, BOB), (ANN, ANN)] {
        let events = operate(&mut state, who, Act::RemoveParticipant(target));
        assert_eq!(refusal(&events), Some(Why::NotPossible), "{who} {target}");
    }
    state.apply(leave(3, session(1, 1)), NOW).unwrap();
    let events = operate(&mut state, ANN, Act::RemoveParticipant(CLEO));
    assert_eq!(refusal(&events), Some(Why::NotPossible), "has left");
}

#[test]
fn a_locked_meeting_lets_in_hosts_and_who_was_in() {
    let mut state = with_three_in();
    state.apply(members(&[("user-5", Role::Host), ("user-6", Role::Member)]), NOW).unwrap();
    state.apply(leave(3, session(1, 1)), NOW).unwrap();
    let events = operate(&mut state, ANN, Act::SetLocked(true));
    assert_eq!(what(&events), [Happening::LockChanged { locked: true }]);
    assert!(is_done(&operate(&mut state, ANN, Act::SetLocked(true))));
    for (who, expected) in [(3, true), (4, false), (5, true), (6, false)] {
        let joined = state.apply(Command::Join(join(who, 1, 1)), NOW);
        assert_eq!(
            joined.as_ref().map(Vec::len),
            if expected { Ok(1) } else { Err(&Refusal::Locked) }
        );
    }
    operate(&mut state, ANN, Act::SetLocked(false));
    assert!(state.apply(Command::Join(join(4, 1, 1)), NOW).is_ok());
}

#[test]
fn hosts_are_made_and_unmade_but_not_the_organiser() {
    let mut state = with_three_in();
    assert_eq!([ANN, BOB].map(|id| is_host(&state, id)), [true, false]);
    let events = operate(&mut state, ANN, host(BOB, true));
    assert_eq!(what(&events), [Happening::HostChanged { participant: BOB, host: true }]);
    assert!(is_done(&operate(&mut state, ANN, host(BOB, true))));
    let events = operate(&mut state, BOB, host(ANN, false));
    assert_eq!(refusal(&events), Some(Why::NotPossible));
    state.apply(leave(2, session(1, 1)), NOW).unwrap();
    state.apply(Command::Join(join(2, 1, 1)), NOW).unwrap();
    assert!(is_host(&state, BOB), "also after a reload");
    operate(&mut state, BOB, host(BOB, false));
    assert!(!is_host(&state, BOB));
}

#[test]
fn the_member_list_makes_and_unmakes_hosts_who_are_in_or_come_back() {
    let mut state = with_three_in();
    let events = state.apply(members(&[("user-2", Role::Host)]), NOW).unwrap();
    assert_eq!(what(&events)[1], Happening::HostChanged { participant: BOB, host: true });
    let events = state.apply(members(&[("user-2", Role::Member)]), NOW).unwrap();
    assert_eq!(what(&events)[1], Happening::HostChanged { participant: BOB, host: false });
    state.apply(members(&[("user-2", Role::Host)]), NOW).unwrap();
    let remove = |name| {
        let members = [user(name)].into();
        Command::RemoveMembers(RemoveMembers { by: by("ann"), members })
    };
    let events = state.apply(remove("user-2"), NOW).unwrap();
    assert_eq!(what(&events)[1], Happening::HostChanged { participant: BOB, host: false });

    state.apply(members(&[("user-3", Role::Host)]), NOW).unwrap();
    state.apply(leave(3, session(1, 1)), NOW).unwrap();
    state.apply(remove("user-3"), NOW).unwrap();
    state.apply(Command::Join(join(3, 1, 1)), NOW).unwrap();
    assert!(!is_host(&state, CLEO), "it was taken away meanwhile");
}

#[test]
fn somebody_is_shown_until_they_leave() {
    let mut state = with_three_in();
    let shown = |participant| Happening::SpotlightChanged { participant };
    let events = operate(&mut state, ANN, Act::SetSpotlight(Some(CLEO)));
    assert_eq!(what(&events), [shown(Some(CLEO))]);
    assert!(is_done(&operate(&mut state, ANN, Act::SetSpotlight(Some(CLEO)))));
    let events = state.apply(leave(3, session(1, 1)), NOW).unwrap();
    assert_eq!(what(&events)[1], shown(None));
    assert!(is_done(&operate(&mut state, ANN, Act::SetSpotlight(None))));
    let events = operate(&mut state, ANN, Act::SetSpotlight(Some(CLEO)));
    assert_eq!(refusal(&events), Some(Why::NotPossible));
}

#[test]
fn hands_are_lowered_one_by_one_or_all_at_once() {
    let mut state = with_three_in();
    for who in [BOB, CLEO] {
        operate(&mut state, who, Act::SetHand(true));
    }
    let lowered = |id| Happening::HandChanged { participant: id, raised: false, by: Some(ANN) };
    assert_eq!(what(&operate(&mut state, ANN, Act::LowerHand(Some(BOB)))), [lowered(BOB)]);
    assert!(is_done(&operate(&mut state, ANN, Act::LowerHand(Some(BOB)))));
    operate(&mut state, BOB, Act::SetHand(true));
    let events = operate(&mut state, ANN, Act::LowerHand(None));
    assert_eq!(what(&events), [lowered(BOB), lowered(CLEO)]);
    assert!(events.iter().all(|event| event.cause.is_some()));
    assert!(is_done(&operate(&mut state, ANN, Act::LowerHand(None))));
}

#[test]
fn a_host_ends_the_meeting_for_everybody() {
    let mut state = with_three_in();
    let events = operate(&mut state, ANN, Act::End);
    assert_eq!((events.len(), &events[3].what), (4, &Happening::Ended));
    assert!(events.iter().all(|event| event.cause.is_some()));
    assert_eq!((state.meeting().ended_at, state.counters().present), (Some(NOW), 0));
    assert_eq!(state.place(ANN).unwrap().last_sequence, 1);
}

#[test]
fn the_lobby_is_answered_by_hosts() {
    let mut state = with_three_in();
    state.apply(lobby(true), NOW).unwrap();
    for who in [4, 5] {
        state.apply(Command::Join(join(who, 1, 1)), NOW).unwrap();
    }
    let answer = |id, admitted| Act::AnswerLobby { participant: ParticipantId(id), admitted };
    let events = operate(&mut state, ANN, answer(4, true));
    let Happening::Joined(let_in) = &events[0].what else { panic!("{events:?}") };
    assert_eq!((let_in.id.0, told(&events)), (4, vec![None]));
    assert!(is_done(&operate(&mut state, ANN, answer(4, true))), "two hosts at once");
    assert_eq!(refusal(&operate(&mut state, ANN, answer(4, false))), Some(Why::NotPossible));
    let events = operate(&mut state, ANN, answer(5, false));
    let (participant, reason) = (ParticipantId(5), LeaveReason::NotAdmitted);
    assert_eq!(what(&events), [Happening::Left { participant, reason, last_seen_at: None }]);
    assert_eq!(told(&events), [Some((vec![1, 5], true))], "who answers is told for certain");
    assert_eq!(refusal(&operate(&mut state, ANN, answer(9, true))), Some(Why::Invalid));
}
