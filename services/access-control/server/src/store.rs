//! What the service keeps in its database, SQLite or PostgreSQL by the same code: shares, decisions
//! and how many outsiders were refused lately. Budgets are kept beside them by
//! `tributary-sliding-window`.

mod decision;
mod migrations;
mod miss;
mod share;

use std::time::Duration;

use sea_orm::{DatabaseConnection, DbErr};

pub use decision::{DecisionFilter, DecisionRow};
pub use migrations::{BUDGETS, Migrations};
pub use share::{BeginShareError, KeptShare, NewShare, Recipients};

/// Reads and writes the service's tables. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    database: DatabaseConnection,
}

/// The database could not answer.
#[derive(Debug, thiserror::Error)]
#[error("database: {0}")]
pub struct StoreError(#[from] DbErr);

/// After this the database counts as down for a decision: who waits for one has a deadline too, and
/// a pool waits longer for a server that does not answer.
const DEADLINE: Duration = Duration::from_secs(2);

/// The same, but for decisions: without an answer in time it is an error.
///
/// # Errors
/// The database could not answer, or did not in time.
pub async fn in_time<T, E: Into<StoreError>>(
    asking: impl Future<Output = Result<T, E>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(DEADLINE, asking).await {
        Ok(answer) => answer.map_err(Into::into),
        Err(_) => Err(DbErr::Custom(format!("no answer within {DEADLINE:?}")).into()),
    }
}

impl Store {
    /// A store on a database whose tables have been made by [`Migrations`].
    #[must_use]
    pub const fn new(database: DatabaseConnection) -> Self {
        Self { database }
    }
}

/// As databases count.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// As written by [`signed`].
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
