//! What the service keeps in its database, SQLite or PostgreSQL by the same code: shares, decisions
//! and how many outsiders were refused lately. Budgets are kept beside them by
//! `tributary-sliding-window`.

mod decision;
mod migrations;
mod miss;
mod pulse;
mod share;

use sea_orm::{DatabaseConnection, DbErr};

pub use decision::{DecisionFilter, DecisionRow};
pub use migrations::{BUDGETS, Migrations};
pub use pulse::Pulse;
pub use share::{BeginShareError, KeptShare, NewShare, Recipients};

/// Reads and writes the service's tables. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    database: DatabaseConnection,
    pulse: Pulse,
}

/// The database could not answer.
#[derive(Debug, thiserror::Error)]
#[error("database: {0}")]
pub struct StoreError(#[from] DbErr);

impl Store {
    /// A store on a database whose tables have been made by [`Migrations`].
    #[must_use]
    pub fn new(database: DatabaseConnection) -> Self {
        Self { database, pulse: Pulse::default() }
    }

    /// Whether the database is there.
    #[must_use]
    pub const fn pulse(&self) -> &Pulse {
        &self.pulse
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
