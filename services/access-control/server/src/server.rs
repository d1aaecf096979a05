//! The composition root: from configuration to services that answer and work that runs.

use std::sync::Arc;

use tributary_contracts::{
    access::v1::access_service_server::AccessServiceServer,
    admin::v1::audit_service_server::AuditServiceServer,
    registry::v1::registry_service_client::RegistryServiceClient,
};
use tributary_database as database;
use tributary_mailer::Mailer;
use tributary_message_bus::{ConnectError, ControlBus};
use tributary_password_hash::Hasher;
use tributary_service_runtime::{CancellationToken, Peer, Platform, Readiness, grpc::Services};
use tributary_sliding_window::Budgets;

use crate::{
    alarm::{Alarm, Misses},
    audit::{AuditQueue, AuditWriter},
    bus::{Listener, Teller},
    cleaning::Cleaner,
    clock::Clock,
    config::{Config, InvalidConfig},
    counting::Counting,
    deciding::{Decider, Policy},
    facts::{FactFinder, Freshness, RecentAllows},
    grid::Grid,
    grpc::{AccessApi, AuditApi},
    metrics,
    sharing::{Settings, Sharing},
    store::{BUDGETS, Migrations, Store},
};

/// The name of the service's database file, and of the service.
const SERVICE: &str = "access-control";

/// The access-control service, ready to answer.
pub struct Server {
    access: AccessApi,
    audit: AuditApi,
    work: Work,
    shutdown: CancellationToken,
}

/// What runs beside the answers.
struct Work {
    writer: AuditWriter,
    listener: Listener,
    alarm: Alarm,
    cleaner: Cleaner,
}

/// Why the service can't start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The section of the configuration holds what can't work.
    #[error(transparent)]
    Config(#[from] InvalidConfig),
    /// The settings of e-mail hold what can't work.
    #[error("access_control.{0}")]
    Mail(#[from] tributary_mailer::ConfigError),
    /// The database could not be opened or brought up to date.
    #[error(transparent)]
    Database(#[from] database::Error),
    /// The channel to the meeting registry could not be set up.
    #[error(transparent)]
    Platform(#[from] tributary_service_runtime::Error),
    /// NATS can't be used with this configuration.
    #[error(transparent)]
    Bus(#[from] ConnectError),
    /// The operating system gives no random numbers.
    #[error("there are no random numbers: {0}")]
    Random(getrandom::Error),
}

impl Server {
    /// Opens the database and the control bus. While the database is not there, this waits, and
    /// readiness says so; the bus may come later.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn load(config: Config, platform: Platform) -> Result<Self, Error> {
        Self::load_with_clock(config, platform, Clock::System).await
    }

    /// The same with another clock.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn load_with_clock(
        config: Config,
        platform: Platform,
        clock: Clock,
    ) -> Result<Self, Error> {
        metrics::describe();
        config.check()?;
        let mailer = Mailer::new(&config.mail)?;
        let strict = config.strict_organisations()?;
        let settings = Settings { public_url: config.public_url()?, mail_limit: config.mail_limit };
        let mut salt = [0; 32];
        getrandom::fill(&mut salt).map_err(Error::Random)?;

        let readiness = platform.readiness.dependency("access-control database");
        let connection =
            database::connect(&platform.config.database, SERVICE, &readiness, &platform.shutdown)
                .await?;
        database::migrate::<Migrations>(&connection).await?;
        // Everything is decided without the bus too, so its absence must not take this service out
        // of the balance: its state is reported to nobody.
        let unreported = Readiness::new().dependency("NATS");
        let bus = ControlBus::connect(&platform.config.nats, SERVICE, &unreported).await?;

        let registry = RegistryServiceClient::new(platform.channel(Peer::MeetingRegistry)?);
        let budgets = Budgets::new(connection.clone(), BUDGETS);
        let store = Store::new(connection);
        let freshness = Arc::new(Freshness::default());
        let facts =
            FactFinder::new(&config, registry.clone(), store.clone(), Arc::clone(&freshness));
        let allows =
            RecentAllows::new(config.facts_life(), config.facts_max, Arc::clone(&freshness), salt);
        let counting = Counting::new(&config, budgets.clone(), store.pulse().clone());
        let policy = Policy::new(&config, strict);
        let decider = Decider::new(
            facts.clone(),
            counting.clone(),
            allows,
            Hasher::default(),
            policy,
            clock.clone(),
        );
        let teller = Teller::new(bus.clone(), freshness);
        let (queue, waiting) = AuditQueue::new(config.audit_queue);
        let sharing = Sharing::new(
            facts,
            registry,
            store.clone(),
            budgets,
            teller.clone(),
            mailer,
            settings,
            queue.clone(),
            clock.clone(),
        );
        let misses = Misses::default();
        let grid = Grid::new(config.refusal_grid());
        let access = AccessApi::new(decider, sharing, queue, grid, clock.clone(), misses.clone());
        let work = Work {
            writer: AuditWriter::new(waiting, store.clone()),
            listener: Listener::new(bus, teller),
            alarm: Alarm::new(&config, misses, store.clone(), clock.clone()),
            cleaner: Cleaner::new(&config, store.clone(), counting, clock),
        };
        Ok(Self { access, audit: AuditApi::new(store), work, shutdown: platform.shutdown })
    }

    /// Adds what this service answers.
    pub fn add_services(&self, services: &mut Services) {
        services
            .add_service(AccessServiceServer::new(self.access.clone()))
            .add_service(AuditServiceServer::new(self.audit.clone()));
    }

    /// Writes decisions down, hears what changes, watches and cleans until the shutdown.
    ///
    /// # Errors
    /// None.
    pub async fn run(self) -> Result<(), Error> {
        let Work { writer, listener, alarm, cleaner } = self.work;
        let shutdown = self.shutdown;
        tokio::join!(
            writer.run(shutdown.clone()),
            listener.run(shutdown.clone()),
            alarm.run(shutdown.clone()),
            cleaner.run(shutdown.clone()),
        );
        Ok(())
    }
}
