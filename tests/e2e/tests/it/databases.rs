//! The same on PostgreSQL as on SQLite.

use std::time::Duration;

use tributary_database::scratch;
use tributary_harness::{Database, Options, Service};

use crate::meeting::Meeting;

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_runs_on_postgresql_and_the_registry_comes_back_to_it() {
    let database = scratch::postgres().await;
    let url = database.config().url.expose().to_owned();
    let options = Options { database: Database::Postgres(url), ..Options::default() };
    let mut meeting = Meeting::start_with(options, &[0, 0, 1]).await;
    meeting.speak(&[0]).await;
    meeting.speak(&[0, 1, 2]).await;
    meeting.everybody_is_in_once().await;
    meeting.world.kill(Service::MeetingRegistry).await.unwrap();
    meeting.world.start_service(Service::MeetingRegistry).await.unwrap();
    meeting.hears(&[0, 1, 2], Duration::from_secs(10)).await;
    meeting.everybody_is_in_once().await;
    meeting.join(1).await;
    meeting.speak(&[3]).await;
    meeting.everybody_is_in_once().await;
}
