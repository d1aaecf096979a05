//! Credentials that are old or of somewhere else, from a credential service whose key the test has.

use tonic::{Request, Response, Status};
use tributary_contracts::credential::v1::credential_service_server::{
    CredentialService, CredentialServiceServer,
};
use tributary_contracts::credential::v1::{
    BeginOidcLogInRequest, BeginOidcLogInResponse, FindUsersRequest, FindUsersResponse,
    FinishOidcLogInRequest, FinishOidcLogInResponse, GetKeysRequest, GetKeysResponse,
    GetLogInOptionsRequest, GetLogInOptionsResponse, IssueJoinCredentialRequest,
    IssueJoinCredentialResponse, ListRevocationsRequest, ListRevocationsResponse, LogInRequest,
    LogInResponse, LogOutRequest, LogOutResponse, RefreshIdentityRequest, RefreshIdentityResponse,
    RegisterGuestRequest, RegisterGuestResponse,
};
use tributary_contracts::terminal::v1::RefusalCode;
use tributary_contracts::terminal::v1::relay_message::Body as Said;
use tributary_harness::{Options, RelayOptions, World};
use tributary_join_credential::{JoinClaims, KeySet, SigningKey, TerminalKey};
use tributary_terminal::protocol::Connection;

use crate::caller::{check, join, now};

/// A credential service that only publishes a key whose secret half the test has.
struct KnownKeys(String);

/// The calls that it does not answer.
macro_rules! not_answered {
    ($($call:ident($request:ty) -> $response:ty;)*) => {
        #[tonic::async_trait]
        impl CredentialService for KnownKeys {
            async fn get_keys(
                &self,
                _: Request<GetKeysRequest>,
            ) -> Result<Response<GetKeysResponse>, Status> {
                Ok(Response::new(GetKeysResponse { jwks_json: self.0.clone() }))
            }

            async fn list_revocations(
                &self,
                _: Request<ListRevocationsRequest>,
            ) -> Result<Response<ListRevocationsResponse>, Status> {
                Ok(Response::new(ListRevocationsResponse::default()))
            }

            $(async fn $call(&self, _: Request<$request>) -> Result<Response<$response>, Status> {
                Err(Status::unimplemented("only keys"))
            })*
        }
    };
}
not_answered! {
    get_log_in_options(GetLogInOptionsRequest) -> GetLogInOptionsResponse;
    log_in(LogInRequest) -> LogInResponse;
    register_guest(RegisterGuestRequest) -> RegisterGuestResponse;
    begin_oidc_log_in(BeginOidcLogInRequest) -> BeginOidcLogInResponse;
    finish_oidc_log_in(FinishOidcLogInRequest) -> FinishOidcLogInResponse;
    refresh_identity(RefreshIdentityRequest) -> RefreshIdentityResponse;
    log_out(LogOutRequest) -> LogOutResponse;
    issue_join_credential(IssueJoinCredentialRequest) -> IssueJoinCredentialResponse;
    find_users(FindUsersRequest) -> FindUsersResponse;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_credential_is_refused_as_expired_and_one_for_another_organisation_as_bad() {
    let signing_key = SigningKey::generate().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let keys = KnownKeys(KeySet::of([&signing_key]).to_jwks());
    tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(CredentialServiceServer::new(keys))
            .serve_with_incoming(tokio_stream::wrappers::TcpListenerStream::new(listener)),
    );
    let extra = format!("[services]\ncredential = \"http://{address}\"").parse().unwrap();
    let relays = vec![RelayOptions::named("Office A")];
    let world = World::start(Options { extra, relays, ..Options::default() }).await.unwrap();
    let directory = world.directory().unwrap();
    let organiser = directory.user("ada", "Ada", "a password for tests").await.unwrap();
    let meeting_id = directory.meeting(&organiser, "Expiry", true).await.unwrap();

    let key = TerminalKey::generate().unwrap();
    let issue = |organisation: &str, issued_at: u64, expires_at: u64| {
        let claims = JoinClaims {
            organisation: organisation.parse().unwrap(),
            user_id: "grace".parse().unwrap(),
            display_name: "Grace".to_owned(),
            guest: true,
            meeting_id: meeting_id.parse().unwrap(),
            key_thumbprint: key.thumbprint().clone(),
            issued_at,
            expires_at,
        };
        signing_key.issue_join(&claims).unwrap()
    };
    for (credential, expected) in [
        (issue("default", now() - 900, now() - 600), Some(RefusalCode::CredentialExpired)),
        (issue("elsewhere", now(), now() + 300), Some(RefusalCode::BadCredential)),
        (issue("default", now(), now() + 300), None),
    ] {
        let connection = Connection::connect(&world.relay_url(0).unwrap()).await.unwrap();
        let ask = join(&connection, &meeting_id, &credential, &key);
        let answer = connection.request(ask).await;
        match expected {
            Some(code) => check(answer, code),
            None => assert!(matches!(answer, Ok(Said::Joined(_))), "{answer:?}"),
        }
    }
}
