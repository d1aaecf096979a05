//! A credential service of a test's own, with an access-control that says what the test wants.

use std::{
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

use tonic::{Request, Response, Status};
use tributary_contracts::{
    access::v1::{
        DecideRequest, DecideResponse, Reason, SetShareMarkRequest, SetShareMarkResponse,
        access_service_server::{AccessService, AccessServiceServer},
    },
    admin::v1::{CreateUserRequest, User, user_service_client::UserServiceClient},
    credential::v1::{
        GetKeysRequest, Identity, LogInRequest, RegisterGuestRequest,
        credential_service_client::CredentialServiceClient,
    },
};
use tributary_credential_server::{Config, Server};
use tributary_database::scratch::ScratchDatabase;
use tributary_join_credential::KeySet;
use tributary_service_runtime::{
    CancellationToken, Platform, PlatformConfig, ServiceChannel,
    grpc::{GrpcServer, Services},
};

pub const PASSWORD: &str = "correct horse battery staple";

/// What access-control is to answer, and what it was asked.
#[derive(Clone)]
pub struct FakeAccess {
    answer: Arc<Mutex<Result<DecideResponse, Status>>>,
    pub asked: Arc<Mutex<Vec<DecideRequest>>>,
}

impl FakeAccess {
    fn new() -> Self {
        let allowed = DecideResponse { allowed: true, reason: Reason::Member.into() };
        Self { answer: Arc::new(Mutex::new(Ok(allowed))), asked: Arc::default() }
    }

    pub fn refuses(&self, reason: Reason) {
        let refused = DecideResponse { allowed: false, reason: reason.into() };
        *self.answer.lock().unwrap() = Ok(refused);
    }

    pub fn fails(&self, status: Status) {
        *self.answer.lock().unwrap() = Err(status);
    }
}

#[tonic::async_trait]
impl AccessService for FakeAccess {
    async fn decide(
        &self,
        request: Request<DecideRequest>,
    ) -> Result<Response<DecideResponse>, Status> {
        self.asked.lock().unwrap().push(request.into_inner());
        self.answer.lock().unwrap().clone().map(Response::new)
    }

    async fn set_share_mark(
        &self,
        _request: Request<SetShareMarkRequest>,
    ) -> Result<Response<SetShareMarkResponse>, Status> {
        Err(Status::unimplemented("not asked for by credential"))
    }
}

pub struct World {
    pub credential: CredentialServiceClient<ServiceChannel>,
    pub users: UserServiceClient<ServiceChannel>,
    pub access: FakeAccess,
    pub address: String,
    stop: CancellationToken,
    stop_access: CancellationToken,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
        self.stop_access.cancel();
    }
}

/// A platform on a database, with access-control at a URL.
pub fn platform(database: &ScratchDatabase, access_control: &str) -> Platform {
    let mut config = PlatformConfig { database: database.config().clone(), ..Default::default() };
    config.services.access_control = access_control.to_owned();
    Platform::new(config)
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
        let (stop, stop_access) = (CancellationToken::new(), CancellationToken::new());
        let access = FakeAccess::new();
        let mut services = Services::default();
        services.add_service(AccessServiceServer::new(access.clone()));
        let fake = Platform::new(PlatformConfig::default());
        let access_url = serve(services, &fake, &stop_access).await;

        let platform = platform(database, &access_url);
        let server = Server::load(config, platform.clone()).await.unwrap();
        let mut services = Services::default();
        server.add_services(&mut services);
        let address = serve(services, &platform, &stop).await;
        let security = &platform.config.security;
        let service = ServiceChannel::lazy("credential", &address, &security.service_token);
        let admin = ServiceChannel::lazy("credential", &address, &security.admin_token);
        Self {
            credential: CredentialServiceClient::new(service.unwrap()),
            users: UserServiceClient::new(admin.unwrap()),
            access,
            address,
            stop,
            stop_access,
        }
    }

    /// From now on nobody answers where access-control was.
    pub async fn stop_access(&self) {
        self.stop_access.cancel();
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
        let mut client = self.credential.clone();
        let identity = self.guest("Probe").await;
        loop {
            let request = super::join_credentials::request(&identity);
            let answer = client.issue_join_credential(request).await;
            if answer.is_err_and(|status| status.code() == tonic::Code::Unavailable) {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "access-control does not go away");
        }
    }

    pub async fn create_user(&self, user_name: &str) -> User {
        let request = CreateUserRequest {
            organisation: String::new(),
            user_name: user_name.to_owned(),
            display_name: format!("The {user_name}"),
            password: PASSWORD.to_owned(),
        };
        self.users.clone().create_user(request).await.unwrap().into_inner().user.unwrap()
    }

    pub async fn log_in(&self, user_name: &str, password: &str) -> Result<Identity, Status> {
        let request = LogInRequest {
            organisation: String::new(),
            user_name: user_name.to_owned(),
            password: password.to_owned(),
        };
        let answer = self.credential.clone().log_in(request).await?;
        Ok(answer.into_inner().identity.unwrap())
    }

    pub async fn guest(&self, display_name: &str) -> Identity {
        let request = RegisterGuestRequest {
            organisation: String::new(),
            display_name: display_name.to_owned(),
        };
        let answer = self.credential.clone().register_guest(request).await.unwrap();
        answer.into_inner().identity.unwrap()
    }

    pub async fn keys(&self) -> KeySet {
        let answer = self.credential.clone().get_keys(GetKeysRequest {}).await.unwrap();
        KeySet::from_jwks(&answer.into_inner().jwks_json).unwrap()
    }
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
