//! Member lists: kept whole, told as events, and fast when they are long.

use std::time::{Duration, Instant};

use prost::Message as _;
use tributary_contracts::event::v1::{MeetingEvent, meeting_event::Body};
use tributary_identifiers::{OrganisationId, UserId};
use tributary_meeting_registry_core::{
    Caller, Command, Proposal, Refusal, RemoveMembers, Role, SetMembers, Update,
};
use tributary_meeting_registry_server::{Outbox, StoreError, UpdateError};
use tributary_message_bus::subjects::MeetingScope;

use crate::{Base, millis, of_ann, on_both, scope};

on_both!(
    a_list_changes_and_every_change_is_an_event,
    who_may_not_manage_changes_nothing,
    a_long_list_is_made_and_changed_in_moments,
    changes_at_once_keep_the_count,
    a_list_is_read_in_pages,
    the_meetings_of_a_user_are_those_that_are_not_over,
    a_meeting_changes_what_is_said_and_tells_it,
    who_may_not_change_a_meeting_costs_no_hash,
    a_list_survives_a_restart,
);

fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

fn by(name: &str) -> Caller {
    Caller::User(user(name))
}

fn set(by: Caller, members: &[(&str, Role)]) -> Command {
    let members = members.iter().map(|(name, role)| (user(name), *role)).collect();
    Command::SetMembers(SetMembers { by, by_name: None, members })
}

fn remove(by: Caller, members: &[&str]) -> Command {
    let members = members.iter().map(|name| user(name)).collect();
    Command::RemoveMembers(RemoveMembers { by, members })
}

fn update(by: Caller) -> Update {
    Update { by, subject: None, starts_at: None, lobby: None, password: None }
}

async fn list(base: &Base, meeting: &MeetingScope) -> Vec<(String, Role)> {
    let members = base.store.members(meeting, None, 20_000).await.unwrap();
    members.into_iter().map(|(user, role)| (user.to_string(), role)).collect()
}

async fn told(base: &Base, meeting: &MeetingScope) -> Vec<Body> {
    let events = base.store.events(meeting, 0, 500).await.unwrap();
    events
        .iter()
        .map(|event| MeetingEvent::decode(event.as_slice()).unwrap().body.unwrap())
        .collect()
}

async fn a_list_changes_and_every_change_is_an_event(base: Base) {
    let meeting = base.meeting().await;
    let apply = async |command| base.registry.apply(&meeting, command).await.unwrap().events.len();
    let two = [("bob", Role::Member), ("cleo", Role::Host)];
    assert_eq!(apply(set(by("ann"), &two)).await, 1);
    assert_eq!(apply(set(by("cleo"), &[("bob", Role::Host), ("dan", Role::Member)])).await, 1);
    assert_eq!(apply(set(by("cleo"), &[("bob", Role::Host)])).await, 0, "nothing new");
    assert_eq!(apply(remove(Caller::Platform, &["cleo", "eve"])).await, 1);
    let expected = [("ann", Role::Organiser), ("bob", Role::Host), ("dan", Role::Member)];
    let expected = expected.map(|(name, role)| (name.to_owned(), role));
    assert_eq!(list(&base, &meeting).await, expected);
    let counts: Vec<_> = told(&base, &meeting)
        .await
        .into_iter()
        .map(|body| match body {
            Body::MembersChanged(change) => change.members,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(counts, [3, 4, 3]);
    assert_eq!(base.store.untold(Outbox::Events, 10).await.unwrap().len(), 3);
}

async fn who_may_not_manage_changes_nothing(base: Base) {
    let meeting = base.meeting().await;
    base.registry.apply(&meeting, set(by("ann"), &[("bob", Role::Member)])).await.unwrap();
    let before = list(&base, &meeting).await;
    for caller in ["bob", "eve"] {
        for command in [set(by(caller), &[("eve", Role::Host)]), remove(by(caller), &["bob"])] {
            let refused = base.registry.apply(&meeting, command).await.unwrap_err();
            assert!(matches!(refused, StoreError::Refused(Refusal::NotManager)), "{caller}");
        }
    }
    let organiser = base.registry.apply(&meeting, remove(by("ann"), &["ann"])).await.unwrap_err();
    assert!(matches!(organiser, StoreError::Refused(Refusal::OrganiserStays)));
    assert_eq!(list(&base, &meeting).await, before);
    assert_eq!(told(&base, &meeting).await.len(), 1);
}

async fn a_long_list_is_made_and_changed_in_moments(base: Base) {
    let members: Vec<_> = (0..9_000).map(|number| format!("member-{number}")).collect();
    let proposal = Proposal { members: &members, ..of_ann() };
    let start = Instant::now();
    let created = base.registry.create(OrganisationId::default(), &proposal).await.unwrap();
    let meeting = scope(&created);
    let more: Vec<_> = (0..1_000).map(|number| format!("more-{number}")).collect();
    let more: Vec<_> = more.iter().map(|name| (name.as_str(), Role::Member)).collect();
    base.registry.apply(&meeting, set(by("ann"), &more)).await.unwrap();
    let one_too_many = set(by("ann"), &[("eve", Role::Member)]);
    let refused = base.registry.apply(&meeting, one_too_many).await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused(Refusal::TooManyMembers)));
    let names: Vec<_> = more.iter().map(|(name, _)| *name).collect();
    base.registry.apply(&meeting, remove(by("ann"), &names)).await.unwrap();
    // A row at a time would take far longer.
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    assert_eq!(list(&base, &meeting).await.len(), 9_001);
    assert_eq!(base.store.role(&meeting, &user("member-8999")).await.unwrap(), Some(Role::Member));
}

async fn changes_at_once_keep_the_count(base: Base) {
    let meeting = base.meeting().await;
    let replica = base.another_replica().await;
    let changing: Vec<_> = (0..40)
        .map(|number| {
            let store = if number % 2 == 0 { base.store.clone() } else { replica.clone() };
            let meeting = meeting.clone();
            // Half of them twice, and some taken off again.
            let name = format!("user-{}", number % 20);
            let command = match number % 8 {
                7 => remove(by("ann"), &[&name]),
                _ => set(by("ann"), &[(&name, Role::Member)]),
            };
            tokio::spawn(async move { store.apply(&meeting, command, crate::START).await })
        })
        .collect();
    for one in changing {
        one.await.unwrap().unwrap();
    }
    let listed = list(&base, &meeting).await.len();
    let nothing = remove(Caller::Platform, &["nobody"]);
    let counted = base.registry.apply(&meeting, nothing).await.unwrap().state.counters().members;
    assert_eq!(counted as usize, listed);
    let last = told(&base, &meeting).await.pop().unwrap();
    assert!(matches!(last, Body::MembersChanged(change) if change.members as usize == listed));
}

async fn a_list_is_read_in_pages(base: Base) {
    let members: Vec<_> = (0..25).map(|number| format!("member-{number:02}")).collect();
    let proposal = Proposal { members: &members, ..of_ann() };
    let created = base.registry.create(OrganisationId::default(), &proposal).await.unwrap();
    let meeting = scope(&created);
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = base.store.members(&meeting, after.as_ref(), 10).await.unwrap();
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        found.extend(page.into_iter().map(|(user, _)| user.to_string()));
        // Who is taken off between two pages is no reason to miss others.
        base.registry.apply(&meeting, remove(by("ann"), &["member-05"])).await.unwrap();
    }
    assert_eq!(found.len(), 26);
    assert!(found.is_sorted());
}

async fn the_meetings_of_a_user_are_those_that_are_not_over(base: Base) {
    let hour = Duration::from_secs(3600);
    let later = base.scheduled(hour * 3, &["bob"]).await;
    let first = base.meeting().await;
    base.add(&first, "bob").await;
    base.pass(Duration::from_secs(1));
    let second = base.meeting().await;
    base.add(&second, "bob").await;
    let sooner = base.scheduled(hour, &["bob"]).await;
    let over = base.scheduled(hour * 2, &["bob"]).await;
    base.end(&over).await;
    base.meeting().await;
    let of = async |name: &str, limit| {
        let organisation = OrganisationId::default();
        let found = base.store.meetings_of_user(&organisation, &user(name), limit).await.unwrap();
        found.iter().map(|meeting| meeting.id).collect::<Vec<_>>()
    };
    let expected = [&second, &first, &sooner, &later].map(|meeting| meeting.meeting);
    assert_eq!(of("bob", 100).await, expected);
    assert_eq!(of("ann", 100).await.len(), 5);
    assert_eq!(of("eve", 100).await, []);
    assert_eq!(
        of("bob", 3).await,
        expected[..1].iter().chain(&expected[2..]).copied().collect::<Vec<_>>()
    );
    base.registry.apply(&first, remove(by("ann"), &["bob"])).await.unwrap();
    assert_eq!(of("bob", 100).await.len(), 3);
}

async fn a_meeting_changes_what_is_said_and_tells_it(base: Base) {
    let meeting = base.meeting().await;
    let starts_at = Some(crate::START + millis(Duration::from_secs(600)));
    let subject = Some("Other".parse().unwrap());
    let change = Update { subject, starts_at, lobby: Some(true), ..update(by("ann")) };
    let changed = base.registry.update(&meeting, change, Some("geheim")).await.unwrap();
    assert_eq!(base.store.meeting(&meeting).await.unwrap(), changed);
    assert_eq!(
        (changed.subject.as_str(), changed.lobby, changed.starts_at),
        ("Other", true, starts_at)
    );
    assert!(changed.password_hash.as_ref().unwrap().starts_with("$argon2id$"));

    let without = base.registry.update(&meeting, update(by("ann")), Some("")).await.unwrap();
    assert_eq!((without.password_hash, without.subject), (None, changed.subject));
    base.registry.update(&meeting, update(by("ann")), None).await.unwrap();
    let told = told(&base, &meeting).await;
    assert_eq!(told.len(), 2, "what changes nothing is not told");
    assert!(matches!(&told[0], Body::MeetingChanged(change) if change.subject == "Other"));

    base.end(&meeting).await;
    let late = base.registry.update(&meeting, update(by("ann")), Some("x")).await.unwrap_err();
    assert!(matches!(late, UpdateError::Store(StoreError::Refused(Refusal::Ended))));
}

async fn who_may_not_change_a_meeting_costs_no_hash(base: Base) {
    let meeting = base.meeting().await;
    // Longer than a hasher takes: were it asked, it would say so.
    let password = "x".repeat(2_000);
    let refused = base.registry.update(&meeting, update(by("eve")), Some(&password)).await;
    let refused = refused.unwrap_err();
    assert!(matches!(refused, UpdateError::Store(StoreError::Refused(Refusal::NotManager))));
}

async fn a_list_survives_a_restart(base: Base) {
    let meeting = base.meeting().await;
    base.registry.apply(&meeting, set(by("ann"), &[("bob", Role::Host)])).await.unwrap();
    let before = list(&base, &meeting).await;
    let base = base.restart().await;
    assert_eq!(list(&base, &meeting).await, before);
    let again = base.registry.apply(&meeting, set(by("bob"), &[("dan", Role::Member)])).await;
    assert_eq!(again.unwrap().state.counters().members, 3);
}
