//! A database of the first release is brought up to date, and loses nothing.

use std::sync::Arc;

use sea_orm::ConnectionTrait as _;
use sea_orm_migration::MigratorTrait as _;
use tributary_database::scratch::{self, ScratchDatabase};
use tributary_meeting_registry_core::{
    Caller, Command, Join, MeetingState, Presence, Role, SetMembers,
};
use tributary_meeting_registry_server::{Clock, Migrations, OperatingSystem};
use tributary_message_bus::subjects::MeetingScope;
use tributary_service_runtime::{CancellationToken, Readiness};

const ID: i64 = (1 << 60) | 1_700_000_000;

/// What the first release wrote.
const ROWS: [&str; 4] = [
    "INSERT INTO registry_meeting (id, organisation, subject, organiser, created_at, next_event, \
     next_participant, present) VALUES (1152921506306846976, 'default', 'Old', 'ann', \
     1700000000000, 1, 5, 2)",
    "INSERT INTO registry_member (organisation, meeting_id, user_id) VALUES \
     ('default', 1152921506306846976, 'ann'), ('default', 1152921506306846976, 'bob'), \
     ('default', 1152921506306846976, 'cleo')",
    // Of another organisation, which can't have the same meeting.
    "INSERT INTO registry_member (organisation, meeting_id, user_id) VALUES \
     ('other', 1152921506306846976, 'ann')",
    // Ann and Bob are in; Cleo has been in twice, with the same terminal.
    "INSERT INTO registry_participant (organisation, meeting_id, participant_id, user_id, \
     display_name, guest, key_thumbprint, relay_id, relay_name, relay_session_id, muted, joined_at, \
     left_at) VALUES \
     ('default', 1152921506306846976, 1, 'ann', 'Ann', false, 'key-1', 'relay-1', 'Office 1', \
     'session-1', false, 1700000000000, NULL), \
     ('default', 1152921506306846976, 2, 'bob', 'Bob', false, 'key-2', 'relay-1', 'Office 1', \
     'session-1', true, 1700000000000, NULL), \
     ('default', 1152921506306846976, 3, 'cleo', 'Cleo', false, 'key-3', 'relay-1', 'Office 1', \
     'session-1', false, 1700000000000, 1700000001000), \
     ('default', 1152921506306846976, 4, 'cleo', 'Cleo', false, 'key-3', 'relay-1', 'Office 1', \
     'session-1', false, 1700000002000, 1700000003000)",
];

async fn upgrade(scratch: ScratchDatabase) {
    let readiness = Readiness::new().dependency("database");
    let (config, shutdown) = (scratch.config(), CancellationToken::new());
    let service = "meeting-registry";
    let old = tributary_database::connect(config, service, &readiness, &shutdown).await.unwrap();
    Migrations::up(&old, Some(1)).await.unwrap();
    for row in ROWS {
        old.execute_unprepared(row).await.unwrap();
    }
    old.close().await.unwrap();

    let (clock, _) = Clock::manual(crate::START);
    let store = crate::open(&scratch, clock).await;
    let registry = crate::registry(&store, Arc::new(OperatingSystem));
    let meeting = MeetingScope {
        organisation: "default".parse().unwrap(),
        meeting: ID.to_string().parse().unwrap(),
    };
    let listed: Vec<_> = store
        .members(&meeting, None, 10)
        .await
        .unwrap()
        .into_iter()
        .map(|(user, role)| (user.to_string(), role))
        .collect();
    let expected = [("ann", Role::Organiser), ("bob", Role::Member), ("cleo", Role::Member)];
    assert_eq!(listed, expected.map(|(name, role)| (name.to_owned(), role)));
    let found = store.meeting(&meeting).await.unwrap();
    assert_eq!((found.subject.as_str(), found.lobby, found.starts_at), ("Old", false, None));

    let (_, roster) = store.roster(&meeting).await.unwrap();
    let there: Vec<_> = roster
        .participants()
        .inspect(|one| {
            assert_eq!((one.relay_depth, one.relay_itself, one.unreachable), (0, false, false));
            assert_eq!((one.relay_path.names(), &one.core_relay), (&[][..], &None));
        })
        .map(|one| (one.id.0, one.presence, one.host, one.muted, one.hand_raised))
        .collect();
    let online = Presence::Online;
    assert_eq!(there, [(1, online, true, false, 0), (2, online, false, true, 0)]);
    assert_eq!(roster.state(), MeetingState::default());
    let cleo = Join { user_id: "cleo".parse().unwrap(), ..crate::join(3, 1) };
    let (cleo, _) = registry.join(&meeting, cleo).await.unwrap();
    assert_eq!((cleo.id.0, cleo.joined_at), (4, 1_700_000_002_000), "the last that she was");

    let by = Caller::User("ann".parse().unwrap());
    let members = [("dan".parse().unwrap(), Role::Host)].into();
    let set = Command::SetMembers(SetMembers { by, by_name: None, members });
    let applied = registry.apply(&meeting, set).await.unwrap();
    assert_eq!(applied.state.counters().members, 4, "the list was counted");
}

async fn back_and_forth(scratch: ScratchDatabase) {
    let readiness = Readiness::new().dependency("database");
    let (config, shutdown) = (scratch.config(), CancellationToken::new());
    let service = "meeting-registry";
    let base = tributary_database::connect(config, service, &readiness, &shutdown).await.unwrap();
    Migrations::up(&base, None).await.unwrap();
    Migrations::down(&base, Some(3)).await.unwrap();
    for row in ROWS {
        base.execute_unprepared(row).await.unwrap();
    }
    Migrations::up(&base, None).await.unwrap();
}

#[tokio::test]
async fn a_database_of_the_first_release_goes_on_on_sqlite() {
    upgrade(scratch::sqlite()).await;
}

#[tokio::test]
async fn a_database_of_the_first_release_goes_on_on_postgres() {
    upgrade(scratch::postgres().await).await;
}

#[tokio::test]
async fn the_last_migrations_can_be_undone_on_sqlite() {
    back_and_forth(scratch::sqlite()).await;
}

#[tokio::test]
async fn the_last_migrations_can_be_undone_on_postgres() {
    back_and_forth(scratch::postgres().await).await;
}
