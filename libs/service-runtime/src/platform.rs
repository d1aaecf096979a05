//! The part of the configuration that all services share, and what a service gets from the frame.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::{Error, LogConfig, Readiness, Secret, ServiceChannel};

/// The service token that is used when none is configured; accepted on loopback only.
pub const DEVELOPMENT_SERVICE_TOKEN: &str = "development-only-service-token";
/// The admin token that is used when none is configured; accepted on loopback only.
pub const DEVELOPMENT_ADMIN_TOKEN: &str = "development-only-admin-token";

/// What all services share: the top level of the one configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlatformConfig {
    /// Logs.
    pub log: LogConfig,
    /// The ops server: `/livez`, `/readyz`, `/metrics`.
    pub ops: OpsConfig,
    /// The gRPC server.
    pub grpc: GrpcConfig,
    /// NATS.
    pub nats: NatsConfig,
    /// Tokens of gRPC calls.
    pub security: SecurityConfig,
    /// Where the other services answer.
    pub services: ServicesConfig,
    /// The database.
    pub database: DatabaseConfig,
    /// How long a process may take to end in order, in seconds; then it is cut short.
    pub drain_seconds: u64,
}

impl Default for PlatformConfig {
    fn default() -> Self {
        Self {
            log: LogConfig::default(),
            ops: OpsConfig::default(),
            grpc: GrpcConfig::default(),
            nats: NatsConfig::default(),
            security: SecurityConfig::default(),
            services: ServicesConfig::default(),
            database: DatabaseConfig::default(),
            drain_seconds: 8,
        }
    }
}

/// The ops server.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpsConfig {
    /// Where it listens; the empty string turns it off.
    #[serde(with = "address_or_off")]
    pub listen: Option<SocketAddr>,
}

impl Default for OpsConfig {
    fn default() -> Self {
        Self { listen: Some(loopback(9090)) }
    }
}

/// The gRPC server.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GrpcConfig {
    /// Where it listens.
    pub listen: SocketAddr,
}

impl Default for GrpcConfig {
    fn default() -> Self {
        Self { listen: loopback(7400) }
    }
}

/// NATS.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NatsConfig {
    /// Its URL; several are separated by commas.
    pub url: String,
    /// The user; empty for none.
    pub user: String,
    /// The user's password.
    pub password: Secret,
}

impl Default for NatsConfig {
    fn default() -> Self {
        Self {
            url: "nats://127.0.0.1:4222".into(),
            user: String::new(),
            password: Secret::default(),
        }
    }
}

/// Tokens of gRPC calls.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecurityConfig {
    /// What services show to each other. Empty: nobody can call.
    pub service_token: Secret,
    /// What callers of `tributary.admin.*` show. Empty: nobody can call it.
    pub admin_token: Secret,
}

impl Default for SecurityConfig {
    fn default() -> Self {
        Self {
            service_token: Secret::new(DEVELOPMENT_SERVICE_TOKEN),
            admin_token: Secret::new(DEVELOPMENT_ADMIN_TOKEN),
        }
    }
}

/// Where the services that answer gRPC are; each an `http://` or `https://` URL.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServicesConfig {
    /// The credential service.
    pub credential: String,
    /// The meeting registry.
    pub meeting_registry: String,
    /// Access control.
    pub access_control: String,
}

impl Default for ServicesConfig {
    fn default() -> Self {
        let here = "http://127.0.0.1:7400";
        Self { credential: here.into(), meeting_registry: here.into(), access_control: here.into() }
    }
}

/// The database.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `sqlite:<folder>` (one file per service in it) or `postgres://…`.
    ///
    /// It can hold a password, so it is treated as a secret.
    pub url: Secret,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self { url: Secret::new("sqlite:data") }
    }
}

/// A service that answers gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// Who is who.
    Credential,
    /// Meetings and their logs.
    MeetingRegistry,
    /// Who may enter.
    AccessControl,
}

impl Peer {
    /// Its name, for logs and labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::MeetingRegistry => "meeting-registry",
            Self::AccessControl => "access-control",
        }
    }
}

/// What every service gets. Cheap to clone.
#[derive(Clone)]
pub struct Platform {
    /// The shared configuration.
    pub config: Arc<PlatformConfig>,
    /// What this process waits for.
    pub readiness: Readiness,
    /// Cancelled when the process is to end.
    pub shutdown: CancellationToken,
}

impl Platform {
    /// A platform that nobody else shares yet.
    pub fn new(config: PlatformConfig) -> Self {
        Self {
            config: Arc::new(config),
            readiness: Readiness::new(),
            shutdown: CancellationToken::new(),
        }
    }

    /// A lazy channel to a peer: it connects when it is used, carries the service token and the
    /// trace, and gives up a call after [`crate::CALL_DEADLINE`]. Must be called inside a Tokio
    /// runtime.
    ///
    /// # Errors
    /// If the peer's address is no URL, or the token can't travel in a header.
    pub fn channel(&self, peer: Peer) -> Result<ServiceChannel, Error> {
        self.patient_channel(peer, crate::CALL_DEADLINE)
    }

    /// As [`Platform::channel`], for calls that may take longer: those that wait for somebody
    /// else's mail server, or for a file to arrive.
    ///
    /// # Errors
    /// As [`Platform::channel`].
    pub fn patient_channel(&self, peer: Peer, deadline: Duration) -> Result<ServiceChannel, Error> {
        let services = &self.config.services;
        let url = match peer {
            Peer::Credential => &services.credential,
            Peer::MeetingRegistry => &services.meeting_registry,
            Peer::AccessControl => &services.access_control,
        };
        ServiceChannel::patient(peer.name(), url, &self.config.security.service_token, deadline)
    }

    /// Begins the end of this process: it is not ready any more, and everybody is told.
    pub fn end(&self) {
        self.readiness.drain();
        self.shutdown.cancel();
    }

    /// How long this process may take to end in order.
    pub fn drain_time(&self) -> Duration {
        Duration::from_secs(self.config.drain_seconds)
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// An address, or the empty string for none, as neither TOML nor the environment has a null.
mod address_or_off {
    use std::net::SocketAddr;

    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(
        address: &Option<SocketAddr>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match address {
            Some(address) => serializer.collect_str(address),
            None => serializer.serialize_str(""),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<SocketAddr>, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(D::Error::custom)
    }
}
