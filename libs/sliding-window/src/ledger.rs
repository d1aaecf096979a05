//! Budgets in the database.

use std::sync::Arc;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, IsolationLevel,
    SqliteTransactionMode, TransactionOptions, TransactionTrait as _, sea_query::DeleteStatement,
};

use crate::{
    Claim, Outcome, Spend, check, check_key,
    rule::{Counted, judge, window_begin},
    tables::{FORGET_BATCH, Tables},
};

/// All budgets of one pair of tables. Clones share everything.
#[derive(Clone, Debug)]
pub struct Budgets {
    database: DatabaseConnection,
    tables: Arc<Tables>,
}

impl Budgets {
    /// Budgets in the tables that [`migration`](crate::migration) has made with the same prefix.
    #[must_use]
    pub fn new(database: DatabaseConnection, table_prefix: &'static str) -> Self {
        Self { database, tables: Arc::new(Tables::new(table_prefix)) }
    }

    /// Spends on all budgets that `claims` name, or on none if one of them has no room. In one
    /// atomic step: of any number of calls on any replicas, no more are granted than there is room.
    ///
    /// `now_millis` is the Unix time in milliseconds. Replicas' clocks may differ; an entry counts
    /// by the clock of who made it, also while it is in the future of who looks.
    ///
    /// # Errors
    /// If the database does not answer, a key is empty or too long, a key is named twice, or there
    /// are more than [`CLAIMS_MAX`](crate::CLAIMS_MAX) claims. Nothing is spent then, but for an
    /// answer to the commit that got lost.
    pub async fn claim(&self, claims: &[Claim], now_millis: u64) -> Result<Outcome, DbErr> {
        check(claims)?;
        let now = millis(now_millis)?;
        let seen = self.judge(&self.database, claims, now).await?;
        let only_looks = claims.iter().all(|claim| claim.spend == Spend::Nothing);
        if only_looks || seen != Outcome::Granted {
            return Ok(seen);
        }
        let transaction = self.begin().await?;
        let mut keys: Vec<&str> = claims.iter().map(|claim| claim.key.as_str()).collect();
        keys.sort_unstable();
        transaction.execute(&self.tables.lock(&keys, now)).await?;
        let outcome = self.judge(&transaction, claims, now).await?;
        if outcome != Outcome::Granted {
            transaction.rollback().await?;
            return Ok(outcome);
        }
        if let Some(spend) = self.tables.spend(claims, now) {
            transaction.execute(&spend).await?;
        }
        transaction.commit().await?;
        Ok(Outcome::Granted)
    }

    /// How many entries `key` has in the window of so many seconds that ends at `now_millis`.
    ///
    /// # Errors
    /// If the database does not answer, or the key is empty or too long.
    pub async fn count(
        &self,
        key: &str,
        window_seconds: u64,
        now_millis: u64,
    ) -> Result<u64, DbErr> {
        check_key(key)?;
        let begin = window_begin(millis(now_millis)?, window_seconds);
        let row = self.database.query_one(&self.tables.count(0, key, begin, None)).await?;
        let row = row.ok_or_else(|| DbErr::Custom("a count gave no row".into()))?;
        used(row.try_get("", "used")?)
    }

    /// Removes what was made before this Unix time in milliseconds, and says how many entries that
    /// were. It must be earlier than the longest window in use reaches back. Any number of replicas
    /// may do so at once; it keeps nobody waiting.
    ///
    /// # Errors
    /// If the database does not answer; what is removed by then stays removed.
    pub async fn forget_before(&self, millis_before: u64) -> Result<u64, DbErr> {
        let before = millis(millis_before)?;
        let entries = self.delete_all(&self.tables.forget_entries(before)).await?;
        self.delete_all(&self.tables.forget_budgets(before)).await?;
        Ok(entries)
    }

    /// Repeats a statement that deletes a batch until there is no full batch left.
    async fn delete_all(&self, batch: &DeleteStatement) -> Result<u64, DbErr> {
        let mut deleted = 0;
        loop {
            let rows = self.database.execute(batch).await?.rows_affected();
            deleted += rows;
            if rows < FORGET_BATCH {
                return Ok(deleted);
            }
        }
    }

    async fn judge<C: ConnectionTrait>(
        &self,
        connection: &C,
        claims: &[Claim],
        now: i64,
    ) -> Result<Outcome, DbErr> {
        let Some(counts) = self.tables.counts(claims, now) else { return Ok(Outcome::Granted) };
        let mut counted = vec![Counted::default(); claims.len()];
        let rows = connection.query_all(&counts).await?;
        if rows.len() != claims.len() {
            return Err(DbErr::Custom("not every budget was counted".into()));
        }
        for row in rows {
            let index = usize::try_from(row.try_get::<i64>("", "claim")?).unwrap_or(usize::MAX);
            let place = counted.get_mut(index);
            let place =
                place.ok_or_else(|| DbErr::Custom("an unknown claim was counted".into()))?;
            place.used = used(row.try_get("", "used")?)?;
            place.known = row.try_get::<i64>("", "known")? > 0;
        }
        Ok(judge(claims, &counted))
    }

    /// Begins to spend. SQLite takes its one write lock here. PostgreSQL must read anew after the
    /// wait for a row, which is what `READ COMMITTED` does, whatever the database's default.
    async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        let postgres = self.database.get_database_backend() == DbBackend::Postgres;
        let options = TransactionOptions {
            isolation_level: postgres.then_some(IsolationLevel::ReadCommitted),
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        self.database.begin_with_options(options).await
    }
}

fn millis(unsigned: u64) -> Result<i64, DbErr> {
    i64::try_from(unsigned).map_err(|_| DbErr::Custom(format!("{unsigned} ms is not a time")))
}

fn used(count: i64) -> Result<u64, DbErr> {
    u64::try_from(count).map_err(|_| DbErr::Custom("a count below zero".into()))
}
