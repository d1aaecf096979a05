//! The proofs by which a relay that attaches to another shows that it has its key
//! (`tributary.relay.v1`): it signs a challenge that the core has made for this one time.
//!
//! Each kind of proof begins with a tag of its own, so that none is ever taken for another, nor for
//! one of a terminal; the challenge has one length, so that what follows it can't be read as a part
//! of it.

use std::fmt;

use aws_lc_rs::{
    digest,
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
        UnparsedPublicKey,
    },
};
use tributary_identifiers::{KeyThumbprint, RelayId};

use crate::{PUBLIC_KEY_LENGTH, SigningError, thumbprint};

const ENROL_TAG: &[u8] = b"tributary-relay-enrol-v1\0";
const ATTACH_TAG: &[u8] = b"tributary-relay-attach-v1\0";
const ROTATE_TAG: &[u8] = b"tributary-relay-rotate-v1\0";

/// Length of a challenge in bytes.
pub const RELAY_CHALLENGE_LENGTH: usize = 32;

/// Why a relay's proof was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelayProofError {
    /// A public key is not an uncompressed P-256 point.
    #[error("the relay's key is not an uncompressed P-256 point")]
    MalformedKey,
    /// The challenge is not of the length of one.
    #[error("the challenge is not {RELAY_CHALLENGE_LENGTH} bytes long")]
    MalformedChallenge,
    /// Signed by another key, or over something else.
    #[error("the proof is not by this key over this message")]
    BadSignature,
    /// The next key is the one that the relay has.
    #[error("the next key is the one that the relay has: make a new one")]
    SameKey,
}

/// The bytes are not a P-256 key pair in PKCS #8 form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a P-256 key pair in PKCS #8 form")]
pub struct InvalidRelayKey;

/// The P-256 key pair of a relay. It is made by the relay and never leaves it.
pub struct RelayKey {
    pair: EcdsaKeyPair,
    public_key: [u8; PUBLIC_KEY_LENGTH],
}

impl RelayKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// The operating system's random generator failed.
    pub fn generate() -> Result<Self, SigningError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map_err(|_| SigningError::Failed)?;
        Self::from_pair(pair).ok_or(SigningError::Failed)
    }

    /// Reads what [`to_pkcs8`](Self::to_pkcs8) gave (RFC 5958).
    ///
    /// # Errors
    /// The bytes are not such a key.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, InvalidRelayKey> {
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8)
            .ok()
            .and_then(Self::from_pair)
            .ok_or(InvalidRelayKey)
    }

    fn from_pair(pair: EcdsaKeyPair) -> Option<Self> {
        let public_key = pair.public_key().as_ref().try_into().ok()?;
        Some(Self { pair, public_key })
    }

    /// The private key, for safe keeping in a file that nobody else can read.
    ///
    /// # Errors
    /// The cryptographic library failed.
    pub fn to_pkcs8(&self) -> Result<Vec<u8>, SigningError> {
        let document = self.pair.to_pkcs8v1().map_err(|_| SigningError::Failed)?;
        Ok(document.as_ref().to_vec())
    }

    /// The public half as an uncompressed point.
    #[must_use]
    pub const fn public_key(&self) -> [u8; PUBLIC_KEY_LENGTH] {
        self.public_key
    }

    /// Signs for `EnrolRequest.proof`: 64 bytes, r and s.
    ///
    /// # Errors
    /// The operating system's random generator failed.
    pub fn sign_enrolment(&self, challenge: &[u8], token: &str) -> Result<Vec<u8>, SigningError> {
        self.sign(&enrol_message(challenge, token))
    }

    /// Signs for `Hello.proof`: 64 bytes, r and s.
    ///
    /// # Errors
    /// The operating system's random generator failed.
    pub fn sign_attach(&self, challenge: &[u8], relay: &RelayId) -> Result<Vec<u8>, SigningError> {
        self.sign(&attach_message(challenge, relay))
    }

    /// Signs for `RotateKeyRequest`: its `proof` if this is the key that the relay has, its
    /// `next_proof` if this is the next one. 64 bytes, r and s.
    ///
    /// # Errors
    /// The operating system's random generator failed.
    pub fn sign_rotation(
        &self,
        challenge: &[u8],
        next_public_key: &[u8],
    ) -> Result<Vec<u8>, SigningError> {
        self.sign(&rotate_message(challenge, next_public_key))
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        self.pair
            .sign(&SystemRandom::new(), message)
            .map(|signature| signature.as_ref().to_vec())
            .map_err(|_| SigningError::Failed)
    }
}

impl fmt::Debug for RelayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let thumbprint = thumbprint::of_p256(&self.public_key);
        f.debug_struct("RelayKey").field("thumbprint", &thumbprint).finish_non_exhaustive()
    }
}

/// The thumbprint (RFC 7638) of a relay's public key: an uncompressed P-256 point, 65 bytes.
///
/// # Errors
/// [`RelayProofError::MalformedKey`].
pub fn relay_key_thumbprint(public_key: &[u8]) -> Result<KeyThumbprint, RelayProofError> {
    thumbprint::of_p256(public_key).ok_or(RelayProofError::MalformedKey)
}

/// Checks `EnrolRequest.proof`: by the key that the relay wants to have, over this challenge and
/// token. That the challenge was made for this one time is for the caller to know.
///
/// # Errors
/// The key or the challenge is malformed, or the proof not by that key over both.
pub fn verify_relay_enrolment(
    public_key: &[u8],
    challenge: &[u8],
    token: &str,
    proof: &[u8],
) -> Result<(), RelayProofError> {
    verify(public_key, challenge, &enrol_message(challenge, token), proof)
}

/// Checks `Hello.proof`: by the key that the relay has, over this challenge and its own id. That
/// the challenge was made for this one time is for the caller to know.
///
/// # Errors
/// The key or the challenge is malformed, or the proof not by that key over both.
pub fn verify_relay_attach(
    public_key: &[u8],
    challenge: &[u8],
    relay: &RelayId,
    proof: &[u8],
) -> Result<(), RelayProofError> {
    verify(public_key, challenge, &attach_message(challenge, relay), proof)
}

/// Checks `RotateKeyRequest.proof` and `next_proof`: by the key that the relay has and by the next
/// one, both over this challenge and the next key. That the challenge was made for this one time is
/// for the caller to know.
///
/// # Errors
/// A key or the challenge is malformed, the keys are the same, or a proof is not by its key over
/// both.
pub fn verify_relay_rotation(
    public_key: &[u8],
    next_public_key: &[u8],
    challenge: &[u8],
    proof: &[u8],
    next_proof: &[u8],
) -> Result<(), RelayProofError> {
    if public_key == next_public_key {
        return Err(RelayProofError::SameKey);
    }
    let message = rotate_message(challenge, next_public_key);
    verify(public_key, challenge, &message, proof)?;
    verify(next_public_key, challenge, &message, next_proof)
}

fn verify(
    public_key: &[u8],
    challenge: &[u8],
    message: &[u8],
    proof: &[u8],
) -> Result<(), RelayProofError> {
    relay_key_thumbprint(public_key)?;
    if challenge.len() != RELAY_CHALLENGE_LENGTH {
        return Err(RelayProofError::MalformedChallenge);
    }
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public_key)
        .verify(message, proof)
        .map_err(|_| RelayProofError::BadSignature)
}

fn enrol_message(challenge: &[u8], token: &str) -> Vec<u8> {
    let hash = digest::digest(&digest::SHA256, token.as_bytes());
    [ENROL_TAG, challenge, hash.as_ref()].concat()
}

fn attach_message(challenge: &[u8], relay: &RelayId) -> Vec<u8> {
    [ATTACH_TAG, challenge, relay.as_str().as_bytes()].concat()
}

fn rotate_message(challenge: &[u8], next_public_key: &[u8]) -> Vec<u8> {
    [ROTATE_TAG, challenge, next_public_key].concat()
}
