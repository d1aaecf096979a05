//! Table `registry_relay`: the runs of relays, and when each was last heard. Relays belong to the
//! platform, not to an organisation.

use sea_orm::entity::prelude::*;

pub const TABLE: &str = "registry_relay";

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "registry_relay")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub relay_session_id: String,
    pub relay_id: String,
    pub last_seen: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
