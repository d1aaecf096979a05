//! Who asks, and the tokens that say so.

use std::sync::Arc;

use tonic::Status;
use tributary_contracts::credential::v1::Identity;
use tributary_credential_core::{issue_time, renewed};
use tributary_identifiers::KeyThumbprint;
use tributary_join_credential::{IdentityClaims, SigningKey, Verified, Verifier};

use super::{status, timestamp};
use crate::{authority::Authority, clock::Clock, store::Store};

/// Reads and makes identity tokens. Clones share everything.
#[derive(Clone)]
pub struct Identities {
    /// Accounts.
    pub store: Store,
    /// Keys and revocations.
    pub authority: Authority,
    /// Now.
    pub clock: Clock,
    /// Whether people without an account may be here.
    pub guests: bool,
}

impl Identities {
    /// Brings keys and revocations up to date, so that what follows is true.
    pub async fn catch_up(&self) -> Result<(), Status> {
        self.authority.catch_up().await.map_err(|error| status::of_authority(&error))
    }

    /// Who asks: what a verified token says, with the account as it is now. `verify` is given the
    /// verifier and the time.
    pub async fn identify<E: std::fmt::Display>(
        &self,
        verify: impl FnOnce(&Verifier, u64) -> Result<Verified<IdentityClaims>, E>,
    ) -> Result<Verified<IdentityClaims>, Status> {
        self.catch_up().await?;
        let now = self.clock.seconds();
        let verified = self.authority.trust().verify(|verifier| verify(verifier, now));
        let mut verified = verified.map_err(|reason| {
            tracing::debug!(%reason, "refused an identity token");
            status::not_logged_in()
        })?;
        let claims = &mut verified.claims;
        if claims.guest {
            return if self.guests { Ok(verified) } else { Err(status::not_logged_in()) };
        }
        let account = self
            .store
            .account(&claims.organisation, &claims.user_id)
            .await
            .map_err(|error| status::of_store(&error))?
            .ok_or_else(status::not_logged_in)?;
        claims.display_name = account.display_name.as_str().to_owned();
        Ok(verified)
    }

    /// Who asks, by the token alone.
    pub async fn identify_by(&self, token: &str) -> Result<Verified<IdentityClaims>, Status> {
        self.identify(|verifier, now| verifier.verify_identity(token, now)).await
    }

    /// Refuses a terminal whose key was revoked: nothing that is bound to it would hold.
    pub async fn check_terminal(&self, key_thumbprint: &KeyThumbprint) -> Result<(), Status> {
        self.catch_up().await?;
        if self.authority.trust().is_terminal_revoked(key_thumbprint) {
            return Err(status::terminal_revoked());
        }
        Ok(())
    }

    /// The key that signs now.
    pub fn signing_key(&self, now: u64) -> Result<Arc<SigningKey>, Status> {
        self.authority.trust().signing_key(now).ok_or_else(status::no_signing_key)
    }

    /// Makes a new token for an identity, with a whole life from now on.
    pub fn issue(&self, claims: IdentityClaims) -> Result<Identity, Status> {
        let now = self.clock.seconds();
        let trust = self.authority.trust();
        let revoked_until = trust.user_revoked_until(&claims.organisation, &claims.user_id);
        let claims = renewed(claims, issue_time(now, revoked_until));
        let identity_token =
            self.signing_key(now)?.issue_identity(&claims).map_err(status::of_signing)?;
        Ok(Identity {
            identity_token,
            user_id: claims.user_id.to_string(),
            display_name: claims.display_name,
            guest: claims.guest,
            expires_at: Some(timestamp(claims.expires_at)),
        })
    }
}
