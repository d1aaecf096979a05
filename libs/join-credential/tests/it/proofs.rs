//! Only who holds the terminal's key can use a credential.

use proptest::prelude::*;
use tributary_join_credential::{
    JoinError, KeySet, ProofError, SigningKey, TerminalKey, Verifier, VerifyError,
    verify_join_proof, verify_operation,
};

use crate::{NOW, identity, join};

const NONCE: [u8; 32] = [7; 32];

struct World {
    keys: Verifier,
    terminal: TerminalKey,
    credential: String,
    proof: Vec<u8>,
}

fn world() -> World {
    let key = SigningKey::generate().unwrap();
    let terminal = TerminalKey::generate().unwrap();
    let credential = key.issue_join(&join(terminal.thumbprint().as_str())).unwrap();
    let proof = terminal.sign_join_proof(&NONCE, &credential).unwrap();
    let keys = Verifier { keys: KeySet::of([&key]), ..Verifier::default() };
    World { keys, terminal, credential, proof }
}

#[test]
fn the_holder_of_the_key_gets_in() {
    let World { keys, terminal, credential, proof } = world();
    assert_eq!(proof.len(), 64);
    let verified =
        keys.verify_joining(&credential, &terminal.public_key(), &NONCE, &proof, NOW).unwrap();
    assert_eq!(&verified.claims.key_thumbprint, terminal.thumbprint());
}

#[test]
fn a_credential_in_other_hands_is_of_no_use() {
    let World { keys, credential, proof, .. } = world();
    let thief = TerminalKey::generate().unwrap();
    let own_proof = thief.sign_join_proof(&NONCE, &credential).unwrap();
    let join = |proof: &[u8]| {
        keys.verify_joining(&credential, &thief.public_key(), &NONCE, proof, NOW).unwrap_err()
    };
    assert_eq!(join(&own_proof), JoinError::OtherKey);
    assert_eq!(join(&proof), JoinError::Proof(ProofError::BadSignature));
}

#[test]
fn a_proof_is_good_for_one_nonce_and_one_credential() {
    let World { terminal, credential, proof, .. } = world();
    let check = |nonce: &[u8], credential: &str| {
        verify_join_proof(&terminal.public_key(), nonce, credential, &proof)
    };
    assert_eq!(check(&NONCE, &credential).as_ref(), Ok(terminal.thumbprint()));
    assert_eq!(check(&[8; 32], &credential), Err(ProofError::BadSignature));
    assert_eq!(check(&NONCE, "other"), Err(ProofError::BadSignature));
    assert_eq!(check(&NONCE[..31], &credential), Err(ProofError::BadSignature));
    assert_eq!(check(&[], &credential), Err(ProofError::ShortNonce));
}

#[test]
fn malformed_keys_and_proofs_are_refused() {
    let World { terminal, credential, proof, .. } = world();
    let check =
        |key: &[u8], proof: &[u8]| verify_join_proof(key, &NONCE, &credential, proof).unwrap_err();
    let key = terminal.public_key();
    let mut compressed = key[..33].to_vec();
    compressed[0] = 2 + (key[64] & 1);
    for malformed in [&[][..], &key[..64], &compressed, &[0; 65]] {
        assert_eq!(check(malformed, &proof), ProofError::MalformedKey);
    }
    let mut off_curve = key;
    off_curve[64] ^= 1;
    assert_eq!(check(&off_curve, &proof), ProofError::BadSignature);
    for malformed in
        [&[][..], &proof[..63], &[0; 64], &[0xff; 64], &[proof.as_slice(), &[0]].concat()]
    {
        assert_eq!(check(&key, malformed), ProofError::BadSignature);
    }
}

#[test]
fn a_good_proof_does_not_help_a_bad_credential() {
    let World { keys, terminal, credential, proof } = world();
    let late = NOW + 3600;
    let refused = keys.verify_joining(&credential, &terminal.public_key(), &NONCE, &proof, late);
    assert_eq!(refused, Err(JoinError::Credential(VerifyError::Expired)));
    let other = SigningKey::generate().unwrap().issue_identity(&identity()).unwrap();
    let proof = terminal.sign_join_proof(&NONCE, &other).unwrap();
    let refused = keys.verify_joining(&other, &terminal.public_key(), &NONCE, &proof, NOW);
    assert_eq!(refused, Err(JoinError::Credential(VerifyError::WrongType)));
}

proptest! {
    #[test]
    fn any_bytes_are_refused_without_panic(
        key in prop::collection::vec(any::<u8>(), 0..80),
        proof in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        prop_assert!(verify_join_proof(&key, &NONCE, "credential", &proof).is_err());
    }

    #[test]
    fn a_proof_with_a_changed_bit_is_refused(bit in 0..512_usize) {
        let World { terminal, credential, mut proof, .. } = world();
        proof[bit / 8] ^= 1 << (bit % 8);
        let refused = verify_join_proof(&terminal.public_key(), &NONCE, &credential, &proof);
        prop_assert_eq!(refused, Err(ProofError::BadSignature));
    }
}

#[test]
fn an_operation_is_its_signers_as_it_was_signed_and_no_other_kind_of_proof() {
    let (terminal, other) = (TerminalKey::generate().unwrap(), TerminalKey::generate().unwrap());
    let (key, envelope) = (terminal.public_key(), b"raise a hand".as_slice());
    let signature = terminal.sign_operation(envelope).unwrap();
    assert_eq!(verify_operation(&key, envelope, &signature), Ok(terminal.thumbprint().clone()));
    let bad = Err(ProofError::BadSignature);
    assert_eq!(verify_operation(&key, b"lower a hand", &signature), bad);
    assert_eq!(verify_operation(&other.public_key(), envelope, &signature), bad);
    let join_proof = terminal.sign_join_proof(&NONCE, "credential").unwrap();
    assert_eq!(verify_operation(&key, envelope, &join_proof), bad);
    assert_eq!(verify_operation(b"no key", envelope, &signature), Err(ProofError::MalformedKey));
}
