//! How the table comes to be. A migration that has been released is never changed.

use sea_orm_migration::prelude::*;

use super::share_mark;

/// All migrations, in order.
#[derive(Debug)]
pub struct Migrations;

#[async_trait::async_trait]
impl MigratorTrait for Migrations {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(ShareMarks)]
    }

    fn migration_table_name() -> DynIden {
        "access_migration".into_iden()
    }
}

struct ShareMarks;

impl MigrationName for ShareMarks {
    fn name(&self) -> &str {
        "m0001_share_marks"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for ShareMarks {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(share_mark::TABLE)
                    .col(ColumnDef::new("organisation").string_len(64).not_null())
                    .col(ColumnDef::new("meeting_id").big_integer().not_null())
                    .col(ColumnDef::new("set_by").string_len(64).not_null())
                    .col(ColumnDef::new("set_at").big_integer().not_null())
                    .primary_key(Index::create().col("organisation").col("meeting_id"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(share_mark::TABLE).to_owned()).await
    }
}
