//! One operation as it was taken off the stream, and what can be answered.

use std::time::{Duration, SystemTime};

use async_nats::{
    HeaderValue,
    jetstream::{AckKind, Message},
};
use bytes::Bytes;
use tributary_identifiers::RelayId;
use tributary_service_runtime::propagation;

use super::{OPERATION_CONSUMER, OPERATION_STREAM};
use crate::{
    PublishError,
    subjects::{self, MeetingScope},
};

/// An operation that was taken off the stream. What is not answered within five seconds is
/// delivered again.
#[derive(Debug)]
pub struct ReceivedOperation {
    /// The encoded `SignedOperation`, as the relay has published it.
    pub payload: Bytes,
    /// The meeting on whose subject it came.
    pub scope: MeetingScope,
    /// The relay that published it; NATS has checked that.
    pub relay: RelayId,
    /// How often it has been delivered, this time included: from 1.
    pub delivered: u64,
    /// When the server got it from the relay, by the server's clock.
    pub published_at: SystemTime,
    message: Message,
}

/// What came on the subscription that operations come on.
pub(super) enum Arrival {
    /// An operation.
    Operation(ReceivedOperation),
    /// Something in the stream that belongs to no meeting: a relay has invented a subject.
    Unaddressed(Message),
    /// A word of the server about the request.
    Status(Message),
}

impl ReceivedOperation {
    /// Takes it off the stream for good; returns when the server has said so.
    ///
    /// # Errors
    /// It is not known to be off, and may come again.
    pub async fn done(&self) -> Result<(), PublishError> {
        self.message.double_ack().await.map_err(|error| PublishError(error.to_string()))
    }

    /// Gives it back, to be delivered again after `delay`. If the server does not hear it, that is
    /// after five seconds.
    pub async fn later(&self, delay: Duration) {
        self.say(AckKind::Nak(Some(delay))).await;
    }

    /// Says that it is still being worked on: for another five seconds it is not delivered again.
    pub async fn in_progress(&self) {
        self.say(AckKind::Progress).await;
    }

    /// Makes `span`, which must not have been entered yet, a child of the publisher's.
    pub fn adopt_trace(&self, span: &tracing::Span) {
        propagation::adopt_with(span, |name| {
            self.message.headers.as_ref()?.get(name).map(HeaderValue::as_str)
        });
    }

    async fn say(&self, word: AckKind) {
        if let Err(error) = self.message.ack_with(word).await {
            tracing::debug!(%error, "not said about an operation");
        }
    }
}

impl Arrival {
    /// Tells them apart by the subject to answer on, which only the server sets. A relay can give a
    /// message in the stream the look of a status, and must not end the registry's request by that.
    pub(super) fn read(message: Message) -> Self {
        let Ok(info) = message.info() else { return Self::Status(message) };
        if info.stream != OPERATION_STREAM || info.consumer != OPERATION_CONSUMER {
            return Self::Status(message);
        }
        let delivered = u64::try_from(info.delivered).unwrap_or(1);
        let published_at = SystemTime::from(info.published);
        match subjects::meeting_and_relay(message.subject.as_str()) {
            None => Self::Unaddressed(message),
            Some((scope, relay)) => Self::Operation(ReceivedOperation {
                payload: message.payload.clone(),
                scope,
                relay,
                delivered,
                published_at,
                message,
            }),
        }
    }
}
