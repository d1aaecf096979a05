//! Budgets on both kinds of database.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by it, as tests do")]

mod model;
mod parallel;
mod window;

use sea_orm::DatabaseConnection;
use sea_orm_migration::{
    MigrationTrait, MigratorTrait,
    sea_query::{DynIden, IntoIden as _},
};
use tributary_database::{connect, migrate, scratch, scratch::ScratchDatabase};
use tributary_service_runtime::{CancellationToken, Readiness};
use tributary_sliding_window::{Budgets, Claim, Spend, migration};

const PREFIX: &str = "test";
/// A time in Unix milliseconds at which the tests begin.
const NOON: u64 = 1_900_000_000_000;
const HOUR: u64 = 3_600;

struct Migrations;

#[async_trait::async_trait]
impl MigratorTrait for Migrations {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![migration(PREFIX), migration("other")]
    }

    fn migration_table_name() -> DynIden {
        "test_migration".into_iden()
    }
}

async fn both() -> [ScratchDatabase; 2] {
    [scratch::sqlite(), scratch::postgres().await]
}

async fn connected(database: &ScratchDatabase) -> DatabaseConnection {
    let dependency = Readiness::new().dependency("database");
    let shutdown = CancellationToken::new();
    let connection = connect(database.config(), "test", &dependency, &shutdown).await.unwrap();
    migrate::<Migrations>(&connection).await.unwrap();
    connection
}

async fn budgets(database: &ScratchDatabase) -> Budgets {
    Budgets::new(connected(database).await, PREFIX)
}

fn claim(key: &str, limit: u32, spend: Spend) -> Claim {
    Claim { key: key.into(), limit, window_seconds: HOUR, spend }
}
