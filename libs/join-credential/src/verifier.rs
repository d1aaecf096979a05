//! All that a service checks before it believes a token: keys, life and revocations.

use crate::{
    IdentityClaims, JoinClaims, JoinError, KeySet, Provenance, RefreshError, RevocationList,
    Verified, VerifyError, verify_join_proof, verify_refresh_proof,
};

/// Verifies tokens against the keys and the revocations that are known now. Times are in Unix
/// seconds.
#[derive(Clone, Debug, Default)]
pub struct Verifier {
    /// The issuer's keys.
    pub keys: KeySet,
    /// What does not hold any more.
    pub revocations: RevocationList,
}

impl Verifier {
    /// Reads an identity token. That the bearer also holds the key it is bound to is not looked
    /// at: what is issued on a token is bound to the same key.
    ///
    /// # Errors
    /// The token is not one that an issuer of the key set made, not for now, or revoked.
    pub fn verify_identity(
        &self,
        token: &str,
        now: u64,
    ) -> Result<Verified<IdentityClaims>, VerifyError> {
        let verified = self.keys.verify_identity(token, now)?;
        self.unless_revoked(&verified.provenance())?;
        Ok(verified)
    }

    /// Reads a join credential.
    ///
    /// # Errors
    /// The credential is not one that an issuer of the key set made, not for now, or revoked.
    pub fn verify_join(
        &self,
        credential: &str,
        now: u64,
    ) -> Result<Verified<JoinClaims>, VerifyError> {
        let verified = self.keys.verify_join(credential, now)?;
        self.unless_revoked(&verified.provenance())?;
        Ok(verified)
    }

    /// Reads a join credential that may have ended, at most
    /// [`RECONNECT_SECONDS`](crate::RECONNECT_SECONDS) ago. It opens nothing: it says that its user
    /// was let into its meeting on its terminal.
    ///
    /// # Errors
    /// The credential is not one that an issuer of the key set made, too old, or revoked.
    pub fn verify_previous_join(
        &self,
        credential: &str,
        now: u64,
    ) -> Result<Verified<JoinClaims>, VerifyError> {
        let verified = self.keys.verify_previous_join(credential, now)?;
        self.unless_revoked(&verified.provenance())?;
        Ok(verified)
    }

    /// All that a relay checks when a terminal joins: the credential, the proof that the terminal
    /// holds its key, that both are about the same key, and that nothing of it was revoked.
    /// `nonce` is what the relay sent.
    ///
    /// # Errors
    /// One of them does not hold.
    pub fn verify_joining(
        &self,
        credential: &str,
        public_key: &[u8],
        nonce: &[u8],
        proof: &[u8],
        now: u64,
    ) -> Result<Verified<JoinClaims>, JoinError> {
        let verified = self.verify_join(credential, now)?;
        let thumbprint = verify_join_proof(public_key, nonce, credential, proof)?;
        if verified.claims.key_thumbprint != thumbprint {
            return Err(JoinError::OtherKey);
        }
        Ok(verified)
    }

    /// All that is checked before an identity token is exchanged for a new one: the token, the
    /// proof that the terminal holds its key, made within
    /// [`REFRESH_WINDOW_SECONDS`](crate::REFRESH_WINDOW_SECONDS) of `now`, and that both are about
    /// the same key.
    ///
    /// # Errors
    /// One of them does not hold.
    pub fn verify_refresh(
        &self,
        token: &str,
        public_key: &[u8],
        signed_at: u64,
        proof: &[u8],
        now: u64,
    ) -> Result<Verified<IdentityClaims>, RefreshError> {
        let verified = self.verify_identity(token, now)?;
        let thumbprint = verify_refresh_proof(public_key, signed_at, token, proof, now)?;
        if verified.claims.key_thumbprint != thumbprint {
            return Err(RefreshError::OtherKey);
        }
        Ok(verified)
    }

    fn unless_revoked(&self, token: &Provenance) -> Result<(), VerifyError> {
        if self.revocations.concerns(token) {
            return Err(VerifyError::Revoked);
        }
        Ok(())
    }
}
