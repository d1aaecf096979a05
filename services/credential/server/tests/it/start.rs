//! Starting: configured accounts, and keys that outlive the process.

use tributary_contracts::admin::v1::ListUsersRequest;
use tributary_credential_server::{BootstrapUser, Config, Server};
use tributary_database::scratch::{self, ScratchDatabase};

use crate::{
    on_both_databases,
    world::{PASSWORD, World, lone_platform, now},
};

fn config(users: &[(&str, &str)]) -> Config {
    let users = users.iter().map(|(user_name, password)| BootstrapUser {
        user_name: (*user_name).to_owned(),
        password: (*password).into(),
        ..BootstrapUser::default()
    });
    Config { users: users.collect(), ..Config::default() }
}

async fn configured_accounts_are_created_once_and_left_alone_then(database: ScratchDatabase) {
    let first = World::start_with(&database, config(&[("zoe", PASSWORD)])).await;
    let user_id = first.log_in("zoe", PASSWORD).await.unwrap().user_id;
    drop(first);
    let users = config(&[("zoe", "another password"), ("adam", PASSWORD)]);
    let second = World::start_with(&database, users).await;
    assert_eq!(second.log_in("zoe", PASSWORD).await.unwrap().user_id, user_id);
    assert!(second.log_in("zoe", "another password").await.is_err());
    let listed = second.users.clone().list_users(ListUsersRequest::default()).await.unwrap();
    let shown: Vec<_> = listed.into_inner().users.into_iter().map(|u| u.display_name).collect();
    assert_eq!(shown, ["adam", "zoe"]);
}

async fn tokens_are_good_beyond_a_restart(database: ScratchDatabase) {
    let first = World::start(&database).await;
    let identity = first.guest("Zoë").await;
    drop(first);
    let second = World::start(&database).await;
    let keys = second.keys().await;
    assert!(keys.verify_identity(&identity.identity_token, now()).is_ok());
}

on_both_databases!(
    configured_accounts_are_created_once_and_left_alone_then,
    tokens_are_good_beyond_a_restart,
);

#[tokio::test]
async fn replicas_that_start_at_the_same_moment_share_key_and_accounts() {
    let database = scratch::postgres().await;
    let users = || config(&[("zoe", PASSWORD)]);
    let (one, other) =
        tokio::join!(World::start_with(&database, users()), World::start_with(&database, users()),);
    assert_eq!(one.keys().await.to_jwks(), other.keys().await.to_jwks());
    let identity = one.log_in("zoe", PASSWORD).await.unwrap();
    assert_eq!(other.log_in("zoe", PASSWORD).await.unwrap().user_id, identity.user_id);
    let accepted = other.keys().await.verify_identity(&identity.identity_token, now());
    assert!(accepted.is_ok());
}

#[tokio::test]
async fn a_configured_account_that_can_not_be_is_named_and_its_password_is_not() {
    let database = scratch::sqlite();
    for (users, expected) in [
        (config(&[("Zoe", PASSWORD)]), "\"Zoe\": a user name must be"),
        (config(&[("zoe", "short")]), "\"zoe\": a password must be 8 to 1024 bytes long"),
        (config(&[("zoe", "")]), "\"zoe\": give either password or password_file"),
    ] {
        let Err(error) = Server::load(users, lone_platform(&database)).await else {
            panic!("loaded with an account that can't be: {expected}");
        };
        let message = error.to_string();
        assert!(message.contains(expected), "{message}");
        assert!(!message.contains("short"), "{message}");
    }
}

#[tokio::test]
async fn the_service_ends_when_it_is_told_to() {
    let database = scratch::sqlite();
    let platform = lone_platform(&database);
    let server = Server::load(Config::default(), platform.clone()).await.unwrap();
    assert!(platform.readiness.is_ready());
    let running = tokio::spawn(server.run());
    platform.shutdown.cancel();
    running.await.unwrap().unwrap();
}
