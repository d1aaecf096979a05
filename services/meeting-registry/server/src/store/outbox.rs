//! Table `registry_outbox`: events that have been applied and not told yet. It has the payload of
//! its own, so that the end of a deleted meeting is told too.

use sea_orm::entity::prelude::*;

pub const TABLE: &str = "registry_outbox";

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "registry_outbox")]
pub struct Model {
    /// Rises within a meeting with the event's number.
    #[sea_orm(primary_key)]
    pub id: i64,
    pub organisation: String,
    pub meeting_id: i64,
    pub number: i64,
    pub at: i64,
    pub payload: Vec<u8>,
    /// The trace in which it was applied, as W3C `traceparent`.
    pub trace_parent: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
