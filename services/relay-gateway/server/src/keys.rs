//! The public keys that verify tokens and credentials: fetched from credential, cached, and used on
//! while it is down.

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tributary_contracts::credential::v1::{
    GetKeysRequest, credential_service_client::CredentialServiceClient,
};
use tributary_join_credential::{IdentityClaims, JoinClaims, JoinError, KeySet, VerifyError};
use tributary_service_runtime::{Dependency, ServiceChannel};

const REFRESH_INTERVAL: Duration = Duration::from_secs(60);
/// While there are no keys at all.
const FIRST_INTERVAL: Duration = Duration::from_millis(500);
/// An unknown key asks for a refresh, but not more often than this.
const UNKNOWN_KEY_INTERVAL: Duration = Duration::from_secs(1);

/// The cached keys.
#[derive(Clone)]
pub(crate) struct VerifyingKeys {
    client: CredentialServiceClient<ServiceChannel>,
    keys: Arc<RwLock<KeySet>>,
    refreshed: Arc<Mutex<Option<Instant>>>,
}

/// What a terminal shows when it joins.
pub(crate) struct Joining<'a> {
    pub(crate) credential: &'a str,
    pub(crate) public_key: &'a [u8],
    pub(crate) nonce: &'a [u8],
    pub(crate) proof: &'a [u8],
}

impl VerifyingKeys {
    pub(crate) fn new(channel: ServiceChannel) -> Self {
        Self {
            client: CredentialServiceClient::new(channel),
            keys: Arc::default(),
            refreshed: Arc::default(),
        }
    }

    /// Fetches the keys again and again; ends when dropped.
    pub(crate) async fn keep_fresh(&self, dependency: Dependency) {
        dependency.not_ready("waiting for the credential service's keys");
        loop {
            self.refresh().await;
            let none = self.read().is_empty();
            if !none {
                dependency.ready();
            }
            tokio::time::sleep(if none { FIRST_INTERVAL } else { REFRESH_INTERVAL }).await;
        }
    }

    /// False until the credential service has been reached once.
    pub(crate) fn are_known(&self) -> bool {
        !self.read().is_empty()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, KeySet> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    async fn refresh(&self) {
        let response = match self.client.clone().get_keys(GetKeysRequest {}).await {
            Ok(response) => response.into_inner(),
            Err(status) => {
                return tracing::debug!(code = ?status.code(), "keys not refreshed");
            }
        };
        match KeySet::from_jwks(&response.jwks_json) {
            Ok(keys) => *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys,
            Err(error) => tracing::warn!(%error, "the credential service's keys can't be read"),
        }
    }

    async fn refresh_for_unknown_key(&self) {
        let due = {
            let mut refreshed = self.refreshed.lock().unwrap_or_else(PoisonError::into_inner);
            let due = refreshed.is_none_or(|at| at.elapsed() >= UNKNOWN_KEY_INTERVAL);
            if due {
                *refreshed = Some(Instant::now());
            }
            due
        };
        if due {
            self.refresh().await;
        }
    }

    /// Verifies an identity token.
    pub(crate) async fn verify_identity(&self, token: &str) -> Result<IdentityClaims, VerifyError> {
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
    ) -> Result<JoinClaims, JoinError> {
        let verify = |keys: &KeySet| {
            keys.verify_joining(
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
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_secs())
}
