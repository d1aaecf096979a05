//! Files behind one trait: in a local folder, or in the JetStream object store.
//!
//! A store knows bytes and ids and nothing else: what a file is called, whose it is and who may read
//! it is kept by whoever has the ids, and access is decided before a store is asked.
//!
//! **Invariants:** a file is there in full or not at all, whatever breaks while it is put; an upload
//! that fails leaves nothing behind; neither store holds more than a few chunks in memory.

mod folder;
mod id;
mod jetstream;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

pub use folder::FolderStore;
pub use id::{FileId, InvalidFileId};
pub use jetstream::JetStreamStore;

/// The largest piece in which a store gives bytes back.
pub const PIECE_BYTES_MAX: usize = 64 * 1024;

/// The bytes of a file, piece by piece. What is put may come in pieces of any size, and an error in
/// it is a [`FileError::Interrupted`]; nothing follows an error.
pub type Pieces = BoxStream<'static, Result<Bytes, FileError>>;

/// Keeps files.
#[async_trait]
pub trait FileStore: Send + Sync + 'static {
    /// Stores a file of at most `bytes_max` bytes and returns its size, when it will survive a crash.
    /// A file of the same id is replaced. When the future is dropped, nothing is stored.
    ///
    /// # Errors
    /// Nothing was stored: too many bytes, the source has failed, or the store can't take it.
    async fn put(&self, id: FileId, bytes: Pieces, bytes_max: u64) -> Result<u64, FileError>;

    /// Opens a file. Its pieces have at most [`PIECE_BYTES_MAX`] bytes and are read as they are taken.
    ///
    /// # Errors
    /// [`FileError::NotFound`] if there is none; the store can't be read.
    async fn get(&self, id: FileId) -> Result<StoredFile, FileError>;

    /// Removes a file, and what a broken upload under its id may have left. Removing what is not
    /// there changes nothing.
    ///
    /// # Errors
    /// It is not known to be gone: it can be repeated.
    async fn delete(&self, id: FileId) -> Result<(), FileError>;
}

/// A file that was opened.
pub struct StoredFile {
    /// In bytes.
    pub size: u64,
    /// Its content, `size` bytes unless an error ends it.
    pub bytes: Pieces,
}

impl std::fmt::Debug for StoredFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredFile").field("size", &self.size).finish_non_exhaustive()
    }
}

/// Why a file was not stored, read or removed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// There is no file of this id.
    #[error("there is no such file")]
    NotFound,
    /// More bytes came than the file may have.
    #[error("the file is larger than {bytes_max} bytes")]
    TooLarge {
        /// The declared maximum.
        bytes_max: u64,
    },
    /// The bytes to be stored did not come to their end.
    #[error("the upload was interrupted: {0}")]
    Interrupted(String),
    /// The store has no room left.
    #[error("the file store is full")]
    Full,
    /// What is stored is not what was put.
    #[error("the stored file is damaged: {0}")]
    Damaged(String),
    /// The store can't be reached or used: try again.
    #[error("the file store can't be used: {0}")]
    Unavailable(String),
}

/// Counts bytes against a maximum.
struct Meter {
    size: u64,
    bytes_max: u64,
}

impl Meter {
    const fn new(bytes_max: u64) -> Self {
        Self { size: 0, bytes_max }
    }

    fn add(&mut self, bytes: usize) -> Result<(), FileError> {
        let size = self.size.saturating_add(bytes as u64);
        if size > self.bytes_max {
            return Err(FileError::TooLarge { bytes_max: self.bytes_max });
        }
        self.size = size;
        Ok(())
    }
}
