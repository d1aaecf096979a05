//! Facts are believed for a short time, looked up once, and never made up.

use tonic::Code;
use tributary_access_control_server::Config;
use tributary_contracts::access::v1::Reason;
use tributary_database::scratch;

use crate::{
    registry::FakeMeeting,
    world::{
        MEETING, MEMBER, ORGANISER, OUTSIDER, World, eventually, generous, join, lasting, link,
        meeting, share,
    },
};

#[tokio::test]
async fn many_who_ask_at_once_cost_the_registry_one_question() {
    let world = World::start(&scratch::sqlite(), lasting()).await;
    let questions: Vec<_> = (0..50)
        .map(|_| {
            let mut access = world.access.clone();
            tokio::spawn(async move { access.decide(join(MEMBER, "")).await })
        })
        .collect();
    for question in questions {
        assert!(question.await.unwrap().unwrap().into_inner().allowed);
    }
    assert_eq!(world.registry.asked(), 1);
    assert_eq!(world.join(OUTSIDER, "").await, Reason::NotShared);
    assert_eq!(world.registry.asked(), 2);
}

#[tokio::test]
async fn a_member_who_was_taken_off_the_list_is_out_when_the_facts_have_aged() {
    let config = Config { facts_life_ms: 20, ..generous() };
    let world = World::start(&scratch::sqlite(), config).await;
    assert_eq!(world.join(MEMBER, "").await, Reason::Member);
    world.registry.put(MEETING, FakeMeeting { members: vec![ORGANISER.to_owned()], ..meeting() });
    eventually("the member is out", async || world.join(MEMBER, "").await == Reason::NotShared)
        .await;
}

#[tokio::test]
async fn with_nothing_known_and_nobody_to_ask_there_is_no_decision() {
    let world = World::start(&scratch::sqlite(), lasting()).await;
    world.registry.set_down(true);
    for user in [MEMBER, OUTSIDER] {
        let status = world.ask(join(user, "")).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().contains("try again"), "{status:?}");
    }
    let status = share(&world.access, link()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);

    world.registry.set_down(false);
    assert_eq!(world.join(MEMBER, "").await, Reason::Member);
    assert_eq!(world.join(OUTSIDER, "").await, Reason::NotShared);
}

#[tokio::test]
async fn what_is_known_is_answered_while_the_registry_is_down_though_nats_is_away_too() {
    let world = World::start(&scratch::sqlite(), lasting()).await;
    assert_eq!(world.join(MEMBER, "").await, Reason::Member);
    world.registry.set_down(true);
    assert_eq!(world.join(MEMBER, "").await, Reason::Member);
    // Older than a second, it is asked for again, in vain.
    eventually("the registry is asked again", async || {
        assert_eq!(world.join(MEMBER, "").await, Reason::Member);
        world.registry.asked() > 1
    })
    .await;
}
