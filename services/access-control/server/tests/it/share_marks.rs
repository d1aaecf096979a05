//! Share marks are the organiser's.

use tonic::Code;
use tributary_access_control_server::Config;
use tributary_contracts::access::v1::Reason;
use tributary_database::scratch::{self, ScratchDatabase};

use crate::{
    on_both_databases,
    world::{
        LASTING, MEETING, MEMBER, ORGANISER, OTHER_MEETING, OUTSIDER, World, eventually, join,
        share,
    },
};

async fn a_mark_counts_at_once_where_it_was_set_and_taken_back(database: ScratchDatabase) {
    let world = World::start(&database, LASTING).await;
    let mut reasons = vec![world.join(OUTSIDER, "").await];
    for shared in [true, true, false, false] {
        world.share(ORGANISER, shared).await.unwrap();
        reasons.push(world.join(OUTSIDER, "").await);
    }
    let (closed, open) = (Reason::NotShared, Reason::Shared);
    assert_eq!(reasons, [closed, open, open, closed, closed]);
}

async fn a_mark_outlives_the_process(database: ScratchDatabase) {
    let world = World::start(&database, LASTING).await;
    world.share(ORGANISER, true).await.unwrap();
    drop(world);
    let world = World::start(&database, LASTING).await;
    assert_eq!(world.join(OUTSIDER, "").await, Reason::Shared);
}

on_both_databases!(
    a_mark_counts_at_once_where_it_was_set_and_taken_back,
    a_mark_outlives_the_process,
);

#[tokio::test]
async fn other_replicas_notice_a_mark_when_their_facts_have_aged() {
    let database = scratch::postgres().await;
    let config = Config { facts_life_ms: 20, ..Config::default() };
    let world = World::start(&database, config.clone()).await;
    let replica = world.replica(&database, config).await;
    assert_eq!(world.join(OUTSIDER, "").await, Reason::NotShared);
    share(&replica, MEETING, ORGANISER, true).await.unwrap();
    eventually("the outsider is in", async || world.join(OUTSIDER, "").await == Reason::Shared)
        .await;
}

#[tokio::test]
async fn nobody_but_the_organiser_shares_and_nobody_learns_why_not() {
    let world = World::start(&scratch::sqlite(), LASTING).await;
    let mut refusals = Vec::new();
    for (meeting, user) in [(MEETING, MEMBER), (MEETING, OUTSIDER), (OTHER_MEETING, ORGANISER)] {
        let status = share(&world.access, meeting, user, true).await.unwrap_err();
        refusals.push((status.code(), status.message().to_owned(), status.details().to_vec()));
    }
    assert_eq!(refusals[0].0, Code::PermissionDenied);
    refusals.dedup();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    assert!(!world.ask(join(OUTSIDER, "")).await.unwrap().allowed);
    let malformed = share(&world.access, "x", ORGANISER, true).await.unwrap_err();
    assert_eq!(malformed.code(), Code::InvalidArgument);
}
