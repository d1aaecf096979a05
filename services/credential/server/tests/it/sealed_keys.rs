//! Signing keys that are encrypted in the database.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tributary_credential_server::{Config, Error, Server};
use tributary_database::scratch::ScratchDatabase;

use crate::{
    on_both_databases,
    store::store,
    world::{World, lone_platform, now},
};

fn config(byte: u8) -> Config {
    Config { keys_secret: STANDARD.encode([byte; 32]).into(), ..Config::default() }
}

async fn error(database: &ScratchDatabase, config: Config) -> Error {
    match Server::load(config, lone_platform(database)).await {
        Ok(_) => panic!("loaded"),
        Err(error) => error,
    }
}

async fn keys_stored_in_the_clear_are_encrypted_when_there_is_a_secret(database: ScratchDatabase) {
    let plain = World::start(&database).await;
    let identity = plain.guest("Zoë").await;
    drop(plain);
    let store = store(&database).await;
    assert!(store.keys().await.unwrap().keys.iter().all(|row| !row.private_key.sealed));

    let sealed = World::start_with(&database, config(1)).await;
    let keys = sealed.keys().await;
    assert!(keys.verify_identity(&identity.identity_token, now()).is_ok());
    let waiting = sealed.rotate().await;
    drop(sealed);
    let rows = store.keys().await.unwrap();
    assert_eq!(rows.keys.len(), 2);
    assert!(rows.keys.iter().all(|row| row.private_key.sealed));

    let again = World::start_with(&database, config(1)).await;
    assert!(again.keys().await.verify_identity(&identity.identity_token, now()).is_ok());
    assert_eq!(again.signing_keys().await[0].key_id, waiting.key_id);
}

async fn a_wrong_secret_or_none_is_said_at_the_start(database: ScratchDatabase) {
    drop(World::start_with(&database, config(1)).await);
    let wrong = error(&database, config(2)).await.to_string();
    assert!(wrong.contains("credential.keys_secret does not open signing key 1"), "{wrong}");
    let none = error(&database, Config::default()).await.to_string();
    assert!(none.contains("set credential.keys_secret"), "{none}");
    let malformed = Config { keys_secret: "hush".into(), ..Config::default() };
    let malformed = error(&database, malformed).await.to_string();
    assert!(malformed.contains("32 random bytes in base64"), "{malformed}");
    assert!(!malformed.contains("hush"), "{malformed}");
}

on_both_databases!(
    keys_stored_in_the_clear_are_encrypted_when_there_is_a_secret,
    a_wrong_secret_or_none_is_said_at_the_start,
);
