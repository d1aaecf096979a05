//! Share marks, on either kind of database.

use tributary_access_control_core::ShareMark;
use tributary_access_control_server::{Migrations, Store};
use tributary_database::{connect, migrate, scratch::ScratchDatabase};
use tributary_identifiers::{MeetingId, OrganisationId, UserId};
use tributary_service_runtime::{CancellationToken, Readiness};

use crate::on_both_databases;

async fn store(database: &ScratchDatabase) -> Store {
    let dependency = Readiness::new().dependency("database");
    let shutdown = CancellationToken::new();
    let connection =
        connect(database.config(), "access-control", &dependency, &shutdown).await.unwrap();
    migrate::<Migrations>(&connection).await.unwrap();
    Store::new(connection)
}

fn names() -> (OrganisationId, MeetingId, UserId) {
    let largest = MeetingId::try_from((1 << 63) - 1).unwrap();
    (OrganisationId::default(), largest, "user-1".parse().unwrap())
}

async fn a_mark_is_there_from_set_to_unset(database: ScratchDatabase) {
    let store = store(&database).await;
    let (organisation, meeting, user) = names();
    let mut marks = Vec::new();
    for mark in [ShareMark::Unset, ShareMark::Set, ShareMark::Set, ShareMark::Unset] {
        store.set_share_mark(&organisation, meeting, mark, &user, 7).await.unwrap();
        marks.push(store.share_mark(&organisation, meeting).await.unwrap());
    }
    assert_eq!(marks, [ShareMark::Unset, ShareMark::Set, ShareMark::Set, ShareMark::Unset]);
}

async fn a_mark_is_of_one_meeting_in_one_organisation(database: ScratchDatabase) {
    let store = store(&database).await;
    let (organisation, meeting, user) = names();
    store.set_share_mark(&organisation, meeting, ShareMark::Set, &user, 7).await.unwrap();
    let elsewhere = store.share_mark(&"acme".parse().unwrap(), meeting).await.unwrap();
    assert_eq!(elsewhere, ShareMark::Unset);
    let other = store.share_mark(&organisation, MeetingId::try_from(1).unwrap()).await.unwrap();
    assert_eq!(other, ShareMark::Unset);
}

on_both_databases!(a_mark_is_there_from_set_to_unset, a_mark_is_of_one_meeting_in_one_organisation);
