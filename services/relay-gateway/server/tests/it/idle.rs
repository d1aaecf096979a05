//! Connections that nobody uses.

use std::time::Duration;

use tributary_contracts::terminal::v1::{
    Ping, ReceiveNotices, RefusalCode, relay_message::Body as Reply, terminal_message::Body,
};
use tributary_terminal::protocol::Connection;

use crate::world::World;

/// Lets time pass for this test and the relay in it, and then go on as always.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

async fn ping(connection: &Connection) {
    let answer = connection.request(Body::Ping(Ping {})).await;
    assert!(matches!(answer, Ok(Reply::Pong(_))), "{answer:?}");
}

#[tokio::test]
async fn who_asks_for_nothing_for_two_minutes_is_told_so_and_let_go() {
    let world = World::start().await;
    let mut idle = Connection::connect(&world.url).await.unwrap();
    let listening = Connection::connect(&world.url).await.unwrap();
    let identity_token = world.account("ada").await.identity().unwrap().identity_token;
    let receive = Body::ReceiveNotices(ReceiveNotices { identity_token });
    listening.request(receive).await.unwrap();
    for _ in 0..11 {
        pass(Duration::from_secs(10)).await;
        // Pings are not requests, but show that somebody is there.
        ping(&idle).await;
        ping(&listening).await;
    }
    pass(Duration::from_secs(15)).await;
    let Some(Reply::Refusal(refusal)) = idle.next().await.unwrap().body else {
        panic!("not told why")
    };
    assert_eq!(refusal.code(), RefusalCode::TryAgain);
    assert_eq!(idle.next().await, None);
    assert_eq!(idle.close_code(), Some(1000));
    ping(&listening).await;
}
