//! How the tables come to be. A migration that has been released is never changed.

use sea_orm_migration::prelude::*;

mod m0002;
mod m0003;
mod m0004;
mod m0005;

use super::{event, meeting, member, operation, outbox, participant, relay};
use m0002::MembersNoticesAttachments;
use m0003::Operations;
use m0004::RelaysInChains;
use m0005::RelayPaths;

/// The length of ids that are texts.
const ID_LENGTH: u32 = 64;

/// All migrations, in order.
#[derive(Debug)]
pub struct Migrations;

#[async_trait::async_trait]
impl MigratorTrait for Migrations {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(Meetings),
            Box::new(MembersNoticesAttachments),
            Box::new(Operations),
            Box::new(RelaysInChains),
            Box::new(RelayPaths),
        ]
    }

    fn migration_table_name() -> DynIden {
        "registry_migration".into_iden()
    }
}

struct Meetings;

impl MigrationName for Meetings {
    fn name(&self) -> &str {
        "m0001_meetings"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Meetings {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            meeting_table(),
            member_table(),
            participant_table(),
            event_table(),
            outbox_table(),
            operation_table(),
            relay_table(),
        ] {
            manager.create_table(table).await?;
        }
        for index in indices() {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            relay::TABLE,
            operation::TABLE,
            outbox::TABLE,
            event::TABLE,
            participant::TABLE,
            member::TABLE,
            meeting::TABLE,
        ] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

async fn add_column(
    manager: &SchemaManager<'_>,
    table: &'static str,
    column: ColumnDef,
) -> Result<(), DbErr> {
    manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await
}

async fn drop_column(
    manager: &SchemaManager<'_>,
    table: &'static str,
    column: &str,
) -> Result<(), DbErr> {
    let column = Alias::new(column);
    manager.alter_table(Table::alter().table(table).drop_column(column).to_owned()).await
}

fn number(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().to_owned()
}

fn id(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).string_len(ID_LENGTH).not_null().to_owned()
}

fn text(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().not_null().to_owned()
}

fn flag(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).boolean().not_null().to_owned()
}

fn bytes(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).blob().not_null().to_owned()
}

fn meeting_table() -> TableCreateStatement {
    Table::create()
        .table(meeting::TABLE)
        .col(number("id").primary_key())
        .col(id("organisation"))
        .col(text("subject"))
        .col(id("organiser"))
        .col(ColumnDef::new("password_hash").text())
        .col(number("created_at"))
        .col(ColumnDef::new("ended_at").big_integer())
        .col(number("next_event"))
        .col(number("next_participant"))
        .col(number("present"))
        .to_owned()
}

fn member_table() -> TableCreateStatement {
    Table::create()
        .table(member::TABLE)
        .col(id("organisation"))
        .col(number("meeting_id"))
        .col(id("user_id"))
        .primary_key(Index::create().col("organisation").col("meeting_id").col("user_id"))
        .to_owned()
}

fn participant_table() -> TableCreateStatement {
    Table::create()
        .table(participant::TABLE)
        .col(id("organisation"))
        .col(number("meeting_id"))
        .col(number("participant_id"))
        .col(id("user_id"))
        .col(text("display_name"))
        .col(flag("guest"))
        .col(id("key_thumbprint"))
        .col(id("relay_id"))
        .col(text("relay_name"))
        .col(id("relay_session_id"))
        .col(flag("muted"))
        .col(number("joined_at"))
        .col(ColumnDef::new("left_at").big_integer())
        .primary_key(Index::create().col("organisation").col("meeting_id").col("participant_id"))
        .to_owned()
}

fn event_table() -> TableCreateStatement {
    Table::create()
        .table(event::TABLE)
        .col(id("organisation"))
        .col(number("meeting_id"))
        .col(number("number"))
        .col(bytes("payload"))
        .primary_key(Index::create().col("organisation").col("meeting_id").col("number"))
        .to_owned()
}

fn outbox_table() -> TableCreateStatement {
    Table::create()
        .table(outbox::TABLE)
        .col(number("id").auto_increment().primary_key())
        .col(id("organisation"))
        .col(number("meeting_id"))
        .col(number("number"))
        .col(number("at"))
        .col(bytes("payload"))
        .col(ColumnDef::new("trace_parent").string_len(64))
        .to_owned()
}

fn operation_table() -> TableCreateStatement {
    Table::create()
        .table(operation::TABLE)
        .col(id("organisation"))
        .col(number("meeting_id"))
        .col(number("participant_id"))
        .col(id("operation_id"))
        .col(bytes("body_hash"))
        .col(number("event_number"))
        .primary_key(
            Index::create()
                .col("organisation")
                .col("meeting_id")
                .col("participant_id")
                .col("operation_id"),
        )
        .to_owned()
}

fn relay_table() -> TableCreateStatement {
    Table::create()
        .table(relay::TABLE)
        .col(id("relay_session_id").primary_key())
        .col(id("relay_id"))
        .col(number("last_seen"))
        .to_owned()
}

fn indices() -> Vec<IndexCreateStatement> {
    let present = || Expr::col("left_at").is_null();
    vec![
        Index::create()
            .name("registry_meeting_newest")
            .table(meeting::TABLE)
            .col("organisation")
            .col(("created_at", IndexOrder::Desc))
            .col(("id", IndexOrder::Desc))
            .to_owned(),
        // Who is in, and the guard that a terminal is in a meeting once.
        Index::create()
            .name("registry_participant_present")
            .table(participant::TABLE)
            .col("organisation")
            .col("meeting_id")
            .col("key_thumbprint")
            .unique()
            .cond_where(present())
            .to_owned(),
        Index::create()
            .name("registry_participant_relay_session")
            .table(participant::TABLE)
            .col("relay_session_id")
            .cond_where(present())
            .to_owned(),
        Index::create()
            .name("registry_relay_last_seen")
            .table(relay::TABLE)
            .col("last_seen")
            .to_owned(),
    ]
}
