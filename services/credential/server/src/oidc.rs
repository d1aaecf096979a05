//! Log-in at OpenID Connect providers: authorization code flow with PKCE (RFC 7636), state and
//! nonce, as RFC 9700 advises.
//!
//! **Invariants:** a log-in is finished once, within ten minutes, by the terminal that began it, at
//! the provider it was begun at, which says so itself (RFC 9207) where several share an address; an
//! account belongs to an issuer and a subject, whatever names and addresses a provider tells.

mod http;
mod provider;

use std::{sync::Arc, time::Duration};

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use openidconnect::{PkceCodeChallenge, PkceCodeVerifier};
use tributary_credential_core::identity_of_account;
use tributary_identifiers::{KeyThumbprint, OrganisationId};
use tributary_join_credential::IdentityClaims;

use crate::{
    accounts::{self, CreateError},
    budgets::Attempts,
    clock::Clock,
    config::OidcProvider,
    server::Error,
    store::{BegunLogIn, Store, StoreError},
};

pub use provider::Provider;
use provider::{Challenge, Redirected};

/// How long a log-in may take, in seconds.
const LOG_IN_SECONDS: u64 = 600;

/// The longest that a provider is waited for in one call; whoever called gives up a little later.
const ANSWER_TIME: Duration = Duration::from_millis(4500);

/// Longer states and codes are nobody's, in bytes.
const STATE_LENGTH_MAX: usize = 128;
const CODE_LENGTH_MAX: usize = 4096;

const RANDOM_BYTES: usize = 32;

/// Log-ins at providers. Clones share everything.
#[derive(Clone)]
pub struct OidcLogIn {
    providers: Arc<[Provider]>,
    store: Store,
    attempts: Attempts,
    clock: Clock,
}

/// Where somebody wants to log in.
pub struct Wanted<'a> {
    /// The organisation.
    pub organisation: &'a OrganisationId,
    /// The provider's id.
    pub provider_id: &'a str,
    /// Where the provider is to send the browser back to.
    pub redirect_uri: &'a str,
}

/// What came with the redirect.
pub struct Sent<'a> {
    /// The state.
    pub state: &'a str,
    /// The authorization code.
    pub code: &'a str,
    /// `iss` (RFC 9207); empty if there was none.
    pub issuer: &'a str,
}

/// A log-in that has been begun.
pub struct Begun {
    /// The address to send the browser to.
    pub authorization_url: String,
    /// Comes back in the redirect.
    pub state: String,
}

/// Why a log-in does not go on.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// No such provider in the organisation.
    #[error("there is no such log-in provider")]
    NoSuchProvider,
    /// The redirect address is not one of the provider's.
    #[error("is not among the provider's redirect_uris")]
    RedirectUri,
    /// Too many were begun.
    #[error("too many log-ins were begun")]
    TooMany,
    /// The provider does not answer, or not as one.
    #[error("the provider does not answer: {reason}")]
    Unavailable {
        /// What happened, for operators.
        reason: String,
    },
    /// The state is nobody's, too old, used, or another terminal's.
    #[error("the state is not that of a log-in of this terminal that goes on")]
    UnknownState,
    /// What the provider sent does not prove who somebody is.
    #[error("{reason}")]
    Refused {
        /// What was wrong, for operators.
        reason: String,
    },
    /// No verified e-mail address of an allowed domain.
    #[error("no verified e-mail address in an allowed domain")]
    NotAllowed,
    /// The account was removed by an administrator.
    #[error("the account has been removed")]
    AccountRemoved,
    /// The account could not be made.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system's random generator failed.
    #[error("no random numbers from the operating system")]
    Random,
}

impl OidcLogIn {
    /// With these providers; none of them is asked yet.
    ///
    /// # Errors
    /// A provider's secret can't be read, or no HTTP client can be made.
    pub fn new(
        configured: &[OidcProvider],
        store: Store,
        attempts: Attempts,
        clock: Clock,
    ) -> Result<Self, Error> {
        let providers = configured.iter().map(Provider::new).collect::<Result<_, _>>()?;
        Ok(Self { providers, store, attempts, clock })
    }

    /// The providers of an organisation.
    pub fn providers(&self, organisation: &OrganisationId) -> impl Iterator<Item = &Provider> {
        self.providers.iter().filter(move |provider| provider.organisation == *organisation)
    }

    fn provider(
        &self,
        organisation: &OrganisationId,
        provider_id: &str,
    ) -> Result<&Provider, OidcError> {
        self.providers(organisation)
            .find(|provider| provider.config.id == provider_id)
            .ok_or(OidcError::NoSuchProvider)
    }

    /// Begins a log-in for the terminal with this key, at an address with this prefix.
    ///
    /// # Errors
    /// See [`OidcError`].
    pub async fn begin(
        &self,
        wanted: Wanted<'_>,
        key_thumbprint: KeyThumbprint,
        prefix: &str,
    ) -> Result<Begun, OidcError> {
        let Wanted { organisation, provider_id, redirect_uri } = wanted;
        let provider = self.provider(organisation, provider_id)?;
        if !provider.config.redirect_uris.iter().any(|known| known == redirect_uri) {
            return Err(OidcError::RedirectUri);
        }
        // Each is kept for ten minutes, so this bounds what is kept.
        let begin = self.attempts.begin_oidc(organisation, provider_id, prefix, LOG_IN_SECONDS);
        if !begin.await? {
            return Err(OidcError::TooMany);
        }
        let (state, nonce) = (random()?, random()?);
        let (pkce_challenge, pkce_verifier) = PkceCodeChallenge::new_random_sha256();
        let challenge =
            Challenge { state: state.clone(), nonce: nonce.clone(), pkce: pkce_challenge };
        let authorization_url =
            in_time(provider.authorization_url(redirect_uri, challenge)).await?;
        let begun = BegunLogIn {
            state_hash: hash(&state),
            organisation: organisation.clone(),
            provider_id: provider_id.to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            key_thumbprint,
            nonce,
            pkce_verifier: pkce_verifier.secret().clone(),
            expires_at: self.clock.seconds().saturating_add(LOG_IN_SECONDS),
        };
        self.store.begin_oidc(&begun).await?;
        Ok(Begun { authorization_url, state })
    }

    /// Ends a log-in with what the provider has sent back; says who has logged in.
    ///
    /// # Errors
    /// See [`OidcError`].
    pub async fn finish(
        &self,
        sent: Sent<'_>,
        key_thumbprint: KeyThumbprint,
    ) -> Result<IdentityClaims, OidcError> {
        let Sent { state, code, issuer } = sent;
        if state.len() > STATE_LENGTH_MAX || code.is_empty() || code.len() > CODE_LENGTH_MAX {
            return Err(OidcError::UnknownState);
        }
        let now = self.clock.seconds();
        let begun = self
            .store
            .take_oidc(&hash(state), &key_thumbprint, now)
            .await?
            .ok_or(OidcError::UnknownState)?;
        let provider = self.provider(&begun.organisation, &begun.provider_id)?;
        let redirected = Redirected {
            redirect_uri: begun.redirect_uri,
            code: code.to_owned(),
            issuer: issuer.to_owned(),
            nonce: begun.nonce,
            pkce_verifier: PkceCodeVerifier::new(begun.pkce_verifier),
        };
        let (subject, profile) = in_time(provider.identify(redirected, now)).await?;
        if !profile.is_of(&provider.config.allowed_email_domains) {
            return Err(OidcError::NotAllowed);
        }
        let account = accounts::find_or_create_linked(&self.store, &subject, &profile, now)
            .await?
            .ok_or(OidcError::AccountRemoved)?;
        Ok(identity_of_account(&account, key_thumbprint, now))
    }
}

/// Ends an answer of a provider that nobody waits for any more.
async fn in_time<T>(answer: impl Future<Output = Result<T, OidcError>>) -> Result<T, OidcError> {
    let late = || OidcError::Unavailable { reason: "it answers too slowly".to_owned() };
    tokio::time::timeout(ANSWER_TIME, answer).await.unwrap_or_else(|_| Err(late()))
}

fn random() -> Result<String, OidcError> {
    let mut random = [0; RANDOM_BYTES];
    getrandom::fill(&mut random).map_err(|_| OidcError::Random)?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}

fn hash(state: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, state.as_bytes()))
}
