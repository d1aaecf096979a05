//! SQLite: one file per service in one folder, for the embedded default.

use std::{fs::DirBuilder, os::unix::fs::DirBuilderExt as _, path::Path, time::Duration};

use sea_orm::{ConnectOptions, Database, DatabaseConnection, sqlx::sqlite};

use crate::Error;

/// How long a statement waits for another process's lock, as that of a backup.
const BUSY_DEADLINE: Duration = Duration::from_secs(5);
/// The folder holds password hashes and signing keys: for its owner only.
const FOLDER_MODE: u32 = 0o700;

pub(crate) async fn connect(
    folder: &str,
    service: &'static str,
) -> Result<DatabaseConnection, Error> {
    let folder = Path::new(folder.strip_prefix("//").unwrap_or(folder));
    if folder.as_os_str().is_empty() {
        return Err(Error::Url("sqlite: needs a folder".into()));
    }
    DirBuilder::new()
        .recursive(true)
        .mode(FOLDER_MODE)
        .create(folder)
        .map_err(|source| Error::Folder { folder: folder.display().to_string(), source })?;
    let file = folder.join(format!("{service}.db"));
    let mut options = ConnectOptions::new("sqlite:");
    options
        .max_connections(1)
        .acquire_timeout(BUSY_DEADLINE)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |options| {
            options
                .filename(&file)
                .create_if_missing(true)
                .journal_mode(sqlite::SqliteJournalMode::Wal)
                .synchronous(sqlite::SqliteSynchronous::Full)
                .busy_timeout(BUSY_DEADLINE)
                .foreign_keys(true)
        });
    Ok(Database::connect(options).await?)
}
