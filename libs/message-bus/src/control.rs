//! The control connection: events and notices through JetStream, and what is told at once.

use std::{sync::Arc, time::Duration};

use async_nats::{
    Client, HeaderMap, Message, Subject, Subscriber,
    jetstream::{self, ErrorCode},
};
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::watch;
use tributary_identifiers::{OrganisationId, RelayId, UserId};
use tributary_service_runtime::{Dependency, NatsConfig, propagation};

use crate::{
    connection::{self, ConnectError, Link},
    operations::OwnOperations,
    subjects::{self, MeetingScope},
};

pub(crate) const EVENT_STREAM: &str = "EVENTS";
pub(crate) const NOTICE_STREAM: &str = "NOTICES";
/// Events are read back from the registry's database; the stream only carries them.
const EVENT_AGE_MAX: Duration = Duration::from_secs(24 * 3600);
const EVENT_BYTES_MAX: i64 = 1 << 30;
/// The database's numbers decide; this only saves work when a publisher repeats itself.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(600);
/// Longer than a JetStream election takes in most cases.
const ACK_TIMEOUT: Duration = Duration::from_secs(5);

/// A process's connection for everything but media.
#[derive(Clone)]
pub struct ControlBus {
    client: Client,
    jetstream: jetstream::Context,
    link: watch::Receiver<Link>,
    own_operations: Arc<OwnOperations>,
}

/// What was to be published is not known to have arrived: publish it again.
#[derive(Debug, thiserror::Error)]
#[error("not published: {0}")]
pub struct PublishError(pub(crate) String);

impl ControlBus {
    /// Opens the connection. An absent server is no error: the connection comes up when it does.
    ///
    /// # Errors
    /// The configuration is not usable.
    pub async fn connect(
        config: &NatsConfig,
        name: &str,
        dependency: &Dependency,
    ) -> Result<Self, ConnectError> {
        let profile = connection::Profile {
            kind: "control",
            ping_interval: Duration::from_secs(5),
            subscription_capacity: 4096,
            client_capacity: 1024,
        };
        let (told, link) = watch::channel(Link::default());
        let client = connection::open(config, name, profile, dependency, told).await?;
        let jetstream = jetstream::ContextBuilder::new()
            .timeout(ACK_TIMEOUT)
            .ack_timeout(ACK_TIMEOUT)
            .build(client.clone());
        Ok(Self { client, jetstream, link, own_operations: Arc::default() })
    }

    pub(crate) fn own_operations(&self) -> &OwnOperations {
        &self.own_operations
    }

    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) const fn jetstream(&self) -> &jetstream::Context {
        &self.jetstream
    }

    /// Whether the connection is up, and for which time.
    #[must_use]
    pub fn link(&self) -> watch::Receiver<Link> {
        self.link.clone()
    }

    /// Makes the event stream if it is not there.
    ///
    /// # Errors
    /// JetStream can't be reached, or a stream of that name is of another shape.
    pub async fn ensure_event_stream(&self) -> Result<(), PublishError> {
        let description = "what has happened in meetings";
        self.ensure_stream(carrying(EVENT_STREAM, description, &subjects::all_events())).await
    }

    /// Makes the notice stream if it is not there.
    ///
    /// # Errors
    /// JetStream can't be reached, or a stream of that name is of another shape.
    pub async fn ensure_notice_stream(&self) -> Result<(), PublishError> {
        let (description, subject) = ("what users are told", subjects::all_notices());
        self.ensure_stream(carrying(NOTICE_STREAM, description, &subject)).await
    }

    pub(crate) async fn ensure_stream(
        &self,
        config: jetstream::stream::Config,
    ) -> Result<(), PublishError> {
        let stream = self.jetstream.get_or_create_stream(config).await;
        stream.map(drop).map_err(|error| PublishError(error.to_string()))
    }

    /// Publishes an event and returns when it is stored. `number` is the event's position in the
    /// meeting's log; publishing the same number twice stores it once.
    ///
    /// # Errors
    /// It is not known to be stored: publish it again.
    pub async fn publish_event(
        &self,
        scope: &MeetingScope,
        number: u64,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        let id = format!("{}/{}/{number}", scope.organisation, scope.meeting);
        self.publish_once(scope.event(), &id, payload).await.map(drop)
    }

    /// Publishes a notice and returns when it is stored; publishing the same id twice stores it
    /// once.
    ///
    /// # Errors
    /// It is not known to be stored: publish it again.
    pub async fn publish_notice(
        &self,
        organisation: &OrganisationId,
        user: &UserId,
        notice_id: &str,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        self.publish_once(subjects::notice(organisation, user), notice_id, payload).await.map(drop)
    }

    /// Returns true if something had been stored under that id before.
    pub(crate) async fn publish_once(
        &self,
        subject: Subject,
        id: &str,
        payload: Bytes,
    ) -> Result<bool, PublishError> {
        let mut headers = HeaderMap::new();
        propagation::inject_with(&tracing::Span::current(), |name, value| {
            headers.insert(name, value)
        });
        headers.insert(async_nats::header::NATS_MESSAGE_ID, id);
        self.jetstream
            .publish_with_headers(subject, headers, payload)
            .await
            .map_err(|error| not_stored(&error))?
            .await
            .map(|stored| stored.duplicate)
            .map_err(|error| not_stored(&error))
    }

    /// Hears a meeting's events as they are published. What was missed is read from the registry.
    pub async fn subscribe_events(&self, scope: &MeetingScope) -> Option<EventSubscription> {
        // The only error is a subject that can't be subscribed to, and subjects are typed.
        self.client.subscribe(scope.event()).await.ok().map(EventSubscription)
    }

    /// Says something on core NATS to whoever listens now. Returns when it has been handed to the
    /// server.
    ///
    /// # Errors
    /// The connection is not up.
    pub async fn tell(&self, subject: Subject, payload: Bytes) -> Result<(), PublishError> {
        if !self.link.borrow().up {
            return Err(PublishError("there is no connection to NATS".to_owned()));
        }
        let failed = |error: &dyn std::fmt::Display| PublishError(error.to_string());
        self.client.publish(subject, payload).await.map_err(|error| failed(&error))?;
        self.client.flush().await.map_err(|error| failed(&error))
    }

    /// Hears what is said on a subject from now on, while the connection is up.
    pub async fn hear(&self, subject: Subject) -> Option<Subscriber> {
        // The only error is a subject that can't be subscribed to, and subjects are typed.
        self.client.subscribe(subject).await.ok()
    }

    /// Says to core relays that what is set for a relay, its key or its right to attach has changed.
    /// Who is not there does not hear it, and finds it by asking.
    ///
    /// # Errors
    /// The connection is not up.
    pub async fn publish_relay_changed(
        &self,
        organisation: &OrganisationId,
        relay: &RelayId,
    ) -> Result<(), PublishError> {
        self.tell(subjects::relay_changed(organisation, relay), Bytes::new()).await
    }

    /// Hears of which relays of the organisation something has changed. What was missed while the
    /// connection was down is asked for.
    pub async fn relay_changes(&self, organisation: &OrganisationId) -> Option<RelayChanges> {
        self.hear(subjects::relays_changed_of(organisation)).await.map(RelayChanges)
    }

    /// Hears who is behind which relay, in all meetings.
    pub async fn subscribe_needs(&self) -> Option<Subscriber> {
        self.client.subscribe(subjects::all_needs()).await.ok()
    }

    /// Sends what is buffered and closes, for an orderly end.
    pub async fn drain(&self) {
        if let Err(error) = self.client.drain().await {
            tracing::debug!(%error, "NATS connection not drained");
        }
    }
}

/// A stream that carries what is kept elsewhere.
fn carrying(name: &str, description: &str, subject: &Subject) -> jetstream::stream::Config {
    jetstream::stream::Config {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        subjects: vec![subject.to_string()],
        max_age: EVENT_AGE_MAX,
        max_bytes: EVENT_BYTES_MAX,
        duplicate_window: DUPLICATE_WINDOW,
        deny_delete: true,
        deny_purge: true,
        ..Default::default()
    }
}

fn not_stored(error: &jetstream::context::PublishError) -> PublishError {
    let answer = std::error::Error::source(error).and_then(|source| source.downcast_ref());
    match answer.map(jetstream::Error::error_code) {
        Some(ErrorCode::STREAM_STORE_FAILED) => {
            PublishError(format!("the stream is full ({error})"))
        }
        _ => PublishError(error.to_string()),
    }
}

/// Relays of which something has changed.
pub struct RelayChanges(Subscriber);

impl RelayChanges {
    /// The next one; `None` when the connection is closed for good.
    pub async fn next(&mut self) -> Option<RelayId> {
        loop {
            let message = self.0.next().await?;
            if let Some((_, relay)) = subjects::changed_relay(&message.subject) {
                return Some(relay);
            }
        }
    }
}

/// A meeting's events, as encoded `MeetingEvent`s.
pub struct EventSubscription(Subscriber);

impl EventSubscription {
    /// The next event; `None` when the connection is closed for good.
    pub async fn next(&mut self) -> Option<EventMessage> {
        let Message { payload, headers, .. } = self.0.next().await?;
        Some(EventMessage { payload, headers })
    }
}

/// An event as it was published.
pub struct EventMessage {
    /// The encoded `MeetingEvent`.
    pub payload: Bytes,
    headers: Option<HeaderMap>,
}

impl EventMessage {
    /// Makes `span`, which must not have been entered yet, a child of the publisher's.
    pub fn adopt_trace(&self, span: &tracing::Span) {
        propagation::adopt_with(span, |name| {
            self.headers.as_ref()?.get(name).map(async_nats::HeaderValue::as_str)
        });
    }
}
