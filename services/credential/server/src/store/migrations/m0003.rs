//! Relays that attach to others, and their enrolment tokens.

use sea_orm_migration::prelude::*;

use crate::store::{relay, relay_token};

pub struct Relays;

impl MigrationName for Relays {
    fn name(&self) -> &str {
        "m0003_relays"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Relays {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(relay_table()).await?;
        manager.create_table(token_table()).await?;
        for (name, table, column, unique) in [
            ("credential_relay_enrolled_by", relay::TABLE, "enrolled_by", false),
            ("credential_relay_token_hash", relay_token::TABLE, "token_hash", true),
            ("credential_relay_token_expires_at", relay_token::TABLE, "expires_at", false),
        ] {
            let mut index = Index::create().name(name).table(table).col(column).to_owned();
            if unique {
                index.unique();
            }
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [relay_token::TABLE, relay::TABLE] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

fn id(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).string_len(64).not_null().to_owned()
}

fn number(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().to_owned()
}

fn time(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().null().to_owned()
}

fn relay_table() -> TableCreateStatement {
    Table::create()
        .table(relay::TABLE)
        .col(id("organisation"))
        .col(id("relay_id"))
        .col(ColumnDef::new("name").text().not_null())
        .col(ColumnDef::new("room").boolean().not_null())
        .col(number("uplink_limit_kbit"))
        .col(number("voices_max"))
        .col(ColumnDef::new("prefixes").text().not_null())
        .col(ColumnDef::new("public_key").blob().null())
        .col(time("enrolled_at"))
        .col(ColumnDef::new("enrolled_by").string_len(64).null())
        .col(time("key_since"))
        .col(time("revoked_at"))
        .col(time("attached_at"))
        .primary_key(Index::create().col("organisation").col("relay_id"))
        .to_owned()
}

fn token_table() -> TableCreateStatement {
    Table::create()
        .table(relay_token::TABLE)
        .col(id("organisation"))
        .col(id("relay_id"))
        .col(id("token_hash"))
        .col(number("expires_at"))
        .primary_key(Index::create().col("organisation").col("relay_id"))
        .to_owned()
}
