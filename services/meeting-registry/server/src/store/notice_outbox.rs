//! Table `registry_notice_outbox`: notices that have been made and not told yet.

use sea_orm::entity::prelude::*;

pub const TABLE: &str = "registry_notice_outbox";

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "registry_notice_outbox")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub organisation: String,
    pub user_id: String,
    pub notice_id: String,
    pub at: i64,
    /// An encoded `tributary.notice.v1.Notice`.
    pub payload: Vec<u8>,
    /// The trace in which it was made, as W3C `traceparent`.
    pub trace_parent: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
