//! The database decides, on either kind.

use sea_orm::DatabaseConnection;
use tributary_credential_core::{Account, rotation::KeyTimes};
use tributary_credential_server::{KeyRow, Migrations, PrivateKey, Store, StoreError};
use tributary_database::{connect, migrate, scratch::ScratchDatabase};
use tributary_join_credential::SigningKey;
use tributary_service_runtime::{CancellationToken, Readiness};

use crate::on_both_databases;

async fn unmigrated(database: &ScratchDatabase) -> DatabaseConnection {
    let dependency = Readiness::new().dependency("database");
    let shutdown = CancellationToken::new();
    connect(database.config(), "credential", &dependency, &shutdown).await.unwrap()
}

pub async fn connection(database: &ScratchDatabase) -> DatabaseConnection {
    let connection = unmigrated(database).await;
    migrate::<Migrations>(&connection).await.unwrap();
    connection
}

pub async fn store(database: &ScratchDatabase) -> Store {
    Store::new(connection(database).await)
}

/// The key that a service on this database signs with, before any rotation.
pub async fn first_key(store: &Store) -> SigningKey {
    let rows = store.keys().await.unwrap();
    SigningKey::from_pkcs8(&rows.keys[0].private_key.bytes).unwrap()
}

const HASH: &str = "$argon2id$x";

fn account(organisation: &str, user_id: &str, user_name: &str) -> Account {
    Account {
        organisation: organisation.parse().unwrap(),
        user_id: user_id.parse().unwrap(),
        user_name: user_name.parse().unwrap(),
        display_name: "Zoë 王 '; --".parse().unwrap(),
        created_at: u64::from(u32::MAX) + 7,
        has_password: true,
    }
}

async fn an_account_is_read_as_it_was_written(database: ScratchDatabase) {
    let store = store(&database).await;
    let written = account("acme", "user-1", "zoe");
    store.create_account(&written, HASH).await.unwrap();
    let Account { organisation, user_id, user_name, .. } = &written;
    let read = store.account_by_name(organisation, user_name).await.unwrap().unwrap();
    assert_eq!(read.account, written);
    assert_eq!((read.password_hash.as_deref(), read.log_ins), (Some(HASH), 0));
    store.count_log_in(&written).await.unwrap();
    let read = store.account_by_name(organisation, user_name).await.unwrap().unwrap();
    assert_eq!(read.log_ins, 1);
    assert_eq!(store.account(organisation, user_id).await.unwrap(), Some(written));
}

async fn a_name_is_taken_in_its_organisation_only(database: ScratchDatabase) {
    let store = store(&database).await;
    store.create_account(&account("acme", "user-1", "zoe"), HASH).await.unwrap();
    let taken = store.create_account(&account("acme", "user-2", "zoe"), HASH).await.unwrap_err();
    assert!(matches!(taken, StoreError::NameTaken), "{taken}");
    store.create_account(&account("other", "user-1", "zoe"), HASH).await.unwrap();
}

async fn of_many_who_want_a_name_at_once_one_gets_it(database: ScratchDatabase) {
    let store = store(&database).await;
    let wishes: Vec<_> = (0..8)
        .map(|number| {
            let store = store.clone();
            let wish = account("acme", &format!("user-{number}"), "zoe");
            tokio::spawn(async move { store.create_account(&wish, HASH).await })
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

async fn changes_of_keys_come_one_after_the_other(database: ScratchDatabase) {
    let store = store(&database).await;
    let changes: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let change = store.begin_key_change().await.unwrap();
                let generation = change.rows.last_generation + 1;
                let times = KeyTimes { generation, created_at: 1, active_from: 2 };
                let private_key = PrivateKey { bytes: vec![7], sealed: true };
                change.insert(KeyRow { times, private_key }).await.unwrap();
                change.commit().await.unwrap();
                generation
            })
        })
        .collect();
    let mut generations = Vec::new();
    for change in changes {
        generations.push(change.await.unwrap());
    }
    generations.sort_unstable();
    assert_eq!(generations, (1..=8).collect::<Vec<_>>());
    let rows = store.keys().await.unwrap();
    assert_eq!((rows.keys.len(), rows.last_generation), (8, 8));
    assert!(rows.keys[0].private_key.sealed);
    assert_eq!(store.changes().await.unwrap().signing_keys, 8);
}

async fn a_change_of_keys_that_is_not_committed_is_none(database: ScratchDatabase) {
    let store = store(&database).await;
    let change = store.begin_key_change().await.unwrap();
    let times = KeyTimes { generation: 1, created_at: 1, active_from: 1 };
    let private_key = PrivateKey { bytes: vec![7], sealed: false };
    change.insert(KeyRow { times, private_key }).await.unwrap();
    drop(change);
    assert!(store.keys().await.unwrap().keys.is_empty());
    assert_eq!(store.changes().await.unwrap().signing_keys, 0);
}

/// As a database of the first release has it.
async fn what_was_there_before_the_second_migration_is_there_after_it(database: ScratchDatabase) {
    use sea_orm::ConnectionTrait as _;
    use sea_orm_migration::MigratorTrait as _;
    let connection = unmigrated(&database).await;
    Migrations::up(&connection, Some(1)).await.unwrap();
    let key = SigningKey::generate().unwrap();
    let row = "INSERT INTO credential_account \
         (organisation, user_id, user_name, display_name, password_hash, created_at) \
         VALUES ('acme', 'user-1', 'zoe', 'ZOË', '$argon2id$x', 5)";
    connection.execute_unprepared(row).await.unwrap();
    let insert = sea_orm::sea_query::Query::insert()
        .into_table("credential_signing_key")
        .columns(["generation", "private_key", "created_at"])
        .values_panic([1.into(), key.pkcs8().to_vec().into(), 1_700_000_000_i64.into()])
        .to_owned();
    connection.execute(&insert).await.unwrap();
    migrate::<Migrations>(&connection).await.unwrap();
    let store = Store::new(connection);
    let beginning = tributary_credential_core::NameBeginning::read("zoë").unwrap();
    let found = store.find_accounts(&"acme".parse().unwrap(), &beginning).await.unwrap();
    assert!(found.len() == 1 && found[0].has_password);
    let rows = store.keys().await.unwrap();
    assert_eq!(rows.keys[0].times.active_from, 1_700_000_000);
    assert!(!rows.keys[0].private_key.sealed);
    assert_eq!(first_key(&store).await.key_id(), key.key_id());
}

async fn a_row_that_something_else_has_spoilt_is_an_error_of_its_own(database: ScratchDatabase) {
    use sea_orm::ConnectionTrait as _;
    let connection = connection(&database).await;
    let store = Store::new(connection.clone());
    store.create_account(&account("acme", "user-1", "spoilt"), HASH).await.unwrap();
    store.create_account(&account("acme", "user-2", "whole"), HASH).await.unwrap();
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
    store.create_account(&account("acme", "user-1", "zoe"), HASH).await.unwrap();
    migrate::<Migrations>(&connection).await.unwrap();
    let accounts = store.accounts(&"acme".parse().unwrap(), None, 10).await.unwrap();
    assert_eq!(accounts.len(), 1);
}

on_both_databases!(
    an_account_is_read_as_it_was_written,
    a_name_is_taken_in_its_organisation_only,
    of_many_who_want_a_name_at_once_one_gets_it,
    changes_of_keys_come_one_after_the_other,
    a_change_of_keys_that_is_not_committed_is_none,
    what_was_there_before_the_second_migration_is_there_after_it,
    a_row_that_something_else_has_spoilt_is_an_error_of_its_own,
    migrating_twice_changes_nothing,
);
