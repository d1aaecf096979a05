//! Table `registry_unwanted_file`: files of the file store that are to be removed. A file is written
//! down here before its bytes come, and struck out when it belongs to a meeting: what a broken upload
//! leaves is found here.

use sea_orm::entity::prelude::*;

pub const TABLE: &str = "registry_unwanted_file";

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "registry_unwanted_file")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub file_id: String,
    pub due_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
