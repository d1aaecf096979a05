//! An access-control service of a test's own, beside a meeting registry that does as told.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tonic::Status;
use tributary_access_control_server::{Clock, Config, Server};
use tributary_contracts::{
    access::v1::{
        Action, CreateShareRequest, CreateShareResponse, DecideRequest, DecideResponse, LinkForm,
        Reason, RevokeShareRequest, ShareForm, access_service_client::AccessServiceClient,
        share_form::Form,
    },
    admin::v1::{AuditedDecision, ListDecisionsRequest, audit_service_client::AuditServiceClient},
    registry::v1::registry_service_server::RegistryServiceServer,
};
use tributary_database::scratch::ScratchDatabase;
use tributary_password_hash::Hasher;
use tributary_service_runtime::{
    CancellationToken, NatsConfig, Platform, PlatformConfig, ServiceChannel,
    grpc::{GrpcServer, Services},
};

use crate::registry::{FakeMeeting, FakeRegistry};

pub const MEETING: &str = "1152921504606846977";
pub const OTHER_MEETING: &str = "1152921504606846978";
pub const ORGANISER: &str = "user-organiser";
pub const HOST: &str = "user-host";
pub const MEMBER: &str = "user-member";
pub const OUTSIDER: &str = "user-outsider";
pub const PASSWORD: &str = "sesame";
/// When tests begin, in milliseconds since 1970.
pub const BEGIN: u64 = 1_800_000_000_000;
pub const DAY: Duration = Duration::from_secs(24 * 3600);
/// Where nobody answers.
const NOWHERE: &str = "nats://127.0.0.1:1";

/// A registry, a database's worth of replicas, and a clock that stands still.
pub struct World {
    pub registry: FakeRegistry,
    pub access: AccessServiceClient<ServiceChannel>,
    pub audit: AuditServiceClient<ServiceChannel>,
    clock: Arc<AtomicU64>,
    registry_url: String,
    nats: NatsConfig,
    stop: CancellationToken,
    working: Vec<tokio::task::JoinHandle<()>>,
}

/// One run of the service.
pub struct Replica {
    pub access: AccessServiceClient<ServiceChannel>,
    pub audit: AuditServiceClient<ServiceChannel>,
    working: tokio::task::JoinHandle<()>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Facts that stay good for the length of a test, and refusals that come soon.
pub fn lasting() -> Config {
    Config { facts_life_ms: 60_000, refusal_grid_ms: 5, ..Config::default() }
}

/// Budgets that no test uses up by the way.
pub fn generous() -> Config {
    Config { access_limit: 10_000, miss_limit: 10_000, prefix_miss_limit: 10_000, ..lasting() }
}

async fn serve(services: Services, platform: &Platform, stop: &CancellationToken) -> String {
    let server = GrpcServer::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let url = format!("http://{}", server.address());
    let (platform, stop) = (platform.clone(), stop.clone());
    tokio::spawn(async move { server.serve(services, &platform, stop).await });
    url
}

impl World {
    /// With a meeting that has an organiser, a host and a member, and no password.
    pub async fn start(database: &ScratchDatabase, config: Config) -> Self {
        let nats = NatsConfig { url: NOWHERE.to_owned(), ..NatsConfig::default() };
        Self::start_with_nats(database, config, nats).await
    }

    pub async fn start_with_nats(
        database: &ScratchDatabase,
        config: Config,
        nats: NatsConfig,
    ) -> Self {
        let stop = CancellationToken::new();
        let registry = FakeRegistry::default();
        registry.put(MEETING, meeting());
        let mut services = Services::default();
        services.add_service(RegistryServiceServer::new(registry.clone()));
        let registry_url = serve(services, &Platform::new(PlatformConfig::default()), &stop).await;
        let clock = Arc::new(AtomicU64::new(BEGIN));
        let mut world = Self {
            registry,
            access: client("http://127.0.0.1:1"),
            audit: admin_client("http://127.0.0.1:1"),
            clock,
            registry_url,
            nats,
            stop,
            working: Vec::new(),
        };
        let replica = world.replica(database, config).await;
        world.access = replica.access;
        world.audit = replica.audit;
        world.working.push(replica.working);
        world
    }

    /// Another run of the service on a database, beside the same registry.
    pub async fn replica(&self, database: &ScratchDatabase, config: Config) -> Replica {
        let mut platform =
            PlatformConfig { database: database.config().clone(), ..PlatformConfig::default() };
        platform.services.meeting_registry = self.registry_url.clone();
        platform.nats = self.nats.clone();
        let mut platform = Platform::new(platform);
        platform.shutdown = self.stop.child_token();
        let clock = Clock::Manual(Arc::clone(&self.clock));
        let server = Server::load_with_clock(config, platform.clone(), clock).await.unwrap();
        let mut services = Services::default();
        server.add_services(&mut services);
        let url = serve(services, &platform, &platform.shutdown.clone()).await;
        let working = tokio::spawn(async move { server.run().await.unwrap() });
        Replica { access: client(&url), audit: admin_client(&url), working }
    }

    /// Ends the service, and starts it again on the same database.
    pub async fn restart(&mut self, database: &ScratchDatabase, config: Config) {
        self.stop.cancel();
        for working in self.working.drain(..) {
            working.await.unwrap();
        }
        let registry = self.registry.clone();
        let (now, nats) = (self.now(), self.nats.clone());
        *self = Self::start_with_nats(database, config, nats).await;
        self.clock.store(now, Ordering::SeqCst);
        // The new registry knows what the old one knew.
        for (id, meeting) in registry.all() {
            self.registry.put(&id, meeting);
        }
    }

    pub fn now(&self) -> u64 {
        self.clock.load(Ordering::SeqCst)
    }

    pub fn pass(&self, time: Duration) {
        self.clock.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub async fn ask(&self, request: DecideRequest) -> Result<DecideResponse, Status> {
        Ok(self.access.clone().decide(request).await?.into_inner())
    }

    /// The reason for which somebody may, or may not.
    pub async fn reason(&self, request: DecideRequest) -> Reason {
        self.ask(request).await.unwrap().reason()
    }

    /// The reason for which a user may, or may not, join.
    pub async fn join(&self, user_id: &str, password: &str) -> Reason {
        self.reason(join(user_id, password)).await
    }

    /// Shares the meeting by a link; the secret and the share's id.
    pub async fn share(&self) -> (String, String) {
        let shared = share(&self.access, link()).await.unwrap();
        let url = shared.link.unwrap().url;
        let secret = url.rsplit('/').next().unwrap().to_owned();
        (secret, shared.share.unwrap().share_id)
    }

    /// Takes one share of the meeting back, or all.
    pub async fn revoke(&self, share_id: &str) -> Result<(), Status> {
        let request = RevokeShareRequest {
            organisation: String::new(),
            meeting_id: MEETING.to_owned(),
            user_id: ORGANISER.to_owned(),
            share_id: share_id.to_owned(),
        };
        self.access.clone().revoke_share(request).await.map(drop)
    }

    /// All that was written down so far, when it is so many.
    pub async fn audited(&self, count: usize) -> Vec<AuditedDecision> {
        let mut found = Vec::new();
        eventually("everything is written down", async || {
            let request = ListDecisionsRequest { page_size: 500, ..Default::default() };
            let answer = self.audit.clone().list_decisions(request).await;
            found = answer.unwrap().into_inner().decisions;
            found.len() >= count
        })
        .await;
        found
    }
}

fn client(url: &str) -> AccessServiceClient<ServiceChannel> {
    let token = PlatformConfig::default().security.service_token;
    AccessServiceClient::new(ServiceChannel::lazy("access-control", url, &token).unwrap())
}

fn admin_client(url: &str) -> AuditServiceClient<ServiceChannel> {
    let token = PlatformConfig::default().security.admin_token;
    AuditServiceClient::new(ServiceChannel::lazy("access-control", url, &token).unwrap())
}

pub async fn share(
    access: &AccessServiceClient<ServiceChannel>,
    request: CreateShareRequest,
) -> Result<CreateShareResponse, Status> {
    Ok(access.clone().create_share(request).await?.into_inner())
}

/// A wish of the organiser for a link.
pub fn link() -> CreateShareRequest {
    CreateShareRequest {
        meeting_id: MEETING.to_owned(),
        user_id: ORGANISER.to_owned(),
        display_name: "Olga".to_owned(),
        form: Some(ShareForm { form: Some(Form::Link(LinkForm {})) }),
        ..CreateShareRequest::default()
    }
}

/// Somebody with an account wants to join.
pub fn join(user_id: &str, password: &str) -> DecideRequest {
    DecideRequest {
        meeting_id: MEETING.to_owned(),
        user_id: user_id.to_owned(),
        action: Action::Join.into(),
        password: password.to_owned(),
        ..DecideRequest::default()
    }
}

/// Somebody with an account wants to read.
pub fn read(user_id: &str) -> DecideRequest {
    DecideRequest { action: Action::Read.into(), ..join(user_id, "") }
}

/// Somebody without an account wants to join, from a terminal and a place.
pub fn join_as_guest(user: &str, client: &str, address: &str) -> DecideRequest {
    DecideRequest {
        guest: true,
        client_id: client.to_owned(),
        client_address: address.to_owned(),
        ..join(user, "")
    }
}

pub fn meeting() -> FakeMeeting {
    FakeMeeting {
        organiser: ORGANISER.to_owned(),
        hosts: vec![HOST.to_owned()],
        members: vec![MEMBER.to_owned()],
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
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), so).await;
    assert!(waited.is_ok(), "never happened: {what}");
}
