//! The access-control service over real gRPC, on SQLite and PostgreSQL, with a real nats-server and
//! a real mail server where those matter.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by it, as tests do"
)]

mod audit;
mod counting;
mod decisions;
mod facts;
mod logs;
mod mail;
mod migrations;
mod nats;
mod outages;
mod outsiders;
mod registry;
mod sharing;
mod world;

/// Makes every claim a test on each kind of database. A claim is an async function that takes the
/// database.
macro_rules! on_both_databases {
    ($($claim:ident),* $(,)?) => {
        mod sqlite {
            use tributary_database::scratch;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $claim() {
                super::$claim(scratch::sqlite()).await;
            })*
        }
        mod postgres {
            use tributary_database::scratch;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $claim() {
                super::$claim(scratch::postgres().await).await;
            })*
        }
    };
}
pub(crate) use on_both_databases;
