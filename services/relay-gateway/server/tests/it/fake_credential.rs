//! A credential service that lets everybody in who asks, and revokes what the test says.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use tonic::{Request, Response, Status, async_trait};
use tributary_contracts::credential::v1::{
    BeginOidcLogInRequest, BeginOidcLogInResponse, FindUsersRequest, FindUsersResponse,
    FinishOidcLogInRequest, FinishOidcLogInResponse, GetKeysRequest, GetKeysResponse,
    GetLogInOptionsRequest, GetLogInOptionsResponse, Identity, IssueJoinCredentialRequest,
    IssueJoinCredentialResponse, ListRevocationsRequest, ListRevocationsResponse, LogInRequest,
    LogInResponse, LogOutRequest, LogOutResponse, RefreshIdentityRequest, RefreshIdentityResponse,
    RegisterGuestRequest, RegisterGuestResponse, Revocation,
    credential_service_server::CredentialService,
};
use tributary_join_credential::{
    IdentityClaims, JoinClaims, KeySet, SigningKey, TokenId, Verified, verify_refresh_proof,
};

use crate::{
    fake_access::{Access, Verdict},
    world::now,
};

pub const LIFE_SECONDS: u64 = 3_600;

pub struct Credential {
    pub key: SigningKey,
    /// The keys that are published, if not that one.
    pub published: Mutex<Option<KeySet>>,
    pub access: std::sync::Arc<Access>,
    pub revocations: Mutex<Vec<Revocation>>,
    /// Names of those who came in, and from where.
    pub arrivals: Mutex<Vec<(String, String)>>,
    pub issued: Mutex<Vec<IssueJoinCredentialRequest>>,
    /// What a log-out publishes; the test does it.
    pub logged_out: Mutex<Vec<TokenId>>,
    /// Says neither keys nor revocations.
    pub is_down: AtomicBool,
    /// When somebody asked what is revoked.
    pub asked_at: Mutex<Vec<Instant>>,
}

impl Credential {
    pub fn new(access: std::sync::Arc<Access>) -> Self {
        Self {
            key: SigningKey::generate().unwrap(),
            published: Mutex::default(),
            access,
            revocations: Mutex::default(),
            arrivals: Mutex::default(),
            issued: Mutex::default(),
            logged_out: Mutex::default(),
            is_down: AtomicBool::default(),
            asked_at: Mutex::default(),
        }
    }

    pub fn verify(&self, token: &str) -> Verified<IdentityClaims> {
        KeySet::of([&self.key]).verify_identity(token, now()).unwrap()
    }

    /// A token of this user, issued at this time.
    pub fn identity_at(&self, user: &str, guest: bool, thumbprint: &str, at: u64) -> Identity {
        let claims = IdentityClaims {
            organisation: "default".parse().unwrap(),
            user_id: user.parse().unwrap(),
            display_name: user.to_owned(),
            guest,
            key_thumbprint: thumbprint.parse().unwrap(),
            issued_at: at,
            expires_at: at + LIFE_SECONDS,
        };
        Identity {
            identity_token: self.key.issue_identity(&claims).unwrap(),
            user_id: user.to_owned(),
            display_name: user.to_owned(),
            guest,
            expires_at: Some(seconds(at + LIFE_SECONDS)),
        }
    }

    fn check_up(&self) -> Result<(), Status> {
        match self.is_down.load(Ordering::SeqCst) {
            true => Err(Status::unavailable("down")),
            false => Ok(()),
        }
    }

    fn arrive(&self, user: &str, guest: bool, thumbprint: &str, address: String) -> Identity {
        self.arrivals.lock().unwrap().push((user.to_owned(), address));
        self.identity_at(user, guest, thumbprint, now())
    }
}

pub fn seconds(seconds: u64) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: i64::try_from(seconds).unwrap(), nanos: 0 }
}

type Answer<T> = Result<Response<T>, Status>;

#[async_trait]
impl CredentialService for Credential {
    async fn get_keys(&self, _: Request<GetKeysRequest>) -> Answer<GetKeysResponse> {
        self.check_up()?;
        let published = self.published.lock().unwrap();
        let jwks_json = published.clone().unwrap_or_else(|| KeySet::of([&self.key])).to_jwks();
        Ok(Response::new(GetKeysResponse { jwks_json }))
    }

    async fn list_revocations(
        &self,
        request: Request<ListRevocationsRequest>,
    ) -> Answer<ListRevocationsResponse> {
        self.asked_at.lock().unwrap().push(Instant::now());
        self.check_up()?;
        let after = request.into_inner().after;
        let revocations = self.revocations.lock().unwrap().clone();
        let revocations = revocations.into_iter().filter(|r| r.number > after).collect();
        Ok(Response::new(ListRevocationsResponse { revocations }))
    }

    async fn log_in(&self, request: Request<LogInRequest>) -> Answer<LogInResponse> {
        let LogInRequest { user_name, key_thumbprint, client_address, .. } = request.into_inner();
        let identity = self.arrive(&user_name, false, &key_thumbprint, client_address);
        Ok(Response::new(LogInResponse { identity: Some(identity) }))
    }

    async fn register_guest(
        &self,
        request: Request<RegisterGuestRequest>,
    ) -> Answer<RegisterGuestResponse> {
        let request = request.into_inner();
        let RegisterGuestRequest { display_name, key_thumbprint, client_address, .. } = request;
        let identity = self.arrive(&display_name, true, &key_thumbprint, client_address);
        Ok(Response::new(RegisterGuestResponse { identity: Some(identity) }))
    }

    async fn refresh_identity(
        &self,
        request: Request<RefreshIdentityRequest>,
    ) -> Answer<RefreshIdentityResponse> {
        let RefreshIdentityRequest { identity_token, public_key, signed_at, proof } =
            request.into_inner();
        let proven = verify_refresh_proof(&public_key, signed_at, &identity_token, &proof, now());
        let thumbprint = proven.map_err(|error| Status::unauthenticated(error.to_string()))?;
        let claims = self.verify(&identity_token).claims;
        let identity =
            self.identity_at(claims.user_id.as_str(), claims.guest, thumbprint.as_str(), now());
        Ok(Response::new(RefreshIdentityResponse { identity: Some(identity) }))
    }

    async fn log_out(&self, request: Request<LogOutRequest>) -> Answer<LogOutResponse> {
        let token = self.verify(&request.into_inner().identity_token).token_id;
        self.logged_out.lock().unwrap().push(token);
        Ok(Response::new(LogOutResponse {}))
    }

    async fn issue_join_credential(
        &self,
        request: Request<IssueJoinCredentialRequest>,
    ) -> Answer<IssueJoinCredentialResponse> {
        let request = request.into_inner();
        self.issued.lock().unwrap().push(request.clone());
        if let Verdict::Refused(_, reason) = self.access.verdict(&request.meeting_id) {
            return Err(refused(reason));
        }
        let identity = self.verify(&request.identity_token).claims;
        let claims = JoinClaims {
            organisation: identity.organisation,
            user_id: identity.user_id,
            display_name: identity.display_name,
            guest: identity.guest,
            meeting_id: request.meeting_id.parse().unwrap(),
            key_thumbprint: request.key_thumbprint.parse().unwrap(),
            issued_at: now(),
            expires_at: now() + 300,
        };
        let join_credential = self.key.issue_join(&claims).unwrap();
        let expires_at = Some(seconds(claims.expires_at));
        Ok(Response::new(IssueJoinCredentialResponse { join_credential, expires_at }))
    }

    async fn get_log_in_options(
        &self,
        _: Request<GetLogInOptionsRequest>,
    ) -> Answer<GetLogInOptionsResponse> {
        Ok(Response::new(GetLogInOptionsResponse { guests: true, oidc_providers: Vec::new() }))
    }

    async fn begin_oidc_log_in(
        &self,
        _: Request<BeginOidcLogInRequest>,
    ) -> Answer<BeginOidcLogInResponse> {
        Err(Status::not_found("no such provider"))
    }

    async fn finish_oidc_log_in(
        &self,
        _: Request<FinishOidcLogInRequest>,
    ) -> Answer<FinishOidcLogInResponse> {
        Err(Status::unauthenticated("no such log-in"))
    }

    async fn find_users(&self, _: Request<FindUsersRequest>) -> Answer<FindUsersResponse> {
        Ok(Response::new(FindUsersResponse::default()))
    }
}

/// As the credential service says it; the inner words differ, which nobody outside may see.
fn refused(reason: &str) -> Status {
    use tonic_types::{ErrorDetails, StatusExt as _};
    let details = ErrorDetails::with_error_info(reason, "credential.tributary", []);
    let words = format!("refused: {reason}");
    Status::with_error_details(tonic::Code::PermissionDenied, words, details)
}
