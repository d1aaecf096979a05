//! One provider: what it says about itself, and what it says about who logs in.

use std::{
    error::Error as StdError,
    sync::Arc,
    time::{Duration, Instant, UNIX_EPOCH},
};

use openidconnect::{
    AccessTokenHash, AdditionalProviderMetadata, AuthType, AuthorizationCode,
    ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, IssuerUrl, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier,
    ProviderMetadata, RedirectUrl, RequestTokenError, Scope, SignatureVerificationError,
    TokenResponse as _, UserInfoError,
    core::{
        CoreAuthDisplay, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient,
        CoreClientAuthMethod, CoreGrantType, CoreIdTokenClaims, CoreIdTokenVerifier,
        CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm,
        CoreJwsSigningAlgorithm as Algorithm, CoreResponseMode, CoreResponseType,
        CoreSubjectIdentifierType, CoreTokenResponse, CoreUserInfoClaims,
    },
};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tributary_credential_core::Profile;
use tributary_identifiers::OrganisationId;

use super::{
    OidcError,
    http::{HttpClient, HttpError},
};
use crate::{config::OidcProvider, server::Error, store::ProviderSubject};

/// How long metadata and keys are taken as they are.
const FRESH: Duration = Duration::from_secs(600);
/// How long they serve while the provider does not answer.
const USABLE: Duration = Duration::from_secs(24 * 3600);
/// A token by an unknown key lets the keys be fetched anew, but not more often than this.
const REFETCH_PAUSE: Duration = Duration::from_secs(30);
/// A provider that has just failed to answer is not asked again.
const FAILURE_PAUSE: Duration = Duration::from_secs(2);
/// How far the time of issue of an identity token may be from now, in seconds.
const ISSUED_WITHIN_SECONDS: u64 = 660;
/// OpenID Connect Core section 2.
const SUBJECT_LENGTH_MAX: usize = 255;

/// What may sign identity tokens: keys that only the provider has. With a symmetric algorithm
/// whoever knows the client's secret could, and `none` is no signature.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RsaSsaPkcs1V15Sha256,
    Algorithm::RsaSsaPkcs1V15Sha384,
    Algorithm::RsaSsaPkcs1V15Sha512,
    Algorithm::RsaSsaPssSha256,
    Algorithm::RsaSsaPssSha384,
    Algorithm::RsaSsaPssSha512,
    Algorithm::EcdsaP256Sha256,
    Algorithm::EcdsaP384Sha384,
    Algorithm::EdDsa,
];

/// What standard claims say, in an identity token and at the UserInfo endpoint: two types with the
/// same methods.
macro_rules! profile {
    ($claims:expr) => {{
        let name = $claims.name().and_then(|name| name.get(None));
        Profile {
            name: name.map(|name| name.to_string()),
            preferred_username: $claims.preferred_username().map(|name| name.to_string()),
            email: $claims.email().map(|email| email.to_string()),
            email_verified: $claims.email_verified().unwrap_or(false),
        }
    }};
}

/// What a provider says about itself besides OpenID Connect Discovery.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Announced {
    /// Whether its redirects say who they are from (RFC 9207).
    authorization_response_iss_parameter_supported: Option<bool>,
}

impl AdditionalProviderMetadata for Announced {}

type Metadata = ProviderMetadata<
    Announced,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// A configured provider.
pub struct Provider {
    /// Its configuration.
    pub config: OidcProvider,
    /// Whose users log in here.
    pub organisation: OrganisationId,
    issuer: IssuerUrl,
    client_secret: Option<ClientSecret>,
    http: HttpClient,
    known: Mutex<Known>,
}

/// What the provider has said about itself.
#[derive(Default)]
struct Known {
    metadata: Option<(Instant, Arc<Metadata>)>,
    failed: Option<(Instant, String)>,
}

/// What goes with the browser to the provider.
pub struct Challenge {
    /// Comes back in the redirect.
    pub state: String,
    /// Comes back in the identity token.
    pub nonce: String,
    /// Only who has its verifier can use the code.
    pub pkce: PkceCodeChallenge,
}

/// What came back, and what was kept of the beginning.
pub struct Redirected {
    /// Where the browser was sent back to.
    pub redirect_uri: String,
    /// The authorization code.
    pub code: String,
    /// Who says so (RFC 9207); empty if nobody did.
    pub issuer: String,
    /// What the identity token must repeat.
    pub nonce: String,
    /// What the code is exchanged with.
    pub pkce_verifier: PkceCodeVerifier,
}

impl Provider {
    /// A provider as configured; it is not asked for anything.
    ///
    /// # Errors
    /// Its secret can't be read, or no HTTP client can be made.
    pub fn new(config: &OidcProvider) -> Result<Self, Error> {
        let failed = |reason: &dyn std::fmt::Display| Error::OidcProvider {
            id: config.id.clone(),
            reason: reason.to_string(),
        };
        let organisation =
            OrganisationId::from_request(&config.organisation).map_err(|error| failed(&error))?;
        let issuer = IssuerUrl::new(config.issuer.clone()).map_err(|error| failed(&error))?;
        let secret = config.read_client_secret().map_err(|error| failed(&error))?;
        let client_secret = secret.map(|secret| ClientSecret::new(secret.expose().to_owned()));
        let http = HttpClient::new(issuer.url()).map_err(|error| failed(&error))?;
        let (config, known) = (config.clone(), Mutex::default());
        Ok(Self { config, organisation, issuer, client_secret, http, known })
    }

    /// The address to send a browser to.
    ///
    /// # Errors
    /// The provider does not answer.
    pub async fn authorization_url(
        &self,
        redirect_uri: &str,
        challenge: Challenge,
    ) -> Result<String, OidcError> {
        let client = self.client(&*self.metadata(FRESH).await?, redirect_uri)?;
        let Challenge { state, nonce, pkce } = challenge;
        let scopes = self.config.scopes.iter().filter(|scope| *scope != "openid");
        let (url, _, _) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                || CsrfToken::new(state),
                || Nonce::new(nonce),
            )
            .add_scopes(scopes.cloned().map(Scope::new))
            .set_pkce_challenge(pkce)
            .url();
        Ok(url.into())
    }

    /// Exchanges the code for who has logged in. `now` is in Unix seconds.
    ///
    /// # Errors
    /// The provider does not answer, or its answer does not prove who it is.
    pub async fn identify(
        &self,
        redirected: Redirected,
        now: u64,
    ) -> Result<(ProviderSubject, Profile), OidcError> {
        let Redirected { redirect_uri, code, issuer, nonce, pkce_verifier } = redirected;
        let metadata = self.metadata(FRESH).await?;
        // Before the code goes anywhere: another provider's code must not get here.
        self.check_sender(&issuer, metadata.additional_metadata())?;
        let client = self.client(&metadata, &redirect_uri)?;
        let tokens = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| unavailable(&error))?
            .set_pkce_verifier(pkce_verifier)
            .request_async(&self.http)
            .await
            .map_err(of_exchange)?;
        let nonce = Nonce::new(nonce);
        let claims = match self.verify(&metadata, &client, &tokens, &nonce, now) {
            // Its keys may have changed since they were fetched.
            Err(VerificationError::UnknownKey) => {
                let metadata = self.metadata(REFETCH_PAUSE).await?;
                let client = self.client(&metadata, &redirect_uri)?;
                self.verify(&metadata, &client, &tokens, &nonce, now)
            }
            verified => verified,
        };
        let claims = claims.map_err(|error| refused(&error))?;
        let subject = claims.subject();
        if subject.is_empty() || subject.len() > SUBJECT_LENGTH_MAX || subject.contains('\0') {
            return Err(refused(&"the subject is empty or too long"));
        }
        let subject = ProviderSubject {
            organisation: self.organisation.clone(),
            issuer: self.issuer.to_string(),
            subject: subject.to_string(),
        };
        let told = profile!(claims);
        let asked = self.user_info(&client, &tokens, &claims).await?;
        Ok((subject, told.or(asked)))
    }

    /// Whether the redirect came from this provider, as far as that can be told (RFC 9207).
    fn check_sender(&self, issuer: &str, announced: &Announced) -> Result<(), OidcError> {
        if issuer.is_empty() {
            let required = self.config.iss_required
                || announced.authorization_response_iss_parameter_supported == Some(true);
            return match required {
                true => Err(refused(&"the redirect does not say which provider it is from")),
                false => Ok(()),
            };
        }
        if issuer != self.config.issuer {
            return Err(refused(&"the redirect is from another provider"));
        }
        Ok(())
    }

    /// What the UserInfo endpoint says, if there is one.
    async fn user_info(
        &self,
        client: &Client,
        tokens: &CoreTokenResponse,
        claims: &CoreIdTokenClaims,
    ) -> Result<Profile, OidcError> {
        let subject = Some(claims.subject().clone());
        let Ok(request) = client.user_info(tokens.access_token().clone(), subject) else {
            return Ok(Profile::default());
        };
        let answer: Result<CoreUserInfoClaims, _> = request.request_async(&self.http).await;
        match answer {
            Ok(claims) => Ok(profile!(claims)),
            Err(UserInfoError::ClaimsVerification(error)) => Err(refused(&error)),
            Err(error) => Err(unavailable(&error)),
        }
    }

    fn verify(
        &self,
        metadata: &Metadata,
        client: &Client,
        tokens: &CoreTokenResponse,
        nonce: &Nonce,
        now: u64,
    ) -> Result<CoreIdTokenClaims, VerificationError> {
        let token = tokens.id_token().ok_or(VerificationError::NoToken)?;
        let verifier = verifier(metadata, client, now);
        let claims = token.claims(&verifier, nonce)?;
        if let Some(expected) = claims.access_token_hash() {
            let algorithm = token.signing_alg().map_err(|_| VerificationError::AccessToken)?;
            let key = token.signing_key(&verifier)?;
            let actual = AccessTokenHash::from_token(tokens.access_token(), algorithm, key);
            if actual.ok().as_ref() != Some(expected) {
                return Err(VerificationError::AccessToken);
            }
        }
        let party = claims.authorized_party();
        if party.is_some_and(|party| party.as_str() != self.config.client_id) {
            return Err(VerificationError::AuthorizedParty);
        }
        Ok(claims.clone())
    }

    fn client(&self, metadata: &Metadata, redirect_uri: &str) -> Result<Client, OidcError> {
        let redirect_uri =
            RedirectUrl::new(redirect_uri.to_owned()).map_err(|_| OidcError::RedirectUri)?;
        let client_id = ClientId::new(self.config.client_id.clone());
        let methods = metadata.token_endpoint_auth_methods_supported();
        let by_body = methods.is_some_and(|methods| {
            !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
                && methods.contains(&CoreClientAuthMethod::ClientSecretPost)
        });
        let auth_type = if by_body { AuthType::RequestBody } else { AuthType::BasicAuth };
        let secret = self.client_secret.clone();
        Ok(CoreClient::from_provider_metadata(metadata.clone(), client_id, secret)
            .set_redirect_uri(redirect_uri)
            .set_auth_type(auth_type))
    }

    /// Metadata and keys that are not older than `fresh`, or not much older while the provider does
    /// not answer. One asks, others wait for the answer.
    async fn metadata(&self, fresh: Duration) -> Result<Arc<Metadata>, OidcError> {
        let mut known = self.known.lock().await;
        let younger = |time: &Instant, limit| time.elapsed() < limit;
        if let Some((at, metadata)) = &known.metadata
            && younger(at, fresh)
        {
            return Ok(Arc::clone(metadata));
        }
        let failure = match &known.failed {
            Some((at, reason)) if younger(at, FAILURE_PAUSE) => reason.clone(),
            _ => match self.discover().await {
                Ok(metadata) => {
                    let metadata = Arc::new(metadata);
                    known.metadata = Some((Instant::now(), Arc::clone(&metadata)));
                    known.failed = None;
                    return Ok(metadata);
                }
                Err(reason) => {
                    known.failed = Some((Instant::now(), reason.clone()));
                    reason
                }
            },
        };
        match &known.metadata {
            Some((at, metadata)) if younger(at, USABLE) => Ok(Arc::clone(metadata)),
            _ => Err(OidcError::Unavailable { reason: failure }),
        }
    }

    /// Fetches metadata and keys. That the issuer is the configured one is looked at.
    async fn discover(&self) -> Result<Metadata, String> {
        let found = Metadata::discover_async(self.issuer.clone(), &self.http).await;
        found.map_err(|error| with_causes(&error))
    }
}

/// Why an identity token was refused.
#[derive(Debug, thiserror::Error)]
enum VerificationError {
    #[error("the provider sent no identity token")]
    NoToken,
    #[error("the identity token is signed by a key that the provider does not publish")]
    UnknownKey,
    #[error("the identity token was issued to somebody else")]
    AuthorizedParty,
    #[error("the access token is not the one that the identity token was issued with")]
    AccessToken,
    #[error("the identity token: {0}")]
    Claims(String),
}

impl From<ClaimsVerificationError> for VerificationError {
    fn from(error: ClaimsVerificationError) -> Self {
        match error {
            ClaimsVerificationError::SignatureVerification(error) => error.into(),
            error => Self::Claims(with_causes(&error)),
        }
    }
}

impl From<SignatureVerificationError> for VerificationError {
    fn from(error: SignatureVerificationError) -> Self {
        match error {
            SignatureVerificationError::NoMatchingKey => Self::UnknownKey,
            error => Self::Claims(with_causes(&error)),
        }
    }
}

fn verifier<'a>(metadata: &Metadata, client: &'a Client, now: u64) -> CoreIdTokenVerifier<'a> {
    let offered = metadata.id_token_signing_alg_values_supported();
    let algorithms = ALGORITHMS.into_iter().filter(|algorithm| offered.contains(algorithm));
    client
        .id_token_verifier()
        .set_allowed_algs(algorithms)
        .set_time_fn(move || (UNIX_EPOCH + Duration::from_secs(now)).into())
        .set_issue_time_verifier_fn(move |issued_at| {
            let issued_at = u64::try_from(issued_at.timestamp()).unwrap_or(0);
            if issued_at.abs_diff(now) > ISSUED_WITHIN_SECONDS {
                return Err("it was not issued just now".to_owned());
            }
            Ok(())
        })
}

fn of_exchange<T: openidconnect::ErrorResponse + 'static>(
    error: RequestTokenError<HttpError, T>,
) -> OidcError {
    match &error {
        RequestTokenError::ServerResponse(_) => refused(&error),
        _ => unavailable(&error),
    }
}

fn refused(error: &dyn std::fmt::Display) -> OidcError {
    OidcError::Refused { reason: error.to_string() }
}

fn unavailable(error: &(dyn StdError + 'static)) -> OidcError {
    OidcError::Unavailable { reason: with_causes(error) }
}

fn with_causes(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
