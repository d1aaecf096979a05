//! Accounts and signing keys in the database, SQLite or PostgreSQL by the same code.
//!
//! **Invariant:** the database decides. Whether a name is free and which key is the first is
//! settled by its unique keys, however many replicas ask at once.

mod account;
mod migrations;
mod signing_key;

use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DatabaseConnection, DbErr, EntityTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, SqlErr, sea_query::OnConflict,
};
use tributary_credential_core::{Account, UserName};
use tributary_identifiers::{OrganisationId, UserId};
use tributary_join_credential::{KEYS_MAX, SigningKey};

pub use migrations::Migrations;

/// The first key's place in the order of keys.
const FIRST_GENERATION: i32 = 1;

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
    /// There is no signing key, though one was stored.
    #[error("there is no signing key")]
    NoSigningKey,
    /// The database could not answer.
    #[error("database: {0}")]
    Database(#[from] DbErr),
}

/// An account together with the hash of its password.
#[derive(Clone, Debug)]
pub struct StoredAccount {
    /// The account.
    pub account: Account,
    /// In PHC form.
    pub password_hash: String,
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
    pub async fn create_account(&self, new: &StoredAccount) -> Result<(), StoreError> {
        let row = account::row(new)?;
        match account::Entity::insert(row).exec_without_returning(&self.database).await {
            Ok(_) => Ok(()),
            Err(error) => match error.sql_err() {
                Some(SqlErr::UniqueConstraintViolation(_)) => Err(StoreError::NameTaken),
                _ => Err(error.into()),
            },
        }
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

    /// Removes an account; false if there was none.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn delete_account(
        &self,
        organisation: &OrganisationId,
        user_id: &UserId,
    ) -> Result<bool, StoreError> {
        let deleted = account::Entity::delete_by_id(account::key(organisation, user_id))
            .exec(&self.database)
            .await?;
        Ok(deleted.rows_affected > 0)
    }

    /// The signing keys, the one to sign with first. If there is none yet, `candidate` becomes
    /// it, unless another replica was faster: all get the same answer.
    ///
    /// # Errors
    /// A stored key is malformed, or the database could not answer.
    pub async fn signing_keys(
        &self,
        candidate: &SigningKey,
        now: u64,
    ) -> Result<Vec<SigningKey>, StoreError> {
        let first = signing_key::ActiveModel {
            generation: Set(FIRST_GENERATION),
            private_key: Set(candidate.pkcs8().to_vec()),
            created_at: Set(i64::try_from(now).unwrap_or(i64::MAX)),
        };
        let unless_there =
            OnConflict::column(signing_key::Column::Generation).do_nothing().to_owned();
        signing_key::Entity::insert(first)
            .on_conflict(unless_there)
            .exec_without_returning(&self.database)
            .await?;
        let rows = signing_key::Entity::find()
            .order_by_desc(signing_key::Column::Generation)
            .limit(KEYS_MAX as u64)
            .all(&self.database)
            .await?;
        if rows.is_empty() {
            return Err(StoreError::NoSigningKey);
        }
        rows.iter()
            .map(|row| {
                SigningKey::from_pkcs8(&row.private_key)
                    .map_err(|_| StoreError::MalformedRow { table: signing_key::TABLE })
            })
            .collect()
    }
}
