//! Relays behind relays.

use tonic::Code;
use tributary_contracts::{
    event::v1::meeting_event::Body as EventBody,
    relay::v1::{
        AttachRequest, Hello, attach_request::Body, relay_uplink_client::RelayUplinkClient,
    },
    terminal::v1::relay_message::Body as Said,
};

use crate::stage::{Edge, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn terminals_at_every_level_are_in_the_same_meeting() {
    let stage = Stage::start().await;
    let office = stage.edge("office").await;
    let floor = stage.edge_behind("floor", office.uplinks.unwrap()).await;
    let desk = stage.edge_behind("desk", floor.uplinks.unwrap()).await;
    office.shows("a relay is attached", |status| status.relays == 1).await;
    let path: Vec<_> = desk.status.borrow().attached.as_ref().unwrap().path.clone();
    let path: Vec<&str> = path.iter().map(|hop| hop.relay_id.as_str()).collect();
    assert_eq!(path, ["test", "office", "floor"]);
    let mut people = Vec::new();
    for (edge, name) in [(&office, "eve"), (&floor, "bob"), (&desk, "kim"), (&desk, "zoe")] {
        let person = edge.enter(name).await;
        person.join(1).await;
        people.push(person);
    }
    let joins = stage.registry.joins.lock().unwrap().clone();
    let shown: Vec<_> = joins.iter().map(|j| (j.relay_id.as_str(), j.relay_depth)).collect();
    assert_eq!(shown, [("office", 1), ("floor", 2), ("desk", 3), ("desk", 3)]);
    let number = stage.announce("to all").await;
    for person in &mut people {
        loop {
            let event = person.next_event().await;
            if matches!(event.body, Some(EventBody::Announcement(_))) {
                assert_eq!(event.number, number);
                break;
            }
        }
    }
    let paths: Vec<_> = joins.iter().map(|join| join.relay_path.join(" › ")).collect();
    let desk = "The office › The floor › The desk";
    assert_eq!(paths, ["The office", "The office › The floor", desk, desk]);
    office.shows("all are behind it", |status| status.participants == Some(4)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_anywhere_in_the_chain_is_bridged() {
    let stage = Stage::start().await;
    let office = stage.edge("office").await;
    let desk = stage.edge_behind("desk", office.uplinks.unwrap()).await;
    let mut kim = desk.enter("kim").await;
    kim.join(1).await;
    for edge in [&office, &desk] {
        edge.cable.cut();
        edge.is_lost().await;
        let number = stage.announce("meanwhile").await;
        edge.cable.mend();
        edge.is_attached().await;
        assert_eq!(kim.next_event().await.number, number);
    }
    assert_eq!(stage.registry.joins.lock().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_session_in_the_middle_makes_all_behind_come_again() {
    let stage = Stage::start_holding(5).await;
    let office = stage.edge("office").await;
    let desk = stage.edge_behind("desk", office.uplinks.unwrap()).await;
    let mut kim = desk.enter("kim").await;
    kim.join(1).await;
    office.cable.cut();
    let is_out = || !stage.registry.leaves.lock().unwrap().is_empty();
    crate::world::eventually("the core gives them up", is_out).await;
    office.cable.mend();
    let said = kim.next().await.and_then(|message| message.body);
    assert!(matches!(said, Some(Said::Draining(_))), "{said:?}");
    assert_eq!(kim.is_closed().await, Some(1012));
    office.is_attached().await;
    desk.shows("it has come again", |status| status.attached.is_some() && status.terminals == 0)
        .await;
    let mut kim = kim.again().await;
    kim.join(1).await;
    stage.announce("again").await;
    while !matches!(kim.next_event().await.body, Some(EventBody::Announcement(_))) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_is_refused_by_name() {
    let stage = Stage::start().await;
    let office = stage.edge("office").await;
    let desk = stage.edge_behind("desk", office.uplinks.unwrap()).await;
    // The office's relay, by the back door.
    let parent = format!("http://{}", desk.uplinks.unwrap());
    let mut client = RelayUplinkClient::connect(parent).await.unwrap();
    let hello = Hello {
        relay_id: "office".to_owned(),
        protocol_oldest: 1,
        protocol_newest: 1,
        ..Hello::default()
    };
    let first = AttachRequest { body: Some(Body::Hello(hello)), ..AttachRequest::default() };
    let status = client.attach(tokio_stream::once(first)).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("relay office is on the way"), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_attached_takes_nobody_in() {
    let stage = Stage::start().await;
    let office = stage.edge("office").await;
    office.cable.cut();
    office.is_lost().await;
    let parent = office.uplinks.unwrap();
    let desk = stage.edge_apart("desk", parent, |_| {}).await;
    desk.shows("it knows why", |status| {
        let text = status.last_error.as_ref().map(|error| error.text.clone()).unwrap_or_default();
        text.contains("not attached to its parent")
    })
    .await;
    office.cable.mend();
    desk.is_attached().await;
}

async fn has(edge: &Edge, participants: usize) {
    let what = format!("{participants} are behind it");
    edge.shows(&what, |status| status.participants == Some(participants)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_moves_from_relay_to_relay_is_at_one_of_them_only() {
    let stage = Stage::start().await;
    let office = stage.edge("office").await;
    let parent = office.uplinks.unwrap();
    let east = stage.edge_behind("east", parent).await;
    let west = stage.edge_behind("west", parent).await;
    let mut kim = east.enter("kim").await;
    let own = kim.join(1).await.participant_id;
    has(&east, 1).await;
    for stays in [false, true] {
        let mut earlier = Vec::new();
        for (at, in_east, in_west) in [(&west, 0, 1), (&office, 0, 0), (&east, 1, 0)] {
            let next = kim.again_at(&at.world.url).await;
            let before = std::mem::replace(&mut kim, next);
            if stays {
                // Until the core has ended it.
                earlier.push(before);
            } else {
                drop(before);
            }
            assert_eq!(kim.join(1).await.participant_id, own);
            has(&east, in_east).await;
            has(&west, in_west).await;
            has(&office, 1).await;
        }
    }
    // It is one stay, and they are told what all are told.
    assert!(stage.registry.leaves.lock().unwrap().is_empty());
    stage.announce("still here").await;
    while !matches!(kim.next_event().await.body, Some(EventBody::Announcement(_))) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_revoked_is_cut_off_by_whoever_it_is_attached_to() {
    let stage = Stage::start().await;
    let office = stage.edge("office").await;
    let floor = stage.edge_behind("floor", office.uplinks.unwrap()).await;
    let desk = stage.edge_behind("desk", floor.uplinks.unwrap()).await;
    let (mut bob, mut kim) = (floor.enter("bob").await, desk.enter("kim").await);
    bob.join(1).await;
    kim.join(1).await;
    stage.revoke("desk").await;
    desk.shows("it knows", |status| status.revoked && status.attached.is_none()).await;
    floor.shows("it is gone", |status| status.relays == 0).await;
    while kim.next().await.is_some() {}
    // Nobody else notices.
    let number = stage.announce("for others").await;
    loop {
        let event = bob.next_event().await;
        if matches!(event.body, Some(EventBody::Announcement(_))) {
            assert_eq!(event.number, number);
            break;
        }
    }
    for edge in [&office, &floor] {
        let status = edge.status.borrow().clone();
        assert!(status.attached.is_some() && !status.revoked && status.resumed == 0, "{status:?}");
    }
}
