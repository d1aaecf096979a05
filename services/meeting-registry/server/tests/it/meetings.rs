//! Meetings: created, found, listed, removed; nobody sees those of another organisation.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tributary_identifiers::{MeetingId, OrganisationId, ParticipantId};
use tributary_meeting_registry_core::{Cursor, DisplayName, Proposal, Role};
use tributary_meeting_registry_server::{Address, CreateError, Outbox, RandomSource, StoreError};
use tributary_message_bus::subjects::MeetingScope;

use crate::{Base, join, of_ann, on_both, registry, scope};

on_both!(
    a_meeting_is_found_as_it_was_created,
    a_taken_id_is_drawn_again,
    a_generator_that_repeats_itself_for_ever_is_an_error,
    another_organisation_finds_nothing,
    the_list_is_complete_and_newest_first,
    a_deleted_meeting_leaves_only_the_news_of_its_end,
    ids_drawn_at_once_by_replicas_are_all_different,
    an_id_from_the_future_names_nothing,
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
    let proposal = Proposal {
        subject: " Planning ",
        members: &members,
        hosts: &["cleo".to_owned()],
        password: "geheim",
        starts_at: Some(crate::START + 60_000),
        lobby: true,
        ..of_ann()
    };
    let created = base.registry.create(organisation, &proposal).await.unwrap();
    assert_eq!(created.id.version(), 1);
    assert_eq!(created.id.created_at().map(u64::from), Some(crate::START / 1000));
    assert_eq!((created.subject.as_str(), created.organiser.as_str()), ("Planning", "ann"));
    assert!(created.password_hash.as_ref().unwrap().starts_with("$argon2id$"));

    let scope = scope(&created);
    assert_eq!(base.store.meeting(&scope).await.unwrap(), created);
    assert_eq!((created.lobby, created.starts_at), (true, Some(crate::START + 60_000)));
    assert_eq!(created.organiser_name.as_ref().map(DisplayName::as_str), Some("Ann"));
    let roles = [
        ("ann", Some(Role::Organiser)),
        ("bob", Some(Role::Member)),
        ("cleo", Some(Role::Host)),
        ("eve", None),
    ];
    for (user, expected) in roles {
        let role = base.store.role(&scope, &user.parse().unwrap()).await.unwrap();
        assert_eq!(role, expected, "{user}");
    }
}

async fn a_taken_id_is_drawn_again(base: Base) {
    let registry = registry(&base.store, Repeating::new(&[7, 7, 7, 8]));
    let mut ids = Vec::new();
    for organisation in ["one", "two"] {
        let organisation = organisation.parse().unwrap();
        let members = ["bob".to_owned()];
        let proposal = Proposal { members: &members, ..of_ann() };
        let meeting = registry.create(organisation, &proposal).await.unwrap();
        ids.push(meeting.id.to_u64() >> 32 & 0x0fff_ffff);
    }
    assert_eq!(ids, [7, 8], "no two organisations share an id");
}

async fn a_generator_that_repeats_itself_for_ever_is_an_error(base: Base) {
    let registry = registry(&base.store, Repeating::new(&[7]));
    let proposal = of_ann();
    let first = registry.create(OrganisationId::default(), &proposal).await.unwrap();
    let second = registry.create(OrganisationId::default(), &proposal).await;
    assert!(matches!(second, Err(CreateError::NoId)));
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
    none(base.store.members(&elsewhere, None, 10).await.unwrap_err());
    none(base.store.attachments(&elsewhere).await.unwrap_err());
    none(base.store.attendance(&elsewhere).await.unwrap_err());
    none(base.store.chat(&elsewhere, ParticipantId(1), None, 10).await.unwrap_err());
    none(base.store.may_export(&elsewhere, &"ann".parse().unwrap()).await.unwrap_err());
    let ann = "ann".parse().unwrap();
    assert_eq!(base.store.role(&elsewhere, &ann).await.unwrap(), None);
    let theirs = &elsewhere.organisation;
    assert_eq!(base.store.meetings_of_user(theirs, &ann, 10).await.unwrap(), []);
    assert_eq!(base.store.notices(theirs, &ann, crate::START, 10).await.unwrap(), []);
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
            base.pass(Duration::from_millis(1));
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
    assert_eq!(base.store.role(&meeting, &"ann".parse().unwrap()).await.unwrap(), None);

    let untold = base.store.untold(Outbox::Events, 10).await.unwrap();
    let numbers: Vec<_> = untold
        .into_iter()
        .filter_map(|event| match event.address {
            Address::Meeting { meeting: of, number } if of == meeting => Some(number),
            _ => None,
        })
        .collect();
    assert_eq!(numbers, [1, 2, 3], "joined, left, ended");
    assert_eq!(base.store.roster(&other).await.unwrap().1.participants().len(), 1);
    assert_eq!(base.store.events(&other, 0, 10).await.unwrap().len(), 1);
}

/// Many replicas draw from few numbers at the same time: all meetings have ids of their own.
async fn ids_drawn_at_once_by_replicas_are_all_different(base: Base) {
    let replica = base.another_replica().await;
    let creating: Vec<_> = (0..60)
        .map(|number| {
            let store = if number % 2 == 0 { &base.store } else { &replica };
            // Each begins at the number before: nearly every first draw is taken.
            let draws: Vec<_> = (number / 4..64).collect();
            let registry = registry(store, Repeating::new(&draws));
            tokio::spawn(async move {
                let organisation = OrganisationId::default();
                registry.create(organisation, &of_ann()).await
            })
        })
        .collect();
    let mut ids = BTreeSet::new();
    for one in creating {
        match one.await.unwrap() {
            Ok(meeting) => assert!(ids.insert(meeting.id), "{} twice", meeting.id),
            // More draws were taken than one meeting makes.
            Err(CreateError::NoId) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert!(ids.len() >= 16, "{ids:?}");
    let listed = base.store.meetings(&OrganisationId::default(), None, 100).await.unwrap();
    assert_eq!(listed.iter().map(|meeting| meeting.id).collect::<BTreeSet<_>>(), ids);
}

/// Even one that is there: its clock can't be trusted.
async fn an_id_from_the_future_names_nothing(base: Base) {
    let organisation = OrganisationId::default();
    base.pass(Duration::from_secs(120));
    let ahead = scope(&base.create(&organisation, "Ahead").await);
    let known = scope(&base.create(&organisation, "Known").await);
    assert!(base.store.meeting(&known).await.is_ok());
    base.turn_back(Duration::from_secs(61));
    let none = |error| assert!(matches!(error, StoreError::NoSuchMeeting), "{error}");
    none(base.store.meeting(&ahead).await.unwrap_err());
    none(base.store.roster(&ahead).await.unwrap_err());
    none(base.registry.join(&ahead, join(1, 1)).await.unwrap_err());
    base.pass(Duration::from_secs(1));
    assert!(base.store.meeting(&ahead).await.is_ok(), "a minute is forgiven");
}
