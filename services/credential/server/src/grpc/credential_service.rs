//! `tributary.credential.v1.CredentialService`.

use std::sync::Arc;

use prost_types::Timestamp;
use tonic::{Code, Request, Response, Status};
use tributary_contracts::{
    access::v1::{Action, DecideRequest, access_service_client::AccessServiceClient},
    credential::v1::{
        GetKeysRequest, GetKeysResponse, Identity, IssueJoinCredentialRequest,
        IssueJoinCredentialResponse, LogInRequest, LogInResponse, RegisterGuestRequest,
        RegisterGuestResponse, credential_service_server::CredentialService,
    },
};
use tributary_credential_core::{
    DisplayName, UserName, guest_id, identity_of_account, identity_of_guest, join_claims,
};
use tributary_identifiers::{KeyThumbprint, MeetingId, OrganisationId};
use tributary_join_credential::IdentityClaims;
use tributary_password_hash::Hasher;
use tributary_service_runtime::ServiceChannel;

use super::{keys::Keys, status};
use crate::{
    accounts,
    clock::unix_now,
    metrics,
    store::{Store, StoredAccount},
};

/// Length of a SHA-256 thumbprint in base64url without padding.
const THUMBPRINT_LENGTH: usize = 43;

/// Answers the service. Clones share everything.
#[derive(Clone)]
pub struct CredentialApi {
    store: Store,
    hasher: Hasher,
    keys: Arc<Keys>,
    access: AccessServiceClient<ServiceChannel>,
}

impl CredentialApi {
    /// Over a database, a hasher, the keys and the way to access-control.
    pub const fn new(
        store: Store,
        hasher: Hasher,
        keys: Arc<Keys>,
        access: AccessServiceClient<ServiceChannel>,
    ) -> Self {
        Self { store, hasher, keys, access }
    }

    /// The account that the request names. A name that no account can have is one that no account
    /// has, so that the answer is the same.
    async fn find_account(&self, request: &LogInRequest) -> Result<Option<StoredAccount>, Status> {
        let organisation = OrganisationId::from_request(&request.organisation);
        let user_name = request.user_name.trim().to_ascii_lowercase().parse::<UserName>();
        let (Ok(organisation), Ok(user_name)) = (organisation, user_name) else {
            return Ok(None);
        };
        let found = self.store.account_by_name(&organisation, &user_name).await;
        found.map_err(|error| status::of_store(&error))
    }

    fn identity(&self, claims: IdentityClaims) -> Result<Identity, Status> {
        let identity_token =
            self.keys.signing().issue_identity(&claims).map_err(status::of_signing)?;
        Ok(Identity {
            identity_token,
            user_id: claims.user_id.to_string(),
            display_name: claims.display_name,
            guest: claims.guest,
            expires_at: Some(timestamp(claims.expires_at)),
        })
    }

    /// Who asks: the token's claims, with the account as it is now.
    async fn identify(&self, token: &str, now: u64) -> Result<IdentityClaims, Status> {
        let claims = self.keys.verifying().verify_identity(token, now).map_err(|reason| {
            tracing::debug!(%reason, "refused an identity token");
            status::not_logged_in()
        })?;
        if claims.guest {
            return Ok(claims);
        }
        let account = self
            .store
            .account(&claims.organisation, &claims.user_id)
            .await
            .map_err(|error| status::of_store(&error))?
            .ok_or_else(status::not_logged_in)?;
        Ok(IdentityClaims { display_name: account.display_name.as_str().to_owned(), ..claims })
    }

    /// Asks access-control. An answer that is no answer counts as none: nobody gets in by a fault.
    async fn ask(
        &self,
        identity: &IdentityClaims,
        meeting_id: MeetingId,
        password: String,
    ) -> Result<(), Status> {
        let question = DecideRequest {
            organisation: identity.organisation.to_string(),
            meeting_id: meeting_id.to_string(),
            user_id: identity.user_id.to_string(),
            action: Action::Join.into(),
            password,
        };
        match self.access.clone().decide(question).await {
            Ok(answer) if answer.get_ref().allowed => Ok(()),
            Ok(answer) => {
                let reason = answer.get_ref().reason().as_str_name();
                let user_id = &identity.user_id;
                tracing::debug!(%meeting_id, %user_id, reason, "access-control refused");
                metrics::join_credential("refused");
                Err(status::may_not_join())
            }
            Err(error) => {
                metrics::join_credential("unavailable");
                if error.code() == Code::ResourceExhausted {
                    return Err(status::busy());
                }
                tracing::warn!(code = ?error.code(), message = error.message(),
                    "access-control did not decide");
                Err(status::access_control_unavailable())
            }
        }
    }
}

#[tonic::async_trait]
impl CredentialService for CredentialApi {
    async fn log_in(
        &self,
        request: Request<LogInRequest>,
    ) -> Result<Response<LogInResponse>, Status> {
        let request = request.into_inner();
        let found = self.find_account(&request).await?;
        let hash = found.as_ref().map(|stored| stored.password_hash.as_str());
        let right = self.hasher.verify(&request.password, hash).await.map_err(status::of_hash)?;
        let Some(stored) = found.filter(|_| right) else {
            metrics::log_in("refused");
            return Err(status::wrong_user_or_password());
        };
        metrics::log_in("accepted");
        let identity = self.identity(identity_of_account(&stored.account, unix_now()))?;
        Ok(Response::new(LogInResponse { identity: Some(identity) }))
    }

    async fn register_guest(
        &self,
        request: Request<RegisterGuestRequest>,
    ) -> Result<Response<RegisterGuestResponse>, Status> {
        let request = request.into_inner();
        let organisation = OrganisationId::from_request(&request.organisation)
            .map_err(|error| status::invalid("organisation", &error))?;
        let display_name: DisplayName = request
            .display_name
            .parse()
            .map_err(|error| status::invalid("display_name", &error))?;
        let user_id = accounts::new_id(guest_id).map_err(|error| status::of_create(&error))?;
        let claims = identity_of_guest(organisation, user_id, &display_name, unix_now());
        let identity = self.identity(claims)?;
        Ok(Response::new(RegisterGuestResponse { identity: Some(identity) }))
    }

    async fn issue_join_credential(
        &self,
        request: Request<IssueJoinCredentialRequest>,
    ) -> Result<Response<IssueJoinCredentialResponse>, Status> {
        let request = request.into_inner();
        let meeting_id: MeetingId =
            request.meeting_id.parse().map_err(|error| status::invalid("meeting_id", &error))?;
        let key_thumbprint = read_thumbprint(&request.key_thumbprint)?;
        let now = unix_now();
        let identity = self.identify(&request.identity_token, now).await?;
        self.ask(&identity, meeting_id, request.password).await?;
        let claims = join_claims(identity, meeting_id, key_thumbprint, now);
        let join_credential =
            self.keys.signing().issue_join(&claims).map_err(status::of_signing)?;
        metrics::join_credential("issued");
        let expires_at = Some(timestamp(claims.expires_at));
        Ok(Response::new(IssueJoinCredentialResponse { join_credential, expires_at }))
    }

    async fn get_keys(
        &self,
        _request: Request<GetKeysRequest>,
    ) -> Result<Response<GetKeysResponse>, Status> {
        Ok(Response::new(GetKeysResponse { jwks_json: self.keys.jwks().to_owned() }))
    }
}

fn read_thumbprint(text: &str) -> Result<KeyThumbprint, Status> {
    let why = "must be a SHA-256 JWK thumbprint: 43 characters of base64url";
    match text.parse() {
        Ok(thumbprint) if text.len() == THUMBPRINT_LENGTH => Ok(thumbprint),
        _ => Err(status::invalid("key_thumbprint", &why)),
    }
}

fn timestamp(seconds: u64) -> Timestamp {
    Timestamp { seconds: i64::try_from(seconds).unwrap_or(i64::MAX), nanos: 0 }
}
