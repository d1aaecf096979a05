//! `tributary.credential.v1.CredentialService`.

use tonic::{Request, Response, Status};
use tributary_contracts::{
    access::v1::access_service_client::AccessServiceClient,
    credential::v1::{
        BeginOidcLogInRequest, BeginOidcLogInResponse, FindUsersRequest, FindUsersResponse,
        FinishOidcLogInRequest, FinishOidcLogInResponse, FoundUser, GetKeysRequest,
        GetKeysResponse, GetLogInOptionsRequest, GetLogInOptionsResponse,
        IssueJoinCredentialRequest, IssueJoinCredentialResponse, ListRevocationsRequest,
        ListRevocationsResponse, LogInRequest, LogInResponse, LogOutRequest, LogOutResponse,
        OidcProvider, RefreshIdentityRequest, RefreshIdentityResponse, RegisterGuestRequest,
        RegisterGuestResponse, credential_service_server::CredentialService,
    },
};
use tributary_credential_core::{NameBeginning, token_end};
use tributary_identifiers::UserId;
use tributary_join_credential::Revoked;
use tributary_service_runtime::ServiceChannel;

use super::{
    Identities, join, log_in, read_organisation, read_prefix, read_thumbprint, revocations, status,
};
use crate::{
    authority::REVOCATIONS_PAGE,
    budgets::{Attempts, Refresh},
    metrics,
    oidc::{OidcLogIn, Sent, Wanted},
    password_checks::PasswordChecks,
};

/// The most users that can be asked for by id at once.
const USER_IDS_MAX: usize = 500;

/// Answers the service. Clones share everything.
#[derive(Clone)]
pub struct CredentialApi {
    parts: Parts,
}

/// What the service is made of.
#[derive(Clone)]
pub struct Parts {
    /// Tokens, accounts, keys.
    pub identities: Identities,
    /// How much may be tried.
    pub attempts: Attempts,
    /// Checks passwords.
    pub passwords: PasswordChecks,
    /// Log-in at providers.
    pub oidc: OidcLogIn,
    /// The way to access-control.
    pub access: AccessServiceClient<ServiceChannel>,
}

impl CredentialApi {
    /// Of these parts.
    pub const fn new(parts: Parts) -> Self {
        Self { parts }
    }
}

#[tonic::async_trait]
impl CredentialService for CredentialApi {
    async fn get_log_in_options(
        &self,
        request: Request<GetLogInOptionsRequest>,
    ) -> Result<Response<GetLogInOptionsResponse>, Status> {
        let organisation = read_organisation(&request.into_inner().organisation)?;
        let oidc_providers = self.parts.oidc.providers(&organisation).map(|provider| {
            let provider = &provider.config;
            OidcProvider {
                provider_id: provider.id.clone(),
                name: provider.shown_name().to_owned(),
            }
        });
        Ok(Response::new(GetLogInOptionsResponse {
            guests: self.parts.identities.guests,
            oidc_providers: oidc_providers.collect(),
        }))
    }

    async fn log_in(
        &self,
        request: Request<LogInRequest>,
    ) -> Result<Response<LogInResponse>, Status> {
        let Parts { identities, attempts, passwords, .. } = &self.parts;
        let identity =
            log_in::with_password(identities, attempts, passwords, request.into_inner()).await?;
        Ok(Response::new(LogInResponse { identity: Some(identity) }))
    }

    async fn register_guest(
        &self,
        request: Request<RegisterGuestRequest>,
    ) -> Result<Response<RegisterGuestResponse>, Status> {
        let Parts { identities, attempts, .. } = &self.parts;
        let identity = log_in::as_guest(identities, attempts, request.into_inner()).await?;
        Ok(Response::new(RegisterGuestResponse { identity: Some(identity) }))
    }

    async fn begin_oidc_log_in(
        &self,
        request: Request<BeginOidcLogInRequest>,
    ) -> Result<Response<BeginOidcLogInResponse>, Status> {
        let request = request.into_inner();
        let organisation = read_organisation(&request.organisation)?;
        let key_thumbprint = read_thumbprint(&request.key_thumbprint)?;
        let prefix = read_prefix(&request.client_address)?;
        self.parts.identities.check_terminal(&key_thumbprint).await?;
        let wanted = Wanted {
            organisation: &organisation,
            provider_id: &request.provider_id,
            redirect_uri: &request.redirect_uri,
        };
        let begun = self.parts.oidc.begin(wanted, key_thumbprint, &prefix).await;
        let begun = begun.map_err(|error| status::of_oidc(&error))?;
        Ok(Response::new(BeginOidcLogInResponse {
            authorization_url: begun.authorization_url,
            state: begun.state,
        }))
    }

    async fn finish_oidc_log_in(
        &self,
        request: Request<FinishOidcLogInRequest>,
    ) -> Result<Response<FinishOidcLogInResponse>, Status> {
        let request = request.into_inner();
        let key_thumbprint = read_thumbprint(&request.key_thumbprint)?;
        self.parts.identities.check_terminal(&key_thumbprint).await?;
        let FinishOidcLogInRequest { state, code, issuer, .. } = &request;
        let sent = Sent { state, code, issuer };
        let finished = self.parts.oidc.finish(sent, key_thumbprint).await;
        let claims = finished.map_err(|error| status::of_oidc(&error))?;
        metrics::oidc_log_in("accepted");
        let identity = self.parts.identities.issue(claims)?;
        Ok(Response::new(FinishOidcLogInResponse { identity: Some(identity) }))
    }

    async fn refresh_identity(
        &self,
        request: Request<RefreshIdentityRequest>,
    ) -> Result<Response<RefreshIdentityResponse>, Status> {
        let Parts { identities, attempts, .. } = &self.parts;
        let request = request.into_inner();
        let RefreshIdentityRequest { identity_token, public_key, signed_at, proof } = &request;
        let asker = identities
            .identify(|verifier, now| {
                verifier.verify_refresh(identity_token, public_key, *signed_at, proof, now)
            })
            .await
            .inspect_err(|_| metrics::refresh("refused"))?;
        let refresh = attempts.refresh(&asker.claims, proof).await;
        let refused = match refresh.map_err(|error| status::of_store(&error))? {
            Refresh::Granted => None,
            Refresh::UsedProof => Some(status::not_logged_in()),
            Refresh::TooMany => Some(status::try_later("too many tokens were asked for")),
        };
        if let Some(refused) = refused {
            metrics::refresh("refused");
            return Err(refused);
        }
        metrics::refresh("accepted");
        let identity = identities.reissue(asker)?;
        Ok(Response::new(RefreshIdentityResponse { identity: Some(identity) }))
    }

    async fn log_out(
        &self,
        request: Request<LogOutRequest>,
    ) -> Result<Response<LogOutResponse>, Status> {
        let Parts { identities, attempts, .. } = &self.parts;
        let token = request.into_inner().identity_token;
        identities.catch_up().await?;
        let now = identities.clock.seconds();
        let trust = identities.authority.trust();
        let Ok(verified) = trust.verify(|verifier| verifier.verify_identity(&token, now)) else {
            return Ok(Response::new(LogOutResponse {}));
        };
        let claims = verified.claims;
        let granted = attempts.log_out(&claims.organisation, &claims.user_id).await;
        if !granted.map_err(|error| status::of_store(&error))? {
            return Err(status::try_later("too many tokens were revoked"));
        }
        let what = Revoked::Token(verified.token_id);
        let revoked = identities.authority.revoke_until(what, token_end(claims.expires_at)).await;
        revoked.map_err(|error| status::of_authority(&error))?;
        Ok(Response::new(LogOutResponse {}))
    }

    async fn issue_join_credential(
        &self,
        request: Request<IssueJoinCredentialRequest>,
    ) -> Result<Response<IssueJoinCredentialResponse>, Status> {
        let Parts { identities, access, .. } = &self.parts;
        join::issue(identities, access, request.into_inner()).await.map(Response::new)
    }

    async fn find_users(
        &self,
        request: Request<FindUsersRequest>,
    ) -> Result<Response<FindUsersResponse>, Status> {
        let Parts { identities, attempts, .. } = &self.parts;
        let request = request.into_inner();
        let sought = Sought::read(&request)?;
        let claims = identities.identify_by(&request.identity_token).await?.claims;
        if claims.guest {
            return Ok(Response::new(FindUsersResponse { users: Vec::new() }));
        }
        let of_store = |error| status::of_store(&error);
        if !attempts.search(&claims.organisation, &claims.user_id).await.map_err(of_store)? {
            return Err(status::try_later("too many searches were made"));
        }
        let found = match &sought {
            Sought::Beginning(beginning) => {
                identities.store.find_accounts(&claims.organisation, beginning).await
            }
            Sought::Ids(ids) => identities.store.accounts_by_id(&claims.organisation, ids).await,
        };
        let users = found.map_err(of_store)?.into_iter().map(|account| FoundUser {
            user_id: account.user_id.to_string(),
            user_name: account.user_name.to_string(),
            display_name: account.display_name.to_string(),
        });
        Ok(Response::new(FindUsersResponse { users: users.collect() }))
    }

    async fn get_keys(
        &self,
        _request: Request<GetKeysRequest>,
    ) -> Result<Response<GetKeysResponse>, Status> {
        let identities = &self.parts.identities;
        // Keys that were good a moment ago are better than none while the database is away.
        if let Err(status) = identities.catch_up().await {
            tracing::warn!(message = status.message(), "the keys may be old");
        }
        Ok(Response::new(GetKeysResponse { jwks_json: identities.authority.trust().jwks() }))
    }

    async fn list_revocations(
        &self,
        request: Request<ListRevocationsRequest>,
    ) -> Result<Response<ListRevocationsResponse>, Status> {
        let after = request.into_inner().after;
        let listed = self.parts.identities.store.revocations(after, REVOCATIONS_PAGE).await;
        let listed = listed.map_err(|error| status::of_store(&error))?;
        let revocations = listed.iter().map(revocations::to_proto).collect();
        Ok(Response::new(ListRevocationsResponse { revocations }))
    }
}

/// Whom somebody looks for.
enum Sought {
    Beginning(NameBeginning),
    Ids(Vec<UserId>),
}

impl Sought {
    fn read(request: &FindUsersRequest) -> Result<Self, Status> {
        if request.user_ids.is_empty() {
            return NameBeginning::read(&request.beginning)
                .map(Self::Beginning)
                .map_err(|error| status::invalid("beginning", &error));
        }
        if !request.beginning.is_empty() {
            return Err(status::invalid("beginning", &"must be empty if user_ids are given"));
        }
        if request.user_ids.len() > USER_IDS_MAX {
            return Err(status::invalid("user_ids", &format!("must be at most {USER_IDS_MAX}")));
        }
        let ids = request.user_ids.iter().map(|id| id.parse()).collect::<Result<_, _>>();
        ids.map(Self::Ids).map_err(|error| status::invalid("user_ids", &error))
    }
}
