//! Table `credential_oidc_log_in`: log-ins at OpenID Connect providers that have been begun.

use std::fmt;

use sea_orm::{ActiveValue::Set, entity::prelude::*};
use tributary_identifiers::{KeyThumbprint, OrganisationId};

use super::{Store, StoreError};

pub const TABLE: &str = "credential_oidc_log_in";

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "credential_oidc_log_in")]
pub struct Model {
    /// SHA-256 of the state, base64url.
    #[sea_orm(primary_key, auto_increment = false)]
    pub state_hash: String,
    pub organisation: String,
    pub provider_id: String,
    pub redirect_uri: String,
    pub key_thumbprint: String,
    pub nonce: String,
    pub pkce_verifier: String,
    pub expires_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The nonce and the verifier are nobody's business.
impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model").field("provider_id", &self.provider_id).finish_non_exhaustive()
    }
}

/// A log-in that has been begun.
#[derive(Clone, PartialEq, Eq)]
pub struct BegunLogIn {
    /// SHA-256 of the state, base64url.
    pub state_hash: String,
    /// The organisation.
    pub organisation: OrganisationId,
    /// The provider.
    pub provider_id: String,
    /// Where the provider sends the browser back to.
    pub redirect_uri: String,
    /// The terminal's key: only the same can finish.
    pub key_thumbprint: KeyThumbprint,
    /// What the identity token must repeat.
    pub nonce: String,
    /// What the authorization code is exchanged with (RFC 7636).
    pub pkce_verifier: String,
    /// When it is too late, Unix seconds.
    pub expires_at: u64,
}

impl Store {
    /// Keeps a log-in that begins.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn begin_oidc(&self, begun: &BegunLogIn) -> Result<(), StoreError> {
        let row = ActiveModel {
            state_hash: Set(begun.state_hash.clone()),
            organisation: Set(begun.organisation.to_string()),
            provider_id: Set(begun.provider_id.clone()),
            redirect_uri: Set(begun.redirect_uri.clone()),
            key_thumbprint: Set(begun.key_thumbprint.to_string()),
            nonce: Set(begun.nonce.clone()),
            pkce_verifier: Set(begun.pkce_verifier.clone()),
            expires_at: Set(i64::try_from(begun.expires_at).unwrap_or(i64::MAX)),
        };
        Entity::insert(row).exec_without_returning(&self.database).await?;
        Ok(())
    }

    /// Takes a log-in that was begun with this state and key and is not too old. It can be taken
    /// once, however many try at the same time. Another key leaves it where it is.
    ///
    /// # Errors
    /// A row is malformed, or the database could not answer.
    pub async fn take_oidc(
        &self,
        state_hash: &str,
        key_thumbprint: &KeyThumbprint,
        now: u64,
    ) -> Result<Option<BegunLogIn>, StoreError> {
        let Some(row) = Entity::find_by_id(state_hash).one(&self.database).await? else {
            return Ok(None);
        };
        let begun = BegunLogIn::try_from(row)?;
        if begun.key_thumbprint != *key_thumbprint || begun.expires_at <= now {
            return Ok(None);
        }
        let deleted = Entity::delete_by_id(state_hash).exec(&self.database).await?;
        Ok((deleted.rows_affected == 1).then_some(begun))
    }

    /// Removes log-ins that were never finished.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn forget_oidc(&self, now: u64) -> Result<(), StoreError> {
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        Entity::delete_many().filter(Column::ExpiresAt.lte(now)).exec(&self.database).await?;
        Ok(())
    }
}

impl TryFrom<Model> for BegunLogIn {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let malformed = || StoreError::MalformedRow { table: TABLE };
        Ok(Self {
            state_hash: row.state_hash,
            organisation: row.organisation.parse().map_err(|_| malformed())?,
            provider_id: row.provider_id,
            redirect_uri: row.redirect_uri,
            key_thumbprint: row.key_thumbprint.parse().map_err(|_| malformed())?,
            nonce: row.nonce,
            pkce_verifier: row.pkce_verifier,
            expires_at: u64::try_from(row.expires_at).map_err(|_| malformed())?,
        })
    }
}
