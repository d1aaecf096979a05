//! What was revoked is refused at once, by every replica, and by nobody else's fault.

use tonic::Code;
use tributary_contracts::credential::v1::revocation::What;
use tributary_database::scratch::{self, ScratchDatabase};

use crate::{
    on_both_databases,
    world::{PASSWORD, Setting, World, manual_clock, until},
};

async fn who_logs_out_is_out_on_that_terminal_only(database: ScratchDatabase) {
    let world = World::start(&database).await;
    world.create_user("zoe").await;
    let here = world.log_in("zoe", PASSWORD).await.unwrap();
    let there = world.log_in("zoe", PASSWORD).await.unwrap();
    world.log_out(&here).await.unwrap();
    assert_eq!(world.join(&here).await.unwrap_err().code(), Code::Unauthenticated);
    assert!(world.join(&there).await.is_ok());
    let listed = world.revocations(0).await;
    assert_eq!(listed.len(), 1);
    assert!(matches!(&listed[0].what, Some(What::TokenId(id)) if id.len() == 22), "{listed:?}");
    // Twice, and with what is no token, changes nothing.
    world.log_out(&here).await.unwrap();
    let mut nothing = here.clone();
    nothing.identity_token = "x".to_owned();
    world.log_out(&nothing).await.unwrap();
    assert_eq!(world.revocations(0).await.len(), 1);
}

async fn a_revoked_user_is_out_everywhere_and_can_come_back(database: ScratchDatabase) {
    let (clock, hands) = manual_clock();
    let world = World::start_as(&database, Setting { clock, ..Setting::default() }).await;
    let user = world.create_user("zoe").await;
    world.create_user("adam").await;
    let (zoe, adam) = (world.log_in("zoe", PASSWORD).await, world.log_in("adam", PASSWORD).await);
    let (zoe, adam) = (zoe.unwrap(), adam.unwrap());
    world.revoke_user(&user.user_id).await;
    assert_eq!(world.join(&zoe).await.unwrap_err().code(), Code::Unauthenticated);
    let refreshed = world.refresh(&zoe, hands.seconds()).await;
    assert_eq!(refreshed.unwrap_err().code(), Code::Unauthenticated);
    assert!(world.join(&adam).await.is_ok());
    // In the same second.
    let again = world.log_in("zoe", PASSWORD).await.unwrap();
    assert!(world.join(&again).await.is_ok());
    let listed = world.revocations(0).await;
    let Some(What::User(revoked)) = &listed[0].what else { panic!("{listed:?}") };
    assert_eq!((&revoked.organisation[..], &revoked.user_id), ("default", &user.user_id));
}

async fn a_deleted_account_is_revoked_with_it(database: ScratchDatabase) {
    let world = World::start(&database).await;
    let user = world.create_user("zoe").await;
    world.delete_user(&user.user_id).await;
    let listed = world.revocations(0).await;
    assert!(
        matches!(&listed[0].what, Some(What::User(who)) if who.user_id == user.user_id),
        "{listed:?}"
    );
}

async fn a_revoked_terminal_gets_nothing_until_it_has_a_new_key(database: ScratchDatabase) {
    let mut world = World::start(&database).await;
    world.create_user("zoe").await;
    let identity = world.log_in("zoe", PASSWORD).await.unwrap();
    world.revoke_terminal(&world.thumbprint()).await;
    assert_eq!(world.join(&identity).await.unwrap_err().code(), Code::Unauthenticated);
    let again = world.log_in("zoe", PASSWORD).await.unwrap_err();
    assert_eq!(again.code(), Code::PermissionDenied);
    assert!(again.message().contains("new key"), "{again:?}");
    let request = world.guest_request("Zoë");
    let guest = world.credential.clone().register_guest(request).await.unwrap_err();
    assert_eq!(guest.code(), Code::PermissionDenied);
    world.terminal = tributary_join_credential::TerminalKey::generate().unwrap();
    assert!(world.log_in("zoe", PASSWORD).await.is_ok());
}

async fn what_nothing_can_be_concerned_by_is_forgotten_and_numbers_go_on(
    database: ScratchDatabase,
) {
    let (clock, hands) = manual_clock();
    let setting = || Setting { clock: clock.clone(), ..Setting::default() };
    let world = World::start_as(&database, setting()).await;
    let guest = world.guest("Zoë").await;
    world.log_out(&guest).await.unwrap();
    world.revoke_user("guest-1").await;
    assert_eq!(world.revocations(0).await.len(), 2);
    assert_eq!(world.revocations(1).await.len(), 1);
    drop(world);
    hands.forward(24 * 3600);
    let world = World::start_as(&database, setting()).await;
    until("old revocations are removed", || async { world.revocations(0).await.is_empty() }).await;
    // The number is higher than any that was forgotten, and there is no fuss about the gap.
    let guest = world.guest("Zoë").await;
    assert!(world.join(&guest).await.is_ok());
    world.revoke_user("guest-2").await;
    let numbers: Vec<_> = world.revocations(0).await.iter().map(|r| r.number).collect();
    assert_eq!(numbers, [3]);
}

async fn a_join_under_way_does_not_survive_the_revocation_of_its_user(database: ScratchDatabase) {
    let (clock, hands) = manual_clock();
    let world = World::start_as(&database, Setting { clock, ..Setting::default() }).await;
    let user = world.create_user("zoe").await;
    let identity = world.log_in("zoe", PASSWORD).await.unwrap();
    let closed = world.access.gate.acquire().await.unwrap();
    let revoke_meanwhile = async {
        until("access-control is asked", || async {
            !world.access.asked.lock().unwrap().is_empty()
        })
        .await;
        world.revoke_user(&user.user_id).await;
        hands.forward(2);
        drop(closed);
    };
    let (joined, ()) = tokio::join!(world.join(&identity), revoke_meanwhile);
    let claims = world.keys().await.verify_join(&joined.unwrap(), hands.seconds()).unwrap().claims;
    let revoked_at = world.revocations(0).await[0].at.unwrap().seconds;
    assert!(i64::try_from(claims.issued_at).unwrap() <= revoked_at, "{claims:?} {revoked_at}");
}

on_both_databases!(
    a_join_under_way_does_not_survive_the_revocation_of_its_user,
    who_logs_out_is_out_on_that_terminal_only,
    a_revoked_user_is_out_everywhere_and_can_come_back,
    a_deleted_account_is_revoked_with_it,
    a_revoked_terminal_gets_nothing_until_it_has_a_new_key,
    what_nothing_can_be_concerned_by_is_forgotten_and_numbers_go_on,
);

/// There is no bus in this world: the database alone makes it so.
#[tokio::test]
async fn another_replica_refuses_what_was_revoked_here_with_the_next_call() {
    let database = scratch::postgres().await;
    let (one, other) = tokio::join!(World::start(&database), World::start(&database));
    let user = one.create_user("zoe").await;
    for _ in 0..10 {
        let request = one.log_in_request("zoe", PASSWORD);
        let answer = other.credential.clone().log_in(request).await.unwrap();
        let identity = answer.into_inner().identity.unwrap();
        let request = one.join_request(&identity);
        other.credential.clone().issue_join_credential(request.clone()).await.unwrap();
        one.revoke_user(&user.user_id).await;
        let refused = other.credential.clone().issue_join_credential(request).await;
        assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
    }
    let numbers: Vec<_> = other.revocations(0).await.iter().map(|r| r.number).collect();
    assert_eq!(numbers, (1..=10).collect::<Vec<_>>());
}

#[tokio::test]
async fn revocations_made_at_once_by_replicas_have_numbers_without_gaps() {
    let database = scratch::postgres().await;
    let (one, other) = tokio::join!(World::start(&database), World::start(&database));
    let calls = (0..40).map(|number| {
        let world = if number % 2 == 0 { &one } else { &other };
        async move { world.revoke_user(&format!("guest-{number}")).await }
    });
    futures_util::future::join_all(calls).await;
    let numbers: Vec<_> = one.revocations(0).await.iter().map(|r| r.number).collect();
    assert_eq!(numbers, (1..=40).collect::<Vec<_>>());
}
