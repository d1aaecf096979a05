//! Accounts, signing keys, revocations and relays in the database, SQLite or PostgreSQL by the same code.
//!
//! **Invariant:** the database decides. Whether a name is free, which key comes next and which
//! number a revocation has is settled by its keys and locks, however many replicas ask at once.

pub mod account;
pub mod counter;
mod migrations;
pub mod oidc_link;
pub mod oidc_log_in;
pub mod relay;
pub mod relay_token;
mod relays;
pub mod revocation;
pub mod signing_key;

use sea_orm::{
    ColumnTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityTrait as _,
    ExprTrait as _, IsolationLevel, QueryFilter as _, QueryOrder as _, QuerySelect as _, SqlErr,
    SqliteTransactionMode, TransactionOptions, TransactionTrait as _,
    sea_query::{Expr, LikeExpr},
};
use tributary_credential_core::{Account, FOUND_MAX, LIKE_ESCAPE, NameBeginning, UserName};
use tributary_identifiers::{OrganisationId, UserId};
use tributary_join_credential::Revocation;

pub use migrations::Migrations;
pub use oidc_link::ProviderSubject;
pub use oidc_log_in::BegunLogIn;
pub use relays::{Enrolled, NewRelayToken};
pub use revocation::NewRevocation;
pub use signing_key::{KeyChange, KeyRow, KeyRows, PrivateKey};

/// What begins the names of the tables of budgets.
pub const BUDGETS: &str = "credential";

/// Reads and writes the service's tables. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    database: DatabaseConnection,
}

/// Why something could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another account of the organisation has this log-in name.
    #[error("the user name is taken")]
    NameTaken,
    /// A row does not hold what it must.
    #[error("a row of {table} is malformed")]
    MalformedRow {
        /// The table.
        table: &'static str,
    },
    /// The database could not answer.
    #[error("database: {0}")]
    Database(#[from] DbErr),
}

/// An account together with what proves who it is.
#[derive(Clone, Debug)]
pub struct StoredAccount {
    /// The account.
    pub account: Account,
    /// In PHC form; none for an account without a password.
    pub password_hash: Option<String>,
    /// How often its password was right.
    pub log_ins: u64,
}

/// How often something was changed; of use to see that it was changed again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The number of the last revocation.
    pub revocations: u64,
    /// How often the signing keys have changed.
    pub signing_keys: u64,
}

impl Store {
    /// A store on a database whose tables have been made by [`Migrations`].
    #[must_use]
    pub const fn new(database: DatabaseConnection) -> Self {
        Self { database }
    }

    /// Writes a new account.
    ///
    /// # Errors
    /// The name is taken, or the database could not answer.
    pub async fn create_account(
        &self,
        account: &Account,
        password_hash: &str,
    ) -> Result<(), StoreError> {
        account::Entity::insert(account::row(account, Some(password_hash))?)
            .exec_without_returning(&self.database)
            .await
            .map_err(name_taken_or)?;
        Ok(())
    }

    /// Finds an account by its log-in name.
    ///
    /// # Errors
    /// The row is malformed, or the database could not answer.
    pub async fn account_by_name(
        &self,
        organisation: &OrganisationId,
        user_name: &UserName,
    ) -> Result<Option<StoredAccount>, StoreError> {
        account::Entity::find()
            .filter(account::Column::Organisation.eq(organisation.as_str()))
            .filter(account::Column::UserName.eq(user_name.as_str()))
            .one(&self.database)
            .await?
            .map(StoredAccount::try_from)
            .transpose()
    }

    /// Finds an account by its id.
    ///
    /// # Errors
    /// The row is malformed, or the database could not answer.
    pub async fn account(
        &self,
        organisation: &OrganisationId,
        user_id: &UserId,
    ) -> Result<Option<Account>, StoreError> {
        account::Entity::find_by_id(account::key(organisation, user_id))
            .one(&self.database)
            .await?
            .map(|row| StoredAccount::try_from(row).map(|stored| stored.account))
            .transpose()
    }

    /// Accounts by name, after a name or from the start, at most `limit`.
    ///
    /// # Errors
    /// A row is malformed, or the database could not answer.
    pub async fn accounts(
        &self,
        organisation: &OrganisationId,
        after: Option<&UserName>,
        limit: u64,
    ) -> Result<Vec<Account>, StoreError> {
        let mut query = account::Entity::find()
            .filter(account::Column::Organisation.eq(organisation.as_str()))
            .order_by_asc(account::Column::UserName)
            .limit(limit);
        if let Some(after) = after {
            query = query.filter(account::Column::UserName.gt(after.as_str()));
        }
        let rows = query.all(&self.database).await?;
        rows.into_iter().map(|row| StoredAccount::try_from(row).map(|s| s.account)).collect()
    }

    /// Accounts whose log-in name or shown name begins like this, by name, at most [`FOUND_MAX`].
    ///
    /// # Errors
    /// A row is malformed, or the database could not answer.
    pub async fn find_accounts(
        &self,
        organisation: &OrganisationId,
        beginning: &NameBeginning,
    ) -> Result<Vec<Account>, StoreError> {
        let like = || LikeExpr::new(beginning.like_pattern()).escape(LIKE_ESCAPE);
        let names = Expr::col(account::Column::UserName)
            .like(like())
            .or(Expr::col(account::Column::DisplayNameFolded).like(like()));
        let rows = account::Entity::find()
            .filter(account::Column::Organisation.eq(organisation.as_str()))
            .filter(names)
            .order_by_asc(account::Column::UserName)
            .limit(FOUND_MAX)
            .all(&self.database)
            .await?;
        rows.into_iter().map(|row| StoredAccount::try_from(row).map(|s| s.account)).collect()
    }

    /// These accounts, by name; those that there are not are left out.
    ///
    /// # Errors
    /// A row is malformed, or the database could not answer.
    pub async fn accounts_by_id(
        &self,
        organisation: &OrganisationId,
        user_ids: &[UserId],
    ) -> Result<Vec<Account>, StoreError> {
        let rows = account::Entity::find()
            .filter(account::Column::Organisation.eq(organisation.as_str()))
            .filter(account::Column::UserId.is_in(user_ids.iter().map(UserId::as_str)))
            .order_by_asc(account::Column::UserName)
            .all(&self.database)
            .await?;
        rows.into_iter().map(|row| StoredAccount::try_from(row).map(|s| s.account)).collect()
    }

    /// Notes that the password of an account was right.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn count_log_in(&self, account: &Account) -> Result<(), StoreError> {
        let column = account::Column::LogIns;
        account::Entity::update_many()
            .col_expr(column, Expr::col(column).add(1))
            .filter(account::Column::Organisation.eq(account.organisation.as_str()))
            .filter(account::Column::UserId.eq(account.user_id.as_str()))
            .exec(&self.database)
            .await?;
        Ok(())
    }

    /// Removes an account and revokes what it holds, both or none. None if there was none.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn delete_account(
        &self,
        organisation: &OrganisationId,
        user_id: &UserId,
        revocation: NewRevocation,
    ) -> Result<Option<Revocation>, StoreError> {
        let transaction = begin(&self.database).await?;
        let deleted = account::Entity::delete_by_id(account::key(organisation, user_id))
            .exec(&transaction)
            .await?;
        if deleted.rows_affected == 0 {
            transaction.rollback().await?;
            return Ok(None);
        }
        let revocation = revocation::insert(&transaction, revocation).await?;
        transaction.commit().await?;
        Ok(Some(revocation))
    }

    /// How often things were changed, in one small query.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn changes(&self) -> Result<Changes, StoreError> {
        let rows = counter::Entity::find().all(&self.database).await?;
        let value = |name| {
            let row = rows.iter().find(|row| row.name == name);
            row.and_then(|row| u64::try_from(row.value).ok())
                .ok_or(StoreError::MalformedRow { table: counter::TABLE })
        };
        Ok(Changes {
            revocations: value(counter::REVOCATIONS)?,
            signing_keys: value(counter::SIGNING_KEYS)?,
        })
    }
}

/// Begins to write. SQLite takes its one write lock here. PostgreSQL must read anew after the wait
/// for a row, which is what `READ COMMITTED` does, whatever the database's default.
async fn begin(database: &DatabaseConnection) -> Result<DatabaseTransaction, StoreError> {
    let postgres = database.get_database_backend() == DbBackend::Postgres;
    let options = TransactionOptions {
        isolation_level: postgres.then_some(IsolationLevel::ReadCommitted),
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    Ok(database.begin_with_options(options).await?)
}

fn name_taken_or(error: DbErr) -> StoreError {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => StoreError::NameTaken,
        _ => error.into(),
    }
}
