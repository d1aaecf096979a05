//! Proofs of relays that attach to others: good for what they were made for, and nothing else.

use proptest::prelude::*;
use tributary_identifiers::RelayId;
use tributary_join_credential::{
    InvalidRelayKey, RELAY_CHALLENGE_LENGTH, RelayKey, RelayProofError, TerminalKey,
    verify_join_proof, verify_operation, verify_relay_attach, verify_relay_enrolment,
    verify_relay_rotation,
};

const CHALLENGE: [u8; RELAY_CHALLENGE_LENGTH] = [7; RELAY_CHALLENGE_LENGTH];
const OTHER_CHALLENGE: [u8; RELAY_CHALLENGE_LENGTH] = [8; RELAY_CHALLENGE_LENGTH];
const TOKEN: &str = "relay-token";
const BAD: Result<(), RelayProofError> = Err(RelayProofError::BadSignature);

fn office() -> RelayId {
    "office-a".parse().unwrap()
}

#[test]
fn each_proof_is_good_for_its_key_and_its_message() {
    let (key, next) = (RelayKey::generate().unwrap(), RelayKey::generate().unwrap());
    let (public, next_public) = (key.public_key(), next.public_key());
    let proof = key.sign_enrolment(&CHALLENGE, TOKEN).unwrap();
    assert_eq!(proof.len(), 64);
    assert_eq!(verify_relay_enrolment(&public, &CHALLENGE, TOKEN, &proof), Ok(()));
    assert_eq!(verify_relay_enrolment(&public, &OTHER_CHALLENGE, TOKEN, &proof), BAD);
    assert_eq!(verify_relay_enrolment(&public, &CHALLENGE, "relay-token-2", &proof), BAD);
    assert_eq!(verify_relay_enrolment(&next_public, &CHALLENGE, TOKEN, &proof), BAD);

    let proof = key.sign_attach(&CHALLENGE, &office()).unwrap();
    assert_eq!(verify_relay_attach(&public, &CHALLENGE, &office(), &proof), Ok(()));
    assert_eq!(verify_relay_attach(&public, &OTHER_CHALLENGE, &office(), &proof), BAD);
    let other = "office-b".parse().unwrap();
    assert_eq!(verify_relay_attach(&public, &CHALLENGE, &other, &proof), BAD);
    assert_eq!(verify_relay_attach(&next_public, &CHALLENGE, &office(), &proof), BAD);

    let proof = key.sign_rotation(&CHALLENGE, &next_public).unwrap();
    let next_proof = next.sign_rotation(&CHALLENGE, &next_public).unwrap();
    let rotate = |challenge: &[u8], proof: &[u8], next_proof: &[u8]| {
        verify_relay_rotation(&public, &next_public, challenge, proof, next_proof)
    };
    assert_eq!(rotate(&CHALLENGE, &proof, &next_proof), Ok(()));
    assert_eq!(rotate(&OTHER_CHALLENGE, &proof, &next_proof), BAD);
    assert_eq!(rotate(&CHALLENGE, &next_proof, &next_proof), BAD, "only the next key has signed");
    assert_eq!(rotate(&CHALLENGE, &proof, &proof), BAD, "only the old key has signed");
    let third = RelayKey::generate().unwrap();
    let next_proof = third.sign_rotation(&CHALLENGE, &third.public_key()).unwrap();
    let replaced =
        verify_relay_rotation(&public, &third.public_key(), &CHALLENGE, &proof, &next_proof);
    assert_eq!(replaced, BAD, "another next key than the old one has signed");
}

#[test]
fn a_proof_of_one_kind_is_none_of_another() {
    let key = RelayKey::generate().unwrap();
    let public = key.public_key();
    // An id that looks like what the other kinds sign, so that only the tags differ.
    let token_like = "x".repeat(32).parse::<RelayId>().unwrap();
    let enrolment = key.sign_enrolment(&CHALLENGE, token_like.as_str()).unwrap();
    let attach = key.sign_attach(&CHALLENGE, &token_like).unwrap();
    let rotation = key.sign_rotation(&CHALLENGE, token_like.as_str().as_bytes()).unwrap();
    for proof in [&attach, &rotation] {
        assert_eq!(verify_relay_enrolment(&public, &CHALLENGE, token_like.as_str(), proof), BAD);
    }
    for proof in [&enrolment, &rotation] {
        assert_eq!(verify_relay_attach(&public, &CHALLENGE, &token_like, proof), BAD);
    }
    let next = RelayKey::generate().unwrap();
    let next_proof = next.sign_rotation(&CHALLENGE, &next.public_key()).unwrap();
    for proof in [&enrolment, &attach] {
        let refused =
            verify_relay_rotation(&public, &next.public_key(), &CHALLENGE, proof, &next_proof);
        assert_eq!(refused, BAD);
    }
    for proof in [&enrolment, &attach, &rotation] {
        assert!(verify_join_proof(&public, &CHALLENGE, token_like.as_str(), proof).is_err());
        assert!(verify_operation(&public, &CHALLENGE, proof).is_err());
    }
}

#[test]
fn what_a_terminal_signs_opens_nothing_for_a_relay() {
    let terminal = TerminalKey::generate().unwrap();
    let public = terminal.public_key();
    let joined = terminal.sign_join_proof(&CHALLENGE, TOKEN).unwrap();
    assert_eq!(verify_relay_enrolment(&public, &CHALLENGE, TOKEN, &joined), BAD);
    let operation = [&CHALLENGE[..], office().as_str().as_bytes()].concat();
    let operated = terminal.sign_operation(&operation).unwrap();
    assert_eq!(verify_relay_attach(&public, &CHALLENGE, &office(), &operated), BAD);
}

#[test]
fn a_key_is_not_rotated_to_itself() {
    let key = RelayKey::generate().unwrap();
    let proof = key.sign_rotation(&CHALLENGE, &key.public_key()).unwrap();
    let refused =
        verify_relay_rotation(&key.public_key(), &key.public_key(), &CHALLENGE, &proof, &proof);
    assert_eq!(refused, Err(RelayProofError::SameKey));
}

#[test]
fn keys_and_challenges_of_another_form_are_refused_as_such() {
    let key = RelayKey::generate().unwrap();
    let public = key.public_key();
    for challenge in [&[][..], &CHALLENGE[..31], &[7; 33]] {
        // Signed as it is: the length alone is what is wrong.
        let proof = key.sign_attach(challenge, &office()).unwrap();
        assert_eq!(
            verify_relay_attach(&public, challenge, &office(), &proof),
            Err(RelayProofError::MalformedChallenge)
        );
    }
    let proof = key.sign_attach(&CHALLENGE, &office()).unwrap();
    let mut compressed = public;
    compressed[0] = 2;
    for malformed in [&[][..], &public[..64], &compressed, &[0; 65]] {
        assert_eq!(
            verify_relay_attach(malformed, &CHALLENGE, &office(), &proof),
            Err(RelayProofError::MalformedKey)
        );
    }
    let mut off_curve = public;
    off_curve[64] ^= 1;
    assert_eq!(verify_relay_attach(&off_curve, &CHALLENGE, &office(), &proof), BAD);
}

#[test]
fn a_key_that_was_kept_is_the_same_key_and_never_shown() {
    let key = RelayKey::generate().unwrap();
    let kept = key.to_pkcs8().unwrap();
    let read = RelayKey::from_pkcs8(&kept).unwrap();
    assert_eq!(read.public_key(), key.public_key());
    let proof = read.sign_attach(&CHALLENGE, &office()).unwrap();
    assert_eq!(verify_relay_attach(&key.public_key(), &CHALLENGE, &office(), &proof), Ok(()));
    assert_eq!(RelayKey::from_pkcs8(&kept[1..]).unwrap_err(), InvalidRelayKey);
    assert_eq!(RelayKey::from_pkcs8(b"").unwrap_err(), InvalidRelayKey);
    let shown = format!("{key:?}");
    assert!(shown.starts_with("RelayKey { thumbprint: "), "{shown}");
    let secret: Vec<String> =
        kept.windows(8).map(|part| format!("{part:?}").replace(['[', ']'], "")).collect();
    assert!(secret.iter().all(|part| !shown.contains(part)));
}

proptest! {
    #[test]
    fn any_bytes_are_refused_without_panic(
        key in prop::collection::vec(any::<u8>(), 0..80),
        challenge in prop::collection::vec(any::<u8>(), 0..40),
        proof in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        prop_assert!(verify_relay_attach(&key, &challenge, &office(), &proof).is_err());
        prop_assert!(verify_relay_enrolment(&key, &challenge, TOKEN, &proof).is_err());
        prop_assert!(verify_relay_rotation(&key, &proof, &challenge, &proof, &key).is_err());
        prop_assert!(RelayKey::from_pkcs8(&proof).is_err());
    }
}
