//! Signing keys change under load, and nobody notices.

use std::collections::{BTreeMap, BTreeSet};

use tonic::Code;
use tributary_contracts::{
    admin::v1::SigningKeyState::{Active, Next, Retired},
    credential::v1::Identity,
};
use tributary_credential_server::Config;
use tributary_database::scratch::{self, ScratchDatabase};
use tributary_join_credential::{KeyId, KeySet};

use crate::{
    on_both_databases,
    world::{Hands, Setting, World, manual_clock, until},
};

const DAY: u64 = 86_400;
const AHEAD: u64 = 600;
/// Longer than anything signed is of use: 12 h and 5 min of reconnects, an hour, two leeways.
const OVERLAP: u64 = 13 * 3600 + 300 + 120;

async fn start(database: &ScratchDatabase) -> (World, Hands) {
    let (clock, hands) = manual_clock();
    let config = Config { rotate_days: 1, ..Config::default() };
    let setting = Setting { config, clock, ..Setting::default() };
    (World::start_as(database, setting).await, hands)
}

fn signer(keys: &KeySet, identity: &Identity, now: u64) -> KeyId {
    keys.verify_identity(&identity.identity_token, now).unwrap().key_id
}

async fn states(world: &World) -> Vec<i32> {
    world.signing_keys().await.iter().map(|key| key.state).collect()
}

async fn a_new_key_is_published_before_it_signs_and_the_old_one_verifies_after(
    database: ScratchDatabase,
) {
    let (world, hands) = start(&database).await;
    let before = world.guest("Before").await;
    let first = signer(&world.keys().await, &before, hands.seconds());
    let made = world.rotate().await;
    assert_eq!(made.state(), Next);
    assert_eq!(made.active_from.unwrap().seconds as u64, hands.seconds() + AHEAD);
    assert_eq!(world.rotate().await, made, "one waits already");
    assert_eq!(states(&world).await, [Next as i32, Active as i32]);

    // A verifier that looks now has the keys for all that follows.
    let keys = world.keys().await;
    hands.forward(AHEAD - 1);
    let during = world.guest("During").await;
    assert_eq!(signer(&keys, &during, hands.seconds()), first);
    hands.forward(1);
    let after = world.guest("After").await;
    assert_eq!(signer(&keys, &after, hands.seconds()).as_str(), made.key_id);
    assert_eq!(states(&world).await, [Active as i32, Retired as i32]);
    for identity in [&before, &during, &after] {
        assert!(world.join(identity).await.is_ok());
        assert!(world.refresh(identity, hands.seconds()).await.is_ok());
    }
    let old = world.signing_keys().await.pop().unwrap();
    assert_eq!(old.removed_at.unwrap().seconds as u64, hands.seconds() + OVERLAP);
}

async fn a_revoked_key_takes_its_tokens_with_it_and_another_signs_at_once(
    database: ScratchDatabase,
) {
    let (world, hands) = start(&database).await;
    let identity = world.guest("Zoë").await;
    let first = signer(&world.keys().await, &identity, hands.seconds());
    world.revoke_key(first.as_str()).await.unwrap();
    assert_eq!(world.join(&identity).await.unwrap_err().code(), Code::Unauthenticated);
    let again = world.guest("Zoë").await;
    let keys = world.keys().await;
    assert_ne!(signer(&keys, &again, hands.seconds()), first);
    assert!(!keys.key_ids().any(|id| *id == first));
    assert!(world.join(&again).await.is_ok());
    for nothing in [first.as_str(), "", "x", &"x".repeat(1000)] {
        assert_eq!(world.revoke_key(nothing).await.unwrap_err().code(), Code::NotFound);
    }

    // A key that waits takes over at once.
    let waiting = world.rotate().await;
    let active = signer(&keys, &again, hands.seconds());
    world.revoke_key(active.as_str()).await.unwrap();
    let third = world.guest("Zoë").await;
    assert_eq!(signer(&world.keys().await, &third, hands.seconds()).as_str(), waiting.key_id);
    assert_eq!(states(&world).await, [Active as i32]);
}

async fn keys_can_not_be_made_without_end(database: ScratchDatabase) {
    let (world, hands) = start(&database).await;
    let mut made = 1;
    loop {
        let request = tributary_contracts::admin::v1::RotateSigningKeyRequest {};
        match world.admin.clone().rotate_signing_key(request).await {
            Ok(_) => made += 1,
            Err(status) => {
                assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
                break;
            }
        }
        assert!(made <= 16, "more than a key set holds");
        hands.forward(AHEAD);
    }
    assert_eq!(made, 16);
    assert_eq!(world.keys().await.key_ids().count(), 16);
}

on_both_databases!(
    a_new_key_is_published_before_it_signs_and_the_old_one_verifies_after,
    a_revoked_key_takes_its_tokens_with_it_and_another_signs_at_once,
    keys_can_not_be_made_without_end,
);

/// Two replicas look after the keys at once, for three days, while guests come and go. The clock
/// goes in steps, and they have the time to do what is due before it goes on.
#[tokio::test(flavor = "multi_thread")]
async fn rotation_goes_on_by_itself_under_load() {
    const AHEAD: u64 = 7200;
    const STEP: u64 = 3000;
    let database = scratch::postgres().await;
    let (clock, hands) = manual_clock();
    let config = Config { rotate_days: 1, publish_ahead_seconds: AHEAD, ..Config::default() };
    let setting = || Setting { config: config.clone(), clock: clock.clone(), ..Setting::default() };
    let (one, other) =
        tokio::join!(World::start_as(&database, setting()), World::start_as(&database, setting()));
    let newest = async || one.signing_keys().await[0].active_from.unwrap().seconds as u64;
    let mut first_seen: BTreeMap<KeyId, u64> = BTreeMap::new();
    let mut signers: BTreeSet<KeyId> = BTreeSet::new();
    let mut held: Vec<(Identity, u64)> = Vec::new();
    let start = hands.seconds();
    while hands.seconds() < start + 3 * DAY {
        let now = hands.seconds();
        if newest().await + DAY <= now + AHEAD {
            until("a key is made in time", || async { newest().await > now }).await;
        }
        let keys = one.keys().await;
        for id in keys.key_ids() {
            first_seen.entry(id.clone()).or_insert(now);
        }
        for world in [&one, &other] {
            let identity = world.guest("Guest").await;
            let signer = signer(&keys, &identity, now);
            let published = first_seen[&signer];
            assert!(published == start || published + AHEAD <= now, "{published} {now}");
            signers.insert(signer);
            held.push((identity, now));
        }
        held.retain(|(_, issued)| *issued + 3600 > now);
        for keys in [one.keys().await, other.keys().await] {
            for (identity, _) in &held {
                assert!(keys.verify_identity(&identity.identity_token, now).is_ok());
            }
        }
        hands.forward(STEP);
    }
    assert_eq!(signers.len(), 3, "{signers:?}");
    until("the first key is gone", || async {
        let keys = one.keys().await;
        !keys.key_ids().any(|id| first_seen[id] == start)
    })
    .await;
}
