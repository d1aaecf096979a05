//! A credential service of a test's own, with an access-control that says what the test wants.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};
use tributary_contracts::{
    access::v1::{
        CreateShareRequest, CreateShareResponse, DecideRequest, DecideResponse, ListSharesRequest,
        ListSharesResponse, Reason, RevokeShareRequest, RevokeShareResponse, Role, Told,
        access_service_server::{AccessService, AccessServiceServer},
    },
    admin::v1::{
        CreateUserRequest, DeleteUserRequest, ListSigningKeysRequest, RevokeSigningKeyRequest,
        RevokeTerminalRequest, RevokeUserRequest, RotateSigningKeyRequest, SigningKey, User,
        credential_admin_service_client::CredentialAdminServiceClient,
        relay_admin_service_client::RelayAdminServiceClient,
        user_service_client::UserServiceClient,
    },
    credential::v1::{
        GetKeysRequest, Identity, IssueJoinCredentialRequest, ListRevocationsRequest, LogInRequest,
        LogOutRequest, RefreshIdentityRequest, RegisterGuestRequest, Revocation,
        credential_service_client::CredentialServiceClient,
        relay_identity_service_client::RelayIdentityServiceClient,
    },
};
use tributary_credential_server::{Clock, Config, Server};
use tributary_database::scratch::ScratchDatabase;
use tributary_join_credential::{IdentityClaims, KeySet, TerminalKey};
use tributary_service_runtime::{
    CancellationToken, Platform, PlatformConfig, ServiceChannel,
    grpc::{GrpcServer, Services},
};

pub const PASSWORD: &str = "correct horse battery staple";
pub const MEETING: &str = "1152921504606846977";
/// Nobody listens there.
pub const NOWHERE: &str = "http://127.0.0.1:9";
const NO_NATS: &str = "nats://127.0.0.1:9";

const DEADLINE: Duration = Duration::from_secs(20);

/// What access-control is to answer, and what it was asked.
#[derive(Clone)]
pub struct FakeAccess {
    answer: Arc<Mutex<Result<DecideResponse, Status>>>,
    pub asked: Arc<Mutex<Vec<DecideRequest>>>,
    /// Answers wait for a permit of it.
    pub gate: Arc<Semaphore>,
}

impl FakeAccess {
    fn new() -> Self {
        let allowed = DecideResponse {
            allowed: true,
            reason: Reason::Member.into(),
            told: Told::Unspecified.into(),
            role: Role::Member.into(),
        };
        Self {
            answer: Arc::new(Mutex::new(Ok(allowed))),
            asked: Arc::default(),
            gate: Arc::new(Semaphore::new(1)),
        }
    }

    pub fn refuses(&self, reason: Reason, told: Told) {
        let refused = DecideResponse {
            allowed: false,
            reason: reason.into(),
            told: told.into(),
            role: Role::Outsider.into(),
        };
        *self.answer.lock().unwrap() = Ok(refused);
    }

    pub fn fails(&self, status: Status) {
        *self.answer.lock().unwrap() = Err(status);
    }

    pub fn last(&self) -> DecideRequest {
        self.asked.lock().unwrap().last().unwrap().clone()
    }
}

#[tonic::async_trait]
impl AccessService for FakeAccess {
    async fn decide(
        &self,
        request: Request<DecideRequest>,
    ) -> Result<Response<DecideResponse>, Status> {
        self.asked.lock().unwrap().push(request.into_inner());
        drop(self.gate.acquire().await.unwrap());
        self.answer.lock().unwrap().clone().map(Response::new)
    }

    async fn create_share(
        &self,
        _request: Request<CreateShareRequest>,
    ) -> Result<Response<CreateShareResponse>, Status> {
        Err(Status::unimplemented("not asked for by credential"))
    }

    async fn list_shares(
        &self,
        _request: Request<ListSharesRequest>,
    ) -> Result<Response<ListSharesResponse>, Status> {
        Err(Status::unimplemented("not asked for by credential"))
    }

    async fn revoke_share(
        &self,
        _request: Request<RevokeShareRequest>,
    ) -> Result<Response<RevokeShareResponse>, Status> {
        Err(Status::unimplemented("not asked for by credential"))
    }
}

pub struct World {
    pub credential: CredentialServiceClient<ServiceChannel>,
    pub users: UserServiceClient<ServiceChannel>,
    pub admin: CredentialAdminServiceClient<ServiceChannel>,
    pub relays: RelayIdentityServiceClient<ServiceChannel>,
    pub relays_admin: RelayAdminServiceClient<ServiceChannel>,
    pub access: FakeAccess,
    pub address: String,
    /// The key of the terminal that everything is done on unless a test says otherwise.
    pub terminal: TerminalKey,
    stop: CancellationToken,
    stop_access: CancellationToken,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
        self.stop_access.cancel();
    }
}

/// A clock that stands until it is set.
pub struct Hands(Arc<AtomicU64>);

impl Hands {
    pub fn seconds(&self) -> u64 {
        self.0.load(Ordering::SeqCst) / 1000
    }

    pub fn forward(&self, seconds: u64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

/// A clock of a test's own that stands at the present.
pub fn manual_clock() -> (Clock, Hands) {
    let hands = Arc::new(AtomicU64::new(now() * 1000));
    (Clock::Manual(Arc::clone(&hands)), Hands(hands))
}

/// What is not as usual.
pub struct Setting {
    pub config: Config,
    pub clock: Clock,
    pub nats: String,
}

impl Default for Setting {
    fn default() -> Self {
        Self { config: Config::default(), clock: Clock::System, nats: NO_NATS.to_owned() }
    }
}

/// A platform on a database, with access-control at a URL.
pub fn platform(database: &ScratchDatabase, access_control: &str, nats: &str) -> Platform {
    let mut config = PlatformConfig { database: database.config().clone(), ..Default::default() };
    config.services.access_control = access_control.to_owned();
    config.nats.url = nats.to_owned();
    Platform::new(config)
}

/// A platform without access-control and NATS.
pub fn lone_platform(database: &ScratchDatabase) -> Platform {
    platform(database, NOWHERE, NO_NATS)
}

/// Serves on a free port until `stop`; returns the URL.
async fn serve(services: Services, platform: &Platform, stop: &CancellationToken) -> String {
    let server = GrpcServer::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let url = format!("http://{}", server.address());
    let (platform, stop) = (platform.clone(), stop.clone());
    tokio::spawn(async move { server.serve(services, &platform, stop).await });
    url
}

impl World {
    pub async fn start(database: &ScratchDatabase) -> Self {
        Self::start_with(database, Config::default()).await
    }

    pub async fn start_with(database: &ScratchDatabase, config: Config) -> Self {
        Self::start_as(database, Setting { config, ..Setting::default() }).await
    }

    pub async fn start_as(database: &ScratchDatabase, setting: Setting) -> Self {
        let stop_access = CancellationToken::new();
        let access = FakeAccess::new();
        let mut services = Services::default();
        services.add_service(AccessServiceServer::new(access.clone()));
        let fake = Platform::new(PlatformConfig::default());
        let access_url = serve(services, &fake, &stop_access).await;

        let Setting { config, clock, nats } = setting;
        let platform = platform(database, &access_url, &nats);
        let server = Server::load_with_clock(config, platform.clone(), clock).await.unwrap();
        let mut services = Services::default();
        server.add_services(&mut services);
        let stop = platform.shutdown.clone();
        let address = serve(services, &platform, &stop).await;
        tokio::spawn(server.run());
        let security = &platform.config.security;
        let service = ServiceChannel::lazy("credential", &address, &security.service_token);
        let service = service.unwrap();
        let admin = ServiceChannel::lazy("credential", &address, &security.admin_token).unwrap();
        Self {
            credential: CredentialServiceClient::new(service.clone()),
            users: UserServiceClient::new(admin.clone()),
            admin: CredentialAdminServiceClient::new(admin.clone()),
            relays: RelayIdentityServiceClient::new(service),
            relays_admin: RelayAdminServiceClient::new(admin),
            access,
            address,
            terminal: TerminalKey::generate().unwrap(),
            stop,
            stop_access,
        }
    }

    /// From now on nobody answers where access-control was.
    pub async fn stop_access(&self) {
        self.stop_access.cancel();
        let identity = self.guest("Probe").await;
        until("access-control is away", || async {
            let answer = self.join(&identity).await;
            answer.is_err_and(|status| status.code() == tonic::Code::Unavailable)
        })
        .await;
    }

    pub fn thumbprint(&self) -> String {
        self.terminal.thumbprint().to_string()
    }

    pub async fn create_user(&self, user_name: &str) -> User {
        self.create_named(user_name, &format!("The {user_name}")).await
    }

    pub async fn create_named(&self, user_name: &str, display_name: &str) -> User {
        let request = CreateUserRequest {
            organisation: String::new(),
            user_name: user_name.to_owned(),
            display_name: display_name.to_owned(),
            password: PASSWORD.to_owned(),
        };
        self.users.clone().create_user(request).await.unwrap().into_inner().user.unwrap()
    }

    pub async fn delete_user(&self, user_id: &str) {
        let request =
            DeleteUserRequest { organisation: String::new(), user_id: user_id.to_owned() };
        self.users.clone().delete_user(request).await.unwrap();
    }

    pub fn log_in_request(&self, user_name: &str, password: &str) -> LogInRequest {
        LogInRequest {
            organisation: String::new(),
            user_name: user_name.to_owned(),
            password: password.to_owned(),
            key_thumbprint: self.thumbprint(),
            client_address: "192.0.2.1".to_owned(),
        }
    }

    pub async fn log_in(&self, user_name: &str, password: &str) -> Result<Identity, Status> {
        let request = self.log_in_request(user_name, password);
        let answer = self.credential.clone().log_in(request).await?;
        Ok(answer.into_inner().identity.unwrap())
    }

    pub fn guest_request(&self, display_name: &str) -> RegisterGuestRequest {
        RegisterGuestRequest {
            organisation: String::new(),
            display_name: display_name.to_owned(),
            key_thumbprint: self.thumbprint(),
            client_address: "192.0.2.1".to_owned(),
        }
    }

    pub async fn guest(&self, display_name: &str) -> Identity {
        let request = self.guest_request(display_name);
        let answer = self.credential.clone().register_guest(request).await.unwrap();
        answer.into_inner().identity.unwrap()
    }

    pub fn join_request(&self, identity: &Identity) -> IssueJoinCredentialRequest {
        IssueJoinCredentialRequest {
            identity_token: identity.identity_token.clone(),
            meeting_id: MEETING.to_owned(),
            password: "sesame".to_owned(),
            key_thumbprint: self.thumbprint(),
            share_secret: String::new(),
            client_address: "192.0.2.1".to_owned(),
            previous_join_credential: String::new(),
        }
    }

    /// A join credential for the meeting.
    pub async fn join(&self, identity: &Identity) -> Result<String, Status> {
        let request = self.join_request(identity);
        let answer = self.credential.clone().issue_join_credential(request).await?;
        Ok(answer.into_inner().join_credential)
    }

    /// A request to refresh, with a proof by a key.
    pub fn refresh_request(
        identity: &Identity,
        terminal: &TerminalKey,
        signed_at: u64,
    ) -> RefreshIdentityRequest {
        let token = &identity.identity_token;
        RefreshIdentityRequest {
            identity_token: token.clone(),
            public_key: terminal.public_key().to_vec(),
            signed_at,
            proof: terminal.sign_refresh_proof(signed_at, token).unwrap(),
        }
    }

    pub async fn refresh(&self, identity: &Identity, now: u64) -> Result<Identity, Status> {
        let request = Self::refresh_request(identity, &self.terminal, now);
        let answer = self.credential.clone().refresh_identity(request).await?;
        Ok(answer.into_inner().identity.unwrap())
    }

    pub async fn log_out(&self, identity: &Identity) -> Result<(), Status> {
        let identity_token = identity.identity_token.clone();
        self.credential.clone().log_out(LogOutRequest { identity_token }).await.map(drop)
    }

    pub async fn keys(&self) -> KeySet {
        let answer = self.credential.clone().get_keys(GetKeysRequest {}).await.unwrap();
        KeySet::from_jwks(&answer.into_inner().jwks_json).unwrap()
    }

    pub async fn claims(&self, identity: &Identity, now: u64) -> IdentityClaims {
        self.keys().await.verify_identity(&identity.identity_token, now).unwrap().claims
    }

    pub async fn revocations(&self, after: u64) -> Vec<Revocation> {
        let request = ListRevocationsRequest { after };
        self.credential.clone().list_revocations(request).await.unwrap().into_inner().revocations
    }

    pub async fn signing_keys(&self) -> Vec<SigningKey> {
        let request = ListSigningKeysRequest {};
        self.admin.clone().list_signing_keys(request).await.unwrap().into_inner().keys
    }

    pub async fn rotate(&self) -> SigningKey {
        let request = RotateSigningKeyRequest {};
        self.admin.clone().rotate_signing_key(request).await.unwrap().into_inner().key.unwrap()
    }

    pub async fn revoke_key(&self, key_id: &str) -> Result<(), Status> {
        let request = RevokeSigningKeyRequest { key_id: key_id.to_owned() };
        self.admin.clone().revoke_signing_key(request).await.map(drop)
    }

    pub async fn revoke_user(&self, user_id: &str) {
        let request =
            RevokeUserRequest { organisation: String::new(), user_id: user_id.to_owned() };
        self.admin.clone().revoke_user(request).await.unwrap();
    }

    pub async fn revoke_terminal(&self, key_thumbprint: &str) {
        let request = RevokeTerminalRequest { key_thumbprint: key_thumbprint.to_owned() };
        self.admin.clone().revoke_terminal(request).await.unwrap();
    }
}

/// Waits until something has become true.
pub async fn until<F: Future<Output = bool>>(what: &str, mut check: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while !check().await {
        assert!(tokio::time::Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What tells refusals apart.
pub fn shape(status: &Status) -> (tonic::Code, String, Vec<u8>) {
    (status.code(), status.message().to_owned(), status.details().to_vec())
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
