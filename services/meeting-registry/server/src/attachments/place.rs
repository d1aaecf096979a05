//! Where the bytes of files are kept.

use std::{path::PathBuf, sync::Arc};

use tokio::sync::OnceCell;
use tributary_file_store::{FileError, FileStore, FolderStore, JetStreamStore};
use tributary_message_bus::ControlBus;

/// Where files are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a folder, made when it is first needed. All replicas must see the same.
    Folder(PathBuf),
    /// In the object store of JetStream.
    JetStream,
}

/// The text names no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be folder:<path> or jetstream")]
pub struct UnknownPlace;

impl std::str::FromStr for Place {
    type Err = UnknownPlace;

    fn from_str(text: &str) -> Result<Self, UnknownPlace> {
        match text.split_once(':') {
            Some(("folder", path)) if !path.is_empty() => Ok(Self::Folder(path.into())),
            None if text == "jetstream" => Ok(Self::JetStream),
            _ => Err(UnknownPlace),
        }
    }
}

impl Place {
    /// The place that goes with a database: a folder beside SQLite's files; with PostgreSQL, which
    /// several replicas may share, what they share as well.
    #[must_use]
    pub fn beside_database(url: &str) -> Self {
        match url.strip_prefix("sqlite:") {
            Some(folder) => {
                let folder = folder.strip_prefix("//").unwrap_or(folder);
                Self::Folder(PathBuf::from(folder).join("attachments"))
            }
            None => Self::JetStream,
        }
    }
}

/// The files of one place.
pub enum Files {
    /// In a folder, made and opened when it is first needed.
    Folder {
        /// Where.
        path: PathBuf,
        /// When it has been needed.
        opened: OnceCell<Arc<dyn FileStore>>,
    },
    /// In a store that opens itself.
    Store(Arc<dyn FileStore>),
}

impl Files {
    /// Files at a place; `bus` is used for those in JetStream, which have so many bytes together.
    #[must_use]
    pub fn at(place: Place, bus: &ControlBus, jetstream_bytes_max: u64) -> Self {
        match place {
            Place::Folder(path) => Self::in_folder(path),
            Place::JetStream => {
                Self::Store(Arc::new(JetStreamStore::new(bus, jetstream_bytes_max)))
            }
        }
    }

    /// Files in a folder.
    #[must_use]
    pub const fn in_folder(path: PathBuf) -> Self {
        Self::Folder { path, opened: OnceCell::const_new() }
    }

    /// The opened store.
    ///
    /// # Errors
    /// The folder can't be made or read.
    pub(super) async fn store(&self) -> Result<&Arc<dyn FileStore>, FileError> {
        match self {
            Self::Store(store) => Ok(store),
            Self::Folder { path, opened } => {
                let open = async || Ok(Arc::new(FolderStore::open(path).await?) as _);
                opened.get_or_try_init(open).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read() {
        assert_eq!("folder:data/a b".parse(), Ok(Place::Folder("data/a b".into())));
        assert_eq!("jetstream".parse(), Ok(Place::JetStream));
        for text in ["", "folder:", "folder", "data", "jetstream:", "s3:bucket"] {
            assert_eq!(text.parse::<Place>(), Err(UnknownPlace), "{text}");
        }
    }

    #[test]
    fn files_lie_beside_sqlite_and_in_what_replicas_share() {
        let folder = |path: &str| Place::Folder(path.into());
        assert_eq!(Place::beside_database("sqlite:data"), folder("data/attachments"));
        assert_eq!(Place::beside_database("sqlite:///var/t"), folder("/var/t/attachments"));
        assert_eq!(Place::beside_database("postgres://host/db"), Place::JetStream);
    }
}
