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
    // Nor is a proof good twice, or what everybody can make of it.
    let turned = RefreshIdentityRequest { proof: negated(&good.proof), ..good.clone() };
    for used in [good, turned] {
        let used = world.credential.clone().refresh_identity(used).await.unwrap_err();
        assert_eq!(shape(&used), refusals[0]);
    }
    let ahead = by(&world.terminal, now + 60);
    let refresh = async || world.credential.clone().refresh_identity(ahead.clone()).await;
    assert!(refresh().await.is_ok());
    hands.forward(120);
    assert_eq!(shape(&refresh().await.unwrap_err()), refusals[0]);
    let fresh = by(&world.terminal, hands.seconds());
    world.revoke_user(&user.user_id).await;
    let revoked = world.credential.clone().refresh_identity(fresh).await.unwrap_err();
    assert_eq!(shape(&revoked), refusals[0]);
}

on_both_databases!(
    the_holder_of_the_key_stays_logged_in_for_as_long_as_it_likes,
    whatever_is_wrong_with_it_the_refusal_is_the_same,
);

#[tokio::test]
async fn refreshing_has_an_end_and_does_not_keep_anybody_from_logging_out() {
    let (clock, hands) = manual_clock();
    let world = World::start_as(&scratch::sqlite(), Setting { clock, ..Setting::default() }).await;
    let identity = world.guest("Zoë").await;
    let mut refreshed = Vec::new();
    let last = loop {
        match world.refresh(&identity, hands.seconds()).await {
            Ok(token) => refreshed.push(token),
            Err(status) => break status,
        }
        assert!(refreshed.len() < 1000);
    };
    assert_eq!(last.code(), Code::ResourceExhausted);
    for token in &refreshed {
        world.log_out(token).await.unwrap();
    }
    world.log_out(&identity).await.unwrap();
    // So many and no more, on the list of revocations.
    assert_eq!(world.revocations(0).await.len(), refreshed.len() + 1);
    assert_eq!(world.join(&identity).await.unwrap_err().code(), Code::Unauthenticated);
}

/// The other signature that holds where this one does: instead of `s`, the group's order less `s`.
fn negated(proof: &[u8]) -> Vec<u8> {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63,
        0x25, 0x51,
    ];
    let mut negated = proof.to_vec();
    let mut borrowed = false;
    for place in (0..32).rev() {
        let (difference, below) = ORDER[place].overflowing_sub(proof[32 + place]);
        let (difference, again) = difference.overflowing_sub(borrowed.into());
        negated[32 + place] = difference;
        borrowed = below || again;
    }
    negated
}
