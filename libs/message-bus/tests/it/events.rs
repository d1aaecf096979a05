//! Events are stored once, whatever their publisher repeats.

use bytes::Bytes;
use opentelemetry::{
    TraceId,
    trace::{TraceContextExt as _, TracerProvider as _},
};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tributary_identifiers::{MeetingId, OrganisationId, RelayId};
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
    let relay = connect(User::relay("office-a".parse().unwrap())).await;
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
        event = heard => assert_eq!(event.unwrap().payload.as_ref(), b"event"),
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

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_crosses_the_bus_with_an_event() {
    let provider = SdkTracerProvider::builder().build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let _traced = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    let server = Server::start();
    let relay = User::relay("office-a".parse().unwrap());
    let registry =
        ControlBus::connect(&server.config(&User::MeetingRegistry), "test", &dependency()).await;
    let relay = ControlBus::connect(&server.config(&relay), "test", &dependency()).await;
    let (registry, relay) = (registry.unwrap(), relay.unwrap());
    let scope =
        MeetingScope { organisation: Default::default(), meeting: MeetingId::try_from(9).unwrap() };
    let bus = &registry;
    eventually("the stream", || async move { bus.ensure_event_stream().await.ok() }).await;
    let mut events = relay.subscribe_events(&scope).await.unwrap();
    let publisher = tracing::info_span!("publisher");
    let trace_of = |span: &Span| span.context().span().span_context().trace_id();
    let publish = async {
        for number in 1.. {
            bus.publish_event(&scope, number, Bytes::new()).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let message = tokio::select! {
        message = events.next() => message.unwrap(),
        () = publish.instrument(publisher.clone()) => unreachable!("it publishes for ever"),
    };
    let hearer = tracing::info_span!("hearer");
    message.adopt_trace(&hearer);
    assert_ne!(trace_of(&publisher), TraceId::INVALID);
    assert_eq!(trace_of(&hearer), trace_of(&publisher));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_core_relay_hears_which_relay_of_its_organisation_has_changed() {
    let server = Server::start();
    let connect = |user: User| {
        let config = server.config(&user);
        async move { ControlBus::connect(&config, "test", &dependency()).await.unwrap() }
    };
    let credential = connect(User::Credential).await;
    let relay = connect(User::relay("office-a".parse().unwrap())).await;
    let own = OrganisationId::default();
    let (other, foreign, edge): (OrganisationId, RelayId, RelayId) =
        ("acme".parse().unwrap(), "foreign".parse().unwrap(), "edge".parse().unwrap());
    let mut changes = relay.relay_changes(&own).await.unwrap();
    // As above: repeated until the subscription is in force.
    let publish = async {
        loop {
            // That of another organisation goes first, and is never heard.
            let _ = credential.publish_relay_changed(&other, &foreign).await;
            let _ = credential.publish_relay_changed(&own, &edge).await;
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        changed = changes.next() => assert_eq!(changed, Some(edge.clone())),
        () = publish => {}
    }
}
