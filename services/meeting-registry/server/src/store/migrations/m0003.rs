//! Operations: what participants are beside being in, who is told of an event, who was taken out.

use sea_orm_migration::prelude::*;

use super::{add_column, drop_column, id, number};
use crate::store::{event, meeting, member, participant, removed_user, reuse};

const PARTICIPANT_OF_KEY: &str = "registry_participant_key";
const CHAT: &str = "registry_event_chat";

/// The session of who was in before there were sessions: no terminal calls its own so.
const SESSION_BEFORE: &str = "before";

pub struct Operations;

impl MigrationName for Operations {
    fn name(&self) -> &str {
        "m0003_operations"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Operations {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, columns) in columns() {
            for column in columns {
                add_column(manager, table, column).await?;
            }
        }
        fill_new_columns(manager).await?;
        for table in [reuse_table(), removed_user_table()] {
            manager.create_table(table).await?;
        }
        for index in indices() {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, table) in [(PARTICIPANT_OF_KEY, participant::TABLE), (CHAT, event::TABLE)] {
            manager.drop_index(Index::drop().name(name).table(table).to_owned()).await?;
        }
        for table in [removed_user::TABLE, reuse::TABLE] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        for (table, columns) in columns() {
            for column in columns {
                drop_column(manager, table, &column.get_column_name()).await?;
            }
        }
        Ok(())
    }
}

fn flag(name: &'static str, default: bool) -> ColumnDef {
    ColumnDef::new(name).boolean().not_null().default(default).to_owned()
}

fn count(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().default(0).to_owned()
}

fn kind(name: &'static str, default: i32) -> ColumnDef {
    ColumnDef::new(name).integer().not_null().default(default).to_owned()
}

fn columns() -> [(&'static str, Vec<ColumnDef>); 3] {
    let session =
        ColumnDef::new("session_id").string_len(64).not_null().default(SESSION_BEFORE).to_owned();
    let of_meeting =
        vec![flag("locked", false), count("spotlight"), count("last_event_at"), count("waiting")];
    let of_participant = vec![
        session,
        count("last_sequence"),
        kind("presence", 1),
        kind("offline_reason", 0),
        count("hand_raised"),
        ColumnDef::new("checked_in_at").big_integer().to_owned(),
        flag("host", false),
        flag("listed_host", false),
        flag("held", false),
        flag("admitted", true),
        flag("renamed", false),
        ColumnDef::new("talk_targets").text().not_null().default("").to_owned(),
    ];
    let of_event = vec![flag("chat", false), ColumnDef::new("audience").text().to_owned()];
    [(meeting::TABLE, of_meeting), (participant::TABLE, of_participant), (event::TABLE, of_event)]
}

/// Brings what is there already up to date: who is host, and when something last happened.
async fn fill_new_columns(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let same = |column: &'static str| {
        Expr::col((member::TABLE, column)).equals((participant::TABLE, column))
    };
    let listed = Query::select()
        .expr(Expr::val(1))
        .from(member::TABLE)
        .and_where(same("organisation"))
        .and_where(same("meeting_id"))
        .and_where(same("user_id"))
        .and_where(Expr::col((member::TABLE, "role")).lt(3))
        .to_owned();
    let hosts = Query::update()
        .table(participant::TABLE)
        .values([("host", true.into()), ("listed_host", true.into())])
        .and_where(Expr::exists(listed))
        .to_owned();
    manager.execute(hosts).await?;
    let at = Func::coalesce([Expr::col("ended_at"), Expr::col("created_at")]);
    let times = Query::update().table(meeting::TABLE).value("last_event_at", at).to_owned();
    manager.execute(times).await
}

fn reuse_table() -> TableCreateStatement {
    Table::create()
        .table(reuse::TABLE)
        .col(id("organisation"))
        .col(number("meeting_id"))
        .col(number("participant_id"))
        .col(id("hash"))
        .primary_key(
            Index::create().col("organisation").col("meeting_id").col("participant_id").col("hash"),
        )
        .to_owned()
}

fn removed_user_table() -> TableCreateStatement {
    Table::create()
        .table(removed_user::TABLE)
        .col(id("organisation"))
        .col(number("meeting_id"))
        .col(id("user_id"))
        .primary_key(Index::create().col("organisation").col("meeting_id").col("user_id"))
        .to_owned()
}

fn indices() -> Vec<IndexCreateStatement> {
    vec![
        // Who was in with a key, to be the same participant again.
        Index::create()
            .name(PARTICIPANT_OF_KEY)
            .table(participant::TABLE)
            .col("organisation")
            .col("meeting_id")
            .col("key_thumbprint")
            .to_owned(),
        Index::create()
            .name(CHAT)
            .table(event::TABLE)
            .col("organisation")
            .col("meeting_id")
            .col("number")
            .cond_where(Expr::col("chat"))
            .to_owned(),
    ]
}
