//! The keys of a running service: one signs, all verify.

use tributary_join_credential::{KeySet, SigningKey};

/// Signing keys and what verifies them.
#[derive(Debug)]
pub struct Keys {
    signing: SigningKey,
    verifying: KeySet,
    jwks: String,
}

impl Keys {
    /// The first of `keys` signs. None if there is none.
    pub fn new(keys: Vec<SigningKey>) -> Option<Self> {
        let verifying = KeySet::of(&keys);
        let signing = keys.into_iter().next()?;
        Some(Self { signing, jwks: verifying.to_jwks(), verifying })
    }

    /// The key to sign with.
    pub const fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// All keys whose tokens are accepted.
    pub const fn verifying(&self) -> &KeySet {
        &self.verifying
    }

    /// The public keys as a JSON Web Key Set.
    pub fn jwks(&self) -> &str {
        &self.jwks
    }
}
