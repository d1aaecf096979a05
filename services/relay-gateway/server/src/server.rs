//! The composition root: binds, connects, serves, drains.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, middleware, routing::get};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use tributary_contracts::registry::v1::RenewRelayRequest;
use tributary_identifiers::RelaySessionId;
use tributary_message_bus::ControlBus;
use tributary_service_runtime::{Peer, Platform, grpc::Services};
use tributary_speaker_selection::Config as SelectionConfig;

use crate::{
    Config, attachments, attendance, http,
    media::{MediaConfig, MediaError, MediaHandle},
    meetings::Meetings,
    metrics,
    narrowings::Narrowings,
    notices::NoticeDesk,
    operations::{Operations, Stream},
    terminals::{Shared, WebSocketState, attached::Attached, upgrade},
    trust::Trust,
    upstream::Upstream,
    web,
};

/// How often the registry is told that this relay lives; it waits 8 s.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(2);
const SESSION_ID_BYTES: usize = 12;

/// A relay can't start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration can't work.
    #[error("{}", .0.join("; "))]
    Config(Vec<String>),
    /// The address can't be used.
    #[error("can't listen for terminals on {address}: {source}")]
    Listen {
        /// The configured address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The media thread can't start.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The NATS configuration can't be used.
    #[error(transparent)]
    Bus(#[from] tributary_message_bus::ConnectError),
    /// A peer's address or the token can't be used.
    #[error(transparent)]
    Platform(#[from] tributary_service_runtime::Error),
    /// The operating system gives no random bytes.
    #[error("the system's random generator does not answer: {0}")]
    Random(getrandom::Error),
}

/// A relay gateway, bound and connected.
pub struct Server {
    platform: Platform,
    listener: TcpListener,
    shared: Arc<Shared>,
    bus: ControlBus,
    config: Config,
}

impl Server {
    /// Binds both ports and starts the media thread. Waits for no other service.
    ///
    /// # Errors
    /// An address or the configuration can't be used.
    pub async fn load(config: Config, platform: Platform) -> Result<Self, Error> {
        metrics::describe();
        let faults = config.faults();
        if !faults.is_empty() {
            return Err(Error::Config(faults));
        }
        let listener = TcpListener::bind(config.listen)
            .await
            .map_err(|source| Error::Listen { address: config.listen, source })?;
        let selection =
            SelectionConfig { voices_max: config.voices_max, ..SelectionConfig::default() };
        let media = MediaConfig {
            relay: config.relay_id.clone(),
            udp_listen: config.udp_listen,
            udp_advertise: config.udp_advertise.clone(),
            selection,
            room: config.room,
        };
        let media = MediaHandle::start(media, &platform).await?;
        let name = format!("relay {}", config.relay_id);
        let dependency = platform.readiness.dependency("nats");
        let bus = ControlBus::connect(&platform.config.nats, &name, &dependency).await?;
        let shared = Arc::new(share(&config, &platform, media, bus.clone())?);
        Ok(Self { platform, listener, shared, bus, config })
    }

    /// Where it listens, with the port that the system chose if 0 was asked for.
    ///
    /// # Errors
    /// The listener is not one any more.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// A relay answers no gRPC.
    pub fn add_services(&self, _services: &mut Services) {}

    /// Serves terminals until the platform's shutdown, then tells them to come again and waits
    /// until they have heard it.
    ///
    /// # Errors
    /// None: what can fail is tried by [`Self::load`].
    pub async fn run(self) -> Result<(), Error> {
        let Self { platform, listener, shared, bus, config } = self;
        let shutdown = platform.shutdown.clone();
        let connections = TaskTracker::new();
        let state = WebSocketState {
            shared: shared.clone(),
            allowed_origins: config.allowed_origins.into(),
            connections: connections.clone(),
            shutdown: shutdown.clone(),
        };
        let transfers = attachments::Transfers::new(shared.clone(), config.attachment_bytes_max);
        let app = Router::new()
            .route("/terminal/v1", get(upgrade))
            .with_state(state)
            .merge(attachments::routes(transfers.clone()))
            .merge(attendance::routes(transfers))
            .fallback(web::serve)
            .layer(middleware::from_fn(web::secure));
        tracing::info!(address = %config.listen, relay = %shared.relay, "serving terminals");
        let trust = shared.trust.clone();
        let dependency = platform.readiness.dependency("credential-keys");
        let trust = tokio::spawn(async move { trust.keep_fresh(dependency).await });
        let renewal = tokio::spawn(renew(shared.clone()));
        let (hearing, ear) = (shared.clone(), bus.clone());
        let narrowings = tokio::spawn(async move {
            hearing.narrowings.hear(&ear, &hearing.organisation).await;
        });
        http::serve(listener, app, shutdown).await;
        connections.close();
        connections.wait().await;
        trust.abort();
        renewal.abort();
        narrowings.abort();
        shared.attached.drain().await;
        shared.operations.drain().await;
        bus.drain().await;
        Ok(())
    }
}

fn share(
    config: &Config,
    platform: &Platform,
    media: MediaHandle,
    bus: ControlBus,
) -> Result<Shared, Error> {
    let credential = platform.channel(Peer::Credential)?;
    let upstream = Upstream::new(platform)?;
    let relay_session = new_session_id()?;
    let attached = Attached::new(
        media.clone(),
        upstream.clone(),
        relay_session.clone(),
        Duration::from_secs(config.reconnect_grace_seconds),
        platform.shutdown.clone(),
    );
    let stream = Stream { bus: bus.clone(), relay: config.relay_id.clone() };
    Ok(Shared {
        relay: config.relay_id.clone(),
        relay_name: config.name.trim().to_owned(),
        relay_session,
        organisation: config.organisation.clone(),
        trusted_proxies: config.trusted_proxies.clone(),
        trust: Trust::new(credential, bus.clone()),
        notices: NoticeDesk::new(upstream.clone(), bus.clone()),
        operations: Operations::new(stream, platform.shutdown.clone()),
        meetings: Meetings::new(upstream.clone(), bus),
        upstream,
        narrowings: Narrowings::default(),
        media,
        attached: Arc::new(attached),
    })
}

/// Names this run of the process.
fn new_session_id() -> Result<RelaySessionId, Error> {
    let mut bytes = [0; SESSION_ID_BYTES];
    getrandom::fill(&mut bytes).map_err(Error::Random)?;
    Ok(RelaySessionId::from_random(&bytes))
}

/// Tells the registry that this relay lives.
async fn renew(shared: Arc<Shared>) {
    let mut interval = tokio::time::interval(RENEWAL_INTERVAL);
    loop {
        interval.tick().await;
        let request = RenewRelayRequest {
            relay_id: shared.relay.to_string(),
            relay_session_id: shared.relay_session.to_string(),
        };
        if let Err(status) = shared.upstream.renew_relay(request).await {
            tracing::debug!(code = ?status.code(), "relay not renewed; trying again");
        }
    }
}
