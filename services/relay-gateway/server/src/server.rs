//! The composition root: binds, connects, serves, drains.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, middleware, routing::get};
use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};
use tributary_contracts::registry::v1::RenewRelayRequest;
use tributary_identifiers::RelaySessionId;
use tributary_message_bus::ControlBus;
use tributary_service_runtime::{Peer, Platform, grpc::Services};
use tributary_speaker_selection::Config as SelectionConfig;

use crate::{
    Config, attachments, attendance,
    config::CertificateError,
    http,
    media::{MediaConfig, MediaError, MediaHandle},
    meetings::Meetings,
    metrics,
    narrowings::Narrowings,
    notices::NoticeDesk,
    operations::{Operations, Stream},
    terminals::{Shared, WebSocketState, attached::Attached, upgrade},
    trust::Trust,
    uplink::{AtCore, Host, Listener, Relays},
    upstream::Upstream,
    web,
};

/// How often the registry is told that this relay lives; it waits 8 s.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(2);
const SESSION_ID_BYTES: usize = 12;
/// How long it may take to tell terminals behind other relays that this one goes.
const TELLING_TIME_MAX: Duration = Duration::from_secs(5);
/// How long the listener for relays may take to close.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(2);

/// A relay can't start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration can't work.
    #[error("{}", .0.join("; "))]
    Config(Vec<String>),
    /// The address can't be used.
    #[error("can't listen for {whom} on {address}: {source}")]
    Listen {
        /// Terminals or relays.
        whom: &'static str,
        /// The configured address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A certificate can't be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
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
    tls: Option<TlsAcceptor>,
    uplinks: Option<Listener>,
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
        let listener = TcpListener::bind(config.listen).await.map_err(|source| Error::Listen {
            whom: "terminals",
            address: config.listen,
            source,
        })?;
        let tls = config.certificate()?.map(|certificate| certificate.acceptor());
        let uplinks = listen_for_relays(&config).await?;
        let selection =
            SelectionConfig { voices_max: config.voices_max, ..SelectionConfig::default() };
        let media = MediaConfig {
            relay: config.relay_id.clone(),
            udp_listen: config.udp_listen,
            udp_advertise: config.udp_advertise.clone(),
            selection,
            room: config.room,
            catch_up: Duration::from_millis(config.catch_up_ms),
        };
        let media = MediaHandle::start(media, &platform).await?;
        let name = format!("relay {}", config.relay_id);
        let dependency = platform.readiness.dependency("nats");
        let bus = ControlBus::connect(&platform.config.nats, &name, &dependency).await?;
        let shared = Arc::new(share(&config, &platform, media, bus.clone())?);
        Ok(Self { platform, listener, tls, uplinks, shared, bus, config })
    }

    /// Where it listens, with the port that the system chose if 0 was asked for.
    ///
    /// # Errors
    /// The listener is not one any more.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Where relays attach, if they do, with the port that the system chose if 0 was asked for.
    ///
    /// # Errors
    /// The listener is not one any more.
    pub fn uplink_address(&self) -> io::Result<Option<SocketAddr>> {
        self.uplinks.as_ref().map(Listener::address).transpose()
    }

    /// A relay answers no gRPC at the process's own listener: relays attach to one of this service.
    pub fn add_services(&self, _services: &mut Services) {}

    /// Serves terminals until the platform's shutdown, then tells them to come again and waits
    /// until they have heard it.
    ///
    /// # Errors
    /// None: what can fail is tried by [`Self::load`].
    pub async fn run(self) -> Result<(), Error> {
        let Self { platform, listener, tls, uplinks, shared, bus, config } = self;
        let shutdown = platform.shutdown.clone();
        let connections = TaskTracker::new();
        let state = WebSocketState {
            shared: shared.clone(),
            allowed_origins: config.allowed_origins.clone().into(),
            connections: connections.clone(),
            shutdown: shutdown.clone(),
        };
        let app = routes(&shared, state, &config);
        tracing::info!(address = %config.listen, relay = %shared.relay, "serving terminals");
        let mut tasks = JoinSet::new();
        let trust = shared.trust.clone();
        let dependency = platform.readiness.dependency("credential-keys");
        tasks.spawn(async move { trust.keep_fresh(dependency).await });
        tasks.spawn(renew(shared.clone()));
        let (hearing, ear) = (shared.clone(), bus.clone());
        tasks.spawn(async move { hearing.narrowings.hear(&ear, &hearing.organisation).await });
        let at_core = AtCore::new(shared.clone(), connections.clone(), shutdown.clone());
        let uplinks = uplinks.map(|listener| {
            Uplinks::start(listener, at_core, &app, &config, &bus, platform.clone())
        });
        http::serve(listener, tls, app, shutdown).await;
        connections.close();
        if let Some(uplinks) = uplinks {
            uplinks.drain(&connections).await;
        }
        connections.wait().await;
        // Whoever is here or behind other relays has been told, and has heard and been heard until then.
        shared.media.end();
        tasks.shutdown().await;
        shared.attached.drain().await;
        shared.operations.drain().await;
        bus.drain().await;
        Ok(())
    }
}

/// Everything that is served over HTTP.
fn routes(shared: &Arc<Shared>, state: WebSocketState, config: &Config) -> Router {
    let transfers = attachments::Transfers::new(shared.clone(), config.attachment_bytes_max);
    Router::new()
        .route("/terminal/v1", get(upgrade))
        .with_state(state)
        .merge(attachments::routes(transfers.clone()))
        .merge(attendance::routes(transfers))
        .fallback(web::serve)
        .layer(middleware::from_fn(web::secure))
}

async fn listen_for_relays(config: &Config) -> Result<Option<Listener>, Error> {
    let Some(address) = config.uplink.address() else { return Ok(None) };
    let certificate = config.uplink.certificate()?;
    let listener = Listener::bind(address, certificate).await;
    let listener = listener.map_err(|source| Error::Listen { whom: "relays", address, source })?;
    Ok(Some(listener.with_limits(config.uplink.connection_limits())))
}

/// Where relays attach, at work.
struct Uplinks {
    host: Host<AtCore>,
    stop: CancellationToken,
    serving: JoinHandle<()>,
    _keeping: AbortOnDropHandle<()>,
}

impl Uplinks {
    fn start(
        listener: Listener,
        at_core: AtCore,
        app: &Router,
        config: &Config,
        bus: &ControlBus,
        platform: Platform,
    ) -> Self {
        at_core.serve(app.clone());
        let at_core = Arc::new(at_core);
        let host = Host::new(at_core.clone(), config.uplink.hold());
        let stop = CancellationToken::new();
        tracing::info!(address = %config.uplink.listen, "relays may attach");
        let (serving, stopping) = (host.clone(), stop.clone());
        let serving = tokio::spawn(async move {
            if let Err(error) = listener.serve(serving, stopping).await {
                // Whoever is behind other relays can't get here any more: better a new start.
                tracing::error!(%error, "relays can't attach");
                platform.end();
            }
        });
        let bus = bus.clone();
        let keeping = tokio::spawn(async move { at_core.keep(&bus).await });
        Self { host, stop, serving, _keeping: AbortOnDropHandle::new(keeping) }
    }

    /// Tells relays that are attached to come again elsewhere, when those behind them have been told.
    async fn drain(self, connections: &TaskTracker) {
        if tokio::time::timeout(TELLING_TIME_MAX, connections.wait()).await.is_err() {
            self.host.cut_all();
        }
        self.host.drain().await;
        self.stop.cancel();
        if tokio::time::timeout(DRAIN_TIME_MAX, self.serving).await.is_err() {
            tracing::warn!("a relay that is attached does not let go");
        }
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
        (config.relay_id.clone(), relay_session.clone()),
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
        relays: Relays::default(),
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
