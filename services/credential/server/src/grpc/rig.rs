//! The inside of the service for unit tests: without gRPC, and without NATS.

use tributary_credential_core::{DisplayName, UserName};
use tributary_database::{connect, migrate, scratch::ScratchDatabase};
use tributary_identifiers::{KeyThumbprint, OrganisationId};
use tributary_message_bus::ControlBus;
use tributary_password_hash::Hasher;
use tributary_service_runtime::{CancellationToken, PlatformConfig, Readiness, Secret};
use tributary_sliding_window::Budgets;

use super::Identities;
use crate::{
    accounts::{self, Names},
    announcer::Announcer,
    authority::Authority,
    budgets::Attempts,
    clock::Clock,
    config::{Config, Limits},
    sealing::Sealer,
    store::{BUDGETS, Migrations, Store},
};

pub const PASSWORD: &str = "correct horse battery staple";

/// The parts, and an account `zoe`.
pub async fn rig(database: &ScratchDatabase, clock: &Clock) -> (Identities, Attempts) {
    let dependency = Readiness::new().dependency("database");
    let stop = CancellationToken::new();
    let connection = connect(database.config(), "credential", &dependency, &stop).await.unwrap();
    migrate::<Migrations>(&connection).await.unwrap();
    let mut nats = PlatformConfig::default().nats;
    nats.url = "nats://127.0.0.1:9".to_owned();
    let bus = ControlBus::connect(&nats, "credential", &dependency).await.unwrap();
    let store = Store::new(connection.clone());
    let sealer = Sealer::new(&Secret::default()).unwrap();
    let policy = Config::default().rotation();
    let announcer = Announcer::new(bus);
    let authority = Authority::new(store.clone(), sealer, policy, announcer, clock.clone());
    authority.open().await.unwrap();
    let names = Names {
        organisation: organisation(),
        user_name: "zoe".parse::<UserName>().unwrap(),
        display_name: "Zoë".parse::<DisplayName>().unwrap(),
    };
    let now = clock.seconds();
    accounts::create(&store, &Hasher::new(1), names, PASSWORD, now).await.unwrap();
    let budgets = Budgets::new(connection, BUDGETS);
    let attempts = Attempts::new(budgets, Limits::default(), clock.clone());
    (Identities { store, authority, clock: clock.clone(), guests: true }, attempts)
}

pub fn organisation() -> OrganisationId {
    OrganisationId::from_request("").unwrap()
}

pub fn thumbprint() -> KeyThumbprint {
    "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k".parse().unwrap()
}
