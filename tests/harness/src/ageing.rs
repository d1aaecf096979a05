//! What a service keeps, changed as only the passing of time would change it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sea_orm::{ConnectOptions, ConnectionTrait, Database as Connect, DatabaseConnection};

use crate::config::Database;

/// A way into a service's database while the service runs.
pub struct Ageing {
    connection: DatabaseConnection,
}

impl Ageing {
    /// Opens the database of a service; `file` is where it is if it is SQLite.
    pub(crate) async fn of(database: &Database, file: &Path) -> Result<Self> {
        let url = match database {
            Database::Sqlite => format!("sqlite://{}?mode=rw", file.display()),
            Database::Postgres(url) => url.clone(),
        };
        let mut options = ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false);
        let connection = Connect::connect(options).await.context("open a service's database")?;
        Ok(Self { connection })
    }

    /// Executes statements as they are.
    pub async fn execute(&self, sql: &str) -> Result<u64> {
        let done = self.connection.execute_unprepared(sql).await;
        Ok(done.with_context(|| format!("execute {sql}"))?.rows_affected())
    }

    /// Lets the time be over for which a new signing key is only published: it signs as soon as the
    /// credential service looks at its keys again, within seconds.
    pub async fn next_key_signs(&self) -> Result<()> {
        let changed = self
            .execute(
                "UPDATE credential_signing_key SET active_from = created_at \
                 WHERE active_from > created_at AND revoked_at IS NULL",
            )
            .await?;
        if changed == 0 {
            bail!("there is no key that waits");
        }
        // The service reads its keys again when this says that they have changed.
        self.execute("UPDATE credential_counter SET value = value + 1 WHERE name = 'signing_keys'")
            .await
            .map(drop)
    }

    /// Lets a meeting that has ended have ended so much earlier.
    pub async fn ended_earlier(&self, meeting_id: &str, by: Duration) -> Result<()> {
        let meeting_id: u64 = meeting_id.parse().context("read the meeting's id")?;
        let changed = self
            .execute(&format!(
                "UPDATE registry_meeting SET ended_at = ended_at - {} \
                 WHERE id = {meeting_id} AND ended_at IS NOT NULL",
                by.as_millis()
            ))
            .await?;
        if changed != 1 {
            bail!("there is no ended meeting {meeting_id}");
        }
        Ok(())
    }
}
