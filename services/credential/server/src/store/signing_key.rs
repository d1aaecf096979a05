//! Table `credential_signing_key`.

use sea_orm::entity::prelude::*;

pub const TABLE: &str = "credential_signing_key";

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "credential_signing_key")]
pub struct Model {
    /// 1 is the first key; the highest signs.
    #[sea_orm(primary_key, auto_increment = false)]
    pub generation: i32,
    /// PKCS #8.
    pub private_key: Vec<u8>,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
