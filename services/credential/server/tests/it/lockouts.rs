//! Guessing passwords comes to an end, and nobody learns anything by it.

use std::collections::HashSet;

use tonic::{Code, Status};
use tributary_contracts::credential::v1::LogInRequest;
use tributary_credential_server::{Config, Limits};
use tributary_database::scratch::{self, ScratchDatabase};

use crate::{
    on_both_databases,
    world::{Hands, PASSWORD, Setting, World, manual_clock, shape},
};

async fn start(database: &ScratchDatabase, limits: Limits) -> (World, Hands) {
    let (clock, hands) = manual_clock();
    let config = Config { limits, ..Config::default() };
    let setting = Setting { config, clock, ..Setting::default() };
    (World::start_as(database, setting).await, hands)
}

fn few() -> Limits {
    Limits { wrong_passwords_per_user: 3, ..Limits::default() }
}

async fn guess_from(world: &World, address: &str, name: &str, word: &str) -> Result<(), Status> {
    let request =
        LogInRequest { client_address: address.to_owned(), ..world.log_in_request(name, word) };
    world.credential.clone().log_in(request).await.map(drop)
}

async fn a_right_password_is_wrong_while_the_account_is_locked(database: ScratchDatabase) {
    let (world, hands) = start(&database, few()).await;
    world.create_user("zoe").await;
    let mut shapes = HashSet::new();
    for word in ["a", "b", "c", "d"] {
        shapes.insert(shape(&world.log_in("zoe", word).await.unwrap_err()));
    }
    shapes.insert(shape(&world.log_in("zoe", PASSWORD).await.unwrap_err()));
    // From somewhere else, too.
    let elsewhere = guess_from(&world, "198.51.100.1", "zoe", PASSWORD).await;
    shapes.insert(shape(&elsewhere.unwrap_err()));
    assert_eq!(shapes.len(), 1, "{shapes:?}");
    hands.forward(15 * 60 - 1);
    assert!(world.log_in("zoe", PASSWORD).await.is_err());
    hands.forward(1);
    assert!(world.log_in("zoe", PASSWORD).await.is_ok());
}

async fn names_without_an_account_are_locked_in_the_same_way(database: ScratchDatabase) {
    let (world, _hands) = start(&database, few()).await;
    let mut shapes = HashSet::new();
    for _ in 0..4 {
        shapes.insert(shape(&world.log_in("nobody", "x").await.unwrap_err()));
    }
    // An account of that name, made now, is as locked as if it had been there.
    world.create_user("nobody").await;
    shapes.insert(shape(&world.log_in("nobody", PASSWORD).await.unwrap_err()));
    assert_eq!(shapes.len(), 1, "{shapes:?}");
    world.create_user("zoe").await;
    assert!(world.log_in("zoe", PASSWORD).await.is_ok());
}

async fn right_passwords_do_not_count_and_wrong_ones_do_not_stop_counting(
    database: ScratchDatabase,
) {
    let (world, _hands) = start(&database, few()).await;
    world.create_user("zoe").await;
    for _ in 0..5 {
        world.log_in("zoe", PASSWORD).await.unwrap();
    }
    for word in ["a", "b"] {
        world.log_in("zoe", word).await.unwrap_err();
        world.log_in("zoe", PASSWORD).await.unwrap();
    }
    world.log_in("zoe", "c").await.unwrap_err();
    // The third: whoever guesses gains nothing by a log-in of the owner in between.
    assert_eq!(world.log_in("zoe", PASSWORD).await.unwrap_err().code(), Code::Unauthenticated);
}

async fn one_place_guesses_at_so_many_accounts_only(database: ScratchDatabase) {
    let limits = Limits { wrong_passwords_per_prefix: 4, ..Limits::default() };
    let (world, _hands) = start(&database, limits).await;
    world.create_user("zoe").await;
    for name in ["a", "b", "c", "d"] {
        guess_from(&world, "2001:db8::1", name, "x").await.unwrap_err();
    }
    let locked = guess_from(&world, "2001:db8::ffff", "zoe", PASSWORD).await;
    assert_eq!(locked.unwrap_err().code(), Code::Unauthenticated);
    assert!(guess_from(&world, "2001:db8:1::1", "zoe", PASSWORD).await.is_ok());
    // What was refused unseen does not lock the account.
    for _ in 0..20 {
        guess_from(&world, "2001:db8::1", "zoe", "x").await.unwrap_err();
    }
    assert!(guess_from(&world, "2001:db8:1::1", "zoe", PASSWORD).await.is_ok());
}

on_both_databases!(
    a_right_password_is_wrong_while_the_account_is_locked,
    names_without_an_account_are_locked_in_the_same_way,
    right_passwords_do_not_count_and_wrong_ones_do_not_stop_counting,
    one_place_guesses_at_so_many_accounts_only,
);

#[tokio::test]
async fn replicas_count_together_and_a_restart_forgets_nothing() {
    let database = scratch::postgres().await;
    let (one, _hands) = start(&database, few()).await;
    let (other, _hands) = start(&database, few()).await;
    one.create_user("zoe").await;
    one.log_in("zoe", "a").await.unwrap_err();
    other.log_in("zoe", "b").await.unwrap_err();
    drop((one, other));
    let (again, _hands) = start(&database, few()).await;
    again.log_in("zoe", "c").await.unwrap_err();
    assert!(again.log_in("zoe", PASSWORD).await.is_err());
}
