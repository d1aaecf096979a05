//! Relays in chains: how deep a participant's relay lies, whether it is the relay itself, and whether
//! it can be reached.

use sea_orm_migration::prelude::*;

use super::{add_column, drop_column};
use crate::store::participant;

pub struct RelaysInChains;

impl MigrationName for RelaysInChains {
    fn name(&self) -> &str {
        "m0004_relays_in_chains"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for RelaysInChains {
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

/// Who was in before was behind a core relay, which could be reached.
fn columns() -> [ColumnDef; 3] {
    let flag =
        |name: &'static str| ColumnDef::new(name).boolean().not_null().default(false).to_owned();
    let depth = ColumnDef::new("relay_depth").integer().not_null().default(0).to_owned();
    [depth, flag("relay_itself"), flag("unreachable")]
}
