//! The key that signs tokens.

use std::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use jsonwebtoken::{Algorithm, EncodingKey, Header};

use crate::{
    KeyId, TOKEN_LENGTH_MAX, TokenId,
    claims::{IdentityClaims, JoinClaims, Kind, Payload},
    thumbprint,
};

/// An Ed25519 key pair, named by its thumbprint.
#[derive(Clone)]
pub struct SigningKey {
    key_id: KeyId,
    public_key: Vec<u8>,
    encoding_key: EncodingKey,
}

/// The bytes are not an Ed25519 key pair in PKCS #8 form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 key pair in PKCS #8 form")]
pub struct InvalidSigningKey;

/// A token could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// What it would say does not fit into [`TOKEN_LENGTH_MAX`].
    #[error("the token would be longer than {TOKEN_LENGTH_MAX} bytes")]
    TooLong,
    /// The cryptographic library or the system's random generator failed.
    #[error("signing failed")]
    Failed,
}

impl SigningKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// The operating system's random generator failed.
    pub fn generate() -> Result<Self, SigningError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| SigningError::Failed)?;
        let pkcs8 = pair.to_pkcs8v1().map_err(|_| SigningError::Failed)?;
        Ok(Self::from_pair(&pair, pkcs8.as_ref()))
    }

    /// Reads what [`pkcs8`](Self::pkcs8) gave (RFC 5958).
    ///
    /// # Errors
    /// The bytes are not such a key.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, InvalidSigningKey> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| InvalidSigningKey)?;
        Ok(Self::from_pair(&pair, pkcs8))
    }

    fn from_pair(pair: &Ed25519KeyPair, pkcs8: &[u8]) -> Self {
        let public_key = pair.public_key().as_ref().to_vec();
        Self {
            key_id: thumbprint::of_ed25519(&public_key),
            public_key,
            encoding_key: EncodingKey::from_ed_der(pkcs8),
        }
    }

    /// The private key, for safe keeping.
    #[must_use]
    pub fn pkcs8(&self) -> &[u8] {
        self.encoding_key.as_bytes()
    }

    /// The key's name in tokens and key sets: its JWK thumbprint.
    #[must_use]
    pub const fn key_id(&self) -> &KeyId {
        &self.key_id
    }

    pub(crate) fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// Makes an identity token.
    ///
    /// # Errors
    /// The token would be too long, or signing failed.
    pub fn issue_identity(&self, claims: &IdentityClaims) -> Result<String, SigningError> {
        self.issue(Kind::Identity, &Payload::of_identity(claims, TokenId::generate()?))
    }

    /// Makes a join credential.
    ///
    /// # Errors
    /// The credential would be too long, or signing failed.
    pub fn issue_join(&self, claims: &JoinClaims) -> Result<String, SigningError> {
        self.issue(Kind::Join, &Payload::of_join(claims, TokenId::generate()?))
    }

    fn issue(&self, kind: Kind, payload: &Payload) -> Result<String, SigningError> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(kind.typ().to_owned());
        header.kid = Some(self.key_id.to_string());
        let token = jsonwebtoken::encode(&header, payload, &self.encoding_key)
            .map_err(|_| SigningError::Failed)?;
        if token.len() > TOKEN_LENGTH_MAX {
            return Err(SigningError::TooLong);
        }
        Ok(token)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}
