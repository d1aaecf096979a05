//! The bare protocol, for those who send something else than a terminal would.

use tributary_contracts::terminal::v1::{
    MediaOffer, Ping, RefusalCode, relay_message::Body as Reply, terminal_message::Body,
};
use tributary_terminal::protocol::{ConnectError, Connection, RequestError};

use crate::stub_relay::{NONCE, StubRelay};

#[tokio::test]
async fn requests_get_their_answers_and_refusals_are_errors() {
    let relay = StubRelay::start().await;
    let connection = Connection::connect(&relay.url).await.unwrap();
    assert_eq!(connection.welcome().nonce, NONCE);
    let (pong, refused) = tokio::join!(
        connection.request(Body::Ping(Ping {})),
        connection.request(Body::MediaOffer(MediaOffer { sdp: "nonsense".into() })),
    );
    assert!(matches!(pong, Ok(Reply::Pong(_))));
    let code = RefusalCode::BadSessionDescription;
    assert_eq!(refused, Err(RequestError::Refused { code, message: "by order".into() }));
    connection.close().await;
}

#[tokio::test]
async fn anything_can_be_sent_and_the_answer_comes_by_itself() {
    let relay = StubRelay::start().await;
    let mut connection = Connection::connect(&relay.url).await.unwrap();
    connection.send_bytes(vec![0xff; 100]).await.unwrap();
    connection.send_text("hello").await.unwrap();
    for _ in 0..2 {
        let message = connection.next().await.unwrap();
        let Some(Reply::Refusal(refusal)) = message.body else { panic!("{message:?}") };
        assert_eq!(refusal.code(), RefusalCode::Malformed);
    }
    relay.drop_connections();
    assert!(connection.next().await.is_none());
    assert_eq!(connection.request(Body::Ping(Ping {})).await, Err(RequestError::Lost));
}

#[tokio::test]
async fn what_is_no_relay_is_told_from_one_that_is_away() {
    let error = Connection::connect("http://127.0.0.1:1").await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable(_)), "{error}");
    let error = Connection::connect("nonsense").await.unwrap_err();
    assert!(matches!(error, ConnectError::BadUrl(_)), "{error}");
}
