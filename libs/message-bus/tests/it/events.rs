//! Events are stored once, whatever their publisher repeats.

use bytes::Bytes;
use tributary_identifiers::MeetingId;
use tributary_message_bus::{ControlBus, permissions::User, subjects::MeetingScope};

use crate::server::{Server, dependency, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_hears_an_event_that_the_registry_publishes() {
    let server = Server::start();
    let connect = |user: User| {
        let config = server.config(&user);
        async move { ControlBus::connect(&config, "test", &dependency()).await.unwrap() }
    };
    let registry = connect(User::MeetingRegistry).await;
    let relay = connect(User::Relay("office-a".parse().unwrap())).await;
    let scope =
        MeetingScope { organisation: Default::default(), meeting: MeetingId::try_from(7).unwrap() };
    let (registry, scope) = (&registry, &scope);
    eventually("the stream", || async move { registry.ensure_event_stream().await.ok() }).await;
    let mut events = relay.subscribe_events(scope).await.unwrap();
    // A subscription is in force when a later message on its connection has come through; here
    // the event itself is repeated until it is heard.
    let heard = async { events.next().await };
    let publish = async {
        for number in 1.. {
            registry.publish_event(scope, number, Bytes::from_static(b"event")).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        event = heard => assert_eq!(event.as_deref(), Some(b"event".as_slice())),
        () = publish => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_needs_an_answer_from_the_server() {
    let mut server = Server::start();
    let config = server.config(&User::MeetingRegistry);
    let registry = ControlBus::connect(&config, "test", &dependency()).await.unwrap();
    let scope =
        MeetingScope { organisation: Default::default(), meeting: MeetingId::try_from(8).unwrap() };
    let (bus, at) = (&registry, &scope);
    eventually("the stream", || async move { bus.ensure_event_stream().await.ok() }).await;
    registry.publish_event(&scope, 1, Bytes::from_static(b"one")).await.unwrap();
    server.stop();
    assert!(registry.publish_event(&scope, 2, Bytes::from_static(b"two")).await.is_err());
    server.start_again();
    eventually("the server", || async move {
        bus.publish_event(at, 2, Bytes::from_static(b"two")).await.ok()
    })
    .await;
}
