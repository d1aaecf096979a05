//! The composition root: from configuration to services that answer and work that runs.

use std::sync::Arc;

use tributary_contracts::{
    admin::v1::meeting_service_server::MeetingServiceServer,
    registry::v1::registry_service_server::RegistryServiceServer,
};
use tributary_database as database;
use tributary_message_bus::{ConnectError, ControlBus};
use tributary_password_hash::Hasher;
use tributary_service_runtime::{Platform, Readiness, grpc::Services};

use crate::{
    attachments::{Attachments, Files, Remover},
    bus::{Sink, Streams},
    clock::Clock,
    config::{Config, InvalidConfig},
    grpc::{MeetingApi, RegistryApi},
    metrics,
    operations::{self, OperationConsumer},
    publisher::Publisher,
    registry::{OperatingSystem, Registry},
    scheduler::Scheduler,
    store::{Migrations, Outbox, Store},
    sweeper::Sweeper,
};

/// The name of the service's database file, and of the service.
const SERVICE: &str = "meeting-registry";

/// The meeting registry, ready to answer.
pub struct Server {
    registry: Registry,
    config: Config,
    attachments: Attachments,
    bus: ControlBus,
    platform: Platform,
}

/// Why the service can't start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The section of the configuration holds what can't work.
    #[error(transparent)]
    Config(#[from] InvalidConfig),
    /// The database could not be opened or brought up to date.
    #[error(transparent)]
    Database(#[from] database::Error),
    /// NATS can't be used with this configuration.
    #[error(transparent)]
    Bus(#[from] ConnectError),
}

impl Server {
    /// Opens the database and the control bus. While the database is not there, it waits, and
    /// readiness says so; the bus may come later.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn load(config: Config, platform: Platform) -> Result<Self, Error> {
        metrics::describe();
        operations::describe();
        config.check()?;
        let readiness = platform.readiness.dependency("meeting-registry database");
        let connection =
            database::connect(&platform.config.database, SERVICE, &readiness, &platform.shutdown)
                .await?;
        database::migrate::<Migrations>(&connection).await?;
        // Meetings are created and joined without the bus, so its absence must not take this
        // service out of the balance: its state is reported to nobody.
        let unreported = Readiness::new().dependency("NATS");
        let bus = ControlBus::connect(&platform.config.nats, SERVICE, &unreported).await?;
        let store = Store::new(connection, Clock::System);
        let place = config.place(platform.config.database.url.expose())?;
        let files = Arc::new(Files::at(place, &bus, config.attachments_jetstream_bytes_max));
        let attachments = Attachments::new(store.clone(), files, config.attachment_limits());
        let registry = Registry::new(store, Hasher::default(), Arc::new(OperatingSystem));
        Ok(Self { registry, config, attachments, bus, platform })
    }

    /// Adds what this service answers.
    pub fn add_services(&self, services: &mut Services) {
        let registry = RegistryApi::new(self.registry.clone(), self.attachments.clone());
        let meetings = MeetingApi::new(self.registry.clone(), self.attachments.clone());
        services
            .add_service(RegistryServiceServer::new(registry))
            .add_service(MeetingServiceServer::new(meetings));
    }

    /// Applies operations, tells events and notices, invites to what begins, takes out lost relays and
    /// removes unwanted files, until the shutdown.
    ///
    /// # Errors
    /// None.
    pub async fn run(self) -> Result<(), Error> {
        let store = self.registry.store();
        let streams = Arc::new(Streams::new(self.bus.clone()));
        let publisher = |outbox| {
            let sink: Arc<dyn Sink> = Arc::<Streams>::clone(&streams);
            Publisher::new(store.clone(), outbox, sink)
        };
        let shutdown = &self.platform.shutdown;
        tokio::join!(
            OperationConsumer::new(self.bus.clone(), store.clone()).run(shutdown.clone()),
            publisher(Outbox::Events).run(shutdown.clone()),
            publisher(Outbox::Notices).run(shutdown.clone()),
            Sweeper::new(store.clone(), &self.config).run(shutdown.clone()),
            Scheduler::new(store.clone()).run(shutdown.clone()),
            Remover::new(self.attachments.clone()).run(shutdown.clone()),
        );
        self.bus.drain().await;
        Ok(())
    }
}
