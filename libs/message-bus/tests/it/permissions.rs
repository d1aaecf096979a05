//! Each user against subjects of each kind: what is not declared is denied.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use tributary_message_bus::permissions::User;

use crate::server::{Server, eventually, users};

/// `subject`, and the users who may publish on it and hear it.
const MATRIX: [(&str, &[&str], &[&str]); 50] = [
    ("trib.default.1.up.office-a", &["relay-office-a"], &["mixer"]),
    ("trib.default.1.need.office-b", &["relay-office-b"], &["mixer"]),
    ("trib.default.1.down.common", &["mixer"], &["relay-office-a", "relay-office-b"]),
    ("trib.default.1.down.relay.office-a", &["mixer"], &["relay-office-a"]),
    ("trib.default.1.plan.office-b", &["mixer"], &["relay-office-b"]),
    (
        "trib.default.1.event",
        &["meeting-registry"],
        &["access-control", "relay-office-a", "relay-office-b"],
    ),
    ("trib-notice.default.ada", &["meeting-registry"], &["relay-office-a", "relay-office-b"]),
    (
        "trib-access.default.1",
        &["access-control"],
        &["access-control", "relay-office-a", "relay-office-b"],
    ),
    ("trib.acme.1.event", &["meeting-registry"], &["access-control"]),
    ("trib.acme.1.down.common", &["mixer"], &[]),
    ("trib.acme.1.up.office-a", &[], &["mixer"]),
    ("trib-notice.acme.ada", &["meeting-registry"], &[]),
    ("trib-access.acme.1", &["access-control"], &["access-control"]),
    ("trib-trust.revoked", &["credential"], &["credential", "relay-office-a", "relay-office-b"]),
    ("trib-trust.keys", &["credential"], &["credential", "relay-office-a", "relay-office-b"]),
    ("trib-trust.relay.default.edge", &["credential"], &["relay-office-a", "relay-office-b"]),
    ("trib-trust.relay.acme.edge", &["credential"], &[]),
    ("trib.default.1.op.office-a", &["relay-office-a"], &[]),
    ("trib.default.1.op.office-b", &["relay-office-b"], &[]),
    ("trib.acme.1.op.office-a", &[], &[]),
    ("$JS.API.STREAM.CREATE.OPERATIONS", &["meeting-registry"], &[]),
    ("$JS.API.STREAM.INFO.OPERATIONS", &["meeting-registry"], &[]),
    ("$JS.API.STREAM.UPDATE.OPERATIONS", &[], &[]),
    ("$JS.API.STREAM.DELETE.OPERATIONS", &[], &[]),
    ("$JS.API.STREAM.PURGE.OPERATIONS", &[], &[]),
    ("$JS.API.STREAM.MSG.GET.OPERATIONS", &[], &[]),
    ("$JS.API.STREAM.MSG.DELETE.OPERATIONS", &[], &[]),
    ("$JS.API.CONSUMER.CREATE.OPERATIONS.registry", &["meeting-registry"], &[]),
    ("$JS.API.CONSUMER.CREATE.OPERATIONS.spy", &[], &[]),
    ("$JS.API.CONSUMER.INFO.OPERATIONS.registry", &["meeting-registry"], &[]),
    ("$JS.API.CONSUMER.DELETE.OPERATIONS.registry", &["meeting-registry"], &[]),
    ("$JS.API.CONSUMER.MSG.NEXT.OPERATIONS.registry", &["meeting-registry"], &[]),
    ("$JS.ACK.OPERATIONS.registry.1.1.1.1.0", &["meeting-registry"], &[]),
    ("$JS.ACK._.hash.OPERATIONS.registry.1.1.1.1.0", &["meeting-registry"], &[]),
    ("$KV.lease.default.1", &["mixer"], &[]),
    ("$JS.API.STREAM.DELETE.EVENTS", &[], &[]),
    ("$JS.API.STREAM.PURGE.EVENTS", &[], &[]),
    ("$O.attachments.C.0a.0b", &["meeting-registry"], &[]),
    ("$O.attachments.M.MGE=", &["meeting-registry"], &[]),
    ("$O.others.M.MGE=", &[], &[]),
    ("$JS.API.STREAM.CREATE.OBJ_attachments", &["meeting-registry"], &[]),
    ("$JS.API.STREAM.INFO.OBJ_attachments", &["meeting-registry"], &[]),
    ("$JS.API.STREAM.PURGE.OBJ_attachments", &["meeting-registry"], &[]),
    ("$JS.API.DIRECT.GET.OBJ_attachments", &["meeting-registry"], &[]),
    ("$JS.API.DIRECT.GET.OBJ_attachments.$O.attachments.M.MGE=", &["meeting-registry"], &[]),
    ("$JS.API.STREAM.DELETE.OBJ_attachments", &[], &[]),
    ("$JS.API.STREAM.UPDATE.OBJ_attachments", &[], &[]),
    ("$JS.API.STREAM.MSG.GET.OBJ_attachments", &[], &[]),
    ("$JS.API.CONSUMER.CREATE.OBJ_attachments.x.y", &[], &[]),
    ("_INBOX_mixer.x", &[], &["mixer"]),
];

async fn connect(server: &Server, user: &User) -> async_nats::Client {
    let config = server.config(user);
    let options = async_nats::ConnectOptions::new()
        .user_and_password(config.user.clone(), config.password.expose().to_owned());
    eventually("a connection", || async {
        let (url, options) = (config.url.clone(), options.clone());
        options.connect(url).await.ok()
    })
    .await
}

/// True if no permission violation comes back for what `act` does before a flush is answered.
async fn is_allowed(server: &Server, user: &User, subject: &str, publish: bool) -> bool {
    let (errors, mut violations) = tokio::sync::mpsc::unbounded_channel();
    let config = server.config(user);
    let client = async_nats::ConnectOptions::new()
        .user_and_password(config.user.clone(), config.password.expose().to_owned())
        .event_callback(move |event| {
            let errors = errors.clone();
            async move {
                if let async_nats::Event::ServerError(error) = event {
                    let _ = errors.send(error.to_string());
                }
            }
        })
        .connect(config.url)
        .await
        .unwrap();
    if publish {
        client.publish(subject.to_owned(), Bytes::new()).await.unwrap();
    } else {
        let _subscription = client.subscribe(subject.to_owned()).await.unwrap();
    }
    // Answers come in order: after a second violation, one that surely comes, nothing is left.
    client.publish("denied.to.everybody", Bytes::new()).await.unwrap();
    client.flush().await.unwrap();
    loop {
        let violation = tokio::time::timeout(Duration::from_secs(10), violations.recv()).await;
        let text = violation.expect("an answer").expect("an open connection");
        if text.contains("denied.to.everybody") {
            return true;
        }
        if text.contains(subject) {
            return false;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_user_may_do_exactly_what_is_declared() {
    let server = Server::start();
    for (subject, publishers, subscribers) in MATRIX {
        for user in users() {
            let name = user.name();
            let publishes = is_allowed(&server, &user, subject, true).await;
            assert_eq!(publishes, publishers.contains(&name.as_str()), "{name} → {subject}");
            let hears = is_allowed(&server, &user, subject, false).await;
            assert_eq!(hears, subscribers.contains(&name.as_str()), "{name} ← {subject}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_user_nobody_comes_in() {
    let server = Server::start();
    let client = connect(&server, &User::Mixer).await;
    let url = server.config(&User::Mixer).url;
    assert!(async_nats::connect(url).await.is_err());
    drop(client.subscribe("trib.default.1.up.office-a").await.unwrap().next());
}
