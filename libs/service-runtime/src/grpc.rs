//! gRPC in: the services of a process behind one listener, with bearer checks, health, reflection,
//! traces and limits.
//!
//! Who may call what goes by the path alone: `/tributary.admin.*` needs the admin token, health and
//! reflection need nothing, all else needs the service token.

mod authorization;
mod message_limit;
mod observe;

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::{
    body::Body,
    server::NamedService,
    service::{Routes, RoutesBuilder},
    transport::Server,
};
use tonic_health::{ServingStatus, server::HealthReporter};
use tower::ServiceBuilder;

use crate::{Error, Platform, Readiness};
pub use message_limit::MESSAGE_BYTES_MAX;

/// Calls of one connection that may run at once; more wait.
const STREAMS_MAX: u32 = 1024;
/// Headers of one call, in bytes: a token and a trace are well under it.
const HEADER_BYTES_MAX: u32 = 16 * 1024;
/// Streams that a client may open and reset before it is dropped (CVE-2023-44487).
const PENDING_RESETS_MAX: usize = 32;
/// A call that has not been answered after this is given up: as long as the largest file may take to
/// arrive. Callers give up earlier, and what nobody waits for ends with them.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10 * 60);
/// A silent connection is asked for a sign of life this often, so that dead ones don't add up.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// And given this long to answer.
const KEEPALIVE_DEADLINE: Duration = Duration::from_secs(10);
/// Connections are renewed at this age, so that clients spread over new replicas.
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(30 * 60);
/// And the calls on an old one have this long to end.
const CONNECTION_AGE_GRACE: Duration = Duration::from_secs(60);

/// The gRPC services of a process.
#[derive(Default)]
pub struct Services {
    routes: RoutesBuilder,
    names: Vec<&'static str>,
}

impl Services {
    /// Adds a generated server.
    pub fn add_service<S>(&mut self, service: S) -> &mut Self
    where
        S: tower::Service<http::Request<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Response: axum::response::IntoResponse,
        S::Future: Send + 'static,
    {
        self.routes.add_service(service);
        self.names.push(S::NAME);
        self
    }

    /// The names of the services, as in the contracts.
    pub fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

/// A bound gRPC server.
pub struct GrpcServer {
    listener: TcpListener,
    address: SocketAddr,
}

impl GrpcServer {
    /// Opens the listener; who connects now is served when [`GrpcServer::serve`] runs.
    ///
    /// # Errors
    /// If the address can't be listened on.
    pub async fn bind(address: SocketAddr) -> Result<Self, Error> {
        let failed = |source| Error::Listen { purpose: "gRPC", address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Where it listens, with the port that the system chose if 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is cancelled and the calls under way are answered.
    ///
    /// # Errors
    /// If the server can't be set up or fails.
    pub async fn serve(
        self,
        services: Services,
        platform: &Platform,
        stop: CancellationToken,
    ) -> Result<(), Error> {
        let Services { mut routes, names } = services;
        let (reporter, health) = tonic_health::server::health_reporter();
        add_reflection(&mut routes, &names)?;
        let routes: Routes = routes.routes().add_service(health);

        let layers = ServiceBuilder::new()
            .layer(authorization::layer(&platform.config.security))
            .layer(observe::ObserveLayer)
            .layer(message_limit::MessageLimitLayer)
            .into_inner();
        let serving = Server::builder()
            .timeout(ANSWER_DEADLINE)
            .max_concurrent_streams(STREAMS_MAX)
            .http2_max_header_list_size(HEADER_BYTES_MAX)
            .http2_max_pending_accept_reset_streams(Some(PENDING_RESETS_MAX))
            .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
            .http2_keepalive_timeout(Some(KEEPALIVE_DEADLINE))
            .max_connection_age(CONNECTION_AGE_MAX)
            .max_connection_age_grace(CONNECTION_AGE_GRACE)
            .tcp_nodelay(true)
            .layer(layers)
            .add_routes(routes.prepare())
            .serve_with_incoming_shutdown(
                TcpListenerStream::new(self.listener),
                stop.clone().cancelled_owned(),
            );
        let health = report_health(reporter, names, platform.readiness.clone(), stop);
        tokio::pin!(serving, health);
        tokio::select! {
            result = &mut serving => result.map_err(Error::Serve),
            () = &mut health => serving.await.map_err(Error::Serve),
        }
    }
}

fn add_reflection(routes: &mut RoutesBuilder, names: &[&'static str]) -> Result<(), Error> {
    let configure = || {
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(tributary_contracts::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .with_service_name("grpc.health.v1.Health");
        names.iter().fold(builder, |builder, name| builder.with_service_name(*name))
    };
    routes.add_service(configure().build_v1()?).add_service(configure().build_v1alpha()?);
    Ok(())
}

/// Keeps the health of every service, and of the process as a whole, like the readiness, until
/// `stop`; then those who watch it are let go, as they would hold up the end.
async fn report_health(
    mut reporter: HealthReporter,
    names: Vec<&'static str>,
    readiness: Readiness,
    stop: CancellationToken,
) {
    let names: Vec<_> = names.into_iter().chain([""]).collect();
    let mut changes = readiness.subscribe();
    while !stop.is_cancelled() {
        let ready = *changes.borrow_and_update();
        let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
        for name in &names {
            reporter.set_service_status(name, status).await;
        }
        tokio::select! {
            _ = changes.changed() => {}
            () = stop.cancelled() => {}
        }
    }
    for name in names {
        reporter.clear_service_status(name).await;
    }
}
