//! By which relays a participant's terminal is reached: their names, and the core relay.

use sea_orm_migration::prelude::*;

use super::{ID_LENGTH, add_column, drop_column};
use crate::store::participant;

pub struct RelayPaths;

impl MigrationName for RelayPaths {
    fn name(&self) -> &str {
        "m0005_relay_paths"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for RelayPaths {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in columns() {
            add_column(manager, participant::TABLE, column).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in columns() {
            drop_column(manager, participant::TABLE, &column.get_column_name()).await?;
        }
        Ok(())
    }
}

/// Of who was in before neither is known.
fn columns() -> [ColumnDef; 2] {
    let path = ColumnDef::new("relay_path").text().not_null().default("").to_owned();
    let core = ColumnDef::new("core_relay_id").string_len(ID_LENGTH).to_owned();
    [path, core]
}
