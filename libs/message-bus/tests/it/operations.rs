//! Operations reach the registry through everything that can become of the server between.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use async_nats::jetstream::{self, stream};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tributary_identifiers::{MeetingId, RelayId};
use tributary_message_bus::{
    ControlBus, Operations, ReceivedOperation, permissions::User, subjects::MeetingScope,
};

use crate::server::{Server, dependency, eventually};

fn scope(meeting: u64) -> MeetingScope {
    MeetingScope {
        organisation: Default::default(),
        meeting: MeetingId::try_from(meeting).unwrap(),
    }
}

fn relay() -> RelayId {
    "office-a".parse().unwrap()
}

async fn connect(server: &Server, user: User) -> ControlBus {
    ControlBus::connect(&server.config(&user), "test", &dependency()).await.unwrap()
}

/// A server with a relay and the registry, and the stream.
async fn start() -> (Server, ControlBus, ControlBus) {
    let server = Server::start();
    let registry = connect(&server, User::MeetingRegistry).await;
    let relayed = connect(&server, User::relay(relay())).await;
    let bus = &registry;
    eventually("the stream", || async move { bus.ensure_operation_stream().await.ok() }).await;
    (server, relayed, registry)
}

async fn publish(bus: &ControlBus, meeting: u64, payload: &'static str) {
    let at = &scope(meeting);
    let payload = || Bytes::from_static(payload.as_bytes());
    eventually("it is stored", || async move {
        bus.publish_operation(at, &relay(), payload()).await.ok()
    })
    .await;
}

async fn next(operations: &mut Operations) -> ReceivedOperation {
    tokio::time::timeout(Duration::from_secs(30), operations.next()).await.expect("an operation")
}

async fn expect(operations: &mut Operations, payload: &str) -> ReceivedOperation {
    let operation = next(operations).await;
    assert_eq!(std::str::from_utf8(&operation.payload), Ok(payload));
    operation
}

/// As a server without limits sees the stream.
async fn left_in_stream(server: &Server) -> u64 {
    let operator = jetstream::new(server.operator().await);
    operator.get_stream("OPERATIONS").await.unwrap().get_info().await.unwrap().state.messages
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_come_in_order_once_with_meeting_and_relay_and_are_gone_when_done() {
    let (server, relayed, registry) = start().await;
    for payload in ["one", "one", "two", "one", "three"] {
        publish(&relayed, 7, payload).await;
    }
    assert_eq!(left_in_stream(&server).await, 3, "what is published again is stored once");
    let mut operations = registry.operations();
    for payload in ["one", "two", "three"] {
        let operation = expect(&mut operations, payload).await;
        assert_eq!((&operation.scope, &operation.relay), (&scope(7), &relay()));
        assert_eq!(operation.delivered, 1);
        assert!(operation.published_at.elapsed().unwrap() < Duration::from_secs(30));
        operation.done().await.unwrap();
    }
    assert_eq!(left_in_stream(&server).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_answered_comes_again_and_progress_puts_that_off() {
    let (_server, relayed, registry) = start().await;
    publish(&relayed, 7, "kept").await;
    publish(&relayed, 7, "dropped").await;
    let mut operations = registry.operations();
    let kept = expect(&mut operations, "kept").await;
    drop(expect(&mut operations, "dropped").await);
    // While one is kept by saying so, the other comes again, after the five seconds of both.
    let again = loop {
        tokio::select! {
            again = operations.next() => break again,
            () = tokio::time::sleep(Duration::from_secs(1)) => kept.in_progress().await,
        }
    };
    assert_eq!((again.payload.as_ref(), again.delivered), (b"dropped".as_slice(), 2));
    kept.done().await.unwrap();
    again.done().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_off_comes_after_its_delay_and_others_do_not_wait_for_it() {
    let (_server, relayed, registry) = start().await;
    publish(&relayed, 7, "waits").await;
    publish(&relayed, 8, "goes on").await;
    let mut operations = registry.operations();
    let waits = expect(&mut operations, "waits").await;
    let delay = Duration::from_millis(700);
    let put_off = Instant::now();
    waits.later(delay).await;
    let other = expect(&mut operations, "goes on").await;
    other.done().await.unwrap();
    let again = expect(&mut operations, "waits").await;
    assert_eq!(again.delivered, 2);
    assert!(put_off.elapsed() >= delay);
    again.done().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_share_what_comes() {
    let (server, relayed, registry) = start().await;
    let replica = connect(&server, User::MeetingRegistry).await;
    let (told, mut come) = tokio::sync::mpsc::unbounded_channel();
    for (name, bus) in [("first", registry), ("second", replica)] {
        let told = told.clone();
        tokio::spawn(async move {
            let mut operations = bus.operations();
            loop {
                let operation = operations.next().await;
                operation.done().await.unwrap();
                told.send((name, operation.delivered)).unwrap();
            }
        });
    }
    // Until both have had one, and then some.
    let (mut shares, mut number) = (BTreeMap::new(), 0);
    while shares.len() < 2 || number < 100 {
        number += 1;
        let payload = Bytes::from(format!("operation {number}"));
        relayed.publish_operation(&scope(7), &relay(), payload).await.unwrap();
        let one = tokio::time::timeout(Duration::from_secs(30), come.recv()).await;
        let (name, delivered) = one.unwrap().unwrap();
        assert_eq!(delivered, 1);
        *shares.entry(name).or_insert(0) += 1;
        assert!(number < 10_000, "{shares:?}");
    }
    assert_eq!(shares.values().sum::<usize>(), number);
    assert!(come.try_recv().is_err());
    assert_eq!(left_in_stream(&server).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_back_has_kept_what_it_had_stored() {
    let (mut server, relayed, registry) = start().await;
    let mut operations = registry.operations();
    publish(&relayed, 7, "before").await;
    let held = expect(&mut operations, "before").await;
    server.stop();
    let away = relayed.publish_operation(&scope(7), &relay(), Bytes::from_static(b"after")).await;
    assert!(away.is_err(), "a server that is away has stored nothing");
    assert!(held.done().await.is_err());
    server.start_again();
    // What could not be published may still be under way: then it is stored twice, and applied once.
    // So may the answer that "before" is done.
    publish(&relayed, 7, "after").await;
    let mut come = BTreeSet::new();
    while left_in_stream(&server).await > 0 {
        let operation = next(&mut operations).await;
        operation.done().await.unwrap();
        come.insert(String::from_utf8(operation.payload.to_vec()).unwrap());
    }
    come.remove("before");
    assert_eq!(Vec::from_iter(come), ["after"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_forgotten_everything_is_used_again() {
    let (mut server, relayed, registry) = start().await;
    let mut operations = registry.operations();
    publish(&relayed, 7, "before").await;
    expect(&mut operations, "before").await.done().await.unwrap();
    server.stop();
    server.forget_all();
    server.start_again();
    let publishing = publish(&relayed, 7, "after");
    let ((), operation) = tokio::join!(publishing, next(&mut operations));
    assert_eq!(operation.payload.as_ref(), b"after");
    operation.done().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_registry_can_be_there_before_the_server() {
    let mut server = Server::start();
    server.stop();
    let registry = connect(&server, User::MeetingRegistry).await;
    let relayed = connect(&server, User::relay(relay())).await;
    let mut operations = registry.operations();
    let waiting = tokio::spawn(async move { next(&mut operations).await });
    server.start_again();
    publish(&relayed, 7, "first").await;
    assert_eq!(waiting.await.unwrap().payload.as_ref(), b"first");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_or_a_stream_that_is_removed_is_made_again() {
    let (server, relayed, registry) = start().await;
    let operator = jetstream::new(server.operator().await);
    let mut operations = registry.operations();
    publish(&relayed, 7, "one").await;
    expect(&mut operations, "one").await.done().await.unwrap();
    operator.delete_consumer_from_stream("registry", "OPERATIONS").await.unwrap();
    publish(&relayed, 7, "two").await;
    expect(&mut operations, "two").await.done().await.unwrap();
    operator.delete_stream("OPERATIONS").await.unwrap();
    let publishing = publish(&relayed, 7, "three");
    let ((), operation) = tokio::join!(publishing, next(&mut operations));
    assert_eq!(operation.payload.as_ref(), b"three");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_stands_still_is_made_again() {
    let (server, relayed, registry) = start().await;
    let mut operations = registry.operations();
    publish(&relayed, 7, "one").await;
    expect(&mut operations, "one").await.done().await.unwrap();
    let operator = jetstream::new(server.operator().await);
    let stream = operator.get_stream("OPERATIONS").await.unwrap();
    // A paused consumer says each second that all is well, and delivers nothing.
    let until = async_nats::datetime::now() + Duration::from_secs(3600);
    stream.pause_consumer("registry", until).await.unwrap();
    publish(&relayed, 7, "two").await;
    expect(&mut operations, "two").await.done().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_stream_refuses_and_says_so_and_goes_on_when_there_is_room() {
    let server = Server::start();
    let operator = jetstream::new(server.operator().await);
    let small = stream::Config {
        name: "OPERATIONS".to_owned(),
        subjects: vec!["trib.*.*.op.*".to_owned()],
        retention: stream::RetentionPolicy::WorkQueue,
        discard: stream::DiscardPolicy::New,
        max_messages: 1,
        ..Default::default()
    };
    operator.create_stream(small).await.unwrap();
    let registry = connect(&server, User::MeetingRegistry).await;
    let relayed = connect(&server, User::relay(relay())).await;
    publish(&relayed, 7, "one").await;
    let refused = relayed.publish_operation(&scope(7), &relay(), Bytes::from_static(b"two")).await;
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("the stream is full"), "{text}");
    let mut operations = registry.operations();
    expect(&mut operations, "one").await.done().await.unwrap();
    publish(&relayed, 7, "two").await;
    expect(&mut operations, "two").await.done().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_long_for_an_operation_is_not_stored() {
    let (server, relayed, _registry) = start().await;
    let long = Bytes::from(vec![0; 17 * 1024]);
    assert!(relayed.publish_operation(&scope(7), &relay(), long).await.is_err());
    assert_eq!(left_in_stream(&server).await, 0);
}

/// Speaks the protocol as a relay that keeps no rules. `status` becomes the message's status line.
fn publish_raw(server: &Server, subject: &str, status: &str, payload: &str) {
    publish_with(server, subject, &format!("NATS/1.0 {status}\r\n\r\n"), payload);
}

fn publish_with(server: &Server, subject: &str, headers: &str, payload: &str) {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    let (of_headers, of_all) = (headers.len(), headers.len() + payload.len());
    let login = r#"{"verbose":false,"headers":true,"user":"relay-office-a","pass":"secret"}"#;
    write!(
        stream,
        "CONNECT {login}\r\nHPUB {subject} {of_headers} {of_all}\r\n{headers}{payload}\r\nPING\r\n"
    )
    .unwrap();
    let mut lines = BufReader::new(stream).lines();
    assert!(lines.any(|line| line.unwrap() == "PONG"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_cannot_stop_the_consumer_by_what_it_publishes() {
    let (server, relayed, registry) = start().await;
    let subject = "trib.default.7.op.office-a";
    for status in ["409 Consumer Deleted", "503", "404 No Messages", "100 Idle Heartbeat"] {
        publish_raw(&server, subject, status, status);
    }
    publish_raw(&server, "trib.default.none.op.office-a", "200", "in no meeting");
    publish(&relayed, 7, "good").await;
    let mut operations = registry.operations();
    for expected in ["409 Consumer Deleted", "503", "404 No Messages", "100 Idle Heartbeat", "good"]
    {
        let operation = expect(&mut operations, expected).await;
        assert_eq!(operation.delivered, 1);
        operation.done().await.unwrap();
    }
    assert_eq!(left_in_stream(&server).await, 0, "what has no meeting is dropped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_cannot_keep_another_s_operation_out_by_using_its_name_first() {
    let (server, _, registry) = start().await;
    let other = connect(&server, User::relay("office-b".parse().unwrap())).await;
    let name = URL_SAFE_NO_PAD.encode(Sha256::digest(b"good"));
    let headers = format!("NATS/1.0\r\nNats-Msg-Id: {name}\r\n\r\n");
    publish_with(&server, "trib.default.8.op.office-a", &headers, "bad");
    let office = "office-b".parse().unwrap();
    for _ in 0..3 {
        other.publish_operation(&scope(7), &office, Bytes::from_static(b"good")).await.unwrap();
    }
    let mut operations = registry.operations();
    expect(&mut operations, "bad").await.done().await.unwrap();
    let good = expect(&mut operations, "good").await;
    assert_eq!((&good.relay, &good.scope), (&office, &scope(7)));
    good.done().await.unwrap();
    assert_eq!(left_in_stream(&server).await, 0, "stored once");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_once_is_not_taken_for_stored_because_its_name_is_there() {
    let server = Server::start();
    let registry = connect(&server, User::MeetingRegistry).await;
    let other = connect(&server, User::relay("office-b".parse().unwrap())).await;
    let office = "office-b".parse().unwrap();
    let good = || Bytes::from_static(b"good");
    assert!(other.publish_operation(&scope(7), &office, good()).await.is_err(), "no stream yet");
    let bus = &registry;
    eventually("the stream", || async move { bus.ensure_operation_stream().await.ok() }).await;
    let name = URL_SAFE_NO_PAD.encode(Sha256::digest(b"good"));
    let headers = format!("NATS/1.0\r\nNats-Msg-Id: {name}\r\n\r\n");
    publish_with(&server, "trib.default.8.op.office-a", &headers, "bad");
    other.publish_operation(&scope(7), &office, good()).await.unwrap();
    let mut operations = registry.operations();
    expect(&mut operations, "bad").await.done().await.unwrap();
    expect(&mut operations, "good").await.done().await.unwrap();
}
