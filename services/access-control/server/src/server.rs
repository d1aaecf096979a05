//! The composition root: from configuration to a service that answers.

use tributary_contracts::{
    access::v1::access_service_server::AccessServiceServer,
    registry::v1::registry_service_client::RegistryServiceClient,
};
use tributary_database as database;
use tributary_password_hash::Hasher;
use tributary_service_runtime::{CancellationToken, Peer, Platform, grpc::Services};

use crate::{
    config::Config,
    facts::FactFinder,
    grpc::AccessApi,
    metrics,
    store::{Migrations, Store},
};

/// The name of the service's database file, and of the service.
const SERVICE: &str = "access-control";

/// The access-control service, ready to answer.
pub struct Server {
    access: AccessApi,
    shutdown: CancellationToken,
}

/// Why the service can't start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database could not be opened or brought up to date.
    #[error(transparent)]
    Database(#[from] database::Error),
    /// The channel to the meeting registry could not be set up.
    #[error(transparent)]
    Platform(#[from] tributary_service_runtime::Error),
}

impl Server {
    /// Opens the database. While it is not there, this waits, and readiness says so.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn load(config: Config, platform: Platform) -> Result<Self, Error> {
        metrics::describe();
        let readiness = platform.readiness.dependency("access-control database");
        let connection =
            database::connect(&platform.config.database, SERVICE, &readiness, &platform.shutdown)
                .await?;
        database::migrate::<Migrations>(&connection).await?;
        let registry = RegistryServiceClient::new(platform.channel(Peer::MeetingRegistry)?);
        let facts = FactFinder::new(&config, registry, Store::new(connection));
        let access = AccessApi::new(facts, Hasher::default());
        Ok(Self { access, shutdown: platform.shutdown })
    }

    /// Adds what this service answers.
    pub fn add_services(&self, services: &mut Services) {
        services.add_service(AccessServiceServer::new(self.access.clone()));
    }

    /// Waits for the end: the service has no work of its own.
    ///
    /// # Errors
    /// None.
    pub async fn run(self) -> Result<(), Error> {
        self.shutdown.cancelled().await;
        Ok(())
    }
}
