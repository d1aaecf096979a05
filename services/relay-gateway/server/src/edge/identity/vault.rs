//! The folder with the relay's key: this user's alone, written so that a crash leaves the old or the
//! new.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use tributary_join_credential::RelayKey;

use super::{IdentityError, settings::Stored};

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// What others must not be able to do.
const OTHERS: u32 = 0o077;
/// More than any of the files has. Bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;

const LOCK: &str = "lock";
const STORED: &str = "relay.json";

/// One of the relay's keys (PKCS #8, DER).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyFile {
    /// The key that the relay has.
    Current,
    /// The one that a rotation was begun with.
    Next,
}

impl KeyFile {
    const fn name(self) -> &'static str {
        match self {
            Self::Current => "relay.key",
            Self::Next => "next.key",
        }
    }
}

/// The folder, held by this process.
pub(super) struct Vault {
    folder: PathBuf,
    _lock: File,
}

impl Vault {
    pub(super) fn open(folder: &Path) -> Result<Self, IdentityError> {
        let failed = |source| IdentityError::File { path: folder.to_owned(), source };
        let made = DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder);
        made.map_err(failed)?;
        refuse_open(folder, &fs::metadata(folder).map_err(failed)?, FOLDER_MODE)?;
        let path = folder.join(LOCK);
        let failed = |source| IdentityError::File { path: path.clone(), source };
        let options = OpenOptions::new().write(true).create(true).mode(FILE_MODE).open(&path);
        let lock = options.map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { folder: folder.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(IdentityError::InUse(folder.to_owned())),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.folder
    }

    pub(super) fn read_key(&self, file: KeyFile) -> Result<Option<RelayKey>, IdentityError> {
        let path = self.folder.join(file.name());
        let Some(bytes) = self.read(&path)? else { return Ok(None) };
        let damaged = |error: tributary_join_credential::InvalidRelayKey| IdentityError::Damaged {
            path,
            reason: error.to_string(),
        };
        RelayKey::from_pkcs8(&bytes).map(Some).map_err(damaged)
    }

    pub(super) fn write_key(&self, file: KeyFile, key: &RelayKey) -> Result<(), IdentityError> {
        self.write(file.name(), &key.to_pkcs8()?)
    }

    /// The next key takes the place of the current one, in one step.
    pub(super) fn promote_next(&self) -> Result<(), IdentityError> {
        let next = self.folder.join(KeyFile::Next.name());
        fs::rename(&next, self.folder.join(KeyFile::Current.name()))
            .and_then(|()| self.sync())
            .map_err(|source| IdentityError::File { path: next, source })
    }

    pub(super) fn read_stored(&self) -> Result<Option<Stored>, IdentityError> {
        let path = self.folder.join(STORED);
        let Some(bytes) = self.read(&path)? else { return Ok(None) };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| IdentityError::Damaged { path, reason: error.to_string() })
    }

    pub(super) fn write_stored(&self, stored: &Stored) -> Result<(), IdentityError> {
        let bytes = serde_json::to_vec_pretty(stored).map_err(|error| IdentityError::File {
            path: self.folder.join(STORED),
            source: error.into(),
        })?;
        self.write(STORED, &bytes)
    }

    /// None if the file is not there.
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, IdentityError> {
        let failed = |source| IdentityError::File { path: path.to_owned(), source };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        refuse_open(path, &file.metadata().map_err(failed)?, FILE_MODE)?;
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
        Ok(Some(bytes))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), IdentityError> {
        let path = self.folder.join(name);
        self.replace(&path, bytes).map_err(|source| IdentityError::File { path, source })
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let beside = path.with_extension("new");
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        self.sync()
    }

    /// What was renamed stays so after a loss of power.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }
}

fn refuse_open(path: &Path, found: &fs::Metadata, wanted: u32) -> Result<(), IdentityError> {
    let mode = found.mode() & 0o777;
    if mode & OTHERS == 0 {
        return Ok(());
    }
    Err(IdentityError::Open { path: path.to_owned(), mode, wanted })
}
