//! The local folder.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use tempfile::TempDir;
use tributary_file_store::{FileError, FileStore, FolderStore};

use crate::suite::{Fixture, content, id, pieces, read};

struct Folder {
    folder: TempDir,
    store: FolderStore,
}

impl Folder {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderStore::open(folder.path()).await.unwrap();
        Self { folder, store }
    }
}

impl Fixture for Folder {
    fn store(&self) -> &dyn FileStore {
        &self.store
    }

    async fn is_empty(&self) -> bool {
        files_below(self.folder.path()).is_empty()
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}

crate::run_suite!(Folder);

#[tokio::test]
async fn a_file_lies_two_folders_deep_and_is_there_for_the_next_process() {
    let folder = Folder::new().await;
    folder.store.put(id(0xab), pieces(b"bytes", 2), 5).await.unwrap();
    let name = "ab".repeat(16);
    let expected = folder.folder.path().join("ab").join("ab").join(&name);
    assert_eq!(files_below(folder.folder.path()), [expected]);
    let again = FolderStore::open(folder.folder.path()).await.unwrap();
    assert_eq!(read(&again, id(0xab)).await.unwrap(), b"bytes");
}

#[tokio::test]
async fn what_a_crash_has_left_is_removed_and_what_is_being_written_is_not() {
    let folder = Folder::new().await;
    let incoming = folder.folder.path().join("incoming");
    let long_ago = SystemTime::now() - Duration::from_secs(2 * 3600);
    for (name, modified) in [("old", long_ago), ("young", SystemTime::now())] {
        let file = fs::File::create(incoming.join(name)).unwrap();
        file.set_modified(modified).unwrap();
    }
    FolderStore::open(folder.folder.path()).await.unwrap();
    assert_eq!(files_below(folder.folder.path()), [incoming.join("young")]);
}

#[tokio::test]
async fn a_folder_that_can_not_be_used_is_said_to_be_unavailable() {
    let folder = Folder::new().await;
    fs::remove_dir_all(folder.folder.path()).unwrap();
    let error = folder.store.put(id(1), pieces(&content(10, 1), 10), 10).await.unwrap_err();
    assert!(matches!(error, FileError::Unavailable(_)), "{error}");
    fs::write(folder.folder.path(), "a file where the folder was").unwrap();
    let error = FolderStore::open(folder.folder.path()).await.unwrap_err();
    assert!(matches!(error, FileError::Unavailable(_)), "{error}");
}
