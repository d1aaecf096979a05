//! Files in the JetStream object store.

use std::collections::VecDeque;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use sha2::{Digest as _, Sha256};
use tributary_message_bus::{
    CHUNK_BYTES_MAX, ControlBus, ObjectDescription, ObjectError, ObjectKey, Objects, SentChunk,
};

use crate::{FileError, FileId, FileStore, Meter, PIECE_BYTES_MAX, Pieces, StoredFile};

/// Chunks on their way to the server at the same time: hides the round trip, and bounds what an
/// upload holds in memory.
const IN_FLIGHT_MAX: usize = 4;

/// The bucket of attachments.
#[derive(Clone)]
pub struct JetStreamStore {
    objects: Objects,
}

impl JetStreamStore {
    /// The bucket on this connection, made when first used, with room for `bytes_max` bytes in all;
    /// 0: as much as the server gives.
    #[must_use]
    pub fn new(bus: &ControlBus, bytes_max: u64) -> Self {
        Self { objects: Objects::new(bus, bytes_max) }
    }
}

#[async_trait]
impl FileStore for JetStreamStore {
    async fn put(&self, id: FileId, bytes: Pieces, bytes_max: u64) -> Result<u64, FileError> {
        let object = ObjectKey(id.number());
        let earlier = self.objects.describe(object).await.map_err(of_object)?;
        let mut upload = Upload::new(&self.objects, object)?;
        let stored = upload.receive(bytes, bytes_max).await;
        let size = match stored {
            Ok(size) => size,
            Err(error) => {
                upload.discard().await;
                return Err(error);
            }
        };
        if let Some(earlier) = earlier {
            // What stays behind when this fails goes with the file.
            let forgotten = self.objects.forget_version(object, earlier.version).await;
            if let Err(error) = forgotten {
                tracing::debug!(%error, "the replaced version of a file was not removed");
            }
        }
        Ok(size)
    }

    async fn get(&self, id: FileId) -> Result<StoredFile, FileError> {
        let object = ObjectKey(id.number());
        let described = self.objects.describe(object).await.map_err(of_object)?;
        let description = described.ok_or(FileError::NotFound)?;
        let size = description.size;
        let reading = Reading {
            objects: self.objects.clone(),
            object,
            chunks_left: description.chunks,
            description,
            position: 0,
            chunk: Bytes::new(),
            digest: Sha256::new(),
        };
        let bytes = stream::try_unfold(reading, |mut reading| async move {
            Ok(reading.next_piece().await?.map(|piece| (piece, reading)))
        });
        Ok(StoredFile { size, bytes: bytes.boxed() })
    }

    async fn delete(&self, id: FileId) -> Result<(), FileError> {
        self.objects.remove(ObjectKey(id.number())).await.map_err(of_object)
    }
}

/// A version that is being written; its chunks are removed unless it is completed.
struct Upload {
    objects: Objects,
    object: ObjectKey,
    version: ObjectKey,
    chunks: u64,
    in_flight: VecDeque<SentChunk>,
    settled: bool,
}

impl Upload {
    fn new(objects: &Objects, object: ObjectKey) -> Result<Self, FileError> {
        let mut random = [0; 16];
        getrandom::fill(&mut random)
            .map_err(|error| FileError::Unavailable(format!("draw a version: {error}")))?;
        Ok(Self {
            objects: objects.clone(),
            object,
            version: ObjectKey(u128::from_be_bytes(random)),
            chunks: 0,
            in_flight: VecDeque::new(),
            settled: false,
        })
    }

    async fn receive(&mut self, mut bytes: Pieces, bytes_max: u64) -> Result<u64, FileError> {
        let mut meter = Meter::new(bytes_max);
        let mut digest = Sha256::new();
        let mut gathered = BytesMut::new();
        while let Some(piece) = bytes.next().await {
            let piece = piece?;
            meter.add(piece.len())?;
            digest.update(&piece);
            gathered.extend_from_slice(&piece);
            while gathered.len() >= CHUNK_BYTES_MAX {
                self.send(gathered.split_to(CHUNK_BYTES_MAX).freeze()).await?;
            }
        }
        if !gathered.is_empty() {
            self.send(gathered.freeze()).await?;
        }
        while let Some(oldest) = self.in_flight.pop_front() {
            oldest.stored().await.map_err(of_object)?;
        }
        let description = ObjectDescription {
            version: self.version,
            size: meter.size,
            chunks: self.chunks,
            sha256: digest.finalize().into(),
        };
        self.objects.publish(self.object, &description).await.map_err(of_object)?;
        self.settled = true;
        Ok(meter.size)
    }

    async fn send(&mut self, chunk: Bytes) -> Result<(), FileError> {
        if self.in_flight.len() >= IN_FLIGHT_MAX
            && let Some(oldest) = self.in_flight.pop_front()
        {
            oldest.stored().await.map_err(of_object)?;
        }
        let sent = self.objects.send_chunk(self.object, self.version, chunk).await;
        self.in_flight.push_back(sent.map_err(of_object)?);
        self.chunks += 1;
        Ok(())
    }

    async fn discard(mut self) {
        self.settled = true;
        let in_flight = std::mem::take(&mut self.in_flight);
        forget(self.objects.clone(), self.object, self.version, in_flight).await;
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let in_flight = std::mem::take(&mut self.in_flight);
        let forgetting = forget(self.objects.clone(), self.object, self.version, in_flight);
        // Outside a runtime the process is ending; what stays goes with the file.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(forgetting);
        }
    }
}

/// Removes the chunks of a version, those too that are still on their way.
async fn forget(
    objects: Objects,
    object: ObjectKey,
    version: ObjectKey,
    in_flight: VecDeque<SentChunk>,
) {
    for chunk in in_flight {
        // Stored or not, it is on its way no more.
        let _ = chunk.stored().await;
    }
    if let Err(error) = objects.forget_version(object, version).await {
        tracing::debug!(%error, "a broken upload was not removed; it goes with the file");
    }
}

/// A file that is being read.
struct Reading {
    objects: Objects,
    object: ObjectKey,
    description: ObjectDescription,
    chunks_left: u64,
    position: u64,
    chunk: Bytes,
    digest: Sha256,
}

impl Reading {
    async fn next_piece(&mut self) -> Result<Option<Bytes>, FileError> {
        if self.chunk.is_empty() {
            if self.chunks_left == 0 {
                return Ok(None);
            }
            let version = self.description.version;
            let next = self.objects.chunk_after(self.object, version, self.position).await;
            let next = next.map_err(of_object)?;
            let (position, chunk) =
                next.ok_or_else(|| FileError::Damaged("it ends too early".to_owned()))?;
            self.position = position;
            self.chunks_left -= 1;
            self.digest.update(&chunk);
            self.chunk = chunk;
            if self.chunks_left == 0 {
                self.check_digest()?;
            }
        }
        let length = self.chunk.len().min(PIECE_BYTES_MAX);
        Ok(Some(self.chunk.split_to(length)))
    }

    /// Before the last chunk is given out: whoever gets all bytes got the right ones.
    fn check_digest(&mut self) -> Result<(), FileError> {
        let digest: [u8; 32] = std::mem::take(&mut self.digest).finalize().into();
        if digest == self.description.sha256 {
            Ok(())
        } else {
            Err(FileError::Damaged("its bytes are not those that were stored".to_owned()))
        }
    }
}

fn of_object(error: ObjectError) -> FileError {
    match error {
        ObjectError::Full => FileError::Full,
        ObjectError::Unavailable(why) => FileError::Unavailable(why),
    }
}
