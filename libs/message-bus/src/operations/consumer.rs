//! Takes operations off the stream, whatever becomes of server, stream and consumer meanwhile.
//!
//! One request for a number of messages is open at a time, on an inbox of its own. The server is to
//! say something each second; when it does not, or says that the consumer is gone, everything is
//! made anew. A consumer that has messages and delivers none is removed and made again: what it had
//! handed out comes once more.

use std::time::Duration;

use async_nats::{
    Message, StatusCode, Subject, Subscriber,
    jetstream::{self, AckKind, consumer},
};
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout_at};

use super::{OPERATION_CONSUMER, OPERATION_STREAM, ReceivedOperation, received::Arrival};
use crate::{ControlBus, PublishError, connection::jittered};

/// What is not answered in this time is delivered again.
const ACK_WAIT: Duration = Duration::from_secs(5);
/// Operations that are handed out and not answered, at all replicas together. It is far more than
/// what is worked on at once: an operation that waits for the one before it counts too.
const ACK_PENDING_MAX: i64 = 8192;
/// Operations asked for at once.
const BATCH: usize = 64;
/// How long one request is open.
const REQUEST_LIFETIME: Duration = Duration::from_secs(5);
/// How often the server says that an open request is still open.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Longer silence means that the request, or the connection, is gone.
const SILENCE_MAX: Duration = Duration::from_millis(2500);
/// After so long without an operation it is looked whether the consumer stands still, and so much
/// later again.
const LOOK_EVERY: Duration = Duration::from_secs(4);
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// The registry's end of the operation stream. Replicas share what comes.
pub struct Operations {
    bus: ControlBus,
    request: Option<Request>,
    /// How long to wait before the next attempt to begin.
    pause: Duration,
    look_at: Instant,
    /// What the consumer had delivered when it was last looked at, if messages were waiting.
    stood_at: Option<u64>,
}

/// A request for messages.
struct Request {
    inbox: Subject,
    answers: Subscriber,
    /// Messages that the server may still send for it; 0: it is to be made again.
    left: usize,
    silent_at: Instant,
}

/// What is to be done with the request after a word of the server.
enum Next {
    GoOn,
    AskAgain,
    BeginAgain,
}

impl Operations {
    pub(super) fn new(bus: ControlBus) -> Self {
        let look_at = Instant::now() + LOOK_EVERY;
        Self { bus, request: None, pause: Duration::ZERO, look_at, stood_at: None }
    }

    /// The next operation. Waits for as long as there is none, through any failure. It may be dropped
    /// and called again without losing anything; who drops it every few milliseconds keeps it from
    /// beginning.
    pub async fn next(&mut self) -> ReceivedOperation {
        loop {
            match self.attempt().await {
                Ok(Some(operation)) => {
                    self.pause = Duration::ZERO;
                    return operation;
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(%error, "operations are asked for anew");
                    self.request = None;
                }
            }
        }
    }

    /// One step: an operation, or something else has happened.
    async fn attempt(&mut self) -> Result<Option<ReceivedOperation>, PublishError> {
        if self.request.is_none() {
            tokio::time::sleep(jittered(self.pause)).await;
            self.pause = (self.pause * 2).clamp(PAUSE_MIN, PAUSE_MAX);
            self.request = Some(self.begin().await?);
        }
        if Instant::now() >= self.look_at {
            self.look().await?;
        }
        let Some(request) = &mut self.request else { return Ok(None) };
        if request.left == 0 {
            request.ask(&self.bus).await?;
        }
        let Ok(answer) = timeout_at(request.silent_at, request.answers.next()).await else {
            return Err(PublishError("the server is silent".to_owned()));
        };
        let Some(message) = answer else {
            return Err(PublishError("the connection is closed".to_owned()));
        };
        request.silent_at = Instant::now() + SILENCE_MAX;
        self.take(message).await
    }

    async fn take(&mut self, message: Message) -> Result<Option<ReceivedOperation>, PublishError> {
        let context = self.bus.jetstream().clone();
        let Some(request) = &mut self.request else { return Ok(None) };
        match Arrival::read(jetstream::Message { message, context }) {
            Arrival::Operation(operation) => {
                request.left = request.left.saturating_sub(1);
                self.look_at = Instant::now() + LOOK_EVERY;
                self.stood_at = None;
                Ok(Some(operation))
            }
            Arrival::Unaddressed(message) => {
                request.left = request.left.saturating_sub(1);
                metrics::counter!("tributary_nats_unaddressed_operations_total").increment(1);
                tracing::warn!(subject = %message.subject, "an operation for no meeting is dropped");
                message.ack_with(AckKind::Term).await.map_err(|error| failed(&*error))?;
                Ok(None)
            }
            Arrival::Status(message) => match read_status(&message) {
                Next::GoOn => Ok(None),
                Next::AskAgain => {
                    request.left = 0;
                    Ok(None)
                }
                Next::BeginAgain => {
                    let said = message.description.as_deref().unwrap_or("something not known here");
                    Err(PublishError(format!("the server says: {said}")))
                }
            },
        }
    }

    /// Makes what is not there: the stream, the consumer, the inbox.
    async fn begin(&self) -> Result<Request, PublishError> {
        // Nothing is asked of a server that is not there; its return is not slept through.
        let mut link = self.bus.link();
        link.wait_for(|link| link.up).await.map_err(|error| failed(&error))?;
        self.bus.ensure_operation_stream().await?;
        let created = self.bus.jetstream().create_consumer_on_stream(config(), OPERATION_STREAM);
        created.await.map_err(|error| failed(&error))?;
        let inbox: Subject = self.bus.client().new_inbox().into();
        let answers = self.bus.client().subscribe(inbox.clone()).await;
        let answers = answers.map_err(|error| failed(&error))?;
        Ok(Request { inbox, answers, left: 0, silent_at: Instant::now() + SILENCE_MAX })
    }

    /// Looks whether the consumer stands still: messages wait, some may be handed out, and none has
    /// been since the last look. Then it is removed, to be made again.
    async fn look(&mut self) -> Result<(), PublishError> {
        self.look_at = Instant::now() + LOOK_EVERY;
        let jetstream = self.bus.jetstream();
        let consumer: consumer::PullConsumer = jetstream
            .get_consumer_from_stream(OPERATION_CONSUMER, OPERATION_STREAM)
            .await
            .map_err(|error| failed(&error))?;
        let info = consumer.cached_info();
        let may_deliver =
            usize::try_from(ACK_PENDING_MAX).is_ok_and(|max| info.num_ack_pending < max);
        let delivered = info.delivered.consumer_sequence;
        if info.num_pending == 0 || !may_deliver {
            self.stood_at = None;
        } else if self.stood_at.replace(delivered) == Some(delivered) {
            self.stood_at = None;
            tracing::warn!(waiting = info.num_pending, "the consumer of operations stands still");
            metrics::counter!("tributary_nats_stalled_consumer_total").increment(1);
            let removed =
                jetstream.delete_consumer_from_stream(OPERATION_CONSUMER, OPERATION_STREAM);
            removed.await.map_err(|error| failed(&error))?;
            self.request = None;
        }
        Ok(())
    }
}

impl Request {
    async fn ask(&mut self, bus: &ControlBus) -> Result<(), PublishError> {
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{OPERATION_STREAM}.{OPERATION_CONSUMER}");
        let wish = serde_json::json!({
            "batch": BATCH,
            "expires": u64::try_from(REQUEST_LIFETIME.as_nanos()).unwrap_or(u64::MAX),
            "idle_heartbeat": u64::try_from(HEARTBEAT.as_nanos()).unwrap_or(u64::MAX),
        });
        let payload = Bytes::from(wish.to_string());
        let client = bus.client();
        let asked = client.publish_with_reply(subject, self.inbox.clone(), payload).await;
        asked.map_err(|error| failed(&error))?;
        self.left = BATCH;
        self.silent_at = Instant::now() + SILENCE_MAX;
        Ok(())
    }
}

fn config() -> consumer::pull::Config {
    consumer::pull::Config {
        durable_name: Some(OPERATION_CONSUMER.to_owned()),
        description: Some("applies operations".to_owned()),
        ack_policy: consumer::AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        max_ack_pending: ACK_PENDING_MAX,
        ..Default::default()
    }
}

/// What the server says about a request; statuses as in NATS' ADR-37.
fn read_status(message: &Message) -> Next {
    let said = message.description.as_deref().unwrap_or_default();
    match message.status {
        Some(StatusCode::IDLE_HEARTBEAT) => Next::GoOn,
        // The request has run out.
        Some(StatusCode::TIMEOUT | StatusCode::NOT_FOUND) => Next::AskAgain,
        Some(StatusCode::REQUEST_TERMINATED)
            if said.starts_with("Batch Completed") || said.starts_with("Message Size") =>
        {
            Next::AskAgain
        }
        // No such consumer, a change of leaders, a server that ends, or what is not known here.
        _ => Next::BeginAgain,
    }
}

fn failed(error: &(impl std::fmt::Display + ?Sized)) -> PublishError {
    PublishError(error.to_string())
}
