//! The access-control service over real gRPC, on SQLite and PostgreSQL.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by it, as tests do")]

mod decisions;
mod facts;
mod registry;
mod share_marks;
mod store;
mod world;

/// Makes every claim a test on each kind of database. A claim is an async function that takes the
/// database.
macro_rules! on_both_databases {
    ($($claim:ident),* $(,)?) => {
        mod sqlite {
            use tributary_database::scratch;
            $(#[tokio::test]
            async fn $claim() {
                super::$claim(scratch::sqlite()).await;
            })*
        }
        mod postgres {
            use tributary_database::scratch;
            $(#[tokio::test]
            async fn $claim() {
                super::$claim(scratch::postgres().await).await;
            })*
        }
    };
}
pub(crate) use on_both_databases;
