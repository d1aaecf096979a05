//! What every service needs before it is itself: one layered configuration, telemetry, readiness
//! and the ops server, gRPC in and out, and the frame that starts and ends it all in order.
//!
//! Start with [`run`]; a service gets a [`Platform`] from it and gives an [`Assembly`] back.
//!
//! **Invariant:** this crate knows no service; what it knows of them is their gRPC addresses.

mod channel;
pub mod config;
mod frame;
pub mod grpc;
mod ops;
mod platform;
pub mod propagation;
mod readiness;
mod secret;
pub mod telemetry;

pub use channel::{CALL_DEADLINE, ServiceChannel};
pub use frame::{Assembly, run};
pub use ops::OpsServer;
pub use platform::{
    DEVELOPMENT_ADMIN_TOKEN, DEVELOPMENT_SERVICE_TOKEN, DatabaseConfig, GrpcConfig, NatsConfig,
    OpsConfig, Peer, Platform, PlatformConfig, SecurityConfig, ServicesConfig,
};
pub use readiness::{Dependency, Readiness, Report, Waiting};
pub use secret::Secret;
pub use telemetry::{LogConfig, LogFormat};
pub use tokio_util::sync::CancellationToken;

/// Why a process can't start or a call can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration has faults; all that were found.
    #[error(transparent)]
    Config(#[from] config::Faults),
    /// An address of a peer service is not an `http://` or `https://` URL.
    #[error("the address of {peer} is not usable: {url:?} ({source})")]
    PeerAddress {
        /// The peer's name.
        peer: &'static str,
        /// What was configured.
        url: String,
        /// What is wrong with it.
        source: tonic::transport::Error,
    },
    /// The service token holds characters that can't travel in a header.
    #[error("security.service_token must consist of visible ASCII characters")]
    TokenNotAscii,
    /// A listener could not be opened.
    #[error("can't listen on {address} for {purpose}: {source}")]
    Listen {
        /// What the listener is for.
        purpose: &'static str,
        /// Where.
        address: std::net::SocketAddr,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// The gRPC server ended with an error.
    #[error("the gRPC server failed: {0}")]
    Serve(#[source] tonic::transport::Error),
    /// Reflection could not be set up from the contracts.
    #[error("gRPC reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The log filter can't be parsed.
    #[error("log.filter {filter:?} is not usable: {reason}")]
    LogFilter {
        /// What was configured.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An OTLP exporter could not be set up.
    #[error("OTLP export: {0}")]
    Export(#[from] opentelemetry_otlp::ExporterBuildError),
}
