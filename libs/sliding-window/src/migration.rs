//! How the tables come to be. It has been released and is never changed; a change is a second one.

use sea_orm_migration::prelude::*;

use crate::{KEY_LENGTH_MAX, tables::Tables};

/// The migration that makes `<table_prefix>_budget` and `<table_prefix>_budget_entry`, for the end
/// of a service's list. A database can hold several, each with a prefix of its own.
#[must_use]
pub fn migration(table_prefix: &'static str) -> Box<dyn MigrationTrait> {
    Box::new(BudgetTables {
        name: format!("{table_prefix}_budget_m0001"),
        tables: Tables::new(table_prefix),
    })
}

struct BudgetTables {
    name: String,
    tables: Tables,
}

impl MigrationName for BudgetTables {
    fn name(&self) -> &str {
        &self.name
    }
}

#[async_trait::async_trait]
impl MigrationTrait for BudgetTables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(budget(&self.tables)).await?;
        manager.create_table(entry(&self.tables)).await?;
        for index in indices(&self.tables) {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [&self.tables.entry, &self.tables.budget] {
            manager.drop_table(Table::drop().table(table.clone()).to_owned()).await?;
        }
        Ok(())
    }
}

fn number(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().to_owned()
}

fn key(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).string_len(KEY_LENGTH_MAX as u32).not_null().to_owned()
}

fn budget(tables: &Tables) -> TableCreateStatement {
    Table::create()
        .table(tables.budget.clone())
        .col(key("key").primary_key())
        .col(number("used_at"))
        .to_owned()
}

fn entry(tables: &Tables) -> TableCreateStatement {
    Table::create()
        .table(tables.entry.clone())
        .col(number("id").auto_increment().primary_key())
        .col(key("budget_key"))
        .col(ColumnDef::new("item").big_integer())
        .col(number("at"))
        .to_owned()
}

fn indices(tables: &Tables) -> [IndexCreateStatement; 4] {
    let index = |name: &str, table: &DynIden| {
        Index::create().name(format!("{}_{name}", tables.prefix)).table(table.clone()).to_owned()
    };
    [
        // The count of a window reads nothing but this one.
        index("budget_entry_window", &tables.entry)
            .col("budget_key")
            .col("at")
            .col("item")
            .to_owned(),
        // An item once; entries without an item do not meet in it, as NULLs differ.
        index("budget_entry_item", &tables.entry).col("budget_key").col("item").unique().to_owned(),
        index("budget_entry_at", &tables.entry).col("at").to_owned(),
        index("budget_used_at", &tables.budget).col("used_at").to_owned(),
    ]
}
