//! Table `registry_operation`: operations that have been applied, and their answers.

use sea_orm::entity::prelude::*;

pub const TABLE: &str = "registry_operation";

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "registry_operation")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organisation: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub meeting_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub participant_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub operation_id: String,
    /// SHA-256 of the encoded body.
    pub body_hash: Vec<u8>,
    /// The answer: the number of the event, 0 for none.
    pub event_number: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
