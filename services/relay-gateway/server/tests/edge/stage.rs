//! A core relay, its nats-server, the services behind it, and edge relays before it.

use std::{net::SocketAddr, sync::Arc};

use prost::Message as _;
use tempfile::TempDir;
use tokio::{
    sync::watch,
    task::{AbortHandle, JoinSet},
};
use tributary_contracts::{
    access::v1::Role,
    event::v1::{Announcement, Audience, Cause, meeting_event::Body as EventBody},
    relay::v1::RelaySettings,
};
use tributary_identifiers::OrganisationId;
use tributary_message_bus::{ControlBus, Subscriber, permissions::User};
use tributary_relay_gateway_server::{
    Config, Server, UplinkConfig,
    edge::{self, Status},
};
use tributary_service_runtime::{Platform, PlatformConfig, Secret};

use crate::{
    cable::Cable,
    fake_access::{Access, Verdict},
    fake_registry::Registry,
    fake_relays::Relays,
    nats::Nats,
    person::Person,
    services::Services,
    world::{World, eventually, meeting, scope},
};

pub struct Stage {
    pub nats: Nats,
    pub access: Arc<Access>,
    pub registry: Arc<Registry>,
    pub relays: Arc<Relays>,
    /// A connection as the registry has it.
    pub registry_bus: ControlBus,
    /// Where terminals come to the core.
    pub core: World,
    /// Where relays do.
    pub uplinks: SocketAddr,
    platform: Platform,
    _tasks: JoinSet<()>,
}

/// An edge relay, and the cable to its parent.
pub struct Edge {
    pub world: World,
    pub cable: Cable,
    pub uplinks: Option<SocketAddr>,
    pub status: watch::Receiver<Arc<Status>>,
    platform: Platform,
    running: AbortHandle,
    _data: TempDir,
}

impl Stage {
    pub async fn start() -> Self {
        Self::start_holding(30).await
    }

    /// With sessions that are held for so many seconds.
    pub async fn start_holding(hold_seconds: u64) -> Self {
        Self::start_with(|uplink| uplink.hold_seconds = hold_seconds).await
    }

    /// Relays attach to the core as this says.
    pub async fn start_with(fill: impl FnOnce(&mut UplinkConfig)) -> Self {
        let (nats, mut tasks) = (Nats::start(), JoinSet::new());
        let services = Services::<Relays>::new();
        let platform = services.serve(&nats, &mut tasks).await;
        let Services { access, registry, relays, .. } = services;
        let mut config = Config { relay_id: "test".parse().unwrap(), ..local() };
        config.uplink.listen = "127.0.0.1:0".to_owned();
        fill(&mut config.uplink);
        let server = Server::load(config, platform.clone()).await.unwrap();
        let core = World { url: format!("http://{}", server.address().unwrap()) };
        let uplinks = server.uplink_address().unwrap().unwrap();
        tasks.spawn(async { server.run().await.unwrap() });
        let registry_bus = nats.connect(&User::MeetingRegistry).await;
        registry_bus.ensure_operation_stream().await.unwrap();
        eventually("the core is ready", || platform.readiness.is_ready()).await;
        access.decide(meeting(1), Verdict::Allowed(Role::Outsider));
        access.decide(meeting(2), Verdict::Allowed(Role::Outsider));
        Self {
            nats,
            access,
            registry,
            relays,
            registry_bus,
            core,
            uplinks,
            platform,
            _tasks: tasks,
        }
    }

    /// An edge relay that is attached.
    pub async fn edge(&self, name: &str) -> Edge {
        self.edge_behind(name, self.uplinks).await
    }

    pub async fn edge_behind(&self, name: &str, parent: SocketAddr) -> Edge {
        let edge = self.edge_apart(name, parent, |_| {}).await;
        edge.is_attached().await;
        edge
    }

    /// One that may be attached or not.
    pub async fn edge_apart(
        &self,
        name: &str,
        parent: SocketAddr,
        fill: impl FnOnce(&mut RelaySettings),
    ) -> Edge {
        self.edge_as(name, parent, fill, |_, _| {}).await
    }

    /// The same, set up as `configure` says.
    pub async fn edge_as(
        &self,
        name: &str,
        parent: SocketAddr,
        fill: impl FnOnce(&mut RelaySettings),
        configure: impl FnOnce(&mut edge::config::Config, &mut UplinkConfig),
    ) -> Edge {
        let mut settings = RelaySettings {
            relay_id: name.to_owned(),
            relay_name: format!("The {name}"),
            organisation: "default".to_owned(),
            voices_max: 3,
            ..RelaySettings::default()
        };
        fill(&mut settings);
        self.relays.expect(settings);
        let (cable, data) = (Cable::to(parent).await, tempfile::tempdir().unwrap());
        let mut config = edge::config::Config {
            upstream: vec![cable.url.clone()],
            data_dir: data.path().join("relay"),
            enrolment_token: Secret::new(name),
            proxy: Secret::new("none"),
            ..edge::config::Config::default()
        };
        let mut relay = local();
        relay.uplink.listen = "127.0.0.1:0".to_owned();
        configure(&mut config, &mut relay.uplink);
        let platform = Platform::new(PlatformConfig::default());
        let server = edge::Server::load(config, relay, platform.clone()).await.unwrap();
        let world = World { url: format!("http://{}", server.address().unwrap()) };
        let uplinks = server.uplink_address().unwrap();
        let status = server.status();
        let running = tokio::spawn(async { server.run().await.unwrap() }).abort_handle();
        Edge { world, cable, uplinks, status, platform, running, _data: data }
    }

    /// Something happens in a meeting, and is published; gives its number.
    pub async fn emit(&self, number: u64, body: EventBody) -> u64 {
        self.emit_to(number, body, None, None).await
    }

    pub async fn emit_to(
        &self,
        number: u64,
        body: EventBody,
        audience: Option<Audience>,
        cause: Option<Cause>,
    ) -> u64 {
        let meeting_id = meeting(number).to_string();
        let event = self.registry.log(&meeting_id, |log| log.add(body, audience, cause));
        let payload = event.encode_to_vec().into();
        self.registry_bus.tell(scope(number).event(), payload).await.unwrap();
        event.number
    }

    /// Somebody says something to all.
    pub async fn announce(&self, text: &str) -> u64 {
        self.emit(1, EventBody::Announcement(Announcement { text: text.to_owned() })).await
    }

    /// A relay is not accepted any more, and cores are told so.
    pub async fn revoke(&self, relay_id: &str) {
        self.relays.revoke(relay_id);
        let credential = self.nats.connect(&User::Credential).await;
        let relay = relay_id.parse().unwrap();
        credential.publish_relay_changed(&OrganisationId::default(), &relay).await.unwrap();
    }

    /// What the core sends up to mixers.
    pub async fn up(&self) -> (ControlBus, Subscriber) {
        let mixer = self.nats.connect(&User::Mixer).await;
        let up = mixer.hear(scope(1).up(&"test".parse().unwrap())).await.unwrap();
        (mixer, up)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Media threads listen to this alone.
        self.platform.end();
    }
}

impl Edge {
    pub async fn is_attached(&self) {
        self.shows("it is attached", |status| status.attached.is_some()).await;
    }

    pub async fn is_lost(&self) {
        self.shows("the uplink is lost", |status| status.attached.is_none()).await;
    }

    pub async fn shows(&self, what: &str, condition: impl Fn(&Status) -> bool) {
        let mut status = self.status.clone();
        let shown = status.wait_for(|status| condition(status));
        let shown = tokio::time::timeout(crate::world::PATIENCE, shown).await;
        assert!(shown.is_ok(), "{what}: {:?}", self.status.borrow());
    }

    pub async fn enter(&self, name: &str) -> Person {
        Person::enter(&self.world, name).await
    }

    /// The relay ends in order.
    pub fn end(&self) {
        self.platform.end();
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.platform.end();
        self.running.abort();
    }
}

/// On ports that the system chooses.
fn local() -> Config {
    Config {
        listen: ([127, 0, 0, 1], 0).into(),
        udp_listen: ([127, 0, 0, 1], 0).into(),
        ..Config::default()
    }
}
