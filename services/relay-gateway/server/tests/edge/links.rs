//! Terminals behind one edge relay: they are in as if the core were theirs, and cost the uplink little.

use prost::Message as _;
use tributary_contracts::{
    event::v1::{Cause, OperationRefused, meeting_event::Body as EventBody},
    operation::v1::{CheckIn, operation::Body as Act},
    terminal::v1::{
        Introduce, ListMyMeetings, RefusalCode, RelayMessage, relay_message::Body as Said,
        terminal_message::Body as Ask,
    },
};

use crate::{
    cable::Cable,
    page::Offering,
    person::{Person, code},
    stage::Stage,
    world::{World, eventually, meeting},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_joins_through_its_relay_and_is_shown_there() {
    let stage = Stage::start().await;
    let edge = stage.edge("office").await;
    let eve = edge.enter("eve").await;
    let joined = eve.join(1).await;
    let joins = stage.registry.joins.lock().unwrap().clone();
    assert_eq!(joins.len(), 1);
    let join = &joins[0];
    assert_eq!((join.relay_id.as_str(), join.relay_name.as_str()), ("office", "The office"));
    assert_eq!((join.relay_depth, join.relay_itself), (1, false));
    assert!(joined.roster.unwrap().participants.iter().any(|p| p.relay_id == "office"));
    edge.shows("one is in", |status| status.participants == Some(1) && status.terminals == 1).await;
    assert!(
        eve.ask(Ask::ListMyMeetings(ListMyMeetings { identity_token: eve.token.clone() }))
            .await
            .is_ok()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_all_are_told_comes_down_once() {
    let stage = Stage::start().await;
    let edge = stage.edge("office").await;
    let mut people = Vec::new();
    for name in ["eve", "bob", "kim", "zoe", "max", "amy"] {
        let person = edge.enter(name).await;
        person.join(1).await;
        people.push(person);
    }
    stage.announce("begin").await;
    for person in &mut people {
        while !matches!(person.next_event().await.body, Some(EventBody::Announcement(_))) {}
    }
    let before = edge.cable.down();
    let text = "x".repeat(30_000);
    let number = stage.announce(&text).await;
    for person in &mut people {
        assert_eq!(person.next_event().await.number, number);
    }
    let cost = edge.cable.down() - before;
    assert!((30_000..45_000).contains(&cost), "{cost} bytes for six terminals");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_goes_up_and_its_answer_comes_down() {
    let stage = Stage::start().await;
    let edge = stage.edge("office").await;
    let mut eve = edge.enter("eve").await;
    let own = eve.join(1).await.participant_id;
    let operation = eve.operation(1, own, Act::CheckIn(CheckIn {}));
    assert_eq!(eve.operate(&operation).await.unwrap(), operation.operation_id);
    let cause = Cause { participant_id: own, operation_id: operation.operation_id.clone() };
    let refused = EventBody::OperationRefused(OperationRefused::default());
    stage.emit_to(1, refused, None, Some(cause.clone())).await;
    assert_eq!(eve.next_event().await.cause, Some(cause));
    // Nothing passes for somebody else's.
    let foreign = eve.operation(1, own + 7, Act::CheckIn(CheckIn {}));
    assert_eq!(code(eve.operate(&foreign).await), RefusalCode::Forbidden);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_or_goes_is_out_at_the_core() {
    let stage = Stage::start().await;
    let edge = stage.edge("office").await;
    let (eve, bob) = (edge.enter("eve").await, edge.enter("bob").await);
    eve.join(1).await;
    bob.join(1).await;
    edge.shows("both are in", |status| status.participants == Some(2)).await;
    let left = eve.ask(Ask::Leave(<_>::default())).await.unwrap();
    assert!(matches!(left, Said::Left(_)));
    edge.shows("one has left", |status| status.participants == Some(1)).await;
    drop(bob);
    // After the time in which it may come back.
    eventually("the core says so", || stage.registry.leaves.lock().unwrap().len() == 2).await;
    edge.shows("nobody is in", |status| status.participants == Some(0) && status.terminals == 0)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_silent_is_given_up_by_the_relay() {
    let stage = Stage::start().await;
    let edge = stage.edge("office").await;
    let address = edge.world.url.trim_start_matches("http://").parse().unwrap();
    let cable = Cable::to(address).await;
    let eve = Person::enter(&World { url: cable.url.clone() }, "eve").await;
    eve.join(1).await;
    edge.shows("it is there", |status| status.terminals == 1).await;
    cable.die();
    edge.shows("it is gone", |status| status.terminals == 0).await;
    // Its place is kept a while, at the core.
    assert!(stage.registry.leaves.lock().unwrap().is_empty());
    eventually("it is out", || stage.registry.leaves.lock().unwrap().len() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_ends_sends_its_terminals_elsewhere() {
    let stage = Stage::start().await;
    let edge = stage.edge("office").await;
    let mut eve = edge.enter("eve").await;
    eve.join(1).await;
    edge.end();
    let said = eve.next().await.and_then(|message| message.body);
    assert!(matches!(said, Some(Said::Draining(_))), "{said:?}");
    assert_eq!(eve.is_closed().await, Some(1012));
    // By the core itself, to the same place.
    let again = Person::enter(&stage.core, "eve").await;
    again.join(1).await;
    assert_eq!(stage.registry.joins.lock().unwrap().last().unwrap().relay_id, "test");
    assert_eq!(
        stage.registry.log(&meeting(1).to_string(), |log| log.roster()).participants.len(),
        2
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_on_a_data_channel_hears_that_its_relay_ends() {
    let stage = Stage::start().await;
    let edge = stage.edge("office").await;
    let eve = Person::enter(&stage.core, "eve").await;
    let (offering, sdp) = Offering::new().await;
    let introduce = Introduce { relay_id: "office".to_owned(), sdp };
    let introduced = eve.ask(Ask::Introduce(introduce)).await.unwrap();
    let Said::Introduced(introduced) = introduced else { panic!("{introduced:?}") };
    let mut page = offering.connect(&introduced.sdp);
    let welcome = RelayMessage::decode(page.message().await.slice(1..)).unwrap().body;
    assert!(matches!(welcome, Some(Said::Welcome(_))), "{welcome:?}");
    edge.end();
    let said = RelayMessage::decode(page.message().await.slice(1..)).unwrap().body;
    assert!(matches!(said, Some(Said::Draining(_))), "{said:?}");
    page.closed().await;
}
