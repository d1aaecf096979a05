//! Who may change a meeting and its member list, and what comes of it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tributary_meeting_registry_core::{
    Caller, Command, Counters, Event, Happening, MEMBERS_MAX, NewPassword, Refusal, RemoveMembers,
    Role, SetMembers, State, Update,
};

use crate::{NOW, by, meeting, new_meeting, user};

fn set<'a>(by: Caller, members: impl IntoIterator<Item = (&'a str, Role)>) -> Command {
    let members = members.into_iter().map(|(name, role)| (user(name), role)).collect();
    Command::SetMembers(SetMembers { by, by_name: None, members })
}

fn remove<'a>(by: Caller, members: impl IntoIterator<Item = &'a str>) -> Command {
    let members = members.into_iter().map(user).collect();
    Command::RemoveMembers(RemoveMembers { by, members })
}

fn update(by: Caller) -> Update {
    Update { by, subject: None, starts_at: None, lobby: None, password: None }
}

fn rename(by: Caller, subject: &str) -> Command {
    Command::Update(Update { subject: Some(subject.parse().unwrap()), ..update(by) })
}

/// Ann organises, Bob is a member, Cleo a host; Eve is none of them.
fn state() -> State {
    let mut state = new_meeting();
    let members = [("bob", Role::Member), ("cleo", Role::Host)];
    state.apply(set(by("ann"), members), NOW).unwrap();
    state
}

fn roles(state: &State) -> Vec<(&str, Role)> {
    state.members().map(|(user, role)| (user.as_str(), role)).collect()
}

#[test]
fn organiser_hosts_and_the_platform_manage_and_nobody_else() {
    for (caller, may) in [
        (Caller::Platform, true),
        (by("ann"), true),
        (by("cleo"), true),
        (by("bob"), false),
        (by("eve"), false),
    ] {
        for command in [
            set(caller.clone(), [("dan", Role::Member)]),
            remove(caller.clone(), ["bob"]),
            rename(caller.clone(), "Other"),
        ] {
            let (mut state, before) = (state(), state());
            let outcome = state.apply(command.clone(), NOW).map(|events| events.len());
            let expected = if may { Ok(1) } else { Err(Refusal::NotManager) };
            assert_eq!(outcome, expected, "{command:?}");
            assert!(may || state == before, "{command:?}");
        }
    }
}

#[test]
fn a_change_says_who_came_who_changed_and_how_many_there_are() {
    let mut state = state();
    let members = [("bob", Role::Host), ("cleo", Role::Host), ("dan", Role::Member)];
    let events = state.apply(set(by("ann"), members), NOW).unwrap();
    let Happening::MembersChanged(change) = &events[0].what else { panic!("{events:?}") };
    assert_eq!(change.members, 4);
    assert_eq!(change.added, BTreeMap::from([(user("dan"), Role::Member)]));
    assert_eq!(change.changed, BTreeMap::from([(user("bob"), Role::Host)]));
    assert_eq!(state.apply(set(by("ann"), members), NOW), Ok(vec![]), "once more");

    let events = state.apply(remove(by("bob"), ["dan", "eve"]), NOW).unwrap();
    let Happening::MembersChanged(change) = &events[0].what else { panic!("{events:?}") };
    assert_eq!((change.members, &change.removed), (3, &BTreeSet::from([user("dan")])));
    assert_eq!(state.apply(remove(by("bob"), ["dan", "eve"]), NOW), Ok(vec![]), "once more");
}

#[test]
fn another_role_alone_is_no_reason_to_invite() {
    let events = state().apply(set(by("ann"), [("bob", Role::Host)]), NOW).unwrap();
    let Happening::MembersChanged(change) = &events[0].what else { panic!("{events:?}") };
    assert_eq!(change.invitation, None);
}

#[test]
fn the_organiser_stays_and_nobody_else_becomes_it() {
    let check = |command, expected| {
        let mut state = state();
        assert_eq!(state.apply(command, NOW), expected);
        assert_eq!(roles(&state)[0], ("ann", Role::Organiser));
    };
    check(set(by("cleo"), [("ann", Role::Member)]), Err(Refusal::OrganiserStays));
    check(set(by("cleo"), [("ann", Role::Organiser)]), Ok(vec![]));
    check(set(by("cleo"), [("dan", Role::Organiser)]), Err(Refusal::NoSecondOrganiser));
    check(set(Caller::Platform, [("bob", Role::Organiser)]), Err(Refusal::NoSecondOrganiser));
    check(remove(by("ann"), ["bob", "ann"]), Err(Refusal::OrganiserStays));
}

#[test]
fn the_list_ends_at_ten_thousand_beside_the_organiser() {
    let counters = Counters { members: MEMBERS_MAX, ..Counters::default() };
    let list = [(user("ann"), Role::Organiser), (user("bob"), Role::Member)];
    let mut state = State::new(meeting(None), counters, []).with_members(list);
    let two = [("dan", Role::Member), ("eve", Role::Member)];
    assert_eq!(state.apply(set(by("ann"), two), NOW), Err(Refusal::TooManyMembers));
    assert!(state.apply(set(by("ann"), [("dan", Role::Member)]), NOW).is_ok());
    let one = set(by("ann"), [("eve", Role::Member)]);
    assert_eq!(state.apply(one, NOW), Err(Refusal::TooManyMembers));
    let role = set(by("ann"), [("bob", Role::Host)]);
    assert!(state.apply(role, NOW).is_ok(), "another role needs no room");
}

#[test]
fn an_update_changes_what_is_said_and_nothing_else() {
    let mut state = state();
    let password = Some(NewPassword::Hash("$argon2id$".into()));
    let first = Update { lobby: Some(true), password, ..update(by("cleo")) };
    let events = state.apply(Command::Update(first), NOW).unwrap();
    assert_eq!(events[0].what, Happening::MeetingChanged);
    let now = state.meeting();
    assert_eq!((now.subject.as_str(), now.lobby, now.starts_at), ("Planning", true, None));
    assert_eq!(now.password_hash.as_deref(), Some("$argon2id$"));

    let second = Update { password: Some(NewPassword::None), ..update(Caller::Platform) };
    assert_eq!(state.apply(Command::Update(second.clone()), NOW).unwrap().len(), 1);
    assert_eq!((state.meeting().lobby, &state.meeting().password_hash), (true, &None));
    assert_eq!(state.apply(Command::Update(second), NOW), Ok(vec![]));
    assert_eq!(state.apply(Command::Update(update(by("ann"))), NOW), Ok(vec![]));
}

#[test]
fn after_the_end_the_list_changes_and_the_meeting_does_not() {
    let mut state = state();
    state.apply(Command::End, NOW).unwrap();
    assert_eq!(state.apply(rename(by("ann"), "x"), NOW), Err(Refusal::Ended));
    assert_eq!(state.apply(rename(by("eve"), "x"), NOW), Err(Refusal::NotManager));
    assert_eq!(state.apply(remove(by("ann"), ["bob"]), NOW).unwrap().len(), 1);
    assert_eq!(state.apply(set(by("ann"), [("dan", Role::Member)]), NOW).unwrap().len(), 1);
}

#[derive(Clone, Debug)]
struct Act {
    by: u8,
    adds: bool,
    members: Vec<(u8, u8)>,
}

impl Act {
    fn command(&self) -> Command {
        let name = |number: u8| if number == 0 { "ann".into() } else { format!("user-{number}") };
        let caller = if self.by == 9 { Caller::Platform } else { by(&name(self.by)) };
        let members: Vec<_> = self.members.iter().map(|(who, _)| name(*who)).collect();
        let roles = self.members.iter().map(|(_, role)| match role {
            0 => Role::Organiser,
            1..4 => Role::Host,
            _ => Role::Member,
        });
        if self.adds {
            set(caller, members.iter().map(String::as_str).zip(roles))
        } else {
            remove(caller, members.iter().map(String::as_str))
        }
    }
}

fn act() -> impl Strategy<Value = Act> {
    let members = prop::collection::vec((0..9u8, 0..9u8), 1..5);
    (0..10u8, any::<bool>(), members).prop_map(|(by, adds, members)| Act { by, adds, members })
}

/// Applies to the part of the state that the command says it needs.
fn apply_to_part(state: &State, command: &Command) -> Result<Vec<Event>, Refusal> {
    let needed = command.needs().users;
    let part = state.members().filter(|(user, _)| needed.contains(user));
    let part: Vec<_> = part.map(|(user, role)| (user.clone(), role)).collect();
    State::new(state.meeting().clone(), state.counters(), [])
        .with_members(part)
        .apply(command.clone(), NOW)
}

proptest! {
    #[test]
    fn any_sequence_of_changes_keeps_the_list_whole(acts in prop::collection::vec(act(), 1..60)) {
        let mut state = new_meeting();
        let mut list = BTreeMap::from([(user("ann"), Role::Organiser)]);
        for act in acts {
            let (command, before) = (act.command(), state.clone());
            let of_part = apply_to_part(&state, &command);
            let outcome = state.apply(command, NOW);
            prop_assert_eq!(&of_part, &outcome, "a part has another outcome");
            let manages = act.by == 9 || list.get(&user(&match act.by {
                0 => "ann".into(),
                number => format!("user-{number}"),
            })).is_some_and(|role| role.manages());
            prop_assert_eq!(outcome == Err(Refusal::NotManager), !manages);
            if outcome.is_err() {
                prop_assert_eq!(&state, &before);
            }
            // The list as others keep it: from what has happened alone.
            for event in outcome.unwrap_or_default() {
                let Happening::MembersChanged(change) = event.what else { panic!("{event:?}") };
                list.extend(change.added);
                list.extend(change.changed);
                list.retain(|user, _| !change.removed.contains(user));
                prop_assert_eq!(change.members as usize, list.len());
            }
            let found: BTreeMap<_, _> =
                state.members().map(|(user, role)| (user.clone(), role)).collect();
            prop_assert_eq!(&found, &list);
            prop_assert_eq!(state.counters().members as usize, list.len());
            let organisers = list.values().filter(|role| **role == Role::Organiser).count();
            prop_assert_eq!(organisers, 1);
        }
    }
}
