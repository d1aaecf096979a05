//! The operation stream: what participants do, on its way from their relays to meeting-registry.
//!
//! A work queue in JetStream. What a relay publishes is kept until the registry has applied it and
//! says so; the registry's durable consumer is shared by its replicas. Nothing is ever dropped to
//! make room: a full stream refuses.

mod consumer;
mod own;
mod received;

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tributary_identifiers::RelayId;

use crate::{
    ControlBus, PublishError,
    subjects::{self, MeetingScope},
};
pub use consumer::Operations;
pub(crate) use own::OwnOperations;
pub use received::ReceivedOperation;

pub(crate) const OPERATION_STREAM: &str = "OPERATIONS";
pub(crate) const OPERATION_CONSUMER: &str = "registry";

/// An operation is never valid for longer.
const OPERATION_AGE_MAX: Duration = Duration::from_secs(24 * 3600);
/// All operations that wait, together.
const OPERATIONS_BYTES_MAX: i64 = 1 << 30;
/// A signed operation with its headers; the envelope in it has 12 KiB at most.
const OPERATION_BYTES_MAX: i32 = 16 * 1024;
/// The registry knows what it has applied; this only saves work when a relay repeats itself.
const OPERATION_DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

impl ControlBus {
    /// Makes the operation stream if it is not there.
    ///
    /// # Errors
    /// JetStream can't be reached, or refuses the stream.
    pub async fn ensure_operation_stream(&self) -> Result<(), PublishError> {
        self.ensure_stream(Config {
            name: OPERATION_STREAM.to_owned(),
            description: Some("what participants do, until it is applied".to_owned()),
            subjects: vec![subjects::all_operations().to_string()],
            retention: RetentionPolicy::WorkQueue,
            discard: DiscardPolicy::New,
            max_age: OPERATION_AGE_MAX,
            max_bytes: OPERATIONS_BYTES_MAX,
            max_message_size: OPERATION_BYTES_MAX,
            duplicate_window: OPERATION_DUPLICATE_WINDOW,
            deny_delete: true,
            deny_purge: true,
            ..Config::default()
        })
        .await
    }

    /// Publishes an encoded `SignedOperation` as a relay, once, and returns when it is stored. If this
    /// connection has had it stored within the last two minutes, that counts. If all that is known is
    /// that something of its name is there, it is stored again: another relay could have stored
    /// something else under that name. The registry applies it once all the same.
    ///
    /// # Errors
    /// It is not known to be stored: publish it again, after a pause. The stream may be full, and says
    /// so; until a registry has run for the first time there is none.
    pub async fn publish_operation(
        &self,
        scope: &MeetingScope,
        relay: &RelayId,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        let hash: [u8; 32] = Sha256::digest(&payload).into();
        let id = URL_SAFE_NO_PAD.encode(hash);
        let own = self.own_operations();
        match self.publish_once(scope.op(relay), &id, payload.clone()).await {
            Ok(true) if own.contains(&hash) => Ok(()),
            Ok(true) => {
                // Random, so that nobody can have used it before.
                let id = format!("{id}{}", self.client().new_inbox());
                self.publish_once(scope.op(relay), &id, payload).await.map(drop)?;
                own.insert(hash);
                Ok(())
            }
            Ok(false) => {
                own.insert(hash);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Begins to take operations off the stream, as the registry. Returns at once; the stream and the
    /// consumer are made when they can be.
    #[must_use]
    pub fn operations(&self) -> Operations {
        Operations::new(self.clone())
    }
}
