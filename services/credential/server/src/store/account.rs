//! Table `credential_account`.

use sea_orm::{ActiveValue::Set, entity::prelude::*};
use tributary_credential_core::{Account, folded};
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
    /// In PHC form; empty for an account without a password.
    pub password_hash: String,
    pub created_at: i64,
    /// As names are compared in searches.
    pub display_name_folded: String,
    /// How often a password was right.
    pub log_ins: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The primary key of an account.
pub fn key(organisation: &OrganisationId, user_id: &UserId) -> (String, String) {
    (organisation.to_string(), user_id.to_string())
}

/// The row of a new account.
pub fn row(account: &Account, password_hash: Option<&str>) -> Result<ActiveModel, StoreError> {
    let created_at =
        i64::try_from(account.created_at).map_err(|_| StoreError::MalformedRow { table: TABLE })?;
    Ok(ActiveModel {
        organisation: Set(account.organisation.to_string()),
        user_id: Set(account.user_id.to_string()),
        user_name: Set(account.user_name.to_string()),
        display_name: Set(account.display_name.to_string()),
        password_hash: Set(password_hash.unwrap_or_default().to_owned()),
        created_at: Set(created_at),
        display_name_folded: Set(folded(account.display_name.as_str())),
        log_ins: Set(0),
    })
}

impl TryFrom<Model> for StoredAccount {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let malformed = || StoreError::MalformedRow { table: TABLE };
        let password_hash = Some(row.password_hash).filter(|hash| !hash.is_empty());
        let account = Account {
            organisation: row.organisation.parse().map_err(|_| malformed())?,
            user_id: row.user_id.parse().map_err(|_| malformed())?,
            user_name: row.user_name.parse().map_err(|_| malformed())?,
            display_name: row.display_name.parse().map_err(|_| malformed())?,
            created_at: u64::try_from(row.created_at).map_err(|_| malformed())?,
            has_password: password_hash.is_some(),
        };
        let log_ins = u64::try_from(row.log_ins).map_err(|_| malformed())?;
        Ok(Self { account, password_hash, log_ins })
    }
}
