//! Table `registry_operation`: operations that have been answered, and where in the log. Announcements
//! are in it too, as the operations of participant 0.

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
    /// SHA-256 of the envelope.
    #[sea_orm(column_name = "body_hash")]
    pub hash: Vec<u8>,
    /// The answer: the number of the first event that it caused.
    pub event_number: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
