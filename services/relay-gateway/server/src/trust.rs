//! Whom this relay believes: the keys that verify tokens and credentials, and what was revoked. Both
//! come from the credential service, are kept here, and are used on while it is down.
//!
//! **Invariant:** nothing is verified before it has been heard once what is revoked.

mod holds;
mod revocations;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

pub(crate) use holds::Hold;
use holds::Holds;
use tokio::sync::Notify;
use tributary_contracts::credential::v1::{
    GetKeysRequest, credential_service_client::CredentialServiceClient,
};
use tributary_join_credential::{
    IdentityClaims, JoinClaims, JoinError, KeySet, LEEWAY_SECONDS, Provenance, Verified, Verifier,
    VerifyError,
};
use tributary_message_bus::ControlBus;
use tributary_service_runtime::{Dependency, ServiceChannel};

/// How often keys and revocations are asked for, whatever is heard.
const REFRESH_INTERVAL: Duration = Duration::from_secs(30);
/// After the credential service could not be asked.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);
/// While nothing is known at all.
const FIRST_INTERVAL: Duration = Duration::from_millis(500);
/// An unknown key asks for a refresh, but not more often than this.
const UNKNOWN_KEY_INTERVAL: Duration = Duration::from_secs(1);

/// For so long a list of keys is taken for complete.
const KEYS_FRESH: Duration = Duration::from_secs(5);

/// What is believed now. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Trust(Arc<Inner>);

struct Inner {
    client: CredentialServiceClient<ServiceChannel>,
    bus: ControlBus,
    verifier: RwLock<Verifier>,
    holds: Holds,
    /// Something was heard that calls for asking.
    ask: Notify,
    /// When a refresh was asked for by an unknown key.
    refreshed: Mutex<Option<Instant>>,
    /// When the credential service has last said which keys there are.
    keys_at: Mutex<Option<Instant>>,
}

/// What a terminal shows when it joins.
pub(crate) struct Joining<'a> {
    pub(crate) credential: &'a str,
    pub(crate) public_key: &'a [u8],
    pub(crate) nonce: &'a [u8],
    pub(crate) proof: &'a [u8],
}

impl Trust {
    pub(crate) fn new(channel: ServiceChannel, bus: ControlBus) -> Self {
        Self(Arc::new(Inner {
            client: CredentialServiceClient::new(channel),
            bus,
            verifier: RwLock::default(),
            holds: Holds::default(),
            ask: Notify::new(),
            refreshed: Mutex::default(),
            keys_at: Mutex::default(),
        }))
    }

    /// Hears and asks what is to be believed; ends when dropped.
    pub(crate) async fn keep_fresh(&self, dependency: Dependency) {
        dependency.not_ready("waiting for the credential service's keys and revocations");
        // Side by side: an answer that is slow to come never delays what is heard.
        tokio::join!(self.hear(), self.ask_again_and_again(&dependency));
    }

    async fn ask_again_and_again(&self, dependency: &Dependency) {
        let mut listed = false;
        loop {
            // In this order: keys verify something only when it is known what is revoked.
            let fresh = self.list_revocations().await;
            listed |= fresh;
            let fresh = fresh && self.refresh_keys(listed).await;
            if fresh {
                // A revoked key is not among these keys any more; among older ones it still verifies what
                // only its revocation refuses.
                self.change(|verifier| verifier.revocations.forget(unix_seconds()));
            }
            let known = self.are_known();
            if known {
                dependency.ready();
            }
            let pause = match (known, fresh) {
                (false, _) => FIRST_INTERVAL,
                (true, false) => RETRY_INTERVAL,
                (true, true) => REFRESH_INTERVAL,
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.0.ask.notified(), if known => {}
            }
        }
    }

    /// False until the credential service has been reached once.
    pub(crate) fn are_known(&self) -> bool {
        !self.read().keys.is_empty()
    }

    /// True if a key that is not known now is none at all. False: it may be newer than what was heard.
    pub(crate) fn keys_are_fresh(&self) -> bool {
        lock(&self.0.keys_at).is_some_and(|at| at.elapsed() < KEYS_FRESH)
    }

    fn read(&self) -> RwLockReadGuard<'_, Verifier> {
        self.0.verifier.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Verifier) -> T) -> T {
        change(&mut self.0.verifier.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// True if the credential service has said which keys there are.
    async fn refresh_keys(&self, listed: bool) -> bool {
        if !listed {
            return false;
        }
        let response = match self.0.client.clone().get_keys(GetKeysRequest {}).await {
            Ok(response) => response.into_inner(),
            Err(status) => {
                tracing::debug!(code = ?status.code(), "keys not refreshed");
                return false;
            }
        };
        match KeySet::from_jwks(&response.jwks_json) {
            Ok(keys) => {
                self.change(|verifier| verifier.keys = keys);
                *lock(&self.0.keys_at) = Some(Instant::now());
            }
            Err(error) => {
                tracing::warn!(%error, "the credential service's keys can't be read");
                return false;
            }
        }
        true
    }

    async fn refresh_for_unknown_key(&self) {
        let due = {
            let mut refreshed = lock(&self.0.refreshed);
            let due = refreshed.is_none_or(|at| at.elapsed() >= UNKNOWN_KEY_INTERVAL);
            if due {
                *refreshed = Some(Instant::now());
            }
            due
        };
        if due {
            // The first keys come with the first list of what is revoked.
            self.refresh_keys(self.are_known()).await;
        }
    }

    /// Verifies an identity token.
    pub(crate) async fn verify_identity(
        &self,
        token: &str,
    ) -> Result<Verified<IdentityClaims>, VerifyError> {
        let first = self.read().verify_identity(token, unix_seconds());
        if first != Err(VerifyError::UnknownKey) {
            return first;
        }
        self.refresh_for_unknown_key().await;
        self.read().verify_identity(token, unix_seconds())
    }

    /// Verifies a join credential together with the proof that the terminal has its key.
    pub(crate) async fn verify_joining(
        &self,
        joining: &Joining<'_>,
    ) -> Result<Verified<JoinClaims>, JoinError> {
        let verify = |verifier: &Verifier| {
            verifier.verify_joining(
                joining.credential,
                joining.public_key,
                joining.nonce,
                joining.proof,
                unix_seconds(),
            )
        };
        let first = verify(&self.read());
        if !matches!(first, Err(JoinError::Credential(VerifyError::UnknownKey))) {
            return first;
        }
        self.refresh_for_unknown_key().await;
        verify(&self.read())
    }

    /// Something goes on by this token until it ends or the token is revoked.
    pub(crate) fn hold(&self, provenance: Provenance) -> Hold {
        let hold = self.0.holds.add(provenance.clone());
        // Looked at after it was added: it is in this look, or in that of who revokes.
        if self.read().revocations.concerns(&provenance) {
            hold.revoke();
        }
        hold
    }
}

/// When a token that says this does not hold any more.
pub(crate) fn end_of(claims: &IdentityClaims) -> tokio::time::Instant {
    let end = claims.expires_at.saturating_add(LEEWAY_SECONDS);
    let left = Duration::from_secs(end.saturating_sub(unix_seconds()));
    let now = tokio::time::Instant::now();
    // A time that this machine can't reckon with has come.
    now.checked_add(left).unwrap_or(now)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_secs())
}
