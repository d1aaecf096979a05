//! The credential service over real gRPC, on SQLite and PostgreSQL.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by it, as tests do"
)]

mod accounts;
mod find_users;
mod forged_provider;
mod guests;
mod join_credentials;
mod lockouts;
mod log_in;
mod nats;
mod oidc;
mod oidc_refusals;
mod provider;
mod refresh;
mod relay_admin;
mod relays;
mod revocations;
mod rotation;
mod sealed_keys;
mod start;
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
