//! The database decides, on either kind.

use sea_orm::DatabaseConnection;
use tributary_credential_core::Account;
use tributary_credential_server::{Migrations, Store, StoreError, StoredAccount};
use tributary_database::{connect, migrate, scratch::ScratchDatabase};
use tributary_join_credential::SigningKey;
use tributary_service_runtime::{CancellationToken, Readiness};

use crate::on_both_databases;

pub async fn connection(database: &ScratchDatabase) -> DatabaseConnection {
    let dependency = Readiness::new().dependency("database");
    let shutdown = CancellationToken::new();
    let connection =
        connect(database.config(), "credential", &dependency, &shutdown).await.unwrap();
    migrate::<Migrations>(&connection).await.unwrap();
    connection
}

pub async fn store(database: &ScratchDatabase) -> Store {
    Store::new(connection(database).await)
}

fn account(organisation: &str, user_id: &str, user_name: &str) -> StoredAccount {
    StoredAccount {
        account: Account {
            organisation: organisation.parse().unwrap(),
            user_id: user_id.parse().unwrap(),
            user_name: user_name.parse().unwrap(),
            display_name: "Zoë 王 '; --".parse().unwrap(),
            created_at: u64::from(u32::MAX) + 7,
        },
        password_hash: "$argon2id$x".to_owned(),
    }
}

async fn an_account_is_read_as_it_was_written(database: ScratchDatabase) {
    let store = store(&database).await;
    let written = account("acme", "user-1", "zoe");
    store.create_account(&written).await.unwrap();
    let Account { organisation, user_id, user_name, .. } = &written.account;
    let read = store.account_by_name(organisation, user_name).await.unwrap().unwrap();
    assert_eq!(read.account, written.account);
    assert_eq!(read.password_hash, written.password_hash);
    assert_eq!(store.account(organisation, user_id).await.unwrap(), Some(written.account));
}

async fn a_name_is_taken_in_its_organisation_only(database: ScratchDatabase) {
    let store = store(&database).await;
    store.create_account(&account("acme", "user-1", "zoe")).await.unwrap();
    let taken = store.create_account(&account("acme", "user-2", "zoe")).await.unwrap_err();
    assert!(matches!(taken, StoreError::NameTaken), "{taken}");
    store.create_account(&account("other", "user-1", "zoe")).await.unwrap();
}

async fn of_many_who_want_a_name_at_once_one_gets_it(database: ScratchDatabase) {
    let store = store(&database).await;
    let wishes: Vec<_> = (0..8)
        .map(|number| {
            let store = store.clone();
            let wish = account("acme", &format!("user-{number}"), "zoe");
            tokio::spawn(async move { store.create_account(&wish).await })
        })
        .collect();
    let mut granted = 0;
    for wish in wishes {
        match wish.await.unwrap() {
            Ok(()) => granted += 1,
            Err(error) => assert!(matches!(error, StoreError::NameTaken), "{error}"),
        }
    }
    assert_eq!(granted, 1);
}

async fn the_first_signing_key_is_made_once_however_many_start(database: ScratchDatabase) {
    let store = store(&database).await;
    let starts: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            let candidate = SigningKey::generate().unwrap();
            tokio::spawn(async move { store.signing_keys(&candidate, 1).await.unwrap() })
        })
        .collect();
    let mut ids = Vec::new();
    for start in starts {
        let keys = start.await.unwrap();
        assert_eq!(keys.len(), 1);
        ids.push(keys[0].key_id().to_owned());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    let later = store.signing_keys(&SigningKey::generate().unwrap(), 2).await.unwrap();
    assert_eq!(later[0].key_id(), ids[0]);
}

async fn a_row_that_something_else_has_spoilt_is_an_error_of_its_own(database: ScratchDatabase) {
    use sea_orm::ConnectionTrait as _;
    let connection = connection(&database).await;
    let store = Store::new(connection.clone());
    store.create_account(&account("acme", "user-1", "spoilt")).await.unwrap();
    store.create_account(&account("acme", "user-2", "whole")).await.unwrap();
    let spoil = "UPDATE credential_account SET created_at = -1 WHERE user_id = 'user-1'";
    connection.execute_unprepared(spoil).await.unwrap();
    let organisation = "acme".parse().unwrap();
    let spoilt = store.account(&organisation, &"user-1".parse().unwrap()).await;
    assert!(matches!(spoilt, Err(StoreError::MalformedRow { .. })));
    let whole = store.account(&organisation, &"user-2".parse().unwrap()).await;
    assert!(whole.unwrap().is_some());
}

async fn migrating_twice_changes_nothing(database: ScratchDatabase) {
    let connection = connection(&database).await;
    let store = Store::new(connection.clone());
    store.create_account(&account("acme", "user-1", "zoe")).await.unwrap();
    migrate::<Migrations>(&connection).await.unwrap();
    let accounts = store.accounts(&"acme".parse().unwrap(), None, 10).await.unwrap();
    assert_eq!(accounts.len(), 1);
}

on_both_databases!(
    an_account_is_read_as_it_was_written,
    a_name_is_taken_in_its_organisation_only,
    of_many_who_want_a_name_at_once_one_gets_it,
    the_first_signing_key_is_made_once_however_many_start,
    a_row_that_something_else_has_spoilt_is_an_error_of_its_own,
    migrating_twice_changes_nothing,
);
