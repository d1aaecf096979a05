//! Files of meetings: their bytes come in and go out piece by piece, and go when nobody wants them.
//!
//! **Invariants:** a file belongs to a meeting only when all of it is stored; its bytes are counted
//! while they come, and no more are taken than may come; what nobody wants is removed in the end,
//! whatever breaks.

mod intake;
mod place;
mod removal;

use std::sync::Arc;

use tokio::sync::Semaphore;
use tributary_file_store::{FileError, FileId, Pieces};
use tributary_identifiers::{AttachmentId, UserId};
use tributary_meeting_registry_core::{
    Attach, Attachment, AttachmentLimits, Caller, Command, Detach, FileName, MediaType, Refusal,
    UnixMillis,
};
use tributary_message_bus::subjects::MeetingScope;

use crate::store::{Store, StoreError};
pub use intake::{DATA_BYTES_MAX, Intake};
pub use place::{Files, Place};
pub use removal::Remover;

/// Files that may come at once in this process: more than its disk can take, few enough for its
/// memory.
const UPLOADS_MAX: usize = 64;
/// By then a file belongs to its meeting, or its upload is broken. Longer than any call may take.
const UPLOAD_TIME_MAX: UnixMillis = 3600 * 1000;

/// The files of all meetings. Clones share everything.
#[derive(Clone)]
pub struct Attachments {
    store: Store,
    files: Arc<Files>,
    limits: AttachmentLimits,
    uploads: Arc<Semaphore>,
}

/// A file that is to be attached.
#[derive(Clone, Debug)]
pub struct NewFile {
    /// Who attaches it.
    pub by: UserId,
    /// Its name.
    pub name: FileName,
    /// What kind of file it is.
    pub media_type: MediaType,
}

/// Why a file was not attached or can't be read.
#[derive(Debug, thiserror::Error)]
pub enum AttachmentError {
    /// Too many come already.
    #[error("too many files are being attached")]
    Busy,
    /// It is refused, or the database could not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The sender broke off, or sent what makes no sense.
    #[error("the upload ended early: {0}")]
    Sender(Box<tonic::Status>),
    /// The file store could not do it.
    #[error(transparent)]
    File(#[from] FileError),
}

impl From<Refusal> for AttachmentError {
    fn from(refusal: Refusal) -> Self {
        Self::Store(refusal.into())
    }
}

impl Attachments {
    /// Over a store and a place for the bytes.
    #[must_use]
    pub fn new(store: Store, files: Arc<Files>, limits: AttachmentLimits) -> Self {
        Self { store, files, limits, uploads: Arc::new(Semaphore::new(UPLOADS_MAX)) }
    }

    /// Attaches a file; returns when it will survive a crash.
    ///
    /// # Errors
    /// Nothing is attached: see [`AttachmentError`].
    pub async fn put(
        &self,
        meeting: &MeetingScope,
        new: NewFile,
        intake: Intake,
    ) -> Result<Attachment, AttachmentError> {
        let _upload = self.uploads.try_acquire().map_err(|_| AttachmentError::Busy)?;
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|_| StoreError::NoRandomNumbers)?;
        let now = self.store.clock().now();
        let attachment = Attachment {
            id: AttachmentId::from_random(&random),
            name: new.name,
            media_type: new.media_type,
            size: 0,
            sha256: [0; 32],
            by: new.by,
            at: now,
        };
        // Who may not attach anything is refused before anything is stored.
        let rehearsed = self.store.rehearse(meeting, self.attach(&attachment), now).await?;
        let attached = rehearsed.state.counters().attachment_bytes;
        let room = self.limits.meeting_bytes_max.saturating_sub(attached);

        self.store.expect_file(&attachment.id, now.saturating_add(UPLOAD_TIME_MAX)).await?;
        let id = attachment.id.clone();
        let file = FileId::from_random(random);
        let received = self.receive(meeting, attachment, file, intake, room).await;
        if received.is_err() {
            self.discard(&id).await;
        }
        received
    }

    async fn receive(
        &self,
        meeting: &MeetingScope,
        mut attachment: Attachment,
        file: FileId,
        intake: Intake,
        room: u64,
    ) -> Result<Attachment, AttachmentError> {
        let AttachmentLimits { bytes_max, meeting_bytes_max, .. } = self.limits;
        let (pieces, taken_in) = intake.start();
        let stored = self.files.store().await?.put(file, pieces, bytes_max.min(room)).await;
        let sha256 = taken_in.end().map_err(|status| AttachmentError::Sender(Box::new(status)))?;
        let size = stored.map_err(|error| match error {
            FileError::TooLarge { .. } if room < bytes_max => {
                Refusal::AttachmentsTooLarge(meeting_bytes_max).into()
            }
            FileError::TooLarge { .. } => Refusal::AttachmentTooLarge(bytes_max).into(),
            error => AttachmentError::from(error),
        })?;
        let now = self.store.clock().now();
        (attachment.size, attachment.sha256, attachment.at) = (size, sha256, now);
        self.store.apply(meeting, self.attach(&attachment), now).await?;
        Ok(attachment)
    }

    fn attach(&self, attachment: &Attachment) -> Command {
        Command::Attach(Attach { attachment: attachment.clone(), limits: self.limits })
    }

    /// What is attached, oldest first.
    ///
    /// # Errors
    /// See [`Store::attachments`].
    pub async fn list(&self, meeting: &MeetingScope) -> Result<Vec<Attachment>, StoreError> {
        self.store.attachments(meeting).await
    }

    /// Opens a file.
    ///
    /// # Errors
    /// There is no such file, or it can't be read now.
    pub async fn open(
        &self,
        meeting: &MeetingScope,
        id: &AttachmentId,
    ) -> Result<(Attachment, Pieces), AttachmentError> {
        let found = self.store.attachment(meeting, id).await?;
        let attachment = found.ok_or(Refusal::NoSuchAttachment)?;
        let stored = self.files.store().await?.get(file_of(id)?).await?;
        if stored.size != attachment.size {
            let (expected, size) = (attachment.size, stored.size);
            let why = format!("{size} bytes instead of {expected}");
            return Err(FileError::Damaged(why).into());
        }
        Ok((attachment, stored.bytes))
    }

    /// Takes a file away; its bytes are removed soon after.
    ///
    /// # Errors
    /// See [`Store::apply`].
    pub async fn remove(
        &self,
        meeting: &MeetingScope,
        by: Caller,
        attachment: AttachmentId,
    ) -> Result<(), StoreError> {
        let command = Command::Detach(Detach { by, attachment });
        self.store.apply(meeting, command, self.store.clock().now()).await?;
        Ok(())
    }

    /// Lets the remover take what a failed upload may have left.
    async fn discard(&self, id: &AttachmentId) {
        if let Err(error) = self.store.give_up_file(id, self.store.clock().now()).await {
            // It stays written down, and is found when its time is over.
            tracing::debug!(%error, "a broken upload is removed later");
        }
    }
}

fn file_of(id: &AttachmentId) -> Result<FileId, AttachmentError> {
    // What can't be a file's id names none.
    id.as_str().parse().map_err(|_| Refusal::NoSuchAttachment.into())
}
