//! A relay, its nats-server, and the services behind it.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use prost::Message as _;
use tokio::task::JoinSet;
use tributary_contracts::{
    access::v1::Role,
    credential::v1::{Revocation, revocation::What},
    event::v1::{Audience, Cause, MeetingEvent, meeting_event::Body as EventBody},
};
use tributary_identifiers::{MeetingId, OrganisationId};
use tributary_message_bus::{
    ControlBus,
    permissions::User,
    subjects::{self, MeetingScope},
};
use tributary_relay_gateway_server::{Config, Server, UplinkConfig};
use tributary_service_runtime::Platform;
use tributary_terminal::{Account, Target};

use crate::{
    fake_access::{Access, Verdict},
    fake_credential::{Credential, seconds},
    fake_registry::Registry,
    fake_relays::Relays,
    nats::Nats,
    services::Services,
};

/// Nothing here takes this long unless it does not happen at all.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct World {
    pub url: String,
    pub nats: Nats,
    pub credential: Arc<Credential>,
    pub access: Arc<Access>,
    pub registry: Arc<Registry>,
    pub relays: Arc<Relays>,
    /// Where relays attach.
    pub uplink_url: String,
    /// A connection as the registry has it.
    pub registry_bus: ControlBus,
    platform: Platform,
    _tasks: JoinSet<()>,
}

pub fn meeting(number: u64) -> MeetingId {
    (1 << 60 | number).to_string().parse().unwrap()
}

pub fn scope(number: u64) -> MeetingScope {
    MeetingScope { organisation: OrganisationId::default(), meeting: meeting(number) }
}

pub fn target(number: u64) -> Target {
    Target::new(meeting(number))
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl World {
    pub async fn start() -> Self {
        Self::start_with(Config::default()).await
    }

    pub async fn start_with(config: Config) -> Self {
        let nats = Nats::start();
        let mut tasks = JoinSet::new();
        let services = Services::<Relays>::new();
        let platform = services.serve(&nats, &mut tasks).await;
        let Services { access, credential, registry, relays } = services;
        let config = Config {
            relay_id: "test".parse().unwrap(),
            listen: ([127, 0, 0, 1], 0).into(),
            udp_listen: ([127, 0, 0, 1], 0).into(),
            uplink: UplinkConfig { listen: "127.0.0.1:0".to_owned(), ..config.uplink },
            ..config
        };
        let server = Server::load(config, platform.clone()).await.unwrap();
        let url = format!("http://{}", server.address().unwrap());
        let uplink_url = format!("http://{}", server.uplink_address().unwrap().unwrap());
        tasks.spawn(async { server.run().await.unwrap() });
        let registry_bus = nats.connect(&User::MeetingRegistry).await;
        let world = Self {
            url,
            nats,
            credential,
            access,
            registry,
            relays,
            uplink_url,
            registry_bus,
            platform,
            _tasks: tasks,
        };
        eventually("the relay is ready", || world.platform.readiness.is_ready()).await;
        world
    }

    /// Begins the end of the relay.
    pub fn end(&self) {
        self.platform.end();
    }

    pub async fn account(&self, user: &str) -> Account {
        Account::logged_in(&self.url, user, "secret").await.unwrap()
    }

    /// Everybody may join these meetings.
    pub fn open(&self, numbers: impl IntoIterator<Item = u64>) {
        for number in numbers {
            self.access.decide(meeting(number), Verdict::Allowed(Role::Outsider));
        }
    }

    /// Something happens in a meeting, and is published.
    pub async fn emit(&self, number: u64, body: EventBody) -> u64 {
        self.emit_to(number, body, None, None).await
    }

    /// The same for some only, or because of an operation.
    pub async fn emit_to(
        &self,
        number: u64,
        body: EventBody,
        audience: Option<Audience>,
        cause: Option<Cause>,
    ) -> u64 {
        let meeting_id = meeting(number).to_string();
        let event = self.registry.log(&meeting_id, |log| log.add(body, audience, cause));
        self.publish(number, &event).await;
        event.number
    }

    pub async fn publish(&self, number: u64, event: &MeetingEvent) {
        let payload = event.encode_to_vec().into();
        self.registry_bus.tell(scope(number).event(), payload).await.unwrap();
    }

    /// A connection as the credential service has it.
    pub async fn credential_bus(&self) -> ControlBus {
        self.nats.connect(&User::Credential).await
    }

    /// Revokes something, and says so on the bus.
    pub async fn revoke(&self, bus: &ControlBus, what: What) {
        let revocation = self.revoke_silently(what);
        bus.tell(subjects::revoked(), revocation.encode_to_vec().into()).await.unwrap();
    }

    /// Revokes something that nobody hears of, unless they ask.
    pub fn revoke_silently(&self, what: What) -> Revocation {
        let mut revocations = self.credential.revocations.lock().unwrap();
        let revocation = Revocation {
            number: revocations.len() as u64 + 1,
            what: Some(what),
            at: Some(seconds(now())),
            forget_at: Some(seconds(now() + 3_600)),
        };
        revocations.push(revocation.clone());
        revocation
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // The media thread listens to this alone.
        self.platform.end();
    }
}

/// Waits for a condition, trying again and again.
pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: not within 20 s");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
