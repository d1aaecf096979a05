//! A terminal's key, and who is logged in with it. The identity is made new by the key before its life
//! ends, so that a terminal that is on all day asks nobody for a password.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::time::sleep;
use tributary_contracts::{
    credential::v1::Identity,
    terminal::v1::{
        RefreshIdentity, RefusalCode, relay_message::Body as Reply, terminal_message::Body,
    },
};
use tributary_identifiers::KeyThumbprint;
use tributary_join_credential::{SigningError, TerminalKey};

use crate::protocol::{RequestError, Requests};

/// How often a terminal that stays looks whether its identity is old enough to be made new.
const LOOK_INTERVAL: Duration = Duration::from_secs(20);

/// A key and an identity; shared by everything that one terminal does.
#[derive(Debug)]
pub(crate) struct Holder {
    key: Arc<TerminalKey>,
    held: Mutex<Option<Held>>,
    /// One refreshing at a time.
    refreshing: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Held {
    identity: Identity,
    /// Unix seconds; `None`: it does not say when it ends.
    life: Option<Life>,
}

#[derive(Clone, Copy)]
struct Life {
    refresh_at: u64,
    end: u64,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Held").field(&self.identity.user_id).finish()
    }
}

impl Holder {
    pub(crate) fn new() -> Result<Arc<Self>, SigningError> {
        Ok(Self::with_key(Arc::new(TerminalKey::generate()?)))
    }

    pub(crate) fn with_key(key: Arc<TerminalKey>) -> Arc<Self> {
        Arc::new(Self { key, held: Mutex::default(), refreshing: Default::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn key(&self) -> &Arc<TerminalKey> {
        &self.key
    }

    pub(crate) fn public_key(&self) -> Vec<u8> {
        self.key.public_key().to_vec()
    }

    pub(crate) fn key_thumbprint(&self) -> KeyThumbprint {
        self.key.thumbprint().clone()
    }

    pub(crate) fn identity(&self) -> Option<Identity> {
        self.lock().as_ref().map(|held| held.identity.clone())
    }

    pub(crate) fn set(&self, identity: Option<Identity>) {
        *self.lock() = identity.map(|identity| Held::new(identity, now()));
    }

    /// Puts what came of a request that showed `sent` in its place; not if something else is held by now.
    fn replace(&self, sent: &str, identity: Option<Identity>) {
        let mut held = self.lock();
        let token = held.as_ref().map_or("", |held| held.identity.identity_token.as_str());
        if token == sent {
            *held = identity.map(|identity| Held::new(identity, now()));
        }
    }

    /// Forgets the identity; true if there was one.
    pub(crate) fn forget(&self) -> bool {
        self.lock().take().is_some()
    }

    /// The identity token, made new first if it is old; `None` if nobody is logged in (any more).
    pub(crate) async fn token(&self, requests: &Requests) -> Result<Option<String>, RequestError> {
        if self.is_old(now())
            && let Err(error) = self.refresh_if(requests, |held| held.is_old(now())).await
        {
            tracing::debug!(%error, "the identity was not made new");
        }
        Ok(self.live_token(now()))
    }

    fn is_old(&self, now: u64) -> bool {
        self.lock().as_ref().is_some_and(|held| held.is_old(now))
    }

    fn live_token(&self, now: u64) -> Option<String> {
        let held = self.lock();
        let held = held.as_ref().filter(|held| held.life.is_none_or(|life| now < life.end))?;
        Some(held.identity.identity_token.clone())
    }

    /// Gets a new identity for the one that is held.
    pub(crate) async fn refresh(&self, requests: &Requests) -> Result<(), RequestError> {
        self.refresh_if(requests, |_| true).await
    }

    async fn refresh_if(
        &self,
        requests: &Requests,
        wanted: impl Fn(&Held) -> bool,
    ) -> Result<(), RequestError> {
        let _one = self.refreshing.lock().await;
        let identity_token = match self.lock().as_ref() {
            Some(held) if wanted(held) => held.identity.identity_token.clone(),
            Some(_) => return Ok(()),
            None => String::new(),
        };
        let signed_at = now();
        // Without randomness the proof is empty, and refused.
        let proof = self.key.sign_refresh_proof(signed_at, &identity_token).unwrap_or_default();
        let public_key = self.public_key();
        let sent = identity_token.clone();
        let refresh = RefreshIdentity { identity_token, public_key, signed_at, proof };
        match requests.request(Body::RefreshIdentity(refresh)).await {
            Ok(Reply::Identity(identity)) => {
                self.replace(&sent, Some(identity));
                Ok(())
            }
            Ok(_) => Err(RequestError::WrongKind),
            Err(error) => {
                if let RequestError::Refused { code: RefusalCode::NotLoggedIn, .. } = &error {
                    self.replace(&sent, None);
                }
                Err(error)
            }
        }
    }

    /// Keeps the identity alive while a connection lasts.
    pub(crate) async fn keep_fresh(self: Arc<Self>, requests: Requests) {
        loop {
            sleep(LOOK_INTERVAL).await;
            // What goes wrong is tried again at the next look.
            let _ = self.token(&requests).await;
        }
    }
}

impl Held {
    fn new(identity: Identity, now: u64) -> Self {
        let end = identity.expires_at.map(|end| u64::try_from(end.seconds).unwrap_or_default());
        let life = end.map(|end| Life {
            // When three quarters are over.
            refresh_at: end.saturating_sub(end.saturating_sub(now) / 4),
            end,
        });
        Self { identity, life }
    }

    fn is_old(&self, now: u64) -> bool {
        self.life.is_some_and(|life| now >= life.refresh_at)
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_old_when_three_quarters_of_its_life_are_over() {
        let expires_at = Some(prost_types::Timestamp { seconds: 4_600, nanos: 0 });
        let identity = Identity { expires_at, ..Identity::default() };
        let held = Held::new(identity, 1_000);
        assert!(!held.is_old(3_699));
        assert!(held.is_old(3_700));
        assert!(!Held::new(Identity::default(), 1_000).is_old(u64::MAX));
    }

    #[test]
    fn a_dead_token_is_not_shown() {
        let holder = Holder::new().unwrap();
        assert_eq!(holder.live_token(0), None);
        let expires_at = Some(prost_types::Timestamp { seconds: 4_600, nanos: 0 });
        let identity_token = "token".to_owned();
        holder.set(Some(Identity { identity_token, expires_at, ..Identity::default() }));
        assert_eq!(holder.live_token(4_599).as_deref(), Some("token"));
        assert_eq!(holder.live_token(4_600), None);
        assert!(holder.forget() && !holder.forget());
    }

    #[test]
    fn what_comes_of_an_older_token_does_not_touch_a_newer_one() {
        let identity = |token: &str| {
            Some(Identity { identity_token: token.to_owned(), ..Identity::default() })
        };
        let holder = Holder::new().unwrap();
        let held = || holder.live_token(0);
        holder.set(identity("ada"));
        holder.replace("ada", identity("ada again"));
        assert_eq!(held().as_deref(), Some("ada again"));
        // Somebody else has logged in meanwhile.
        holder.set(identity("bob"));
        holder.replace("ada again", identity("ada once more"));
        holder.replace("ada again", None);
        assert_eq!(held().as_deref(), Some("bob"));
        holder.replace("bob", None);
        assert_eq!(held(), None);
        // And who has logged out stays so.
        holder.replace("bob", identity("bob again"));
        assert_eq!(held(), None);
    }
}
