//! Who comes in as what: into the lobby, held, back after a while.

use tributary_identifiers::ParticipantId;
use tributary_meeting_registry_core::{
    Act, Audience, Command, Counters, Event, Happening, Join, OfflineReason,
    OperationRefusal as Why, PARTICIPANTS_MAX, Participant, Presence, Refusal, Role, SetMembers,
    State, WAITING_MAX,
};

use crate::{
    ANN, BOB, NOW, by, join, join_as, leave, lobby, operate, refusal, session, told, user,
    with_three_in,
};

const HELD: Presence = Presence::Offline(OfflineReason::OtherMeeting);

fn with_lobby() -> State {
    let mut state = with_three_in();
    state.apply(lobby(true), NOW).unwrap();
    state
}

fn comes(state: &mut State, join: Join) -> (Participant, Option<(Vec<u32>, bool)>) {
    let events = state.apply(Command::Join(join), NOW + 50).unwrap();
    let Some(Event { what: Happening::Joined(who), .. }) = events.last() else {
        panic!("{events:?}")
    };
    (who.clone(), told(&events).pop().unwrap())
}

#[test]
fn outsiders_wait_and_only_hosts_and_they_know() {
    let mut state = with_lobby();
    let (outsider, told) = comes(&mut state, join(4, 1, 1));
    assert_eq!((outsider.presence, told), (Presence::Waiting, Some((vec![4], true))));
    let by_name = Command::SetMembers(SetMembers {
        by: by("ann"),
        by_name: None,
        members: [(user("user-5"), Role::Member)].into(),
    });
    state.apply(by_name, NOW).unwrap();
    let (member, told) = comes(&mut state, join(5, 1, 1));
    assert_eq!((member.presence, told), (Presence::Online, None));
    let acting = operate(&mut state, ParticipantId(4), Act::SetHand(true));
    assert_eq!(refusal(&acting), Some(Why::NotIn));
}

#[test]
fn who_was_in_does_not_wait_and_who_was_sent_away_does_again() {
    let mut state = with_lobby();
    state.apply(leave(2, session(1, 1)), NOW).unwrap();
    assert_eq!(comes(&mut state, join(2, 1, 1)).0.presence, Presence::Online);
    comes(&mut state, join(4, 1, 1));
    let sent = Act::AnswerLobby { participant: ParticipantId(4), admitted: false };
    operate(&mut state, ANN, sent);
    let (again, _) = comes(&mut state, join(4, 1, 1));
    assert_eq!((again.id, again.presence), (ParticipantId(4), Presence::Waiting));
    let events = state.apply(leave(4, session(1, 1)), NOW).unwrap();
    assert_eq!(told(&events), [Some((vec![4], true))], "nobody else knows that they were there");
}

#[test]
fn who_waits_moves_to_another_relay_and_still_waits() {
    let mut state = with_lobby();
    comes(&mut state, join(4, 1, 1));
    let (moved, told) = comes(&mut state, join(4, 2, 1));
    assert_eq!((moved.presence, told), (Presence::Waiting, Some((vec![4], true))));
}

#[test]
fn who_waits_takes_no_place_of_who_is_in_and_so_many_may_wait() {
    let mut state = with_lobby();
    let mut guests = 10_u32..;
    for who in guests.by_ref().take(WAITING_MAX as usize) {
        assert_eq!(comes(&mut state, join(who, 1, 1)).0.presence, Presence::Waiting);
    }
    let guest = Command::Join(join(guests.next().unwrap(), 1, 1));
    assert_eq!(state.apply(guest.clone(), NOW), Err(Refusal::LobbyFull));
    let again = comes(&mut state, join(10, 2, 1)).0;
    assert_eq!(again.presence, Presence::Waiting, "who waits already comes back");
    state.apply(leave(5, session(1, 1)), NOW).unwrap();
    assert!(state.apply(guest, NOW).is_ok());
    assert_eq!((state.counters().present, state.counters().waiting), (503, 500));

    // Full of those who are in, and with one place less than that.
    for free in [0, 1] {
        let (present, waiting) = (PARTICIPANTS_MAX + WAITING_MAX - free, WAITING_MAX);
        let counters = Counters { present, waiting, ..state.counters() };
        let mut full = State::new(state.meeting().clone(), counters, state.participants().cloned())
            .with_members([(user("ann"), Role::Organiser), (user("user-900"), Role::Member)]);
        let waits = ParticipantId(4);
        let admit = Act::AnswerLobby { participant: waits, admitted: true };
        let admitted = operate(&mut full.clone(), ANN, admit);
        let member = full.clone().apply(Command::Join(join(900, 1, 1)), NOW);
        let closed = full.apply(lobby(false), NOW).unwrap();
        assert_eq!(closed.len(), 1 + free as usize, "as many come in as there is room for");
        if free == 0 {
            assert_eq!(refusal(&admitted), Some(Why::NotPossible));
            assert_eq!(member, Err(Refusal::Full));
            assert_eq!(full.place(waits).unwrap().participant.presence, Presence::Waiting);
        } else {
            assert_eq!(refusal(&admitted), None);
            assert!(member.is_ok(), "a lobby full of guests keeps no member out");
        }
    }
}

#[test]
fn who_waits_comes_in_with_the_list_and_when_the_lobby_is_closed() {
    for closes in [false, true] {
        let mut state = with_lobby();
        comes(&mut state, join(4, 1, 1));
        let command = if closes {
            lobby(false)
        } else {
            let members = [(user("user-4"), Role::Host)].into();
            Command::SetMembers(SetMembers { by: by("ann"), by_name: None, members })
        };
        let events = state.apply(command, NOW + 77).unwrap();
        let Happening::Joined(who) = &events[1].what else { panic!("{events:?}") };
        assert_eq!((who.presence, who.joined_at), (Presence::Online, NOW + 77));
        assert_eq!((who.host, told(&events)), (!closes, vec![None, None]));
    }
}

#[test]
fn who_comes_for_events_only_is_offline_until_they_come_for_more() {
    let mut state = with_three_in();
    let held = Join { held: true, ..join(4, 1, 1) };
    assert_eq!(comes(&mut state, held.clone()).0.presence, HELD);
    assert_eq!(state.apply(Command::Join(held), NOW + 50), Ok(vec![]));
    assert_eq!(comes(&mut state, join(4, 1, 1)).0.presence, Presence::Online);
    state.apply(lobby(true), NOW).unwrap();
    let held = Join { held: true, ..join(5, 1, 1) };
    assert_eq!(comes(&mut state, held).0.presence, Presence::Waiting);
    let admit = Act::AnswerLobby { participant: ParticipantId(5), admitted: true };
    operate(&mut state, ANN, admit);
    assert_eq!(state.place(ParticipantId(5)).unwrap().participant.presence, HELD);
}

#[test]
fn a_reconnect_keeps_what_was_chosen_and_a_new_session_begins_anew() {
    let interrupted = Presence::Offline(OfflineReason::Interrupted);
    for (chosen, kept) in
        [(Presence::Away, Presence::Away), (interrupted, interrupted), (HELD, Presence::Online)]
    {
        let mut state = with_three_in();
        operate(&mut state, BOB, Act::SetPresence(chosen));
        assert_eq!(comes(&mut state, join(2, 2, 1)).0.presence, kept);
        let mut reloaded = join(2, 2, 1);
        reloaded.session = "another".parse().unwrap();
        assert_eq!(comes(&mut state, reloaded).0.presence, Presence::Online);
    }
}

#[test]
fn a_reconnect_does_not_take_back_that_a_host_has_muted() {
    let host_mutes = |state: &mut State| {
        operate(state, ANN, Act::MuteParticipant(BOB));
    };
    let mut state = with_three_in();
    host_mutes(&mut state);
    assert!(comes(&mut state, join(2, 2, 1)).0.muted, "under another relay");
    state.apply(leave(2, session(2, 1)), NOW).unwrap();
    assert!(comes(&mut state, join(2, 1, 1)).0.muted, "after it was lost");
    operate(&mut state, BOB, Act::SetMuted(false));
    assert!(!comes(&mut state, join(2, 2, 1)).0.muted, "it has unmuted itself");
    assert!(comes(&mut state, Join { muted: true, ..join(2, 1, 1) }).0.muted);
    let reloaded = Join { session: "another".parse().unwrap(), ..join(2, 1, 1) };
    assert!(!comes(&mut state, reloaded).0.muted, "another session begins anew");
}

#[test]
fn the_same_user_at_two_terminals_is_two_participants() {
    let mut state = with_three_in();
    let (second, _) = comes(&mut state, join_as("user-2", 9));
    assert_eq!(second.id, ParticipantId(4));
}

#[test]
fn an_audience_is_who_is_named_and_nobody_in_the_lobby_unasked() {
    let mut state = with_lobby();
    comes(&mut state, join(4, 2, 1));
    let of = |id| &state.place(ParticipantId(id)).unwrap().participant;
    let hosts = Audience { hosts: true, ..Audience::default() };
    let relay = Audience { relay: Some("relay-2".parse().unwrap()), ..Audience::default() };
    for (audience, expected) in [
        (None, [true, true, false]),
        (Some(Audience::of([BOB])), [false, true, false]),
        (Some(Audience::of([ParticipantId(4)])), [false, false, true]),
        (Some(hosts), [true, false, false]),
        (Some(relay), [false, false, false]),
    ] {
        let found = [1, 2, 4].map(|id| Audience::includes(audience.as_ref(), of(id)));
        assert_eq!(found, expected, "{audience:?}");
    }
}
