//! Changes are heard over a real nats-server, which `NATS_SERVER` names.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::StreamExt as _;
use prost::Message as _;
use tempfile::TempDir;
use tributary_access_control_server::Config;
use tributary_contracts::{
    access::v1::Reason,
    event::v1::{
        LeaveReason, MeetingChanged, MeetingEnded, MeetingEvent, MembersChanged, ParticipantLeft,
        meeting_event::Body,
    },
};
use tributary_database::scratch;
use tributary_message_bus::{
    ControlBus,
    permissions::{User, authorization},
    subjects::{self, MeetingScope},
};
use tributary_service_runtime::{NatsConfig, Readiness, Secret};

use crate::{
    registry::FakeMeeting,
    world::{BEGIN, MEETING, MEMBER, OUTSIDER, World, eventually, generous, join, meeting, read},
};

/// What the platform promises.
const TOLD_WITHIN: Duration = Duration::from_secs(1);

/// A server of the test's own with the platform's permissions, ended with it.
struct Nats {
    process: Child,
    folder: TempDir,
    port: u16,
}

impl Nats {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let users = [User::AccessControl, User::MeetingRegistry].map(|user| (user, "pass".into()));
        let text = format!(
            "listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: \"{}\" }}\n{}",
            folder.path().join("js").display(),
            authorization(&users)
        );
        std::fs::write(folder.path().join("nats.conf"), text).unwrap();
        Self { process: spawn(&folder), folder, port }
    }

    fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn start_again(&mut self) {
        self.process = spawn(&self.folder);
    }

    fn config(&self, user: &User) -> NatsConfig {
        NatsConfig {
            url: format!("nats://127.0.0.1:{}", self.port),
            user: user.name(),
            password: Secret::new("pass"),
        }
    }

    /// The registry's connection, when it can tell events.
    async fn registry(&self) -> ControlBus {
        let dependency = Readiness::new().dependency("NATS");
        let config = self.config(&User::MeetingRegistry);
        let bus = ControlBus::connect(&config, "registry", &dependency).await.unwrap();
        eventually("the event stream", async || bus.ensure_event_stream().await.is_ok()).await;
        bus
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(folder: &TempDir) -> Child {
    let program = std::env::var("NATS_SERVER")
        .expect("NATS_SERVER must name the nats-server program: run `just test`");
    Command::new(program)
        .arg("-c")
        .arg(folder.path().join("nats.conf"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn scope() -> MeetingScope {
    MeetingScope { organisation: Default::default(), meeting: MEETING.parse().unwrap() }
}

async fn world(nats: &Nats, config: Config) -> World {
    let database = scratch::sqlite();
    let world = World::start_with_nats(&database, config, nats.config(&User::AccessControl)).await;
    // The world's connection to its file outlives the folder's name.
    std::mem::forget(database);
    world
}

/// Waits until the service hears: what it knows is old after a second as long as it does not.
async fn hears(world: &World) {
    eventually("the service hears", async || {
        assert_eq!(world.join(MEMBER, "").await, Reason::Member);
        let asked = world.registry.asked();
        tokio::time::sleep(Duration::from_millis(1200)).await;
        assert_eq!(world.join(MEMBER, "").await, Reason::Member);
        world.registry.asked() == asked
    })
    .await;
}

/// Tells an event and returns how long it takes until `expected` is the answer to the member.
async fn time_until(
    world: &World,
    registry: &ControlBus,
    number: u64,
    body: Body,
    expected: Reason,
) -> Duration {
    let event = MeetingEvent { number, body: Some(body), ..MeetingEvent::default() };
    let payload = Bytes::from(event.encode_to_vec());
    let start = Instant::now();
    registry.publish_event(&scope(), number, payload).await.unwrap();
    eventually("it is heard", async || world.join(MEMBER, "").await == expected).await;
    start.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_in_the_registry_counts_within_a_second() {
    let nats = Nats::start();
    let world = world(&nats, generous()).await;
    let registry = nats.registry().await;
    hears(&world).await;
    let outside = FakeMeeting { members: Vec::new(), ..meeting() };
    let ended = FakeMeeting { ended_at: Some(BEGIN), ..meeting() };
    let members = || Body::MembersChanged(MembersChanged { members: 2, removed: 1 });
    let changed = || Body::MeetingChanged(MeetingChanged { subject: "Weekly".to_owned() });
    for (number, (now, body, expected)) in (1..).zip([
        (outside, members(), Reason::NotShared),
        (meeting(), changed(), Reason::Member),
        (ended, Body::Ended(MeetingEnded {}), Reason::Ended),
    ]) {
        world.registry.put(MEETING, now);
        let took = time_until(&world, &registry, number, body, expected).await;
        assert!(took < TOLD_WITHIN, "{expected:?} after {took:?}");
    }
    // Who comes and goes does not matter to decisions.
    let asked = world.registry.asked();
    let left = MeetingEvent {
        number: 4,
        body: Some(Body::Left(ParticipantLeft::default())),
        ..MeetingEvent::default()
    };
    registry.publish_event(&scope(), 4, Bytes::from(left.encode_to_vec())).await.unwrap();
    assert_eq!(world.join(MEMBER, "").await, Reason::Ended);
    assert_eq!(world.registry.asked(), asked);
    // Who is taken out by a host may read nothing from then on.
    world.registry.put(MEETING, meeting());
    world.share().await;
    eventually("it is shared", async || world.reason(read(OUTSIDER)).await == Reason::Shared).await;
    let removed = vec![OUTSIDER.to_owned()];
    world.registry.put(MEETING, FakeMeeting { removed, ..meeting() });
    let left = ParticipantLeft { reason: LeaveReason::Removed.into(), ..Default::default() };
    let left = MeetingEvent { number: 5, body: Some(Body::Left(left)), ..Default::default() };
    let start = Instant::now();
    registry.publish_event(&scope(), 5, Bytes::from(left.encode_to_vec())).await.unwrap();
    eventually("it is heard", async || world.reason(read(OUTSIDER)).await == Reason::Removed).await;
    assert!(start.elapsed() < TOLD_WITHIN, "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_counts_at_every_replica_within_a_second() {
    let nats = Nats::start();
    let database = scratch::postgres().await;
    let config = generous();
    let nats_config = nats.config(&User::AccessControl);
    let world = World::start_with_nats(&database, config.clone(), nats_config).await;
    let replica = world.replica(&database, config).await;
    let elsewhere = async || {
        let answer = replica.access.clone().decide(join(OUTSIDER, "")).await;
        answer.unwrap().into_inner().reason()
    };
    hears(&world).await;
    assert_eq!(elsewhere().await, Reason::NotShared);
    for _ in 0..3 {
        let (_, share_id) = world.share().await;
        eventually("the share is heard of", async || elsewhere().await == Reason::Shared).await;
        let start = Instant::now();
        world.revoke(&share_id).await.unwrap();
        assert_eq!(world.join(OUTSIDER, "").await, Reason::ShareRevoked);
        eventually("it is revoked", async || elsewhere().await == Reason::ShareRevoked).await;
        assert!(start.elapsed() < TOLD_WITHIN, "{:?}", start.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_enter_is_told_to_be_less_or_more_once_for_each_cause() {
    let nats = Nats::start();
    let world = world(&nats, generous()).await;
    let registry = nats.registry().await;
    hears(&world).await;
    let dependency = Readiness::new().dependency("NATS");
    let config = nats.config(&User::AccessControl);
    let bus = ControlBus::connect(&config, "observer", &dependency).await.unwrap();
    let mut told = bus.hear(subjects::all_shares_changed()).await.unwrap();
    // What is told comes back to who tells it when it is heard.
    let observer = MeetingScope { meeting: "1".parse().unwrap(), ..scope() };
    eventually("the observer hears", async || {
        let _ = bus.tell(observer.shares_changed(), Bytes::new()).await;
        let wait = Duration::from_millis(50);
        tokio::time::timeout(wait, told.next()).await.is_ok_and(|heard| heard.is_some())
    })
    .await;
    let mut next = async || loop {
        let wait = Duration::from_secs(10);
        let heard = tokio::time::timeout(wait, told.next()).await.unwrap().unwrap();
        if heard.subject == scope().shares_changed() {
            return heard.payload;
        }
    };
    let change = async |number: u64, removed: u32| {
        let body = Body::MembersChanged(MembersChanged { members: 2, removed });
        let event = MeetingEvent { number, body: Some(body), ..MeetingEvent::default() };
        let payload = Bytes::from(event.encode_to_vec());
        registry.publish_event(&scope(), number, payload).await.unwrap();
    };
    for number in 0..3 {
        let (_, share_id) = world.share().await;
        assert_eq!(next().await, subjects::WIDENED);
        world.revoke(&share_id).await.unwrap();
        assert_eq!(next().await, subjects::NARROWED);
        // Who is put on the list takes nothing from anybody; no message is the second one's.
        change(number * 2 + 1, 0).await;
        change(number * 2 + 2, 1).await;
        assert_eq!(next().await, subjects::NARROWED);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_message_is_made_up_for_by_the_life_of_facts() {
    let nats = Nats::start();
    let config = Config { facts_life_ms: 1500, ..generous() };
    let world = world(&nats, config).await;
    hears(&world).await;
    // Nobody tells that the member was taken off the list.
    world.registry.put(MEETING, FakeMeeting { members: Vec::new(), ..meeting() });
    eventually("the facts have aged", async || world.join(MEMBER, "").await == Reason::NotShared)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nats_and_the_registry_are_away_what_is_known_is_answered() {
    let mut nats = Nats::start();
    let world = world(&nats, generous()).await;
    hears(&world).await;
    let asked = world.registry.asked();
    world.registry.set_down(true);
    nats.stop();
    eventually("it is asked for again, in vain", async || {
        assert_eq!(world.join(MEMBER, "").await, Reason::Member);
        world.registry.asked() > asked
    })
    .await;
    assert_eq!(world.join(MEMBER, "").await, Reason::Member);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nats_is_away_nothing_is_believed_for_long_and_afterwards_all_is_asked_again() {
    let mut nats = Nats::start();
    let world = world(&nats, generous()).await;
    hears(&world).await;
    nats.stop();
    world.registry.put(MEETING, FakeMeeting { members: Vec::new(), ..meeting() });
    eventually("it is asked for again", async || world.join(MEMBER, "").await == Reason::NotShared)
        .await;
    // With the registry away too, what is known is answered until the connection is back: what has
    // changed meanwhile was told to nobody, so that nothing is known then.
    world.registry.set_down(true);
    assert_eq!(world.join(MEMBER, "").await, Reason::NotShared);
    world.registry.put(MEETING, meeting());
    nats.start_again();
    eventually("nothing is known", async || world.ask(join(MEMBER, "")).await.is_err()).await;
    world.registry.set_down(false);
    assert_eq!(world.join(MEMBER, "").await, Reason::Member);
    hears(&world).await;
}
