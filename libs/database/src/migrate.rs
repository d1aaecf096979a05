//! Bringing a service's tables up to date.

use sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DbBackend, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait as _,
};
use sea_orm_migration::MigratorTrait;

use crate::Error;

/// Applies the migrations that are missing, all or none. Any number of replicas may do so at once:
/// one of them does it, the others wait for it and find nothing left.
///
/// `M::migration_table_name` must be the service's own, as services share a PostgreSQL database.
///
/// # Errors
/// If a migration fails, or the database knows a migration that `M` does not.
pub async fn migrate<M: MigratorTrait>(connection: &DatabaseConnection) -> Result<(), Error> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let transaction = connection.begin_with_options(options).await?;
    if transaction.get_database_backend() == DbBackend::Postgres {
        let table = M::migration_table_name().to_string();
        let lock = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, lock, [table.into()]);
        transaction.execute_raw(statement).await?;
    }
    M::up(&transaction, None).await?;
    transaction.commit().await?;
    Ok(())
}
