//! From the tables that were released first to those of now.

use sea_orm::{ConnectionTrait as _, Database};
use sea_orm_migration::MigratorTrait as _;
use tributary_access_control_server::Migrations;
use tributary_contracts::access::v1::Reason;
use tributary_database::scratch::ScratchDatabase;

use crate::{
    on_both_databases,
    world::{MEETING, OUTSIDER, World, lasting},
};

async fn a_meeting_that_had_a_share_mark_is_closed(database: ScratchDatabase) {
    let url = database.config().url.expose();
    let url = match url.strip_prefix("sqlite:") {
        Some(folder) => format!("sqlite:{folder}/access-control.db?mode=rwc"),
        None => url.to_owned(),
    };
    let connection = Database::connect(url).await.unwrap();
    Migrations::up(&connection, Some(1)).await.unwrap();
    let mark = format!(
        "INSERT INTO access_share_mark (organisation, meeting_id, set_by, set_at) \
         VALUES ('default', {MEETING}, 'user-organiser', 7)"
    );
    connection.execute_unprepared(&mark).await.unwrap();
    connection.close().await.unwrap();

    let world = World::start(&database, lasting()).await;
    assert_eq!(world.join(OUTSIDER, "").await, Reason::NotShared);
    world.share().await;
    assert_eq!(world.join(OUTSIDER, "").await, Reason::Shared);
}

on_both_databases!(a_meeting_that_had_a_share_mark_is_closed);
