//! The registry on real databases: each test has its own, SQLite and PostgreSQL by the same code.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail by it, as tests do"
)]

mod actor;
mod acts;
mod admin_calls;
mod attachment_calls;
mod attachments;
mod attendance_calls;
mod calls;
mod commands;
mod crash;
mod crowds;
mod meetings;
mod member_calls;
mod members;
mod nats;
mod notices;
mod operations;
mod outages;
mod paths;
mod proxy;
mod reaching;
mod record;
mod relays;
mod roundtrip;
mod schedule;
mod telling;
mod upgrade;

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sea_orm::{ConnectionTrait as _, Statement};
use tributary_database::scratch::ScratchDatabase;
use tributary_identifiers::{OrganisationId, RelaySessionId};
use tributary_meeting_registry_core::{
    Caller, Command, Join, Meeting, Notice, Participant, Proposal, RelayPath, Role, SetMembers,
    UnixMillis,
};
use tributary_meeting_registry_server::{
    Clock, Migrations, OperatingSystem, RandomSource, Registry, Store,
};
use tributary_message_bus::subjects::MeetingScope;
use tributary_password_hash::Hasher;
use tributary_service_runtime::{CancellationToken, Readiness};

/// How long a test waits for what must happen.
const DEADLINE: Duration = Duration::from_secs(20);
const START: UnixMillis = 1_800_000_000_000;

/// Runs a test on each kind of database.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {$(
        mod $test {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                super::$test(crate::Base::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                super::$test(crate::Base::postgres().await).await;
            }
        }
    )*};
}
pub(crate) use on_both;

/// A database of the test's own, and a registry on it with a clock that the test sets.
pub struct Base {
    pub scratch: ScratchDatabase,
    pub store: Store,
    pub registry: Registry,
    clock: Arc<AtomicU64>,
}

impl Base {
    pub async fn sqlite() -> Self {
        Self::on(tributary_database::scratch::sqlite()).await
    }

    pub async fn postgres() -> Self {
        Self::on(tributary_database::scratch::postgres().await).await
    }

    async fn on(scratch: ScratchDatabase) -> Self {
        let (clock, hands) = Clock::manual(START);
        let store = open(&scratch, clock).await;
        let registry = registry(&store, Arc::new(OperatingSystem));
        Self { scratch, store, registry, clock: hands }
    }

    /// The same database, opened by a process of its own, as it were.
    pub async fn another_replica(&self) -> Store {
        open(&self.scratch, Clock::Manual(Arc::clone(&self.clock))).await
    }

    /// The process ends and starts again.
    pub async fn restart(self) -> Self {
        let Self { scratch, clock, store, registry } = self;
        drop((store, registry));
        let store = open(&scratch, Clock::Manual(Arc::clone(&clock))).await;
        let registry = crate::registry(&store, Arc::new(OperatingSystem));
        Self { scratch, store, registry, clock }
    }

    pub fn pass(&self, time: Duration) {
        self.clock.fetch_add(millis(time), Ordering::SeqCst);
    }

    pub async fn meeting(&self) -> MeetingScope {
        scope(&self.create(&OrganisationId::default(), "Planning").await)
    }

    pub async fn create(&self, organisation: &OrganisationId, subject: &str) -> Meeting {
        let proposal = Proposal { subject, ..of_ann() };
        self.registry.create(organisation.clone(), &proposal).await.unwrap()
    }

    /// A meeting of Ann's that begins so long from now, with these members.
    pub async fn scheduled(&self, after: Duration, members: &[&str]) -> MeetingScope {
        let members: Vec<_> = members.iter().map(|&name| name.to_owned()).collect();
        let starts_at = Some(self.now() + millis(after));
        let proposal = Proposal { members: &members, starts_at, ..of_ann() };
        let created = self.registry.create(OrganisationId::default(), &proposal).await;
        scope(&created.unwrap())
    }

    /// Ann puts somebody on the list.
    pub async fn add(&self, meeting: &MeetingScope, name: &str) {
        let members = [(name.parse().unwrap(), Role::Member)].into();
        let by = Caller::User("ann".parse().unwrap());
        let command = Command::SetMembers(SetMembers { by, by_name: None, members });
        self.registry.apply(meeting, command).await.unwrap();
    }

    /// What a user was told, as the user sees it now.
    pub async fn notices(&self, name: &str) -> Vec<Notice> {
        let (organisation, user) = (OrganisationId::default(), name.parse().unwrap());
        self.store.notices(&organisation, &user, self.now(), 100).await.unwrap()
    }

    /// Sets the clock back.
    pub fn turn_back(&self, time: Duration) {
        self.clock.fetch_sub(millis(time), Ordering::SeqCst);
    }

    pub fn now(&self) -> UnixMillis {
        self.clock.load(Ordering::SeqCst)
    }

    pub async fn join(&self, meeting: &MeetingScope, who: u32, relay: u32) -> Participant {
        self.registry.join(meeting, join(who, relay)).await.unwrap().0
    }

    /// How many rows a table has.
    pub async fn rows(&self, table: &str) -> i64 {
        let readiness = Readiness::new().dependency("database");
        let shutdown = CancellationToken::new();
        let config = self.scratch.config();
        let base = tributary_database::connect(config, "meeting-registry", &readiness, &shutdown);
        let base = base.await.unwrap();
        let query = format!("SELECT COUNT(*) AS number FROM {table}");
        let query = Statement::from_string(base.get_database_backend(), query);
        base.query_one_raw(query).await.unwrap().unwrap().try_get("", "number").unwrap()
    }

    pub async fn end(&self, meeting: &MeetingScope) {
        self.registry.apply(meeting, Command::End).await.unwrap();
    }
}

pub fn millis(time: Duration) -> UnixMillis {
    u64::try_from(time.as_millis()).unwrap()
}

/// A meeting of Ann's with nobody else on the list.
pub fn of_ann() -> Proposal<'static> {
    Proposal { subject: "Planning", organiser: "ann", organiser_name: "Ann", ..Proposal::default() }
}

pub fn registry(store: &Store, random: Arc<dyn RandomSource>) -> Registry {
    Registry::new(store.clone(), Hasher::default(), random)
}

async fn open(scratch: &ScratchDatabase, clock: Clock) -> Store {
    let readiness = Readiness::new().dependency("database");
    let shutdown = CancellationToken::new();
    let service = "meeting-registry";
    let connection =
        tributary_database::connect(scratch.config(), service, &readiness, &shutdown).await;
    let connection = connection.unwrap();
    tributary_database::migrate::<Migrations>(&connection).await.unwrap();
    Store::new(connection, clock)
}

pub fn scope(meeting: &Meeting) -> MeetingScope {
    MeetingScope { organisation: meeting.organisation.clone(), meeting: meeting.id }
}

/// A terminal of its own for `who`, behind relay `relay`.
pub fn join(who: u32, relay: u32) -> Join {
    Join {
        user_id: format!("user-{who}").parse().unwrap(),
        display_name: format!("User {who}").parse().unwrap(),
        guest: false,
        key: format!("key-{who}").parse().unwrap(),
        relay_id: format!("relay-{relay}").parse().unwrap(),
        relay_name: format!("Office {relay}").parse().unwrap(),
        relay_depth: 0,
        relay_path: RelayPath::default(),
        core_relay: None,
        relay_itself: false,
        relay_session: session(relay),
        muted: false,
        session: format!("terminal-{who}").parse().unwrap(),
        held: false,
    }
}

pub fn session(relay: u32) -> RelaySessionId {
    format!("session-{relay}").parse().unwrap()
}

/// Waits until `met` says so.
pub async fn until<F: Future<Output = bool>>(what: &str, mut met: impl FnMut() -> F) {
    let waiting = async {
        while !met().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(DEADLINE, waiting).await.is_ok(), "in vain: {what}");
}
