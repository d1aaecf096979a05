//! Files in a local folder: `<first byte of the id>/<second byte>/<id>`.
//!
//! A file is written under `incoming/`, synced, and renamed to its place; then its folder is synced.

use std::{
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use bytes::BytesMut;
use futures_util::{StreamExt as _, stream};
use tokio::{
    fs::{self, File},
    io::{AsyncReadExt as _, AsyncWriteExt as _},
};

use crate::{FileError, FileId, FileStore, Meter, PIECE_BYTES_MAX, Pieces, StoredFile};

const INCOMING: &str = "incoming";
/// What a crash has left under `incoming/` is removed when it has not grown for so long: several
/// processes may use the same folder.
const LEFT_BEHIND: Duration = Duration::from_secs(3600);

/// A folder of files.
#[derive(Clone, Debug)]
pub struct FolderStore {
    root: PathBuf,
}

impl FolderStore {
    /// Opens a folder, made if it is not there, and removes what crashes have left in it.
    ///
    /// # Errors
    /// The folder can't be made or read.
    pub async fn open(root: impl Into<PathBuf>) -> Result<Self, FileError> {
        let store = Self { root: root.into() };
        let incoming = store.root.join(INCOMING);
        fs::create_dir_all(&incoming).await.map_err(|error| of_io(&error))?;
        let mut entries = fs::read_dir(&incoming).await.map_err(|error| of_io(&error))?;
        while let Some(entry) = entries.next_entry().await.map_err(|error| of_io(&error))? {
            let modified = entry.metadata().await.and_then(|metadata| metadata.modified());
            let age = modified.ok().and_then(|at| SystemTime::now().duration_since(at).ok());
            if age.is_some_and(|age| age >= LEFT_BEHIND) {
                // Another process may have been faster.
                let _ = fs::remove_file(entry.path()).await;
            }
        }
        Ok(store)
    }

    /// Two levels with 256 folders each: none gets so many entries that it is slow.
    fn folder_of(&self, id: FileId) -> PathBuf {
        let [first, second, ..] = id.number().to_be_bytes();
        self.root.join(format!("{first:02x}")).join(format!("{second:02x}"))
    }

    fn path_of(&self, id: FileId) -> PathBuf {
        self.folder_of(id).join(id.to_string())
    }

    async fn receive(&self, incoming: &Path, bytes: Pieces, max: u64) -> Result<u64, FileError> {
        let mut file = File::create_new(incoming).await.map_err(|error| of_io(&error))?;
        let size = copy(bytes, &mut file, max).await?;
        file.flush().await.map_err(|error| of_io(&error))?;
        file.sync_all().await.map_err(|error| of_io(&error))?;
        Ok(size)
    }
}

async fn copy(mut bytes: Pieces, file: &mut File, bytes_max: u64) -> Result<u64, FileError> {
    let mut meter = Meter::new(bytes_max);
    while let Some(piece) = bytes.next().await {
        let piece = piece?;
        meter.add(piece.len())?;
        file.write_all(&piece).await.map_err(|error| of_io(&error))?;
    }
    Ok(meter.size)
}

#[async_trait]
impl FileStore for FolderStore {
    async fn put(&self, id: FileId, bytes: Pieces, bytes_max: u64) -> Result<u64, FileError> {
        let incoming = Incoming::new(&self.root, id)?;
        let size = self.receive(&incoming.0, bytes, bytes_max).await?;
        let folder = self.folder_of(id);
        fs::create_dir_all(&folder).await.map_err(|error| of_io(&error))?;
        fs::rename(&incoming.0, self.path_of(id)).await.map_err(|error| of_io(&error))?;
        // The folders above may be new too.
        for folder in folder.ancestors().take(3) {
            sync_folder(folder).await.map_err(|error| of_io(&error))?;
        }
        Ok(size)
    }

    async fn get(&self, id: FileId) -> Result<StoredFile, FileError> {
        let file = File::open(self.path_of(id)).await.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => FileError::NotFound,
            _ => of_io(&error),
        })?;
        let size = file.metadata().await.map_err(|error| of_io(&error))?.len();
        let bytes = stream::try_unfold((file, size), |(mut file, left)| async move {
            if left == 0 {
                return Ok(None);
            }
            let mut piece = BytesMut::with_capacity(PIECE_BYTES_MAX);
            let wanted = left.min(PIECE_BYTES_MAX as u64);
            let read = (&mut file).take(wanted).read_buf(&mut piece).await;
            let read = read.map_err(|error| of_io(&error))?;
            if read == 0 {
                return Err(FileError::Damaged("it ends too early".to_owned()));
            }
            Ok(Some((piece.freeze(), (file, left.saturating_sub(read as u64)))))
        });
        Ok(StoredFile { size, bytes: bytes.boxed() })
    }

    async fn delete(&self, id: FileId) -> Result<(), FileError> {
        match fs::remove_file(self.path_of(id)).await {
            Ok(()) => sync_folder(&self.folder_of(id)).await.map_err(|error| of_io(&error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(of_io(&error)),
        }
    }
}

/// A file that is being written; removed when dropped. After its renaming there is nothing to remove.
struct Incoming(PathBuf);

impl Incoming {
    fn new(root: &Path, id: FileId) -> Result<Self, FileError> {
        let mut random = [0; 8];
        getrandom::fill(&mut random)
            .map_err(|error| FileError::Unavailable(format!("draw a name: {error}")))?;
        let name = format!("{id}.{:016x}", u64::from_be_bytes(random));
        Ok(Self(root.join(INCOMING).join(name)))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // Unlinking one file is short enough for any thread.
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder).await?.sync_all().await
}

fn of_io(error: &io::Error) -> FileError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FileError::Full,
        _ => FileError::Unavailable(error.to_string()),
    }
}
