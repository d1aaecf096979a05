//! The proof that a terminal holds the key its credential is bound to.
//!
//! A relay sends a random nonce; the terminal signs it together with the credential. Whoever
//! carries the credential, a relay too, can't use it without the terminal's private key, and a
//! proof is good for one connection only.

use std::fmt;

use aws_lc_rs::{
    digest,
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
        UnparsedPublicKey,
    },
};
use tributary_identifiers::KeyThumbprint;

use crate::{JoinClaims, KeySet, PUBLIC_KEY_LENGTH, SigningError, VerifyError, thumbprint};

const CONTEXT: &[u8] = b"tributary-join-v1\0";

/// Fewer nonce bytes could be guessed or could repeat.
const NONCE_BYTES_MIN: usize = 16;

/// A terminal's P-256 key pair. It is made by the terminal and never leaves it.
pub struct TerminalKey {
    pair: EcdsaKeyPair,
    public_key: [u8; PUBLIC_KEY_LENGTH],
    thumbprint: KeyThumbprint,
}

/// Why a proof was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The public key is not an uncompressed P-256 point.
    #[error("the terminal's key is not an uncompressed P-256 point")]
    MalformedKey,
    /// The nonce is too short to be one.
    #[error("the nonce is shorter than {NONCE_BYTES_MIN} bytes")]
    ShortNonce,
    /// Signed by another key, or over another nonce or credential.
    #[error("the proof is not by this key over this nonce and credential")]
    BadSignature,
}

/// Why somebody can't join with what they brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// The credential is no good.
    #[error(transparent)]
    Credential(#[from] VerifyError),
    /// The proof is no good.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The credential is bound to another key.
    #[error("the credential is bound to another key")]
    OtherKey,
}

impl TerminalKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// The operating system's random generator failed.
    pub fn generate() -> Result<Self, SigningError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map_err(|_| SigningError::Failed)?;
        let public_key: [u8; PUBLIC_KEY_LENGTH] =
            pair.public_key().as_ref().try_into().map_err(|_| SigningError::Failed)?;
        let thumbprint = thumbprint::of_p256(&public_key).ok_or(SigningError::Failed)?;
        Ok(Self { pair, public_key, thumbprint })
    }

    /// The public half as an uncompressed point.
    #[must_use]
    pub const fn public_key(&self) -> [u8; PUBLIC_KEY_LENGTH] {
        self.public_key
    }

    /// What a join credential for this terminal is bound to.
    #[must_use]
    pub const fn thumbprint(&self) -> &KeyThumbprint {
        &self.thumbprint
    }

    /// Signs a relay's nonce together with a join credential: 64 bytes, r and s.
    ///
    /// # Errors
    /// The operating system's random generator failed.
    pub fn sign_join_proof(&self, nonce: &[u8], credential: &str) -> Result<Vec<u8>, SigningError> {
        self.pair
            .sign(&SystemRandom::new(), &proof_message(nonce, credential))
            .map(|signature| signature.as_ref().to_vec())
            .map_err(|_| SigningError::Failed)
    }
}

impl fmt::Debug for TerminalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TerminalKey").field("thumbprint", &self.thumbprint).finish_non_exhaustive()
    }
}

/// The thumbprint (RFC 7638) of a terminal's public key: an uncompressed P-256 point, 65 bytes.
///
/// # Errors
/// [`ProofError::MalformedKey`].
pub fn key_thumbprint(public_key: &[u8]) -> Result<KeyThumbprint, ProofError> {
    thumbprint::of_p256(public_key).ok_or(ProofError::MalformedKey)
}

/// Checks a proof (`tributary.terminal.v1.Join.proof`) and says whose it is. That the credential
/// is bound to the same key is for the caller to compare, or for [`KeySet::verify_joining`].
///
/// # Errors
/// The key is malformed, the nonce too short, or the proof not by that key over both.
pub fn verify_join_proof(
    public_key: &[u8],
    nonce: &[u8],
    credential: &str,
    proof: &[u8],
) -> Result<KeyThumbprint, ProofError> {
    let thumbprint = thumbprint::of_p256(public_key).ok_or(ProofError::MalformedKey)?;
    if nonce.len() < NONCE_BYTES_MIN {
        return Err(ProofError::ShortNonce);
    }
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public_key)
        .verify(&proof_message(nonce, credential), proof)
        .map_err(|_| ProofError::BadSignature)?;
    Ok(thumbprint)
}

impl KeySet {
    /// All that a relay checks when a terminal joins: the credential, the proof, and that both
    /// are about the same key. `now` is in Unix seconds; `nonce` is what the relay sent.
    ///
    /// # Errors
    /// One of the three does not hold.
    pub fn verify_joining(
        &self,
        credential: &str,
        public_key: &[u8],
        nonce: &[u8],
        proof: &[u8],
        now: u64,
    ) -> Result<JoinClaims, JoinError> {
        let claims = self.verify_join(credential, now)?;
        let thumbprint = verify_join_proof(public_key, nonce, credential, proof)?;
        if claims.key_thumbprint != thumbprint {
            return Err(JoinError::OtherKey);
        }
        Ok(claims)
    }
}

fn proof_message(nonce: &[u8], credential: &str) -> Vec<u8> {
    let hash = digest::digest(&digest::SHA256, credential.as_bytes());
    [CONTEXT, nonce, hash.as_ref()].concat()
}
