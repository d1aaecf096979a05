//! The uplink is lost, for a while or for good.

use std::time::Duration;

use tokio::time::{Instant, timeout};
use tributary_contracts::{
    event::v1::meeting_event::Body as EventBody,
    operation::v1::{CheckIn, operation::Body as Act},
    terminal::v1::{
        Operate, Ping, RefusalCode, relay_message::Body as Said, terminal_message::Body as Ask,
    },
};
use tributary_relay_gateway_server::{UplinkConfig, edge::config::Config as EdgeConfig};
use tributary_terminal::{operations, protocol::Connection};

use crate::{
    cable::Cable,
    person::code,
    stage::{Edge, Stage},
    world::{PATIENCE, eventually, meeting},
};

#[tokio::test(flavor = "multi_thread")]
async fn after_a_cut_everything_goes_on_where_it_was() {
    let stage = Stage::start().await;
    let edge = stage.edge("office").await;
    let mut eve = edge.enter("eve").await;
    let own = eve.join(1).await.participant_id;
    edge.cable.cut();
    edge.is_lost().await;
    // Both ways something waits.
    let operation = eve.operation(1, own, Act::CheckIn(CheckIn {}));
    let signed = Some(operations::sign(&eve.key, &operation).unwrap());
    let requests = eve.connection.requests();
    let operate = Ask::Operate(Operate { operation: signed });
    let operating = tokio::spawn(async move { requests.request(operate).await });
    eventually("it waits", || edge.status.borrow().waiting_bytes > 0).await;
    let numbers: Vec<u64> = vec![
        stage.announce("one").await,
        stage.announce("two").await,
        stage.announce("three").await,
    ];
    edge.cable.mend();
    let received = timeout(PATIENCE, operating).await.unwrap().unwrap();
    assert!(matches!(received, Ok(Said::OperationReceived(_))), "{received:?}");
    assert_eq!(eve.next_numbers(3).await, numbers);
    edge.is_attached().await;
    let status = edge.status.borrow().clone();
    assert!(status.resumed >= 1, "{status:?}");
    assert!(status.last_error.is_some());
    // It never noticed: one connection, one stay.
    assert_eq!(stage.registry.joins.lock().unwrap().len(), 1);
    assert!(stage.registry.leaves.lock().unwrap().is_empty());
    stage.announce("and on").await;
    eve.next_event().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_many_cuts_nothing_is_lost_or_comes_twice() {
    let stage = Stage::start().await;
    let edge = stage.edge("office").await;
    let mut eve = edge.enter("eve").await;
    eve.join(1).await;
    let mut expected = Vec::new();
    for round in 0..6 {
        for number in 0..20 {
            expected.push(stage.announce(&format!("{round}.{number}")).await);
        }
        edge.cable.cut();
        edge.is_lost().await;
        edge.cable.mend();
        edge.is_attached().await;
    }
    assert_eq!(eve.next_numbers(expected.len()).await, expected);
    assert_eq!(stage.registry.joins.lock().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cable_that_is_dead_without_a_word_is_noticed() {
    let stage = Stage::start().await;
    let edge = stage.edge("office").await;
    let mut eve = edge.enter("eve").await;
    eve.join(1).await;
    edge.cable.die();
    edge.is_lost().await;
    let error = edge.status.borrow().last_error.clone().unwrap();
    assert!(error.text.contains("nothing for 2 s"), "{error:?}");
    // The terminal is not told, and its relay is still there.
    assert!(eve.ask(Ask::Ping(Ping {})).await.is_ok());
    edge.cable.mend();
    edge.is_attached().await;
    let number = stage.announce("back").await;
    assert_eq!(eve.next_event().await.number, number);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_takes_its_time_on_a_thin_cable_does_not_end_the_connection() {
    let stage = Stage::start().await;
    let edge = stage.edge("office").await;
    let mut eve = edge.enter("eve").await;
    eve.join(1).await;
    edge.cable.thin(50_000);
    let began = Instant::now();
    let number = stage.announce(&"x".repeat(200_000)).await;
    assert_eq!(eve.next_event().await.number, number);
    assert!(began.elapsed() > Duration::from_secs(3), "it took its time");
    let status = edge.status.borrow().clone();
    assert!(status.attached.is_some() && status.resumed == 0, "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_goes_on_only_where_it_was_begun() {
    let stage = Stage::start().await;
    // For all that the edge can know, another relay.
    let other = Cable::to(stage.uplinks).await;
    let url = other.url.clone();
    let add = move |config: &mut EdgeConfig, _: &mut UplinkConfig| config.upstream.push(url);
    let edge = stage.edge_as("office", stage.uplinks, |_| {}, add).await;
    edge.is_attached().await;
    let upstream = |edge: &Edge| edge.status.borrow().attached.clone().map(|to| to.upstream);
    let first = upstream(&edge);
    let mut eve = edge.enter("eve").await;
    let own = eve.join(1).await.participant_id;
    edge.cable.cut();
    // The token of the session was not said there, or it would have gone on.
    let said = eve.next().await.and_then(|message| message.body);
    assert!(matches!(said, Some(Said::Draining(_))), "{said:?}");
    edge.is_attached().await;
    assert_ne!(upstream(&edge), first);
    assert_eq!(edge.status.borrow().resumed, 0);
    let eve = eve.again().await;
    assert_eq!(eve.join(1).await.participant_id, own);
    // Where it was begun it does.
    other.cut();
    edge.is_lost().await;
    other.mend();
    edge.is_attached().await;
    assert_eq!(edge.status.borrow().resumed, 1);
    assert!(eve.ask(Ask::Ping(Ping {})).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_is_lost_only_so_much_waits_and_pings_are_answered() {
    let stage = Stage::start().await;
    let edge = stage.edge("office").await;
    let eve = edge.enter("eve").await;
    let own = eve.join(1).await.participant_id;
    edge.cable.cut();
    edge.is_lost().await;
    let large = |text: usize| {
        Act::SendChat(tributary_contracts::operation::v1::SendChat {
            text: "x".repeat(text),
            ..<_>::default()
        })
    };
    // 64 KiB are kept, whoever answers them later.
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let operation = eve.operation(1, own, large(11_500));
        let signed = Some(operations::sign(&eve.key, &operation).unwrap());
        let requests = eve.connection.requests();
        waiting.spawn(async move {
            let operate = Operate { operation: signed };
            requests.request(Ask::Operate(operate)).await
        });
    }
    eventually("they are kept", || edge.status.borrow().waiting_bytes > 64 << 10).await;
    let one_more = eve.operation(1, own, large(11_500));
    assert_eq!(code(eve.operate(&one_more).await), RefusalCode::TryAgain);
    let began = Instant::now();
    assert!(eve.ask(Ask::Ping(Ping {})).await.is_ok());
    assert!(began.elapsed() < Duration::from_secs(2));
    // Nobody comes in whom nobody could let in.
    assert!(Connection::connect(&edge.world.url).await.is_err());
    edge.cable.mend();
    while let Some(answer) = timeout(PATIENCE, waiting.join_next()).await.unwrap() {
        let answer = answer.unwrap();
        assert!(matches!(answer, Ok(Said::OperationReceived(_))), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_too_long_a_cut_terminals_come_again_by_themselves() {
    let stage = Stage::start_holding(5).await;
    let edge = stage.edge("office").await;
    let mut eve = edge.enter("eve").await;
    let own = eve.join(1).await.participant_id;
    edge.cable.cut();
    edge.is_lost().await;
    // The session ends at the core, and then what is kept for those who may come back.
    let is_out = || !stage.registry.leaves.lock().unwrap().is_empty();
    eventually("the core gives them up", is_out).await;
    edge.cable.mend();
    let said = eve.next().await.and_then(|message| message.body);
    assert!(matches!(said, Some(Said::Draining(_))), "{said:?}");
    assert_eq!(eve.is_closed().await, Some(1012));
    edge.is_attached().await;
    edge.shows("nothing is left", |status| status.participants == Some(0) && status.terminals == 0)
        .await;
    let mut eve = eve.again().await;
    assert_eq!(eve.join(1).await.participant_id, own);
    stage.announce("again").await;
    while !matches!(eve.next_event().await.body, Some(EventBody::Announcement(_))) {}
    let roster = stage.registry.log(&meeting(1).to_string(), |log| log.roster());
    assert_eq!(roster.participants.len(), 1);
}
