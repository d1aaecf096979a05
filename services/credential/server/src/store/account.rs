//! Table `credential_account`.

use sea_orm::{ActiveValue::Set, entity::prelude::*};
use tributary_credential_core::Account;
use tributary_identifiers::{OrganisationId, UserId};

use super::{StoreError, StoredAccount};

pub const TABLE: &str = "credential_account";

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "credential_account")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organisation: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: String,
    pub user_name: String,
    pub display_name: String,
    pub password_hash: String,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The primary key of an account.
pub fn key(organisation: &OrganisationId, user_id: &UserId) -> (String, String) {
    (organisation.to_string(), user_id.to_string())
}

/// The row of a new account.
pub fn row(new: &StoredAccount) -> Result<ActiveModel, StoreError> {
    let account = &new.account;
    let created_at =
        i64::try_from(account.created_at).map_err(|_| StoreError::MalformedRow { table: TABLE })?;
    Ok(ActiveModel {
        organisation: Set(account.organisation.to_string()),
        user_id: Set(account.user_id.to_string()),
        user_name: Set(account.user_name.to_string()),
        display_name: Set(account.display_name.to_string()),
        password_hash: Set(new.password_hash.clone()),
        created_at: Set(created_at),
    })
}

impl TryFrom<Model> for StoredAccount {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let malformed = || StoreError::MalformedRow { table: TABLE };
        let account = Account {
            organisation: row.organisation.parse().map_err(|_| malformed())?,
            user_id: row.user_id.parse().map_err(|_| malformed())?,
            user_name: row.user_name.parse().map_err(|_| malformed())?,
            display_name: row.display_name.parse().map_err(|_| malformed())?,
            created_at: u64::try_from(row.created_at).map_err(|_| malformed())?,
        };
        Ok(Self { account, password_hash: row.password_hash })
    }
}
