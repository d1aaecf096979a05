//! How the tables come to be. A migration that has been released is never changed.

use sea_orm_migration::prelude::*;

use super::{decision, miss, share};

/// The prefix of the tables of budgets.
pub const BUDGETS: &str = "access";

/// The length of ids that are texts.
const ID_LENGTH: u32 = 64;
/// The length of an address prefix in text: an IPv6 address and `/64`.
const PREFIX_LENGTH: u32 = 48;

/// All migrations, in order.
#[derive(Debug)]
pub struct Migrations;

#[async_trait::async_trait]
impl MigratorTrait for Migrations {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(ShareMarks),
            Box::new(SharesAndDecisions),
            tributary_sliding_window::migration(BUDGETS),
        ]
    }

    fn migration_table_name() -> DynIden {
        "access_migration".into_iden()
    }
}

fn number(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().to_owned()
}

fn maybe_number(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().to_owned()
}

fn small_number(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).small_integer().not_null().to_owned()
}

fn id(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).string_len(ID_LENGTH).not_null().to_owned()
}

fn flag(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).boolean().not_null().to_owned()
}

struct ShareMarks;

const SHARE_MARKS: &str = "access_share_mark";

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
                    .table(SHARE_MARKS)
                    .col(id("organisation"))
                    .col(number("meeting_id"))
                    .col(id("set_by"))
                    .col(number("set_at"))
                    .primary_key(Index::create().col("organisation").col("meeting_id"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(SHARE_MARKS).to_owned()).await
    }
}

/// Shares with a secret take the place of share marks. A mark becomes nothing: it never had a
/// secret, a form or a recipient, so there is no share that it could be, and a meeting that nobody
/// shares again is closed rather than open.
struct SharesAndDecisions;

impl MigrationName for SharesAndDecisions {
    fn name(&self) -> &str {
        "m0002_shares_and_decisions"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for SharesAndDecisions {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(SHARE_MARKS).to_owned()).await?;
        for table in [share_table(), decision_table(), miss_table()] {
            manager.create_table(table).await?;
        }
        for index in indices() {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [miss::TABLE, decision::TABLE, share::TABLE] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        ShareMarks.up(manager).await
    }
}

fn share_table() -> TableCreateStatement {
    Table::create()
        .table(share::TABLE)
        .col(id("share_id").primary_key())
        .col(id("organisation"))
        .col(number("meeting_id"))
        .col(ColumnDef::new("secret_hash").blob().not_null())
        .col(id("form"))
        .col(ColumnDef::new("recipients").text().not_null())
        .col(id("created_by"))
        .col(number("created_at"))
        .col(maybe_number("carried_out_at"))
        .col(maybe_number("expires_at"))
        .col(maybe_number("revoked_at"))
        .to_owned()
}

fn decision_table() -> TableCreateStatement {
    Table::create()
        .table(decision::TABLE)
        .col(number("id").auto_increment().primary_key())
        .col(number("at"))
        .col(id("organisation"))
        .col(id("user_id"))
        .col(flag("guest"))
        .col(id("client_id"))
        .col(ColumnDef::new("client_prefix").string_len(PREFIX_LENGTH).not_null())
        .col(number("meeting_id"))
        .col(small_number("action"))
        .col(small_number("reason"))
        .col(small_number("role"))
        .col(flag("allowed"))
        .to_owned()
}

fn miss_table() -> TableCreateStatement {
    Table::create()
        .table(miss::TABLE)
        .col(number("minute").primary_key())
        .col(number("misses"))
        .to_owned()
}

fn indices() -> [IndexCreateStatement; 4] {
    let index =
        |name: &str, table: &'static str| Index::create().name(name).table(table).to_owned();
    [
        index("access_share_of_meeting", share::TABLE)
            .col("organisation")
            .col("meeting_id")
            .col("created_at")
            .to_owned(),
        index("access_decision_of_meeting", decision::TABLE)
            .col("organisation")
            .col("meeting_id")
            .col("id")
            .to_owned(),
        index("access_decision_of_user", decision::TABLE)
            .col("organisation")
            .col("user_id")
            .col("id")
            .to_owned(),
        index("access_decision_at", decision::TABLE).col("at").to_owned(),
    ]
}
