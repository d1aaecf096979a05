//! Table `credential_oidc_link`: which account belongs to whom at an OpenID Connect provider.
//!
//! A link outlives its account: who was removed does not come back by logging in once more.

use sea_orm::{ActiveValue::Set, entity::prelude::*};
use tributary_credential_core::Account;
use tributary_identifiers::{OrganisationId, UserId};

use super::{Store, StoreError, account, begin, name_taken_or};

pub const TABLE: &str = "credential_oidc_link";

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "credential_oidc_link")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organisation: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub issuer: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: String,
    pub user_id: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Somebody at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderSubject {
    /// The organisation that uses the provider.
    pub organisation: OrganisationId,
    /// `iss`.
    pub issuer: String,
    /// `sub`: never given to anybody else by this issuer.
    pub subject: String,
}

impl Store {
    /// The account of somebody at a provider, whether or not it is still there.
    ///
    /// # Errors
    /// A row is malformed, or the database could not answer.
    pub async fn linked_account(
        &self,
        subject: &ProviderSubject,
    ) -> Result<Option<UserId>, StoreError> {
        let ProviderSubject { organisation, issuer, subject } = subject;
        Entity::find_by_id((organisation.to_string(), issuer.clone(), subject.clone()))
            .one(&self.database)
            .await?
            .map(|row| row.user_id.parse())
            .transpose()
            .map_err(|_| StoreError::MalformedRow { table: TABLE })
    }

    /// Writes a new account and links it, both or none.
    ///
    /// # Errors
    /// The name is taken, or somebody else has linked an account at the same time
    /// ([`StoreError::NameTaken`]), or the database could not answer.
    pub async fn create_linked_account(
        &self,
        account: &Account,
        subject: &ProviderSubject,
    ) -> Result<(), StoreError> {
        let transaction = begin(&self.database).await?;
        account::Entity::insert(account::row(account, None)?)
            .exec_without_returning(&transaction)
            .await
            .map_err(name_taken_or)?;
        let link = ActiveModel {
            organisation: Set(subject.organisation.to_string()),
            issuer: Set(subject.issuer.clone()),
            subject: Set(subject.subject.clone()),
            user_id: Set(account.user_id.to_string()),
        };
        Entity::insert(link).exec_without_returning(&transaction).await.map_err(name_taken_or)?;
        transaction.commit().await?;
        Ok(())
    }
}
