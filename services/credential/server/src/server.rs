//! The composition root: from configuration to services that answer and work that goes on.

use tributary_contracts::{
    access::v1::access_service_client::AccessServiceClient,
    admin::v1::{
        credential_admin_service_server::CredentialAdminServiceServer,
        relay_admin_service_server::RelayAdminServiceServer,
        user_service_server::UserServiceServer,
    },
    credential::v1::{
        credential_service_server::CredentialServiceServer,
        relay_identity_service_server::RelayIdentityServiceServer,
    },
};
use tributary_credential_core::{DisplayName, UserName};
use tributary_database as database;
use tributary_identifiers::OrganisationId;
use tributary_message_bus::{ConnectError, ControlBus};
use tributary_password_hash::Hasher;
use tributary_service_runtime::{CancellationToken, Peer, Platform, Readiness, grpc::Services};
use tributary_sliding_window::Budgets;

use crate::{
    accounts::{self, CreateError, Names},
    announcer::Announcer,
    authority::{Authority, AuthorityError},
    budgets::Attempts,
    clock::Clock,
    config::{BootstrapUser, Config, InvalidConfig},
    grpc::{
        CredentialAdminApi, CredentialApi, Identities, Parts, RelayAdminApi, RelayIdentityApi,
        UserApi,
    },
    keeper::Keeper,
    metrics,
    oidc::OidcLogIn,
    password_checks::PasswordChecks,
    sealing::{InvalidSecret, Sealer},
    store::{BUDGETS, Migrations, Store, StoreError},
};

/// The name of the service's database file, and of the service.
const SERVICE: &str = "credential";

/// The credential service, ready to answer.
pub struct Server {
    credential: CredentialApi,
    users: UserApi,
    admin: CredentialAdminApi,
    relays: RelayIdentityApi,
    relays_admin: RelayAdminApi,
    keeper: Keeper,
    shutdown: CancellationToken,
}

/// Why the service can't start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The section of the configuration holds what can't work.
    #[error(transparent)]
    Config(#[from] InvalidConfig),
    /// The secret that encrypts the signing keys can't be used.
    #[error(transparent)]
    KeysSecret(#[from] InvalidSecret),
    /// A configured account can't be created.
    #[error("credential.users: {user_name:?}: {reason}")]
    BootstrapUser {
        /// Its log-in name.
        user_name: String,
        /// What is wrong, for an operator.
        reason: String,
    },
    /// A configured log-in provider can't be used.
    #[error("credential.oidc: {id:?}: {reason}")]
    OidcProvider {
        /// Its id.
        id: String,
        /// What is wrong, for an operator.
        reason: String,
    },
    /// The database could not be opened or brought up to date.
    #[error(transparent)]
    Database(#[from] database::Error),
    /// The tables could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The signing keys could not be made or read.
    #[error("signing keys: {reason}")]
    SigningKeys {
        /// What is wrong, for an operator.
        reason: String,
    },
    /// NATS can't be used with this configuration.
    #[error(transparent)]
    Bus(#[from] ConnectError),
    /// The channel to access-control could not be set up.
    #[error(transparent)]
    Platform(#[from] tributary_service_runtime::Error),
}

impl From<AuthorityError> for Error {
    fn from(error: AuthorityError) -> Self {
        match error {
            AuthorityError::Store(error) => Self::Store(error),
            error => Self::SigningKeys { reason: error.to_string() },
        }
    }
}

impl Server {
    /// Opens the database, makes or reads the signing keys, and creates the configured accounts.
    /// While the database is not there, it waits, and readiness says so. NATS and log-in providers
    /// may come later.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn load(config: Config, platform: Platform) -> Result<Self, Error> {
        Self::load_with_clock(config, platform, Clock::System).await
    }

    /// The same by another clock.
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
        let sealer = Sealer::new(&config.keys_secret)?;
        let readiness = platform.readiness.dependency("credential database");
        let connection =
            database::connect(&platform.config.database, SERVICE, &readiness, &platform.shutdown)
                .await?;
        database::migrate::<Migrations>(&connection).await?;
        let budgets = Budgets::new(connection.clone(), BUDGETS);
        let store = Store::new(connection);
        // Everything works without the bus, only later, so its absence must not take this service
        // out of the balance: its state is reported to nobody.
        let unreported = Readiness::new().dependency("NATS");
        let bus = ControlBus::connect(&platform.config.nats, SERVICE, &unreported).await?;
        let announcer = Announcer::new(bus.clone());
        let policy = config.rotation();
        let told = announcer.clone();
        let authority = Authority::new(store.clone(), sealer, policy, told, clock.clone());
        authority.open().await?;
        let hasher = Hasher::default();
        for user in &config.users {
            bootstrap(user, &store, &hasher, clock.seconds()).await?;
        }
        let attempts = Attempts::new(budgets.clone(), config.limits.clone(), clock.clone());
        let oidc = OidcLogIn::new(&config.oidc, store.clone(), attempts.clone(), clock.clone())?;
        let identities = Identities {
            store: store.clone(),
            authority: authority.clone(),
            clock: clock.clone(),
            guests: config.guests,
        };
        let access = AccessServiceClient::new(platform.channel(Peer::AccessControl)?);
        let users = UserApi::new(store.clone(), hasher.clone(), authority.clone(), clock.clone());
        let relays = RelayIdentityApi::new(
            store.clone(),
            attempts.clone(),
            announcer.clone(),
            clock.clone(),
        );
        let relays_admin = RelayAdminApi::new(store.clone(), announcer.clone(), clock.clone());
        let passwords = PasswordChecks::default();
        let parts = Parts { identities, attempts, passwords, oidc, access };
        Ok(Self {
            credential: CredentialApi::new(parts),
            users,
            admin: CredentialAdminApi::new(authority.clone(), clock.clone()),
            relays,
            relays_admin,
            keeper: Keeper { authority, store, announcer, budgets, clock, bus },
            shutdown: platform.shutdown,
        })
    }

    /// Adds what this service answers.
    pub fn add_services(&self, services: &mut Services) {
        services
            .add_service(CredentialServiceServer::new(self.credential.clone()))
            .add_service(UserServiceServer::new(self.users.clone()))
            .add_service(CredentialAdminServiceServer::new(self.admin.clone()))
            .add_service(RelayIdentityServiceServer::new(self.relays.clone()))
            .add_service(RelayAdminServiceServer::new(self.relays_admin.clone()));
    }

    /// Looks after keys and revocations until the shutdown.
    ///
    /// # Errors
    /// None.
    pub async fn run(self) -> Result<(), Error> {
        let bus = self.keeper.bus.clone();
        self.keeper.run(self.shutdown).await;
        bus.drain().await;
        Ok(())
    }
}

async fn bootstrap(
    user: &BootstrapUser,
    store: &Store,
    hasher: &Hasher,
    now: u64,
) -> Result<(), Error> {
    let failed = |reason: &dyn std::fmt::Display| Error::BootstrapUser {
        user_name: user.user_name.clone(),
        reason: reason.to_string(),
    };
    let organisation =
        OrganisationId::from_request(&user.organisation).map_err(|error| failed(&error))?;
    let user_name: UserName = user.user_name.parse().map_err(|error| failed(&error))?;
    let display_name: DisplayName = user.shown_name().parse().map_err(|error| failed(&error))?;
    let password = user.read_password().map_err(|error| failed(&error))?;
    if store.account_by_name(&organisation, &user_name).await?.is_some() {
        return Ok(());
    }
    let names = Names { organisation, user_name: user_name.clone(), display_name };
    let created = accounts::create(store, hasher, names, password.expose(), now).await;
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
