//! Large objects in a JetStream object store: chunks and one description each, laid out as NATS's
//! own tools lay them out (ADR-20), so that `nats object` can look at them.
//!
//! Written and read here chunk by chunk and not by the client library: what a broken upload has left
//! can be found and removed by the object's name, reading holds one chunk at a time without a
//! consumer at the server, and a user needs four subjects for it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_nats::{
    HeaderMap,
    jetstream::{
        self, ErrorCode,
        context::{PublishAckFuture, PublishError, PublishErrorKind},
        object_store::{ObjectInfo, ObjectOptions},
        stream::{DirectGetErrorKind, DiscardPolicy, Stream},
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE};
use bytes::Bytes;

use crate::ControlBus;

/// Largest chunk in bytes; the servers' `max_payload` is twice that.
pub const CHUNK_BYTES_MAX: usize = 128 * 1024;

pub(crate) const OBJECT_BUCKET: &str = "attachments";
pub(crate) const OBJECT_STREAM: &str = "OBJ_attachments";

const DIGEST_NAME: &str = "SHA-256=";

/// Names an object, or one of its versions: 128 bits, hexadecimal in subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ObjectKey(pub u128);

impl std::fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What is kept about an object that is there in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectDescription {
    /// Which chunks are the object's: those of an upload that was completed.
    pub version: ObjectKey,
    /// In bytes.
    pub size: u64,
    /// In how many pieces.
    pub chunks: u64,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
}

/// Why the bucket did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The bucket has no room left.
    #[error("the bucket of objects is full")]
    Full,
    /// JetStream can't be reached or did not answer as it should.
    #[error("the bucket of objects can't be used: {0}")]
    Unavailable(String),
}

/// The bucket of objects.
#[derive(Clone)]
pub struct Objects {
    bus: ControlBus,
    bytes_max: u64,
    known: Arc<Mutex<Option<Stream>>>,
}

/// A chunk that was sent and may not be stored yet.
pub struct SentChunk(PublishAckFuture);

impl SentChunk {
    /// Returns when the chunk is stored.
    ///
    /// # Errors
    /// It is not known to be stored.
    pub async fn stored(self) -> Result<(), ObjectError> {
        self.0.await.map(drop).map_err(|error| of_publish(&error))
    }
}

impl Objects {
    /// The bucket on this connection. It is made when first used, with room for `bytes_max` bytes of
    /// objects and their descriptions; 0: as much as the server gives.
    #[must_use]
    pub fn new(bus: &ControlBus, bytes_max: u64) -> Self {
        Self { bus: bus.clone(), bytes_max, known: Arc::default() }
    }

    async fn bucket(&self) -> Result<Stream, ObjectError> {
        if !self.bus.link().borrow().up {
            return Err(ObjectError::Unavailable("there is no connection to NATS".to_owned()));
        }
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(stream) = known {
            return Ok(stream);
        }
        let stream = self.open().await?;
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream.clone());
        Ok(stream)
    }

    async fn open(&self) -> Result<Stream, ObjectError> {
        let max_bytes = i64::try_from(self.bytes_max).ok().filter(|bytes| *bytes > 0);
        let config = jetstream::stream::Config {
            name: OBJECT_STREAM.to_owned(),
            description: Some("what is attached to meetings".to_owned()),
            subjects: vec![format!("$O.{OBJECT_BUCKET}.C.>"), format!("$O.{OBJECT_BUCKET}.M.>")],
            max_bytes: max_bytes.unwrap_or(-1),
            discard: DiscardPolicy::New,
            allow_rollup: true,
            allow_direct: true,
            ..Default::default()
        };
        let stream = self.bus.jetstream().get_or_create_stream(config).await;
        stream.map_err(|error| ObjectError::Unavailable(error.to_string()))
    }

    /// The bucket has answered oddly: it may be gone, and is looked for anew the next time.
    fn failed(&self, error: ObjectError) -> ObjectError {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
        error
    }

    /// Sends the next chunk of a version, at most [`CHUNK_BYTES_MAX`]; chunks are stored in the order
    /// in which they are sent. Nobody sees them before [`publish`](Self::publish).
    ///
    /// # Errors
    /// JetStream can't be reached.
    pub async fn send_chunk(
        &self,
        object: ObjectKey,
        version: ObjectKey,
        chunk: Bytes,
    ) -> Result<SentChunk, ObjectError> {
        self.bucket().await?;
        let sent = self.bus.jetstream().publish(chunk_subject(object, version), chunk).await;
        sent.map(SentChunk).map_err(|error| self.failed(of_publish(&error)))
    }

    /// Makes the version whose chunks are all stored the object of that name. An earlier version is
    /// not the object's any more and is to be [forgotten](Self::forget_version).
    ///
    /// # Errors
    /// It is not known to have happened: it can be repeated.
    pub async fn publish(
        &self,
        object: ObjectKey,
        description: &ObjectDescription,
    ) -> Result<(), ObjectError> {
        self.bucket().await?;
        let info = serde_json::to_vec(&to_info(object, description))
            .map_err(|error| ObjectError::Unavailable(error.to_string()))?;
        let mut headers = HeaderMap::new();
        headers.insert(async_nats::header::NATS_ROLLUP, "sub");
        let subject = meta_subject(object);
        let published =
            self.bus.jetstream().publish_with_headers(subject, headers, info.into()).await;
        let stored = match published {
            Ok(stored) => stored.await.map(drop),
            Err(error) => Err(error),
        };
        stored.map_err(|error| self.failed(of_publish(&error)))
    }

    /// What is known about an object; `None` if there is none.
    ///
    /// # Errors
    /// JetStream can't be reached, or what is stored there can't be read.
    pub async fn describe(
        &self,
        object: ObjectKey,
    ) -> Result<Option<ObjectDescription>, ObjectError> {
        let found = self.bucket().await?.direct_get_last_for_subject(meta_subject(object)).await;
        match found {
            Ok(message) => from_info(&message.payload)
                .map(Some)
                .ok_or_else(|| ObjectError::Unavailable("a description can't be read".to_owned())),
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed(ObjectError::Unavailable(error.to_string()))),
        }
    }

    /// The first chunk of a version that lies after a position, and its own position; `None` after
    /// the last. The first one lies after position 0.
    ///
    /// # Errors
    /// JetStream can't be reached.
    pub async fn chunk_after(
        &self,
        object: ObjectKey,
        version: ObjectKey,
        position: u64,
    ) -> Result<Option<(u64, Bytes)>, ObjectError> {
        let subject = chunk_subject(object, version);
        let bucket = self.bucket().await?;
        match bucket.direct_get_next_for_subject(subject, Some(position + 1)).await {
            Ok(message) => Ok(Some((message.sequence, message.payload))),
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed(ObjectError::Unavailable(error.to_string()))),
        }
    }

    /// Removes the chunks of one version, which is not the object's (any more).
    ///
    /// # Errors
    /// JetStream can't be reached.
    pub async fn forget_version(
        &self,
        object: ObjectKey,
        version: ObjectKey,
    ) -> Result<(), ObjectError> {
        self.purge(&chunk_subject(object, version)).await
    }

    /// Removes an object with all that uploads under its name have left, completed or not.
    ///
    /// # Errors
    /// It is not known to be gone: it can be repeated.
    pub async fn remove(&self, object: ObjectKey) -> Result<(), ObjectError> {
        self.purge(&meta_subject(object)).await?;
        self.purge(&format!("$O.{OBJECT_BUCKET}.C.{object}.>")).await
    }

    async fn purge(&self, subject: &str) -> Result<(), ObjectError> {
        let purged = self.bucket().await?.purge().filter(subject).await;
        purged.map(drop).map_err(|error| self.failed(ObjectError::Unavailable(error.to_string())))
    }
}

fn chunk_subject(object: ObjectKey, version: ObjectKey) -> String {
    format!("$O.{OBJECT_BUCKET}.C.{object}.{version}")
}

fn meta_subject(object: ObjectKey) -> String {
    format!("$O.{OBJECT_BUCKET}.M.{}", URL_SAFE.encode(object.to_string()))
}

fn of_publish(error: &PublishError) -> ObjectError {
    const FULL: [ErrorCode; 4] = [
        ErrorCode::STREAM_STORE_FAILED,
        ErrorCode::ACCOUNT_RESOURCES_EXCEEDED,
        ErrorCode::INSUFFICIENT_RESOURCES,
        ErrorCode::STORAGE_RESOURCES_EXCEEDED,
    ];
    let source = std::error::Error::source(error);
    let code = source.and_then(|source| source.downcast_ref::<jetstream::Error>());
    let code = code.map(jetstream::Error::error_code);
    if error.kind() == PublishErrorKind::Other && code.is_some_and(|code| FULL.contains(&code)) {
        return ObjectError::Full;
    }
    ObjectError::Unavailable(error.to_string())
}

fn to_info(object: ObjectKey, description: &ObjectDescription) -> ObjectInfo {
    let ObjectDescription { version, size, chunks, sha256 } = description;
    ObjectInfo {
        name: object.to_string(),
        description: None,
        metadata: HashMap::new(),
        headers: None,
        options: Some(ObjectOptions { link: None, max_chunk_size: Some(CHUNK_BYTES_MAX) }),
        bucket: OBJECT_BUCKET.to_owned(),
        // Whoever reads the object puts this behind `C.`.
        nuid: format!("{object}.{version}"),
        size: usize::try_from(*size).unwrap_or(usize::MAX),
        chunks: usize::try_from(*chunks).unwrap_or(usize::MAX),
        modified: Some(async_nats::datetime::now()),
        digest: Some(format!("{DIGEST_NAME}{}", URL_SAFE.encode(sha256))),
        deleted: false,
    }
}

fn from_info(payload: &[u8]) -> Option<ObjectDescription> {
    let info: ObjectInfo = serde_json::from_slice(payload).ok()?;
    let (_, version) = info.nuid.split_once('.')?;
    let digest = info.digest?;
    let sha256 = URL_SAFE.decode(digest.strip_prefix(DIGEST_NAME)?).ok()?;
    Some(ObjectDescription {
        version: ObjectKey(u128::from_str_radix(version, 16).ok()?),
        size: info.size as u64,
        chunks: info.chunks as u64,
        sha256: sha256.try_into().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_read_as_it_was_written() {
        let description =
            ObjectDescription { version: ObjectKey(7), size: 300_000, chunks: 3, sha256: [9; 32] };
        let written = serde_json::to_vec(&to_info(ObjectKey(5), &description)).unwrap();
        assert_eq!(from_info(&written), Some(description));
        assert_eq!(from_info(b"{}"), None);
    }

    #[test]
    fn no_name_leaves_its_place_in_a_subject() {
        for key in [0, 1, u128::MAX] {
            let subject = chunk_subject(ObjectKey(key), ObjectKey(key));
            assert_eq!(subject.split('.').count(), 5, "{subject}");
            assert!(!subject.contains(['*', '>', ' ']), "{subject}");
            assert_eq!(meta_subject(ObjectKey(key)).split('.').count(), 4);
        }
    }
}
