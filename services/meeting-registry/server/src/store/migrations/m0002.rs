//! Roles of members, times of meetings, notices, attachments.

use sea_orm_migration::prelude::*;

use super::{add_column, bytes, drop_column, id, number, text};
use crate::store::{attachment, meeting, member, notice, notice_outbox, unwanted_file};

const MEMBER_OF_USER: &str = "registry_member_of_user";
const MEETING_BEGINNING: &str = "registry_meeting_beginning";

pub struct MembersNoticesAttachments;

impl MigrationName for MembersNoticesAttachments {
    fn name(&self) -> &str {
        "m0002_members_notices_attachments"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for MembersNoticesAttachments {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in meeting_columns() {
            add_column(manager, meeting::TABLE, column).await?;
        }
        let role = ColumnDef::new("role").integer().not_null().default(3).to_owned();
        add_column(manager, member::TABLE, role).await?;
        fill_new_columns(manager).await?;
        for table in
            [notice_table(), notice_outbox_table(), attachment_table(), unwanted_file_table()]
        {
            manager.create_table(table).await?;
        }
        for index in indices() {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [unwanted_file::TABLE, attachment::TABLE, notice_outbox::TABLE, notice::TABLE]
        {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        for (name, table) in [(MEMBER_OF_USER, member::TABLE), (MEETING_BEGINNING, meeting::TABLE)]
        {
            manager.drop_index(Index::drop().name(name).table(table).to_owned()).await?;
        }
        drop_column(manager, member::TABLE, "role").await?;
        for column in meeting_columns() {
            drop_column(manager, meeting::TABLE, &column.get_column_name()).await?;
        }
        Ok(())
    }
}

fn meeting_columns() -> Vec<ColumnDef> {
    let count = |name| ColumnDef::new(name).big_integer().not_null().default(0).to_owned();
    vec![
        ColumnDef::new("organiser_name").text().to_owned(),
        ColumnDef::new("starts_at").big_integer().to_owned(),
        ColumnDef::new("invites_at").big_integer().to_owned(),
        ColumnDef::new("lobby").boolean().not_null().default(false).to_owned(),
        count("members"),
        count("attachments"),
        count("attachment_bytes"),
    ]
}

/// Brings what is there already up to date: who organises, and how long the lists are.
async fn fill_new_columns(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let of_this_meeting = || {
        Condition::all()
            .add(
                Expr::col((member::TABLE, "organisation")).equals((meeting::TABLE, "organisation")),
            )
            .add(Expr::col((member::TABLE, "meeting_id")).equals((meeting::TABLE, "id")))
    };
    let organised = Query::select()
        .expr(Expr::val(1))
        .from(meeting::TABLE)
        .cond_where(of_this_meeting())
        .and_where(Expr::col((meeting::TABLE, "organiser")).equals((member::TABLE, "user_id")))
        .to_owned();
    let organisers = Query::update()
        .table(member::TABLE)
        .value("role", 1)
        .and_where(Expr::exists(organised))
        .to_owned();
    let counted = Query::select()
        .expr(Func::count(Expr::col((member::TABLE, "user_id"))))
        .from(member::TABLE)
        .cond_where(of_this_meeting())
        .to_owned();
    let counts = Query::update()
        .table(meeting::TABLE)
        .value("members", Expr::SubQuery(None, Box::new(counted.into())))
        .to_owned();
    manager.execute(organisers).await?;
    manager.execute(counts).await
}

fn notice_table() -> TableCreateStatement {
    Table::create()
        .table(notice::TABLE)
        .col(id("id").primary_key())
        .col(id("organisation"))
        .col(number("meeting_id"))
        .col(ColumnDef::new("kind").integer().not_null())
        .col(id("occasion"))
        .col(id("user_id"))
        .col(id("from_user_id"))
        .col(ColumnDef::new("from_name").text())
        .col(number("at"))
        .col(number("expires_at"))
        .col(ColumnDef::new("dismissed_at").big_integer())
        .to_owned()
}

fn notice_outbox_table() -> TableCreateStatement {
    Table::create()
        .table(notice_outbox::TABLE)
        .col(number("id").auto_increment().primary_key())
        .col(id("organisation"))
        .col(id("user_id"))
        .col(id("notice_id"))
        .col(number("at"))
        .col(bytes("payload"))
        .col(ColumnDef::new("trace_parent").string_len(64))
        .to_owned()
}

fn attachment_table() -> TableCreateStatement {
    Table::create()
        .table(attachment::TABLE)
        .col(id("organisation"))
        .col(number("meeting_id"))
        .col(id("id"))
        .col(text("name"))
        .col(text("media_type"))
        .col(number("size"))
        .col(bytes("sha256"))
        .col(id("attached_by"))
        .col(number("at"))
        .primary_key(Index::create().col("organisation").col("meeting_id").col("id"))
        .to_owned()
}

fn unwanted_file_table() -> TableCreateStatement {
    Table::create()
        .table(unwanted_file::TABLE)
        .col(id("file_id").primary_key())
        .col(number("due_at"))
        .to_owned()
}

fn indices() -> Vec<IndexCreateStatement> {
    vec![
        Index::create()
            .name(MEMBER_OF_USER)
            .table(member::TABLE)
            .col("organisation")
            .col("user_id")
            .col("meeting_id")
            .to_owned(),
        // The few meetings whose members are still to be invited.
        Index::create()
            .name(MEETING_BEGINNING)
            .table(meeting::TABLE)
            .col("invites_at")
            .cond_where(Expr::col("invites_at").is_not_null())
            .to_owned(),
        // The guard that nobody is told twice.
        Index::create()
            .name("registry_notice_once")
            .table(notice::TABLE)
            .col("organisation")
            .col("meeting_id")
            .col("kind")
            .col("occasion")
            .col("user_id")
            .unique()
            .to_owned(),
        Index::create()
            .name("registry_notice_of_user")
            .table(notice::TABLE)
            .col("organisation")
            .col("user_id")
            .col(("at", IndexOrder::Desc))
            .to_owned(),
        Index::create()
            .name("registry_notice_expiry")
            .table(notice::TABLE)
            .col("expires_at")
            .to_owned(),
        Index::create()
            .name("registry_notice_outbox_notice")
            .table(notice_outbox::TABLE)
            .col("notice_id")
            .to_owned(),
        Index::create()
            .name("registry_unwanted_file_due")
            .table(unwanted_file::TABLE)
            .col("due_at")
            .to_owned(),
    ]
}
