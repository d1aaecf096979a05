//! Removes files that nobody wants: of deleted meetings, taken away, or left by broken uploads.

use std::time::Duration;

use tributary_file_store::FileError;
use tributary_identifiers::AttachmentId;
use tributary_meeting_registry_core::UnixMillis;
use tributary_service_runtime::CancellationToken;

use super::{AttachmentError, Attachments, file_of};
use crate::{metrics, store::StoreError};

/// How often it is looked for what broken uploads or other replicas have left.
const LOOK_INTERVAL: Duration = Duration::from_secs(30);
/// Files removed in one go.
const FILES_AT_ONCE: u64 = 100;
/// When a file is looked at again that could not be removed.
const AGAIN_AFTER_MS: UnixMillis = 60 * 1000;

/// Removes files that nobody wants.
pub struct Remover {
    attachments: Attachments,
}

impl Remover {
    /// Over the files of all meetings.
    #[must_use]
    pub const fn new(attachments: Attachments) -> Self {
        Self { attachments }
    }

    /// Removes until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        loop {
            if let Err(error) = self.sweep().await {
                tracing::warn!(%error, "can't look for files that nobody wants");
            }
            tokio::select! {
                () = self.attachments.store.something_unwanted(LOOK_INTERVAL) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Removes what is due; returns how many files are gone.
    ///
    /// # Errors
    /// The database could not answer: what is left is found by the next sweep.
    pub async fn sweep(&self) -> Result<usize, StoreError> {
        let store = &self.attachments.store;
        let mut gone = 0;
        loop {
            let now = store.clock().now();
            let due = store.unwanted_files(now, FILES_AT_ONCE).await?;
            let mut failed = false;
            for file in &due {
                if self.remove(file).await? {
                    gone += 1;
                } else {
                    failed = true;
                    store.put_off_file(file, now.saturating_add(AGAIN_AFTER_MS)).await?;
                }
            }
            let more = due.len() >= usize::try_from(FILES_AT_ONCE).unwrap_or(usize::MAX);
            if failed || !more {
                return Ok(gone);
            }
        }
    }

    /// False if the file could not be removed now.
    async fn remove(&self, file: &AttachmentId) -> Result<bool, StoreError> {
        let removed = async {
            let id = file_of(file)?;
            Ok(self.attachments.files.store().await?.delete(id).await?)
        };
        match removed.await {
            // What can't be in the file store need not be removed from it.
            Ok(())
            | Err(AttachmentError::File(FileError::NotFound) | AttachmentError::Store(_)) => {
                self.attachments.store.forget_file(file).await?;
                metrics::file_removed();
                Ok(true)
            }
            Err(error) => {
                tracing::warn!(%error, %file, "a file can't be removed; it will be tried again");
                metrics::file_not_removed();
                Ok(false)
            }
        }
    }
}
