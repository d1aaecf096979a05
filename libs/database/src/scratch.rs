//! Databases for tests: each test its own, on both kinds.
//!
//! PostgreSQL comes from `TRIBUTARY_TEST_POSTGRES_URL`, a throw-away server on which a database per
//! test is made. A test that needs it fails without it: a skipped test looks like one that passed.

#![expect(clippy::expect_used, clippy::panic, reason = "only tests call this, and fail by it")]

use sea_orm::{ConnectionTrait as _, Database};
use tempfile::TempDir;
use tributary_service_runtime::{DatabaseConfig, Secret};

/// The server on which the databases are made, as in `postgres://user@127.0.0.1:5432/postgres`.
pub const POSTGRES_VARIABLE: &str = "TRIBUTARY_TEST_POSTGRES_URL";

/// A database of a test's own.
pub struct ScratchDatabase {
    config: DatabaseConfig,
    /// Removed when dropped.
    _folder: Option<TempDir>,
}

impl ScratchDatabase {
    /// How to connect to it.
    pub fn config(&self) -> &DatabaseConfig {
        &self.config
    }
}

/// An SQLite folder that goes away with the value.
pub fn sqlite() -> ScratchDatabase {
    let folder = tempfile::tempdir().expect("a folder for SQLite");
    let url = Secret::new(format!("sqlite:{}", folder.path().display()));
    ScratchDatabase { config: DatabaseConfig { url }, _folder: Some(folder) }
}

/// A new database on the test server.
///
/// # Panics
/// If [`POSTGRES_VARIABLE`] is not set or the server does not do as asked.
pub async fn postgres() -> ScratchDatabase {
    let Ok(server) = std::env::var(POSTGRES_VARIABLE) else {
        panic!(
            "{POSTGRES_VARIABLE} is not set: run the tests by `just test`, which starts PostgreSQL"
        );
    };
    let mut random = [0; 8];
    getrandom::fill(&mut random).expect("random bytes");
    let name = format!("t_{:016x}", u64::from_be_bytes(random));
    let connection = Database::connect(&server).await.expect("the test server answers");
    let create = format!("CREATE DATABASE {name}");
    connection.execute_unprepared(&create).await.expect("the test user may make databases");
    connection.close().await.expect("the connection ends");
    let url = Secret::new(with_database(&server, &name));
    ScratchDatabase { config: DatabaseConfig { url }, _folder: None }
}

/// Replaces the path of a URL.
fn with_database(url: &str, name: &str) -> String {
    let (url, query) = url.split_once('?').map_or((url, None), |(url, query)| (url, Some(query)));
    let authority = url.find("://").map_or(0, |scheme| scheme + "://".len());
    let (scheme, rest) = url.split_at(authority);
    let authority = rest.split('/').next().unwrap_or(rest);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{scheme}{authority}/{name}{query}")
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn the_database_of_a_url_is_replaced() {
        for (url, expected) in [
            ("postgres://u:p@host:1/old", "postgres://u:p@host:1/new"),
            ("postgres://host", "postgres://host/new"),
            ("postgres:///old?host=/run/pg", "postgres:///new?host=/run/pg"),
        ] {
            assert_eq!(with_database(url, "new"), expected);
        }
    }
}
