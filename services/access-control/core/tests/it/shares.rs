//! What shares are worth.

use proptest::prelude::*;
use tributary_access_control_core::{
    Presented, SecretPolicy, Share, ShareProof, ShareState, evaluate, lasts_until,
};
use tributary_identifiers::UserId;

const NOW: u64 = 1000;

fn user(number: u8) -> UserId {
    format!("user-{number}").parse().unwrap()
}

fn share(secret: u8) -> Share<u8> {
    Share { secret_hash: secret, users: Vec::new(), expires_at: None, revoked: false }
}

fn by_secret(secret: &u8) -> Presented<'_, u8> {
    Presented { secret_hash: Some(secret), user: None }
}

const NOBODY: Presented<'static, u8> = Presented { secret_hash: None, user: None };

#[test]
fn the_state_is_that_of_the_best_share() {
    let revoked = Share { revoked: true, ..share(1) };
    let expired = Share { expires_at: Some(NOW), ..share(2) };
    let both = Share { revoked: true, ..expired.clone() };
    let live = Share { expires_at: Some(NOW + 1), ..share(3) };
    let state = |shares: &[Share<u8>]| evaluate(shares, NOBODY, NOW).0;
    assert_eq!(state(&[]), ShareState::Never);
    assert_eq!(state(&[revoked.clone(), both]), ShareState::Revoked);
    assert_eq!(state(&[revoked.clone(), expired.clone(), revoked.clone()]), ShareState::Expired);
    assert_eq!(state(&[expired.clone(), revoked.clone()]), ShareState::Expired);
    assert_eq!(state(&[revoked, live, expired]), ShareState::Live);
}

#[test]
fn only_the_secret_of_a_share_that_holds_proves_anything() {
    let shares = [Share { revoked: true, ..share(1) }, share(2)];
    assert_eq!(evaluate(&shares, by_secret(&1), NOW).1, ShareProof::Missing);
    assert_eq!(evaluate(&shares, by_secret(&2), NOW).1, ShareProof::Held);
    assert_eq!(evaluate(&shares, by_secret(&3), NOW).1, ShareProof::Missing);
}

#[test]
fn who_is_named_needs_no_secret_as_long_as_that_share_holds() {
    let named = Share { users: vec![user(1), user(2)], expires_at: Some(NOW + 1), ..share(1) };
    let shares = [named, share(2)];
    let proof = |number, now| {
        let user = user(number);
        evaluate(&shares, Presented { secret_hash: None, user: Some(&user) }, now).1
    };
    assert_eq!(proof(2, NOW), ShareProof::Held);
    assert_eq!(proof(3, NOW), ShareProof::Missing);
    assert_eq!(proof(2, NOW + 1), ShareProof::Missing);
}

#[test]
fn an_allow_lasts_as_long_as_the_last_share_that_lets_in() {
    let ends = |secret, expires_at| Share { expires_at: Some(expires_at), ..share(secret) };
    let shares =
        [ends(1, NOW + 1), ends(2, NOW + 5), ends(3, NOW), Share { revoked: true, ..share(4) }];
    let until = |shares: &[Share<u8>], secret: u8, policy| {
        lasts_until(shares, &by_secret(&secret), policy, NOW)
    };
    assert_eq!(until(&shares, 1, SecretPolicy::Required), Some(NOW + 1));
    assert_eq!(until(&shares, 1, SecretPolicy::Optional), Some(NOW + 5));
    assert_eq!(until(&shares, 3, SecretPolicy::Required), Some(NOW));
    assert_eq!(until(&shares, 4, SecretPolicy::Required), Some(NOW));
    assert_eq!(until(&[ends(1, NOW + 1), share(2)], 1, SecretPolicy::Optional), None);
    assert_eq!(until(&[ends(1, NOW + 1), share(2)], 2, SecretPolicy::Required), None);
}

fn any_share() -> impl Strategy<Value = Share<u8>> {
    let users = prop::collection::btree_set(0_u8..4, 0..3);
    (0_u8..4, users, prop::option::of(NOW - 2..NOW + 2), any::<bool>()).prop_map(
        |(secret_hash, users, expires_at, revoked)| Share {
            secret_hash,
            users: users.into_iter().map(user).collect(),
            expires_at,
            revoked,
        },
    )
}

proptest! {
    #[test]
    fn the_order_of_shares_does_not_matter(
        shares in prop::collection::vec(any_share(), 0..6),
        turn in 0_usize..6,
        secret in 0_u8..4,
        who in 0_u8..4,
    ) {
        let user = user(who);
        let presented = Presented { secret_hash: Some(&secret), user: Some(&user) };
        let mut turned = shares.clone();
        turned.rotate_left(turn.min(shares.len()));
        prop_assert_eq!(evaluate(&shares, presented, NOW), evaluate(&turned, presented, NOW));
    }

    #[test]
    fn revoking_all_shares_leaves_nothing(
        mut shares in prop::collection::vec(any_share(), 1..6),
        secret in 0_u8..4,
    ) {
        for share in &mut shares {
            share.revoked = true;
        }
        let found = evaluate(&shares, by_secret(&secret), NOW);
        prop_assert_eq!(found, (ShareState::Revoked, ShareProof::Missing));
    }

    #[test]
    fn a_proof_needs_a_live_share(
        shares in prop::collection::vec(any_share(), 0..6),
        secret in 0_u8..4,
    ) {
        let (state, proof) = evaluate(&shares, by_secret(&secret), NOW);
        prop_assert!(proof == ShareProof::Missing || state == ShareState::Live);
        prop_assert_eq!(state == ShareState::Live, shares.iter().any(|share| share.is_live(NOW)));
    }
}
