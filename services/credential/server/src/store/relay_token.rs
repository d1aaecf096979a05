//! Table `credential_relay_token`: the one-time tokens by which relays are enrolled, one a relay.

use std::fmt;

use sea_orm::entity::prelude::*;

pub const TABLE: &str = "credential_relay_token";

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "credential_relay_token")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organisation: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub relay_id: String,
    /// SHA-256 of the token, base64url; unique.
    pub token_hash: String,
    pub expires_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model").field("relay_id", &self.relay_id).finish_non_exhaustive()
    }
}
