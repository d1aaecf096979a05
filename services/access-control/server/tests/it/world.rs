//! An access-control service of a test's own, beside a meeting registry that does as told.

use std::time::Duration;

use tonic::Status;
use tributary_access_control_server::{Config, Server};
use tributary_contracts::{
    access::v1::{
        Action, DecideRequest, DecideResponse, Reason, SetShareMarkRequest,
        access_service_client::AccessServiceClient,
    },
    registry::v1::registry_service_server::RegistryServiceServer,
};
use tributary_database::scratch::ScratchDatabase;
use tributary_password_hash::Hasher;
use tributary_service_runtime::{
    CancellationToken, Platform, PlatformConfig, ServiceChannel,
    grpc::{GrpcServer, Services},
};

use crate::registry::{FakeMeeting, FakeRegistry};

pub const MEETING: &str = "1152921504606846977";
pub const OTHER_MEETING: &str = "1152921504606846978";
pub const ORGANISER: &str = "user-organiser";
pub const MEMBER: &str = "user-member";
pub const OUTSIDER: &str = "guest-outsider";
pub const PASSWORD: &str = "sesame";

/// Facts that stay good for the length of a test.
pub const LASTING: Config = Config { facts_life_ms: 600_000, facts_max: 1000 };

pub struct World {
    pub registry: FakeRegistry,
    pub registry_url: String,
    pub access: AccessServiceClient<ServiceChannel>,
    stop: CancellationToken,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn serve(services: Services, platform: &Platform, stop: &CancellationToken) -> String {
    let server = GrpcServer::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let url = format!("http://{}", server.address());
    let (platform, stop) = (platform.clone(), stop.clone());
    tokio::spawn(async move { server.serve(services, &platform, stop).await });
    url
}

/// A replica of the service on a database, beside the registry at a URL.
async fn start_replica(
    database: &ScratchDatabase,
    registry_url: &str,
    config: Config,
    stop: &CancellationToken,
) -> AccessServiceClient<ServiceChannel> {
    let mut platform = PlatformConfig { database: database.config().clone(), ..Default::default() };
    platform.services.meeting_registry = registry_url.to_owned();
    let platform = Platform::new(platform);
    let server = Server::load(config, platform.clone()).await.unwrap();
    let mut services = Services::default();
    server.add_services(&mut services);
    let url = serve(services, &platform, stop).await;
    let token = &platform.config.security.service_token;
    AccessServiceClient::new(ServiceChannel::lazy("access-control", &url, token).unwrap())
}

impl World {
    /// With a meeting that has an organiser and a member, and no password.
    pub async fn start(database: &ScratchDatabase, config: Config) -> Self {
        let stop = CancellationToken::new();
        let registry = FakeRegistry::default();
        registry.put(MEETING, meeting());
        let mut services = Services::default();
        services.add_service(RegistryServiceServer::new(registry.clone()));
        let registry_url = serve(services, &Platform::new(PlatformConfig::default()), &stop).await;
        let access = start_replica(database, &registry_url, config, &stop).await;
        Self { registry, registry_url, access, stop }
    }

    /// A second replica on the same database.
    pub async fn replica(
        &self,
        database: &ScratchDatabase,
        config: Config,
    ) -> AccessServiceClient<ServiceChannel> {
        start_replica(database, &self.registry_url, config, &self.stop).await
    }

    pub async fn ask(&self, request: DecideRequest) -> Result<DecideResponse, Status> {
        Ok(self.access.clone().decide(request).await?.into_inner())
    }

    /// The reason for which a user may, or may not, join.
    pub async fn join(&self, user_id: &str, password: &str) -> Reason {
        self.ask(join(user_id, password)).await.unwrap().reason()
    }

    pub async fn share(&self, user_id: &str, shared: bool) -> Result<(), Status> {
        share(&self.access, MEETING, user_id, shared).await
    }
}

pub async fn share(
    access: &AccessServiceClient<ServiceChannel>,
    meeting_id: &str,
    user_id: &str,
    shared: bool,
) -> Result<(), Status> {
    let request = SetShareMarkRequest {
        organisation: String::new(),
        meeting_id: meeting_id.to_owned(),
        user_id: user_id.to_owned(),
        shared,
    };
    access.clone().set_share_mark(request).await.map(|_| ())
}

pub fn join(user_id: &str, password: &str) -> DecideRequest {
    DecideRequest {
        organisation: String::new(),
        meeting_id: MEETING.to_owned(),
        user_id: user_id.to_owned(),
        action: Action::Join.into(),
        password: password.to_owned(),
    }
}

pub fn meeting() -> FakeMeeting {
    FakeMeeting {
        organiser: ORGANISER.to_owned(),
        members: vec![ORGANISER.to_owned(), MEMBER.to_owned()],
        ..FakeMeeting::default()
    }
}

pub async fn password_hash() -> String {
    Hasher::default().hash(PASSWORD).await.unwrap()
}

/// Asks again and again until it is so.
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let so = async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), so).await;
    assert!(waited.is_ok(), "never happened: {what}");
}
