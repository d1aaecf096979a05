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

/// Who asks, and since when.
pub struct Asker {
    /// What the verified token says, with the account as it is now.
    pub claims: IdentityClaims,
    /// The time of issue of whatever is made for who asks, Unix seconds: before the revocations
    /// were looked at, so that one that is made while the answer is under way concerns it too. Not
    /// before that of the token, which may have been issued a second ahead.
    pub since: u64,
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
    ) -> Result<Asker, Status> {
        let asked_at = self.clock.seconds();
        self.catch_up().await?;
        let now = self.clock.seconds();
        let verified = self.authority.trust().verify(|verifier| verify(verifier, now));
        let verified = verified.map_err(|reason| {
            tracing::debug!(%reason, "refused an identity token");
            status::not_logged_in()
        })?;
        let mut claims = verified.claims;
        let since = asked_at.max(claims.issued_at);
        if claims.guest {
            let asker = Asker { claims, since };
            return if self.guests { Ok(asker) } else { Err(status::not_logged_in()) };
        }
        let account = self
            .store
            .account(&claims.organisation, &claims.user_id)
            .await
            .map_err(|error| status::of_store(&error))?
            .ok_or_else(status::not_logged_in)?;
        claims.display_name = account.display_name.as_str().to_owned();
        Ok(Asker { claims, since })
    }

    /// Who asks, by the token alone.
    pub async fn identify_by(&self, token: &str) -> Result<Asker, Status> {
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

    /// Makes a token for who has just shown who they are, by a password or at a provider: it holds
    /// whatever was revoked before.
    pub fn issue(&self, claims: IdentityClaims) -> Result<Identity, Status> {
        let trust = self.authority.trust();
        let revoked_until = trust.user_revoked_until(&claims.organisation, &claims.user_id);
        self.sign(&renewed(claims, issue_time(self.clock.seconds(), revoked_until)))
    }

    /// Makes a new token for who had one: it holds as far as the earlier one does.
    pub fn reissue(&self, asker: Asker) -> Result<Identity, Status> {
        self.sign(&renewed(asker.claims, asker.since))
    }

    fn sign(&self, claims: &IdentityClaims) -> Result<Identity, Status> {
        let key = self.signing_key(self.clock.seconds())?;
        let identity_token = key.issue_identity(claims).map_err(status::of_signing)?;
        Ok(Identity {
            identity_token,
            user_id: claims.user_id.to_string(),
            display_name: claims.display_name.clone(),
            guest: claims.guest,
            expires_at: Some(timestamp(claims.expires_at)),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };

    use tributary_credential_core::identity_of_account;
    use tributary_database::scratch;
    use tributary_join_credential::Revoked;

    use super::*;
    use crate::grpc::rig::{organisation, rig, thumbprint};

    #[tokio::test]
    async fn what_is_made_for_a_token_does_not_outlive_a_revocation_made_meanwhile() {
        let hands = Arc::new(AtomicU64::new(1_800_000_000_000));
        let clock = Clock::Manual(Arc::clone(&hands));
        let database = scratch::sqlite();
        let (identities, _) = rig(&database, &clock).await;
        let zoe = identities.store.account_by_name(&organisation(), &"zoe".parse().unwrap()).await;
        let zoe = zoe.unwrap().unwrap().account;
        let log_in = || {
            let claims = identity_of_account(&zoe, thumbprint(), clock.seconds());
            identities.issue(claims).unwrap().identity_token
        };
        let user = || Revoked::User(organisation(), zoe.user_id.clone());
        // The second time, the token is issued a second ahead by the first revocation.
        for seconds_meanwhile in [5, 0, 0] {
            let asker = identities.identify_by(&log_in()).await.unwrap_or_else(|_| panic!());
            identities.authority.revoke(user()).await.unwrap();
            hands.fetch_add(seconds_meanwhile * 1000, Ordering::SeqCst);
            let token = identities.reissue(asker).unwrap().identity_token;
            assert!(identities.identify_by(&token).await.is_err(), "{seconds_meanwhile}");
            // Whoever logs in anew is in, and can go on from there.
            let asker = identities.identify_by(&log_in()).await.unwrap_or_else(|_| panic!());
            let token = identities.reissue(asker).unwrap().identity_token;
            assert!(identities.identify_by(&token).await.is_ok());
        }
    }
}
