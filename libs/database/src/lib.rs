//! The way to a service's database, SQLite or PostgreSQL by the same code.
//!
//! `sqlite:<folder>` keeps `<folder>/<service>.db`, for one process; `postgres://…` is shared by
//! all services and their replicas, each service with tables of its own.
//!
//! **Invariants:** what is committed survives a power cut (`synchronous=FULL`); waiting for a
//! database never blocks the process, is visible in the readiness, and ends with the shutdown.

mod migrate;
mod postgres;
#[cfg(feature = "scratch")]
pub mod scratch;
mod sqlite;

use sea_orm::{DatabaseConnection, DbErr};
use tributary_service_runtime::{CancellationToken, DatabaseConfig, Dependency};

pub use migrate::migrate;

/// Why there is no database.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL names no kind of database that is known here.
    #[error("database.url must begin with sqlite: or postgres://")]
    UnknownKind,
    /// The URL can't be read; it is not repeated, as it may hold a password.
    #[error("database.url is not usable: {0}")]
    Url(String),
    /// The folder of the SQLite files can't be made.
    #[error("can't make the folder {folder}: {source}")]
    Folder {
        /// The folder.
        folder: String,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// The database refused.
    #[error("database: {0}")]
    Database(#[from] DbErr),
    /// The process ends before the database was there.
    #[error("ended while waiting for the database")]
    Shutdown,
}

/// Connects `service` to its database. SQLite's folder and file are made if missing; PostgreSQL is
/// waited for, with growing pauses, until `shutdown` is cancelled. `readiness` says what is missing,
/// here and later.
///
/// On SQLite there is one connection, so that nothing fails because something else writes: with a
/// transaction open, use nothing but the transaction.
///
/// # Errors
/// If the URL is unusable, SQLite can't be opened, or the shutdown comes first.
pub async fn connect(
    config: &DatabaseConfig,
    service: &'static str,
    readiness: &Dependency,
    shutdown: &CancellationToken,
) -> Result<DatabaseConnection, Error> {
    let url = config.url.expose();
    if let Some(folder) = url.strip_prefix("sqlite:") {
        let connection = sqlite::connect(folder, service).await?;
        readiness.ready();
        return Ok(connection);
    }
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return postgres::connect(url, service, readiness, shutdown).await;
    }
    Err(Error::UnknownKind)
}
