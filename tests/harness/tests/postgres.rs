//! A PostgreSQL server of the harness keeps its data when it crashes and starts again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::time::Duration;

use sea_orm::{ConnectOptions, ConnectionTrait, Database};
use tributary_harness::postgres::PostgresServer;

#[tokio::test]
async fn data_survives_a_crash_of_the_server_and_nothing_answers_in_between() {
    let mut server = PostgresServer::start().await.unwrap();
    let url = server.database("kept").await.unwrap();
    let mut options = ConnectOptions::new(url);
    options.acquire_timeout(Duration::from_secs(1)).sqlx_logging(false);
    let connection = Database::connect(options.clone()).await.unwrap();
    connection.execute_unprepared("CREATE TABLE t (n int)").await.unwrap();
    connection.execute_unprepared("INSERT INTO t VALUES (7)").await.unwrap();
    // A client that stays connected does not keep the server up.
    server.stop().await.unwrap();
    assert!(connection.execute_unprepared("SELECT 1").await.is_err());
    server.start_again().await.unwrap();
    let connection = Database::connect(options).await.unwrap();
    let changed = connection.execute_unprepared("UPDATE t SET n = 8 WHERE n = 7").await.unwrap();
    assert_eq!(changed.rows_affected(), 1);
}
