//! The composition root: from configuration to services that answer.

use std::sync::Arc;

use tributary_contracts::{
    access::v1::access_service_client::AccessServiceClient,
    admin::v1::user_service_server::UserServiceServer,
    credential::v1::credential_service_server::CredentialServiceServer,
};
use tributary_credential_core::{DisplayName, UserName};
use tributary_database as database;
use tributary_identifiers::OrganisationId;
use tributary_join_credential::{SigningError, SigningKey};
use tributary_password_hash::Hasher;
use tributary_service_runtime::{CancellationToken, Peer, Platform, grpc::Services};

use crate::{
    accounts::{self, CreateError},
    clock::unix_now,
    config::{BootstrapUser, Config, PasswordSourceError},
    grpc::{CredentialApi, Keys, UserApi},
    metrics,
    store::{Migrations, Store, StoreError},
};

/// The name of the service's database file, and of the service.
const SERVICE: &str = "credential";

/// The credential service, ready to answer.
pub struct Server {
    credential: CredentialApi,
    users: UserApi,
    shutdown: CancellationToken,
}

/// Why the service can't start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A configured account can't be created.
    #[error("credential.users: {user_name:?}: {reason}")]
    BootstrapUser {
        /// Its log-in name.
        user_name: String,
        /// What is wrong, for an operator.
        reason: String,
    },
    /// The database could not be opened or brought up to date.
    #[error(transparent)]
    Database(#[from] database::Error),
    /// The tables could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No signing key could be made.
    #[error("making a signing key: {0}")]
    SigningKey(#[from] SigningError),
    /// The channel to access-control could not be set up.
    #[error(transparent)]
    Platform(#[from] tributary_service_runtime::Error),
}

impl Server {
    /// Opens the database, makes or reads the signing key, and creates the configured accounts.
    /// While the database is not there, it waits, and readiness says so.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn load(config: Config, platform: Platform) -> Result<Self, Error> {
        metrics::describe();
        let readiness = platform.readiness.dependency("credential database");
        let connection =
            database::connect(&platform.config.database, SERVICE, &readiness, &platform.shutdown)
                .await?;
        database::migrate::<Migrations>(&connection).await?;
        let store = Store::new(connection);
        let signing_keys = store.signing_keys(&SigningKey::generate()?, unix_now()).await?;
        let keys = Keys::new(signing_keys).ok_or(StoreError::NoSigningKey)?;
        let hasher = Hasher::default();
        for user in &config.users {
            bootstrap(user, &store, &hasher).await?;
        }
        let access = AccessServiceClient::new(platform.channel(Peer::AccessControl)?);
        let keys = Arc::new(keys);
        Ok(Self {
            credential: CredentialApi::new(store.clone(), hasher.clone(), keys, access),
            users: UserApi::new(store, hasher),
            shutdown: platform.shutdown,
        })
    }

    /// Adds what this service answers.
    pub fn add_services(&self, services: &mut Services) {
        services
            .add_service(CredentialServiceServer::new(self.credential.clone()))
            .add_service(UserServiceServer::new(self.users.clone()));
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

async fn bootstrap(user: &BootstrapUser, store: &Store, hasher: &Hasher) -> Result<(), Error> {
    let failed = |reason: &dyn std::fmt::Display| Error::BootstrapUser {
        user_name: user.user_name.clone(),
        reason: reason.to_string(),
    };
    let organisation =
        OrganisationId::from_request(&user.organisation).map_err(|error| failed(&error))?;
    let user_name: UserName = user.user_name.parse().map_err(|error| failed(&error))?;
    let display_name: DisplayName = user.shown_name().parse().map_err(|error| failed(&error))?;
    let password = user.read_password().map_err(|error: PasswordSourceError| failed(&error))?;
    if store.account_by_name(&organisation, &user_name).await?.is_some() {
        return Ok(());
    }
    let created = accounts::create(
        store,
        hasher,
        organisation,
        user_name.clone(),
        display_name,
        password.expose(),
    )
    .await;
    match created {
        Ok(account) => {
            tracing::info!(%user_name, user_id = %account.user_id, "created a configured account");
            Ok(())
        }
        // Another replica that starts at the same time was faster.
        Err(CreateError::Store(StoreError::NameTaken)) => Ok(()),
        Err(CreateError::Store(error)) => Err(error.into()),
        Err(error) => Err(failed(&error)),
    }
}
