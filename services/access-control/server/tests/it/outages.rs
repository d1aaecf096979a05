//! While the database is down, who was let in a moment ago is let in, and nobody else.

use std::time::Duration;

use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection};
use tonic::Code;
use tributary_access_control_server::Config;
use tributary_contracts::access::v1::{CreateShareRequest, DecideRequest, Reason};
use tributary_database::scratch::{self, ScratchDatabase};
use tributary_password_hash::Hasher;

use crate::{
    registry::{FakeMeeting, timestamp},
    world::{
        BEGIN, HOST, MEETING, MEMBER, OUTSIDER, PASSWORD, World, eventually, generous, join, link,
        meeting, password_hash, share,
    },
};

/// A PostgreSQL database that can be taken away and given back.
struct Outage {
    server: DatabaseConnection,
    name: String,
}

impl Outage {
    async fn of(database: &ScratchDatabase) -> Self {
        let server = std::env::var(scratch::POSTGRES_VARIABLE).unwrap();
        let name = database.config().url.expose().rsplit('/').next().unwrap().to_owned();
        Self { server: Database::connect(server).await.unwrap(), name }
    }

    async fn begin(&self) {
        self.allow("false").await;
        let cut = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'",
            self.name
        );
        self.server.execute_unprepared(&cut).await.unwrap();
    }

    async fn end(&self) {
        self.allow("true").await;
    }

    async fn allow(&self, connections: &str) {
        let alter = format!("ALTER DATABASE {} ALLOW_CONNECTIONS {connections}", self.name);
        self.server.execute_unprepared(&alter).await.unwrap();
    }
}

async fn unavailable(world: &World, request: DecideRequest) {
    let status = world.ask(request).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(status.message().contains("try again"), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cached_allows_are_honoured_and_everything_else_fails_closed() {
    let database = scratch::postgres().await;
    let world = World::start(&database, generous()).await;
    let password_hash = password_hash().await;
    world.registry.put(MEETING, FakeMeeting { password_hash, ..meeting() });
    world.share().await;
    assert_eq!(world.join(OUTSIDER, PASSWORD).await, Reason::Shared);
    assert_eq!(world.join(MEMBER, "").await, Reason::Member);
    assert_eq!(world.join("user-refused", "wrong").await, Reason::WrongPassword);

    let outage = Outage::of(&database).await;
    outage.begin().await;
    assert_eq!(world.join(MEMBER, "").await, Reason::Member);
    assert_eq!(world.join(OUTSIDER, PASSWORD).await, Reason::Shared);
    unavailable(&world, join(OUTSIDER, "sesami")).await;
    unavailable(&world, join("user-new", PASSWORD)).await;
    let client_id = "key-new".to_owned();
    unavailable(&world, DecideRequest { client_id, ..join(OUTSIDER, PASSWORD) }).await;
    let share_secret = "AAAAAAAAAAAAAAAAAAAAAA".to_owned();
    unavailable(&world, DecideRequest { share_secret, ..join(OUTSIDER, PASSWORD) }).await;
    unavailable(&world, join("user-refused", "wrong")).await;
    let absent = DecideRequest { meeting_id: "77".to_owned(), ..join(OUTSIDER, PASSWORD) };
    unavailable(&world, absent).await;
    let status = share(&world.access, link()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(world.revoke("").await.unwrap_err().code(), Code::Unavailable);

    outage.end().await;
    eventually("the database is back", async || {
        world.ask(join("user-new", PASSWORD)).await.is_ok()
    })
    .await;
    // What was decided meanwhile is written down now.
    let audited = world.audited(6).await;
    assert!(audited.iter().filter(|d| d.user_id == OUTSIDER && d.allowed).count() >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_to_be_refused_is_not_allowed_from_memory() {
    let database = scratch::postgres().await;
    let world = World::start(&database, generous()).await;
    world.registry.put(MEETING, FakeMeeting { password_hash: password_hash().await, ..meeting() });
    let expires_at = Some(timestamp(BEGIN + 60_000));
    share(&world.access, CreateShareRequest { expires_at, ..link() }).await.unwrap();
    assert_eq!(world.join(OUTSIDER, PASSWORD).await, Reason::Shared);
    assert_eq!(world.join("user-else", PASSWORD).await, Reason::Shared);
    Outage::of(&database).await.begin().await;
    world.pass(Duration::from_millis(59_999));
    assert_eq!(world.join(OUTSIDER, PASSWORD).await, Reason::Shared);
    // The password is changed, which is known when the facts are older than a second.
    let other = Hasher::default().hash("another").await.unwrap();
    world.registry.put(MEETING, FakeMeeting { password_hash: other, ..meeting() });
    eventually("the old password is refused", async || {
        world.ask(join(OUTSIDER, PASSWORD)).await.is_err()
    })
    .await;
    unavailable(&world, join(OUTSIDER, PASSWORD)).await;
    world.registry.put(MEETING, FakeMeeting { password_hash: password_hash().await, ..meeting() });
    eventually("the password is the old one again", async || {
        world.ask(join("user-else", PASSWORD)).await.is_ok()
    })
    .await;
    world.pass(Duration::from_millis(1));
    unavailable(&world, join("user-else", PASSWORD)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_who_are_counted_are_remembered_too() {
    let database = scratch::postgres().await;
    let config = Config { count_members: true, ..generous() };
    let world = World::start(&database, config).await;
    assert_eq!(world.join(MEMBER, "").await, Reason::Member);
    Outage::of(&database).await.begin().await;
    assert_eq!(world.join(MEMBER, "").await, Reason::Member);
    unavailable(&world, join(HOST, "")).await;
    // Off the list, what was remembered of a member is worth nothing.
    world.registry.put(MEETING, FakeMeeting { members: Vec::new(), ..meeting() });
    eventually("the member is out", async || world.ask(join(MEMBER, "")).await.is_err()).await;
    unavailable(&world, join(MEMBER, "")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allow_is_not_honoured_for_longer_than_its_life() {
    let database = scratch::postgres().await;
    let config = Config { facts_life_ms: 300, ..generous() };
    let world = World::start(&database, config).await;
    world.share().await;
    assert_eq!(world.join(OUTSIDER, "").await, Reason::Shared);
    Outage::of(&database).await.begin().await;
    eventually("it is not known any more", async || match world.ask(join(OUTSIDER, "")).await {
        Ok(answer) => {
            assert_eq!(answer.reason(), Reason::Shared);
            false
        }
        Err(status) => status.code() == Code::Unavailable,
    })
    .await;
    assert_eq!(world.join(MEMBER, "").await, Reason::Member);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_decided_that_can_not_be_recorded() {
    let database = scratch::postgres().await;
    let config = Config { audit_queue: 3, ..generous() };
    let world = World::start(&database, config).await;
    assert_eq!(world.join(MEMBER, "").await, Reason::Member);
    world.audited(1).await;
    let outage = Outage::of(&database).await;
    outage.begin().await;
    eventually("the queue is full", async || match world.ask(join(MEMBER, "")).await {
        Ok(answer) => {
            assert_eq!(answer.reason(), Reason::Member);
            false
        }
        Err(status) => status.code() == Code::Unavailable && status.message().contains("recorded"),
    })
    .await;
    outage.end().await;
    eventually("the queue is written", async || world.ask(join(MEMBER, "")).await.is_ok()).await;
}
