//! Meetings: created, found, listed, removed; nobody sees those of another organisation.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use tributary_identifiers::{MeetingId, OrganisationId};
use tributary_meeting_registry_core::Cursor;
use tributary_meeting_registry_server::{CreateError, RandomSource, StoreError};
use tributary_message_bus::subjects::MeetingScope;

use crate::{Base, join, on_both, registry, scope};

on_both!(
    a_meeting_is_found_as_it_was_created,
    a_taken_id_is_drawn_again,
    a_generator_that_repeats_itself_for_ever_is_an_error,
    another_organisation_finds_nothing,
    the_list_is_complete_and_newest_first,
    a_deleted_meeting_leaves_only_the_news_of_its_end,
    ten_thousand_members_are_kept,
);

/// Gives out the numbers of a list, then the last one for ever.
struct Repeating {
    numbers: Vec<u32>,
    drawn: AtomicU32,
}

impl Repeating {
    fn new(numbers: &[u32]) -> Arc<Self> {
        Arc::new(Self { numbers: numbers.to_vec(), drawn: AtomicU32::new(0) })
    }
}

impl RandomSource for Repeating {
    fn draw(&self) -> Result<u32, getrandom::Error> {
        let index = self.drawn.fetch_add(1, Ordering::SeqCst) as usize;
        Ok(self.numbers[index.min(self.numbers.len() - 1)])
    }
}

async fn a_meeting_is_found_as_it_was_created(base: Base) {
    let members = ["bob".to_owned(), "ann".to_owned()];
    let organisation = OrganisationId::default();
    let created = base.registry.create(organisation, " Planning ", "ann", &members, "geheim").await;
    let created = created.unwrap();
    assert_eq!(created.id.version(), 1);
    assert_eq!(u64::from(created.id.created_at()), crate::START / 1000);
    assert_eq!((created.subject.as_str(), created.organiser.as_str()), ("Planning", "ann"));
    assert!(created.password_hash.as_ref().unwrap().starts_with("$argon2id$"));

    let scope = scope(&created);
    assert_eq!(base.store.meeting(&scope).await.unwrap(), created);
    for (user, expected) in [("ann", true), ("bob", true), ("eve", false)] {
        let member = base.store.is_member(&scope, &user.parse().unwrap()).await.unwrap();
        assert_eq!(member, expected, "{user}");
    }
}

async fn a_taken_id_is_drawn_again(base: Base) {
    let registry = registry(&base.store, Repeating::new(&[7, 7, 7, 8]));
    let mut ids = Vec::new();
    for organisation in ["one", "two"] {
        let organisation = organisation.parse().unwrap();
        let meeting = registry.create(organisation, "s", "ann", &["bob".into()], "").await.unwrap();
        ids.push(meeting.id.to_u64() >> 32 & 0x0fff_ffff);
    }
    assert_eq!(ids, [7, 8], "no two organisations share an id");
}

async fn a_generator_that_repeats_itself_for_ever_is_an_error(base: Base) {
    let registry = registry(&base.store, Repeating::new(&[7]));
    let create = || registry.create(OrganisationId::default(), "s", "ann", &[], "");
    let first = create().await.unwrap();
    assert!(matches!(create().await, Err(CreateError::NoId)));
    assert_eq!(base.store.meeting(&scope(&first)).await.unwrap(), first);
}

async fn another_organisation_finds_nothing(base: Base) {
    let meeting = base.meeting().await;
    base.join(&meeting, 1, 1).await;
    let elsewhere =
        MeetingScope { organisation: "other".parse().unwrap(), meeting: meeting.meeting };
    let none = |error| assert!(matches!(error, StoreError::NoSuchMeeting), "{error}");
    none(base.store.meeting(&elsewhere).await.unwrap_err());
    none(base.store.roster(&elsewhere).await.unwrap_err());
    none(base.store.events(&elsewhere, 0, 10).await.unwrap_err());
    none(base.registry.join(&elsewhere, join(2, 1)).await.unwrap_err());
    none(base.registry.delete(&elsewhere).await.unwrap_err());
    assert!(!base.store.is_member(&elsewhere, &"ann".parse().unwrap()).await.unwrap());
    assert_eq!(base.store.meetings(&elsewhere.organisation, None, 10).await.unwrap(), []);
    assert_eq!(base.store.roster(&meeting).await.unwrap().1.participants().len(), 1);
}

async fn the_list_is_complete_and_newest_first(base: Base) {
    let organisation = OrganisationId::default();
    let mut created = Vec::<MeetingId>::new();
    // Three at a time are of the same millisecond.
    for number in 0..12_u64 {
        created.push(base.create(&organisation, &format!("Meeting {number}")).await.id);
        if number % 3 == 2 {
            base.pass(std::time::Duration::from_millis(1));
        }
    }
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = base.store.meetings(&organisation, after, 5).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(Cursor { created_at: last.created_at, id: last.id });
        listed.extend(page.iter().map(|meeting| (meeting.created_at, meeting.id)));
    }
    assert!(listed.is_sorted_by(|one, next| one > next), "{listed:?}");
    let mut ids: Vec<_> = listed.into_iter().map(|(_, id)| id).collect();
    ids.sort();
    created.sort();
    assert_eq!(ids, created);
}

async fn a_deleted_meeting_leaves_only_the_news_of_its_end(base: Base) {
    let (meeting, other) = (base.meeting().await, base.meeting().await);
    base.join(&meeting, 1, 1).await;
    base.join(&other, 1, 1).await;
    base.registry.delete(&meeting).await.unwrap();
    assert!(matches!(base.store.meeting(&meeting).await, Err(StoreError::NoSuchMeeting)));
    assert!(matches!(base.registry.delete(&meeting).await, Err(StoreError::NoSuchMeeting)));
    assert!(!base.store.is_member(&meeting, &"ann".parse().unwrap()).await.unwrap());

    let untold = base.store.untold(10).await.unwrap();
    let numbers: Vec<_> =
        untold.iter().filter(|event| event.meeting == meeting).map(|event| event.number).collect();
    assert_eq!(numbers, [1, 2, 3], "joined, left, ended");
    assert_eq!(base.store.roster(&other).await.unwrap().1.participants().len(), 1);
    assert_eq!(base.store.events(&other, 0, 10).await.unwrap().len(), 1);
}

async fn ten_thousand_members_are_kept(base: Base) {
    let members: Vec<_> = (0..10_000).map(|number| format!("member-{number}")).collect();
    let organisation = OrganisationId::default();
    let meeting = base.registry.create(organisation, "s", "ann", &members, "").await.unwrap();
    for user in ["member-0", "member-9999", "ann"] {
        assert!(base.store.is_member(&scope(&meeting), &user.parse().unwrap()).await.unwrap());
    }
}
