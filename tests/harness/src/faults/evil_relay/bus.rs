//! nats-server as an evil relay uses it: with a real relay's name and password, and no manners.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use async_nats::{Client, ConnectOptions, HeaderMap, Request, Subject};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use prost::bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tributary_identifiers::RelayId;
use tributary_message_bus::subjects::MeetingScope;

/// How long JetStream may take to say that it has stored something.
const ACK_DEADLINE: Duration = Duration::from_secs(5);
const MESSAGE_ID: &str = "Nats-Msg-Id";

/// A message to be published.
#[derive(Clone, Debug)]
pub struct Shot {
    subject: Subject,
    headers: HeaderMap,
    payload: Bytes,
    /// It is not expected to be stored: nobody waits for that.
    blind: bool,
}

impl Shot {
    /// On any subject, allowed or not.
    pub fn at(subject: impl Into<Subject>, payload: impl Into<Bytes>) -> Self {
        let (subject, payload) = (subject.into(), payload.into());
        Self { subject, headers: HeaderMap::new(), payload, blind: true }
    }

    /// As an operation that this relay carries, with the message id that belongs to it.
    pub fn operation(scope: &MeetingScope, relay: &RelayId, payload: impl Into<Bytes>) -> Self {
        let payload = payload.into();
        let id = message_id(&payload);
        Self { blind: false, ..Self::at(scope.op(relay), payload) }.with(MESSAGE_ID, &id)
    }

    /// With another message id.
    pub fn called(self, id: &str) -> Self {
        self.with(MESSAGE_ID, id)
    }

    /// Without a message id: nothing is taken for a repetition.
    pub fn anonymous(mut self) -> Self {
        self.headers = HeaderMap::new();
        self
    }

    /// With one more header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name, value);
        self
    }
}

/// The id under which an honest relay would publish an operation, as far as others know.
pub fn message_id(payload: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(payload))
}

/// A connection with a relay's name and password.
pub struct Bus(Client);

impl Bus {
    /// Logs in.
    pub async fn connect(server: SocketAddr, (user, password): (String, String)) -> Result<Self> {
        let inbox = tributary_message_bus::permissions::inbox_prefix(&user);
        let options =
            ConnectOptions::with_user_and_password(user, password).custom_inbox_prefix(inbox);
        let client = options.connect(server.to_string()).await;
        Ok(Self(client.context("log in at nats-server as a relay")?))
    }

    /// Publishes, and waits until JetStream has answered if it should. Refusals are no errors.
    pub async fn fire(&self, shot: Shot) -> Result<()> {
        let Shot { subject, headers, payload, blind } = shot;
        if blind {
            let published = self.0.publish_with_headers(subject, headers, payload).await;
            // Too large for the server, for example: then nothing is sent.
            if published.is_ok() {
                self.0.flush().await.context("flush")?;
            }
            return Ok(());
        }
        let request = Request::new().headers(headers).payload(payload).timeout(Some(ACK_DEADLINE));
        // What the stream answers, or that the server denies it, shows in the meeting's log.
        let _ = self.0.send_request(subject, request).await;
        Ok(())
    }

    /// Subscribes, if the server lets it.
    pub async fn hears(&self, subject: &str) -> Result<async_nats::Subscriber> {
        let heard = self.0.subscribe(subject.to_owned()).await.context("subscribe")?;
        self.0.flush().await.context("flush")?;
        Ok(heard)
    }
}
