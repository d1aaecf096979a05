//! An identity token is exchanged for a new one only by who holds its key, and only now.

use aws_lc_rs::{
    digest,
    signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey},
};
use proptest::prelude::*;
use tributary_join_credential::{
    IdentityClaims, KeySet, ProofError, REFRESH_WINDOW_SECONDS, RefreshError, SigningKey,
    TerminalKey, Verifier, VerifyError, verify_refresh_proof,
};

use crate::{NOW, identity, join};

struct World {
    verifier: Verifier,
    key: SigningKey,
    terminal: TerminalKey,
    token: String,
    proof: Vec<u8>,
}

fn world() -> World {
    let key = SigningKey::generate().unwrap();
    let terminal = TerminalKey::generate().unwrap();
    let claims = IdentityClaims { key_thumbprint: terminal.thumbprint().clone(), ..identity() };
    let token = key.issue_identity(&claims).unwrap();
    let proof = terminal.sign_refresh_proof(NOW, &token).unwrap();
    let verifier = Verifier { keys: KeySet::of([&key]), ..Verifier::default() };
    World { verifier, key, terminal, token, proof }
}

#[test]
fn the_holder_of_the_key_may_refresh() {
    let World { verifier, terminal, token, proof, .. } = world();
    let verified =
        verifier.verify_refresh(&token, &terminal.public_key(), NOW, &proof, NOW).unwrap();
    assert_eq!(&verified.claims.key_thumbprint, terminal.thumbprint());
}

#[test]
fn the_message_is_tag_zero_time_and_hash() {
    let World { terminal, token, proof, .. } = world();
    let hash = digest::digest(&digest::SHA256, token.as_bytes());
    let message = [b"tributary-refresh-v1\0", &NOW.to_be_bytes()[..], hash.as_ref()].concat();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, terminal.public_key());
    key.verify(&message, &proof).unwrap();
}

#[test]
fn another_key_is_refused() {
    let World { verifier, terminal, token, proof, .. } = world();
    let thief = TerminalKey::generate().unwrap();
    let own = thief.sign_refresh_proof(NOW, &token).unwrap();
    let refresh = |key: &TerminalKey, proof: &[u8]| {
        verifier.verify_refresh(&token, &key.public_key(), NOW, proof, NOW).unwrap_err()
    };
    assert_eq!(refresh(&thief, &own), RefreshError::OtherKey);
    assert_eq!(refresh(&thief, &proof), RefreshError::Proof(ProofError::BadSignature));
    assert_eq!(refresh(&terminal, &own), RefreshError::Proof(ProofError::BadSignature));
}

#[test]
fn a_proof_holds_for_a_minute_and_for_its_time_and_token_only() {
    let World { verifier, terminal, token, proof, .. } = world();
    let key = terminal.public_key();
    let check = |signed_at, now| verifier.verify_refresh(&token, &key, signed_at, &proof, now);
    let out_of_time = RefreshError::Proof(ProofError::OutOfTime);
    assert!(check(NOW, NOW + REFRESH_WINDOW_SECONDS).is_ok());
    assert_eq!(check(NOW, NOW + REFRESH_WINDOW_SECONDS + 1).unwrap_err(), out_of_time);
    assert!(check(NOW, NOW - 60).is_ok());
    let early = verify_refresh_proof(&key, NOW, &token, &proof, NOW - 61);
    assert_eq!(early, Err(ProofError::OutOfTime));
    let bad = RefreshError::Proof(ProofError::BadSignature);
    assert_eq!(check(NOW + 1, NOW).unwrap_err(), bad);
    let other = verify_refresh_proof(&key, NOW, "other", &proof, NOW);
    assert_eq!(other, Err(ProofError::BadSignature));
    for extreme in [0, u64::MAX] {
        let refused = verify_refresh_proof(&key, extreme, &token, &proof, NOW);
        assert_eq!(refused, Err(ProofError::OutOfTime));
    }
}

#[test]
fn a_good_proof_does_not_help_a_bad_token() {
    let World { verifier, key, terminal, token, proof } = world();
    let public_key = terminal.public_key();
    let late = NOW + 3600 + 60;
    let proof_then = terminal.sign_refresh_proof(late, &token).unwrap();
    let refused = verifier.verify_refresh(&token, &public_key, late, &proof_then, late);
    assert_eq!(refused.unwrap_err(), RefreshError::Token(VerifyError::Expired));
    let credential = key.issue_join(&join(terminal.thumbprint().as_str())).unwrap();
    let refused = verifier.verify_refresh(&credential, &public_key, NOW, &proof, NOW);
    assert_eq!(refused.unwrap_err(), RefreshError::Token(VerifyError::WrongType));
}

#[test]
fn a_proof_of_joining_is_no_proof_of_refreshing() {
    let World { terminal, token, proof, .. } = world();
    // The time as nonce, repeated to the length of one: even so the tags differ.
    let nonce = [NOW.to_be_bytes(), NOW.to_be_bytes()].concat();
    let joining = terminal.sign_join_proof(&nonce, &token).unwrap();
    let key = terminal.public_key();
    let refused = verify_refresh_proof(&key, NOW, &token, &joining, NOW);
    assert_eq!(refused, Err(ProofError::BadSignature));
    let refused = tributary_join_credential::verify_join_proof(&key, &nonce, &token, &proof);
    assert_eq!(refused, Err(ProofError::BadSignature));
}

proptest! {
    #[test]
    fn any_bytes_are_refused_without_panic(
        key in prop::collection::vec(any::<u8>(), 0..80),
        proof in prop::collection::vec(any::<u8>(), 0..80),
        token: String,
        signed_at: u64,
    ) {
        prop_assert!(verify_refresh_proof(&key, signed_at, &token, &proof, NOW).is_err());
    }
}
