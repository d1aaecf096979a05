//! A terminal's key pair, and what it signs.

use std::fmt;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use tributary_identifiers::KeyThumbprint;

use crate::{PUBLIC_KEY_LENGTH, SigningError, proof, thumbprint};

/// A terminal's P-256 key pair. It is made by the terminal and never leaves it.
pub struct TerminalKey {
    pair: EcdsaKeyPair,
    public_key: [u8; PUBLIC_KEY_LENGTH],
    thumbprint: KeyThumbprint,
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

    /// What the tokens of this terminal are bound to.
    #[must_use]
    pub const fn thumbprint(&self) -> &KeyThumbprint {
        &self.thumbprint
    }

    /// Signs a relay's nonce together with a join credential: 64 bytes, r and s.
    ///
    /// # Errors
    /// The operating system's random generator failed.
    pub fn sign_join_proof(&self, nonce: &[u8], credential: &str) -> Result<Vec<u8>, SigningError> {
        self.sign(&proof::join_message(nonce, credential))
    }

    /// Signs an identity token that is to be exchanged for a new one, together with the time of
    /// signing in Unix seconds: 64 bytes, r and s.
    ///
    /// # Errors
    /// The operating system's random generator failed.
    pub fn sign_refresh_proof(
        &self,
        signed_at: u64,
        identity_token: &str,
    ) -> Result<Vec<u8>, SigningError> {
        self.sign(&proof::refresh_message(signed_at, identity_token))
    }

    /// Signs an encoded `tributary.operation.v1.Operation`: 64 bytes, r and s.
    ///
    /// # Errors
    /// The operating system's random generator failed.
    pub fn sign_operation(&self, envelope: &[u8]) -> Result<Vec<u8>, SigningError> {
        self.sign(&proof::operation_message(envelope))
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        self.pair
            .sign(&SystemRandom::new(), message)
            .map(|signature| signature.as_ref().to_vec())
            .map_err(|_| SigningError::Failed)
    }
}

impl fmt::Debug for TerminalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TerminalKey").field("thumbprint", &self.thumbprint).finish_non_exhaustive()
    }
}
