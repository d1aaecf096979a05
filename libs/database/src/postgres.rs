//! PostgreSQL: waited for at the start, watched afterwards.

use std::time::Duration;

use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DbErr, RuntimeErr,
    sqlx::{self, ConnectOptions as _, Connection as _, postgres::PgConnectOptions},
};
use tokio::time::{sleep, timeout};
use tributary_service_runtime::{CancellationToken, Dependency};

use crate::Error;

/// Connections of one service in one process: more than there are cores to use them in a database
/// that three services and their replicas share, of its 100 by default.
const CONNECTIONS_MAX: u32 = 8;
/// After this a query that finds no free connection fails, and so does one attempt to connect.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// The first pause between two attempts; each is twice the one before.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause: recovery is noticed within it.
const PAUSE_MAX: Duration = Duration::from_secs(3);
/// How often the readiness is brought up to date.
const WATCH_INTERVAL: Duration = Duration::from_secs(5);

pub(crate) async fn connect(
    url: &str,
    service: &'static str,
    readiness: &Dependency,
    shutdown: &CancellationToken,
) -> Result<DatabaseConnection, Error> {
    let probe: PgConnectOptions =
        url.parse().map_err(|error: sqlx::Error| Error::Url(error.to_string()))?;
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(CONNECTIONS_MAX)
        .connect_timeout(CONNECT_DEADLINE)
        .acquire_timeout(CONNECT_DEADLINE)
        .set_application_name(format!("tributary-{service}"))
        .sqlx_logging(false);

    let mut pause = PAUSE_MIN;
    let connection = loop {
        let attempt = tokio::select! {
            attempt = attempt(&probe, &options) => attempt,
            () = shutdown.cancelled() => return Err(Error::Shutdown),
        };
        match attempt {
            Ok(connection) => break connection,
            Err(error) => {
                readiness.not_ready(&error.to_string());
                tracing::warn!(%error, service, "waiting for the database");
            }
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = shutdown.cancelled() => return Err(Error::Shutdown),
        }
        pause = (pause * 2).min(PAUSE_MAX);
    };
    readiness.ready();
    tokio::spawn(watch(connection.clone(), readiness.clone(), shutdown.clone()));
    Ok(connection)
}

/// Connects once by itself, as the pool tries on until its deadline and then forgets why, and then
/// opens the pool.
async fn attempt(
    probe: &PgConnectOptions,
    options: &ConnectOptions,
) -> Result<DatabaseConnection, DbErr> {
    let probing = async { probe.connect().await?.close().await };
    match timeout(CONNECT_DEADLINE, probing).await {
        Ok(Ok(())) => Database::connect(options.clone()).await,
        Ok(Err(error)) => Err(DbErr::Conn(RuntimeErr::SqlxError(error.into()))),
        Err(_) => Err(DbErr::Conn(RuntimeErr::Internal("no answer".into()))),
    }
}

/// Keeps the readiness true to the database until the shutdown.
async fn watch(connection: DatabaseConnection, readiness: Dependency, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = sleep(WATCH_INTERVAL) => {}
            () = shutdown.cancelled() => return,
        }
        match timeout(CONNECT_DEADLINE, connection.ping()).await {
            Ok(Ok(())) => readiness.ready(),
            Ok(Err(error)) => readiness.not_ready(&error.to_string()),
            Err(_) => readiness.not_ready("no answer"),
        }
    }
}
