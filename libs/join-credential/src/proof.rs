//! The proofs that a terminal holds the key its tokens are bound to.
//!
//! To join, a terminal signs a relay's random nonce together with the credential: whoever carries
//! the credential, a relay too, can't use it without the terminal's private key, and a proof is
//! good for one connection only. To refresh, it signs the time together with the identity token.
//! What it does in a meeting it signs as a whole, so that a relay can't change or invent it.
//! Each kind of proof begins with a tag of its own, so that none is ever taken for another.

use aws_lc_rs::{
    digest,
    signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey},
};
use tributary_identifiers::KeyThumbprint;

use crate::{VerifyError, thumbprint};

const JOIN_TAG: &[u8] = b"tributary-join-v1\0";
const REFRESH_TAG: &[u8] = b"tributary-refresh-v1\0";
const OPERATION_TAG: &[u8] = b"tributary-operation-v1\0";

/// Fewer nonce bytes could be guessed or could repeat.
const NONCE_BYTES_MIN: usize = 16;

/// How far the time of a refresh proof may be from the verifier's clock, in seconds.
pub const REFRESH_WINDOW_SECONDS: u64 = 60;

/// Why a proof was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The public key is not an uncompressed P-256 point.
    #[error("the terminal's key is not an uncompressed P-256 point")]
    MalformedKey,
    /// The nonce is too short to be one.
    #[error("the nonce is shorter than {NONCE_BYTES_MIN} bytes")]
    ShortNonce,
    /// Made too long ago, or in the future.
    #[error("the proof was not made within {REFRESH_WINDOW_SECONDS} s of now")]
    OutOfTime,
    /// Signed by another key, or over something else.
    #[error("the proof is not by this key over this message")]
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

/// Why an identity token is not exchanged for a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefreshError {
    /// The token is no good.
    #[error(transparent)]
    Token(#[from] VerifyError),
    /// The proof is no good.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The token is bound to another key.
    #[error("the identity token is bound to another key")]
    OtherKey,
}

/// The thumbprint (RFC 7638) of a terminal's public key: an uncompressed P-256 point, 65 bytes.
///
/// # Errors
/// [`ProofError::MalformedKey`].
pub fn key_thumbprint(public_key: &[u8]) -> Result<KeyThumbprint, ProofError> {
    thumbprint::of_p256(public_key).ok_or(ProofError::MalformedKey)
}

/// Checks a proof (`tributary.terminal.v1.Join.proof`) and says whose it is. That the credential
/// is bound to the same key is for the caller to compare, or for
/// [`Verifier::verify_joining`](crate::Verifier::verify_joining).
///
/// # Errors
/// The key is malformed, the nonce too short, or the proof not by that key over both.
pub fn verify_join_proof(
    public_key: &[u8],
    nonce: &[u8],
    credential: &str,
    proof: &[u8],
) -> Result<KeyThumbprint, ProofError> {
    let thumbprint = key_thumbprint(public_key)?;
    if nonce.len() < NONCE_BYTES_MIN {
        return Err(ProofError::ShortNonce);
    }
    verify(public_key, &join_message(nonce, credential), proof)?;
    Ok(thumbprint)
}

/// Checks a proof (`tributary.credential.v1.RefreshIdentityRequest.proof`) and says whose it is.
/// That the token is bound to the same key is for the caller to compare, or for
/// [`Verifier::verify_refresh`](crate::Verifier::verify_refresh). `signed_at` and `now` are in
/// Unix seconds.
///
/// # Errors
/// The key is malformed, the proof was made more than [`REFRESH_WINDOW_SECONDS`] from `now`, or it
/// is not by that key over that time and token.
pub fn verify_refresh_proof(
    public_key: &[u8],
    signed_at: u64,
    identity_token: &str,
    proof: &[u8],
    now: u64,
) -> Result<KeyThumbprint, ProofError> {
    let thumbprint = key_thumbprint(public_key)?;
    if signed_at.abs_diff(now) > REFRESH_WINDOW_SECONDS {
        return Err(ProofError::OutOfTime);
    }
    verify(public_key, &refresh_message(signed_at, identity_token), proof)?;
    Ok(thumbprint)
}

/// Checks the signature of an operation (`tributary.operation.v1.SignedOperation`) and says whose it
/// is. That the participant has joined with the same key is for the caller to compare.
///
/// # Errors
/// The key is malformed, or the signature not by that key over that envelope.
pub fn verify_operation(
    public_key: &[u8],
    envelope: &[u8],
    signature: &[u8],
) -> Result<KeyThumbprint, ProofError> {
    let thumbprint = key_thumbprint(public_key)?;
    verify(public_key, &operation_message(envelope), signature)?;
    Ok(thumbprint)
}

fn verify(public_key: &[u8], message: &[u8], proof: &[u8]) -> Result<(), ProofError> {
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public_key)
        .verify(message, proof)
        .map_err(|_| ProofError::BadSignature)
}

pub(crate) fn join_message(nonce: &[u8], credential: &str) -> Vec<u8> {
    let hash = digest::digest(&digest::SHA256, credential.as_bytes());
    [JOIN_TAG, nonce, hash.as_ref()].concat()
}

pub(crate) fn refresh_message(signed_at: u64, identity_token: &str) -> Vec<u8> {
    let hash = digest::digest(&digest::SHA256, identity_token.as_bytes());
    [REFRESH_TAG, &signed_at.to_be_bytes(), hash.as_ref()].concat()
}

pub(crate) fn operation_message(envelope: &[u8]) -> Vec<u8> {
    [OPERATION_TAG, envelope].concat()
}
