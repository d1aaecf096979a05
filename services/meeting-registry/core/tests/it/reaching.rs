//! Relays that can't be reached for a while: who is behind them is away, and still in.

use tributary_identifiers::{ParticipantId, RelaySessionId};
use tributary_meeting_registry_core::{
    Act, AttendanceReport, Command, Event, Happening, Join, Leave, LeaveReason, OfflineReason,
    Presence, Refusal, RelayName, RelayPath, Roster, SetReachable, State,
};

use crate::{
    ANN, BOB, CLEO, NOW, is_done, join, join_as, lobby, new_meeting, operate, session, told, what,
    with_three_in,
};

const INTERRUPTED: Presence = Presence::Offline(OfflineReason::Interrupted);

fn reach(who: &[ParticipantId], relay_session: RelaySessionId, reachable: bool) -> Command {
    let participants = who.iter().copied().collect();
    Command::SetReachable(SetReachable { participants, relay_session, reachable })
}

fn changed(participant: ParticipantId, presence: Presence, unreachable: bool) -> Happening {
    Happening::PresenceChanged { participant, presence, unreachable }
}

fn set(state: &mut State, who: &[ParticipantId], reachable: bool) -> Vec<Event> {
    state.apply(reach(who, session(1, 1), reachable), NOW).unwrap()
}

#[test]
fn who_cant_be_reached_is_away_until_reached_again_and_is_then_what_was_chosen() {
    for (chosen, meanwhile) in [
        (Presence::Online, Presence::Away),
        (Presence::Away, Presence::Away),
        (INTERRUPTED, INTERRUPTED),
    ] {
        let mut state = with_three_in();
        operate(&mut state, BOB, Act::SetPresence(chosen));
        let events = set(&mut state, &[BOB], false);
        assert_eq!(what(&events), [changed(BOB, meanwhile, true)]);
        assert_eq!(told(&events), [None]);
        let bob = state.participant(BOB).unwrap();
        assert_eq!((bob.participant.presence, bob.chosen), (meanwhile, chosen));
        assert_eq!(set(&mut state, &[BOB], false), [], "said again it is nothing new");
        let events = set(&mut state, &[BOB], true);
        assert_eq!(what(&events), [changed(BOB, chosen, false)]);
        assert_eq!(set(&mut state, &[BOB], true), []);
    }
}

#[test]
fn one_command_is_for_many_and_each_who_changes_is_told_of() {
    let mut state = with_three_in();
    set(&mut state, &[CLEO], false);
    let events = set(&mut state, &[CLEO, BOB, ANN], false);
    let away = |who| changed(who, Presence::Away, true);
    assert_eq!(what(&events), [away(ANN), away(BOB)]);
}

#[test]
fn a_relay_that_somebody_has_left_behind_says_nothing_of_them() {
    let mut state = with_three_in();
    state.apply(Command::Join(join(2, 2, 1)), NOW).unwrap();
    assert_eq!(set(&mut state, &[BOB], false), []);
    state.apply(crate::leave(3, session(1, 1)), NOW).unwrap();
    assert_eq!(set(&mut state, &[CLEO], false), [], "who has left is not away");
    let nobody = ParticipantId(9);
    for nobody in [nobody, ParticipantId(0)] {
        let refused = state.apply(reach(&[ANN, nobody], session(1, 1), false), NOW);
        assert_eq!(refused, Err(Refusal::UnknownParticipant(nobody)));
    }
    assert_eq!(state.participant(ANN).unwrap().participant.presence, Presence::Online);
}

#[test]
fn what_is_chosen_meanwhile_holds_afterwards() {
    let mut state = with_three_in();
    set(&mut state, &[BOB], false);
    let online = operate(&mut state, BOB, Act::SetPresence(Presence::Online));
    assert!(is_done(&online), "it is what was chosen before");
    let events = operate(&mut state, BOB, Act::SetPresence(Presence::Away));
    assert_eq!(what(&events), [changed(BOB, Presence::Away, true)], "the answer");
    assert_eq!(what(&set(&mut state, &[BOB], true)), [changed(BOB, Presence::Away, false)]);
    set(&mut state, &[BOB], false);
    let events = operate(&mut state, BOB, Act::SetPresence(INTERRUPTED));
    assert_eq!(what(&events), [changed(BOB, INTERRUPTED, true)]);
    let events = operate(&mut state, BOB, Act::SetPresence(Presence::Online));
    assert_eq!(what(&events), [changed(BOB, Presence::Away, true)]);
    assert_eq!(what(&set(&mut state, &[BOB], true)), [changed(BOB, Presence::Online, false)]);
}

#[test]
fn who_joins_again_is_reached() {
    for (chosen, after) in [(Presence::Online, Presence::Online), (Presence::Away, Presence::Away)]
    {
        let mut state = with_three_in();
        operate(&mut state, BOB, Act::SetPresence(chosen));
        set(&mut state, &[BOB], false);
        // In the same place: nothing else has changed.
        let events = state.apply(Command::Join(join(2, 1, 1)), NOW).unwrap();
        let [Event { what: Happening::Joined(bob), .. }] = events.as_slice() else {
            panic!("{events:?}")
        };
        assert_eq!((bob.presence, bob.unreachable), (after, false));
    }
}

#[test]
fn who_waits_and_cant_be_reached_waits_on() {
    let mut state = with_three_in();
    state.apply(lobby(true), NOW).unwrap();
    let waiting = ParticipantId(4);
    state.apply(Command::Join(join(4, 1, 1)), NOW).unwrap();
    let events = set(&mut state, &[waiting], false);
    assert_eq!(what(&events), [changed(waiting, Presence::Waiting, true)]);
    assert_eq!(told(&events), [Some((vec![4], true))], "nobody else knows that they are there");
    let admit = Act::AnswerLobby { participant: waiting, admitted: true };
    let events = operate(&mut state, ANN, admit);
    let [Event { what: Happening::Joined(who), .. }] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!((who.presence, who.unreachable), (Presence::Away, true));
    let events = set(&mut state, &[waiting], true);
    assert_eq!(what(&events), [changed(waiting, Presence::Online, false)]);
}

#[test]
fn it_is_one_stay_and_who_does_not_come_back_was_there_until_last_seen() {
    let mut state = new_meeting();
    let (mut report, mut log) = (AttendanceReport::default(), Vec::new());
    let mut at = |second: u64, command| {
        let events = state.apply(command, NOW + second * 1000).unwrap();
        events.iter().for_each(|event| report.take(event));
        log.extend(events);
        report.attendances().last().map(|one| one.stays.clone()).unwrap_or_default()
    };
    at(0, Command::Join(join_as("ann", 1)));
    at(0, reach(&[ANN], session(1, 1), false));
    let stays = at(20, reach(&[ANN], session(1, 1), true));
    assert_eq!((stays.len(), stays[0].to), (1, None), "it goes on");
    at(60, reach(&[ANN], session(1, 1), false));
    let (relay_session, reason) = (session(1, 1), LeaveReason::TerminalLost);
    let lost = Leave { participant: ANN, relay_session, reason, silent: 30_000 };
    let stays = at(90, Command::Leave(lost));
    assert_eq!((stays.len(), stays[0].from, stays[0].to), (1, NOW, Some(NOW + 60_000)));
    assert!(stays[0].inferred);
    let stays = at(100, Command::Join(join_as("ann", 1)));
    assert_eq!(stays.len(), 2);
    let left = what(&log).into_iter().find_map(|happening| match happening {
        Happening::Left { last_seen_at, .. } => last_seen_at,
        _ => None,
    });
    assert_eq!(left, Some(NOW + 60_000));
    let mut roster = Roster::default();
    log.iter().for_each(|event| roster.apply(event).unwrap());
    let ann = roster.participants().next().unwrap();
    assert_eq!((ann.presence, ann.unreachable), (Presence::Online, false));
}

#[test]
fn a_group_says_how_deep_its_relay_lies_and_behind_which_others() {
    let mut roster = Roster::default();
    let mut state = new_meeting();
    for (who, relay, path) in
        [(1, 1, &[][..]), (2, 2, &["Office 2"][..]), (3, 2, &["Site", "Office 2"][..])]
    {
        let mut join = by(path, join(who, relay, 1));
        join.relay_itself = who == 3;
        for event in state.apply(Command::Join(join), NOW).unwrap() {
            roster.apply(&event).unwrap();
        }
    }
    let groups: Vec<_> = roster
        .groups()
        .iter()
        .map(|one| (one.relay_id.as_str(), one.relay_depth, one.relay_path.names().len()))
        .collect();
    // The last word is that of who came last.
    assert_eq!(groups, [("relay-1", 0, 0), ("relay-2", 2, 2)]);
    let devices: Vec<_> =
        roster.participants().filter(|one| one.relay_itself).map(|one| one.id).collect();
    assert_eq!(devices, [CLEO]);
}

/// The same by relays of these names.
fn by(path: &[&str], mut join: Join) -> Join {
    join.relay_depth = u32::try_from(path.len()).unwrap();
    let names = path.iter().map(|name| name.parse().unwrap()).collect();
    join.relay_path = RelayPath::new(&join.relay_name, join.relay_depth, names).unwrap();
    join
}

#[test]
fn who_comes_by_other_relays_or_another_core_is_told_of_once() {
    let mut state = new_meeting();
    let core = |core: &str| Some(core.parse().unwrap());
    for (path, core, told) in [
        (&["Site A", "Office 1"], core("core-1"), 1),
        (&["Site A", "Office 1"], core("core-1"), 0),
        (&["Site B", "Office 1"], core("core-1"), 1),
        (&["Site B", "Office 1"], core("core-2"), 1),
        (&["Site B", "Office 1"], None, 1),
    ] {
        let come = Join { core_relay: core.clone(), ..by(path, join(2, 1, 1)) };
        let events = state.apply(Command::Join(come), NOW).unwrap();
        assert_eq!(events.len(), told, "{path:?} {core:?}");
        let Some(Happening::Joined(one)) = what(&events).pop() else { continue };
        let names: Vec<_> = one.relay_path.names().iter().map(RelayName::as_str).collect();
        assert_eq!((names.as_slice(), &one.core_relay), (&path[..], &core));
    }
}
