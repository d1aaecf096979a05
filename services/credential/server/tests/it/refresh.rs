//! Staying logged in takes the terminal's key.

use tonic::Code;
use tributary_contracts::credential::v1::RefreshIdentityRequest;
use tributary_database::scratch::{self, ScratchDatabase};
use tributary_join_credential::TerminalKey;

use crate::{
    on_both_databases,
    world::{PASSWORD, Setting, World, manual_clock, shape},
};

async fn the_holder_of_the_key_stays_logged_in_for_as_long_as_it_likes(database: ScratchDatabase) {
    let (clock, hands) = manual_clock();
    let world = World::start_as(&database, Setting { clock, ..Setting::default() }).await;
    world.create_user("zoe").await;
    for guest in [false, true] {
        let mut identity = match guest {
            false => world.log_in("zoe", PASSWORD).await.unwrap(),
            true => world.guest("Guest").await,
        };
        let first = identity.clone();
        for _ in 0..20 {
            hands.forward(2700);
            identity = world.refresh(&identity, hands.seconds()).await.unwrap();
        }
        let claims = world.claims(&identity, hands.seconds()).await;
        assert_eq!(claims.expires_at, hands.seconds() + 3600);
        assert_eq!(&claims.key_thumbprint, world.terminal.thumbprint());
        assert_eq!(
            (&identity.user_id, &identity.display_name, identity.guest),
            (&first.user_id, &first.display_name, first.guest)
        );
        assert!(world.join(&identity).await.is_ok());
        // A token whose life is over is not refreshed, whatever the proof.
        hands.forward(3600 + 60);
        let late = world.refresh(&identity, hands.seconds()).await.unwrap_err();
        assert_eq!(late.code(), Code::Unauthenticated);
    }
}

async fn whatever_is_wrong_with_it_the_refusal_is_the_same(database: ScratchDatabase) {
    let (clock, hands) = manual_clock();
    let world = World::start_as(&database, Setting { clock, ..Setting::default() }).await;
    let user = world.create_user("zoe").await;
    let identity = world.log_in("zoe", PASSWORD).await.unwrap();
    let deleted = {
        world.create_user("gone").await;
        let identity = world.log_in("gone", PASSWORD).await.unwrap();
        world.delete_user(&identity.user_id).await;
        identity
    };
    let now = hands.seconds();
    let by = |key, at| World::refresh_request(&identity, key, at);
    let good = by(&world.terminal, now);
    let thief = TerminalKey::generate().unwrap();
    let mut flipped = good.proof.clone();
    flipped[9] ^= 1;
    let credential = world.join(&identity).await.unwrap();
    let requests = [
        by(&thief, now),
        by(&world.terminal, now - 61),
        by(&world.terminal, now + 61),
        RefreshIdentityRequest { public_key: thief.public_key().to_vec(), ..good.clone() },
        RefreshIdentityRequest { public_key: Vec::new(), ..good.clone() },
        RefreshIdentityRequest { proof: flipped, ..good.clone() },
        RefreshIdentityRequest { proof: Vec::new(), ..good.clone() },
        RefreshIdentityRequest { signed_at: now + 1, ..good.clone() },
        RefreshIdentityRequest { signed_at: u64::MAX, ..good.clone() },
        RefreshIdentityRequest { identity_token: String::new(), ..good.clone() },
        RefreshIdentityRequest { identity_token: credential, ..good.clone() },
        World::refresh_request(&deleted, &world.terminal, now),
    ];
    let mut refusals = Vec::new();
    for request in requests {
        let refused = world.credential.clone().refresh_identity(request).await;
        refusals.push(shape(&refused.unwrap_err()));
    }
    assert_eq!(refusals[0].0, Code::Unauthenticated);
    refusals.dedup();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    assert!(world.credential.clone().refresh_identity(good.clone()).await.is_ok());
    world.revoke_user(&user.user_id).await;
    let revoked = world.credential.clone().refresh_identity(good).await.unwrap_err();
    assert_eq!(shape(&revoked), refusals[0]);
}

on_both_databases!(
    the_holder_of_the_key_stays_logged_in_for_as_long_as_it_likes,
    whatever_is_wrong_with_it_the_refusal_is_the_same,
);

#[tokio::test]
async fn nobody_fills_the_list_of_revocations_by_refreshing_and_logging_out() {
    let (clock, hands) = manual_clock();
    let world = World::start_as(&scratch::sqlite(), Setting { clock, ..Setting::default() }).await;
    let identity = world.guest("Zoë").await;
    let mut granted = 0;
    let last = loop {
        let refreshed = match world.refresh(&identity, hands.seconds()).await {
            Ok(refreshed) => refreshed,
            Err(status) => break status,
        };
        if let Err(status) = world.log_out(&refreshed).await {
            break status;
        }
        granted += 1;
        assert!(granted < 1000);
    };
    assert_eq!(last.code(), Code::ResourceExhausted);
    assert_eq!(world.revocations(0).await.len(), granted);
}
