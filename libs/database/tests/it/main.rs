//! Connecting, waiting and migrating, on both kinds of database.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by it, as tests do")]

use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, DynIden, Statement,
    sea_query::{Alias, IntoIden as _},
};
use sea_orm_migration::{MigrationName, MigrationTrait, MigratorTrait, SchemaManager};
use tributary_database::{Error, connect, migrate, scratch};
use tributary_service_runtime::{CancellationToken, DatabaseConfig, Dependency, Readiness, Secret};

struct Tables;

#[async_trait::async_trait]
impl MigratorTrait for Tables {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(CreateNote)]
    }

    fn migration_table_name() -> DynIden {
        Alias::new("note_migrations").into_iden()
    }
}

struct CreateNote;

impl MigrationName for CreateNote {
    fn name(&self) -> &str {
        "m0001_create_note"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for CreateNote {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // A second run fails: the table is there.
        let connection = manager.get_connection();
        let create = "CREATE TABLE note (id BIGINT PRIMARY KEY, next BIGINT REFERENCES note (id))";
        connection.execute_unprepared(create).await?;
        Ok(())
    }
}

fn dependency() -> (Readiness, Dependency) {
    let readiness = Readiness::new();
    let dependency = readiness.dependency("database");
    (readiness, dependency)
}

async fn connected(config: &DatabaseConfig) -> DatabaseConnection {
    let (readiness, dependency) = dependency();
    let connection = connect(config, "note", &dependency, &CancellationToken::new()).await.unwrap();
    assert!(readiness.is_ready());
    connection
}

async fn setting(connection: &DatabaseConnection, pragma: &str) -> String {
    let statement = Statement::from_string(DbBackend::Sqlite, format!("PRAGMA {pragma}"));
    let row = connection.query_one_raw(statement).await.unwrap().unwrap();
    row.try_get_by_index::<String>(0)
        .or_else(|_| row.try_get_by_index::<i64>(0).map(|number| number.to_string()))
        .unwrap()
}

#[tokio::test]
async fn sqlite_keeps_what_it_commits_and_checks_references() {
    let database = scratch::sqlite();
    let connection = connected(database.config()).await;
    for (pragma, expected) in [
        ("journal_mode", "wal"),
        ("synchronous", "2"),
        ("busy_timeout", "5000"),
        ("foreign_keys", "1"),
    ] {
        assert_eq!(setting(&connection, pragma).await, expected, "{pragma}");
    }
    migrate::<Tables>(&connection).await.unwrap();
    let dangling = "INSERT INTO note (id, next) VALUES (1, 2)";
    connection.execute_unprepared(dangling).await.unwrap_err();
    connection.execute_unprepared("INSERT INTO note (id) VALUES (1)").await.unwrap();
    connection.close().await.unwrap();
    let again = connected(database.config()).await;
    migrate::<Tables>(&again).await.unwrap();
    again.execute_unprepared("INSERT INTO note (id) VALUES (1)").await.expect_err("it is there");
}

#[tokio::test]
async fn replicas_that_start_at_once_migrate_once() {
    for database in [scratch::sqlite(), scratch::postgres().await] {
        let mut replicas = Vec::new();
        for _ in 0..4 {
            replicas.push(connected(database.config()).await);
        }
        let mut running = Vec::new();
        for replica in replicas {
            running.push(tokio::spawn(async move { migrate::<Tables>(&replica).await }));
        }
        for replica in running {
            replica.await.unwrap().unwrap();
        }
        let connection = connected(database.config()).await;
        let known = connection.execute_unprepared("SELECT id FROM note").await;
        known.expect("the table is there");
    }
}

#[tokio::test]
async fn an_absent_postgres_is_waited_for_until_the_shutdown() {
    let config = DatabaseConfig { url: Secret::new("postgres://nobody:canary@127.0.0.1:1/none") };
    let (readiness, dependency) = dependency();
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    let waiting = tokio::spawn(async move { connect(&config, "note", &dependency, &token).await });
    let reason = || readiness.report().waiting_for[0].reason.clone();
    let said = async {
        while !reason().contains("refused") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), said).await.expect("a reason in time");
    assert!(!reason().contains("canary"), "{}", reason());
    shutdown.cancel();
    assert!(matches!(waiting.await.unwrap(), Err(Error::Shutdown)));
}

#[tokio::test]
async fn an_unusable_url_is_an_error_at_once_and_is_not_repeated() {
    for url in ["mysql://canary@host/db", "", "postgres://canary:canary@host:port/db", "sqlite:"] {
        let config = DatabaseConfig { url: Secret::new(url) };
        let (_, dependency) = dependency();
        let error = connect(&config, "note", &dependency, &CancellationToken::new()).await;
        let text = error.expect_err(url).to_string();
        assert!(text.contains("database.url") && !text.contains("canary"), "{text}");
    }
}
