//! The composition root of an edge relay: binds, enrols, attaches, serves, drains.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::{
    net::TcpListener,
    sync::{Mutex, watch},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tributary_relay_uplink::Attempts;
use tributary_service_runtime::{Dependency, Platform, grpc::Services};
use tributary_speaker_selection::Config as SelectionConfig;

use super::{
    announce,
    attaching::Attaching,
    bulk::Bulk,
    children::Children,
    client::{Client, random},
    config::Config,
    connect::{ConnectError, Connector},
    http::{Gate, Open},
    identity::{Identity, IdentityError, Settings},
    introductions::Introductions,
    own::{Own, OwnParticipant},
    places::Places,
    session::Uplink,
    state::{Board, Status},
    status::{self, MediaBytes, Sources},
};
use crate::{
    config::{Certificate, CertificateError},
    http,
    media::{MediaConfig, MediaError, MediaHandle},
    metrics,
    uplink::{Host, Listener},
};

/// What is said at the end may take so long to arrive.
const FAREWELL_TIME_MAX: Duration = Duration::from_secs(1);
/// For the answer to an enrolment.
const ENROL_TIME_MAX: Duration = Duration::from_secs(5);

/// An edge relay can't start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration can't work.
    #[error("{}", .0.join("; "))]
    Config(Vec<String>),
    /// An address can't be used.
    #[error("can't listen on {address}: {source}")]
    Listen {
        /// The configured address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A certificate can't be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The way to the parent can't be used.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The relay's identity can't be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The media thread can't start.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// Relays can't be served any more.
    #[error("the listener for relays failed: {0}")]
    Serve(#[from] tonic::transport::Error),
}

/// An edge relay, bound.
pub struct Server {
    platform: Platform,
    config: Config,
    relay: crate::Config,
    listener: TcpListener,
    certificate: Option<Certificate>,
    uplinks: Option<Listener>,
    connector: Connector,
    identity: Arc<Identity>,
    board: Board,
    own: Own,
}

impl Server {
    /// Binds what terminals and relays connect to, and opens the identity. Waits for nobody.
    ///
    /// # Errors
    /// An address, the identity or the configuration can't be used.
    pub async fn load(
        config: Config,
        relay: crate::Config,
        platform: Platform,
    ) -> Result<Self, Error> {
        metrics::describe();
        let mut faults = relay.faults();
        faults.extend(config.faults());
        faults.extend(config.edge_faults(relay.listen, relay.certificate_file.is_some()));
        if !faults.is_empty() {
            return Err(Error::Config(faults));
        }
        let connector = Connector::new(&config)?;
        let identity = Arc::new(Identity::open(&config)?);
        let certificate = relay.certificate()?;
        let failed = |address| move |source| Error::Listen { address, source };
        let listener = TcpListener::bind(relay.listen).await.map_err(failed(relay.listen))?;
        let uplinks = match relay.uplink.address() {
            Some(address) => {
                let certificate = relay.uplink.certificate()?;
                let bound = Listener::bind(address, certificate).await.map_err(failed(address))?;
                Some(bound.with_limits(relay.uplink.connection_limits()))
            }
            None => None,
        };
        let board = Board::default();
        Ok(Self {
            platform,
            config,
            relay,
            listener,
            certificate,
            uplinks,
            connector,
            identity,
            board,
            own: Own::default(),
        })
    }

    /// Where terminals connect, with the port that the system chose if 0 was asked for.
    ///
    /// # Errors
    /// The listener is not one any more.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Where relays attach, if they may.
    ///
    /// # Errors
    /// The listener is not one any more.
    pub fn uplink_address(&self) -> io::Result<Option<SocketAddr>> {
        self.uplinks.as_ref().map(Listener::address).transpose()
    }

    /// How the relay is doing.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Arc<Status>> {
        self.board.subscribe()
    }

    /// Opens a door for the participant that the relay itself is to be; to be called once.
    ///
    /// # Errors
    /// No port is free on this machine.
    pub async fn own_participant(&mut self) -> io::Result<OwnParticipant> {
        self.own.open(self.board.subscribe()).await
    }

    /// An edge relay answers no gRPC but that of relays, on a listener of its own.
    pub fn add_services(&self, _services: &mut Services) {}

    /// Serves terminals until the platform's shutdown, then tells them to come again and waits until
    /// they have heard it.
    ///
    /// # Errors
    /// The media port can't be used, or the listener for relays fails.
    pub async fn run(self) -> Result<(), Error> {
        let Self { platform, config, relay, listener, certificate, uplinks, board, .. } = self;
        let (connector, identity, own) = (self.connector, self.identity, self.own);
        let shutdown = platform.shutdown.clone();
        let dependency = platform.readiness.dependency("uplink");
        dependency.not_ready("not attached yet");
        let gate = Gate::new(&relay, shutdown.clone());
        let media = Arc::<OnceLock<MediaHandle>>::default();
        let sources = Sources {
            status: board.subscribe(),
            traffic: connector.traffic().clone(),
            media: media_bytes(media.clone()),
            meeting: own.shown(),
        };
        let address = listener.local_addr().unwrap_or(relay.listen);
        let at = status::Listener { address, tls: certificate.is_some() };
        let page = status::routes(sources, &config, at, shutdown.clone());
        let app = gate.clone().routes().merge(page);
        let tls = certificate.as_ref().map(Certificate::acceptor);
        tracing::info!(%address, "serving terminals, once attached");
        let terminals = http::serve(listener, tls, app, shutdown.clone());
        let own = own.serve(gate.clone(), shutdown.clone());
        let serving = tokio::spawn(async { tokio::join!(terminals, own) });
        let settings = tokio::select! {
            settings = enrolled(&identity, &connector, &board) => settings,
            () = shutdown.cancelled() => {
                let _ = serving.await;
                return Ok(());
            }
        };
        let announced = announce::start(&config, &settings, address, certificate.is_some());
        let parts = Parts { relay: &relay, platform: &platform, gate: &gate, board, media };
        let (uplink, children, client) = parts.start(&settings, connector, identity).await?;
        let stop = CancellationToken::new();
        let attaching = tokio::spawn(client.run(stop.clone()));
        let watching = tokio::spawn(watch_over(uplink.connection(), dependency));
        let outcome = serve(uplinks, children, relay.uplink.hold(), shutdown).await;
        if let Some(announced) = announced {
            announced.withdraw().await;
        }
        // The requests under way end, and terminals hear that they are to come again.
        let _ = serving.await;
        gate.connections.close();
        gate.connections.wait().await;
        uplink.places.media().end();
        let _ = timeout(FAREWELL_TIME_MAX, uplink.acknowledged()).await;
        stop.cancel();
        let _ = attaching.await;
        watching.abort();
        outcome
    }
}

/// What media would have gone over connections of the terminals' own.
fn media_bytes(media: Arc<OnceLock<MediaHandle>>) -> Arc<dyn Fn() -> MediaBytes + Send + Sync> {
    Arc::new(move || {
        let figures = media.get().map(MediaHandle::figures).unwrap_or_default();
        MediaBytes {
            down: figures.delivered_bytes + figures.carried_direct_bytes,
            up: figures.heard_bytes + figures.carried_heard_bytes,
        }
    })
}

/// What an enrolled relay is made from.
struct Parts<'a> {
    relay: &'a crate::Config,
    platform: &'a Platform,
    gate: &'a Gate,
    board: Board,
    /// For the status page, which is there before the media is.
    media: Arc<OnceLock<MediaHandle>>,
}

impl Parts<'_> {
    async fn start(
        self,
        settings: &Settings,
        connector: Connector,
        identity: Arc<Identity>,
    ) -> Result<(Arc<Uplink>, Option<Arc<Children>>, Arc<Client>), MediaError> {
        let Self { relay, platform, gate, board, media: shown } = self;
        let selection =
            SelectionConfig { voices_max: relay.voices_max, ..SelectionConfig::default() };
        let media = MediaConfig {
            relay: settings.relay_id.clone(),
            udp_listen: relay.udp_listen,
            udp_advertise: relay.udp_advertise.clone(),
            selection,
            room: settings.room,
            catch_up: Duration::from_millis(relay.catch_up_ms),
        };
        let (media, port) = MediaHandle::start_edge(media, platform).await?;
        // It is set here only.
        let _ = shown.set(media.clone());
        let uplink = Arc::new(Uplink::new(Places::new(media), board));
        let bulk = Arc::new(Bulk::new());
        let children = relay.uplink.address().is_some();
        let children = children.then(|| Arc::new(Children::new(uplink.clone(), bulk.clone())));
        let introductions = Arc::new(Introductions::new(
            uplink.clone(),
            children.clone(),
            gate.census.clone(),
            gate.connections.clone(),
            gate.shutdown.clone(),
        ));
        let turn = Mutex::default();
        let attaching = Attaching { connector, identity, uplink: uplink.clone(), turn };
        let client = Client {
            attaching,
            uplink: uplink.clone(),
            port: Arc::new(port),
            bulk: bulk.clone(),
            children: children.clone(),
            introductions,
            voices_max: relay.voices_max,
        };
        // It is set here only.
        let _ = gate.open.set(Open { uplink: uplink.clone(), bulk });
        Ok((uplink, children, Arc::new(client)))
    }
}

/// Who this relay is; before it is enrolled, tries until it is.
async fn enrolled(identity: &Identity, connector: &Connector, board: &Board) -> Settings {
    let began = Instant::now();
    let upstreams = connector.upstreams();
    let mut attempts = Attempts::new(upstreams.len(), 0);
    loop {
        if let Some(settings) = identity.settings() {
            // As the core has said it last, until it says it again.
            board.change(|status| {
                status.relay_id = settings.relay_id.to_string();
                status.relay_name.clone_from(&settings.relay_name);
                status.limit_kbit = Some(settings.uplink_limit_kbit);
                status.room = settings.room;
            });
            return settings;
        }
        let next = attempts.next(began.elapsed(), random());
        sleep(next.wait).await;
        let Some(upstream) = upstreams.get(next.upstream) else { continue };
        let failed = match connector.connect(upstream).await {
            Ok(connected) => match timeout(ENROL_TIME_MAX, identity.enrol(connected.channel)).await
            {
                Err(_) => format!("{upstream} does not answer in time"),
                Ok(Ok(settings)) => {
                    tracing::info!(relay = %settings.relay_id, name = settings.relay_name, "enrolled");
                    continue;
                }
                Ok(Err(error)) => {
                    if !error.is_passing() {
                        attempts.refuse(next.upstream);
                    }
                    error.to_string()
                }
            },
            Err(error) => error.to_string(),
        };
        board.fail(&failed);
    }
}

/// Serves relays, if there is a listener for them, until the shutdown.
async fn serve(
    listener: Option<Listener>,
    children: Option<Arc<Children>>,
    hold: Duration,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let (Some(listener), Some(children)) = (listener, children) else {
        shutdown.cancelled().await;
        return Ok(());
    };
    let host = Host::new(Arc::new(children), hold);
    let stop = CancellationToken::new();
    let mut serving = tokio::spawn(listener.serve(host.clone(), stop.clone()));
    tokio::select! {
        () = shutdown.cancelled() => {}
        served = &mut serving => return Ok(served.unwrap_or(Ok(()))?),
    }
    host.drain().await;
    stop.cancel();
    let _ = timeout(FAREWELL_TIME_MAX, serving).await;
    Ok(())
}

/// Says in the process's readiness whether the relay is attached.
async fn watch_over(mut connection: watch::Receiver<bool>, dependency: Dependency) {
    loop {
        if *connection.borrow_and_update() {
            dependency.ready();
        } else {
            dependency.not_ready("the relay is not attached to its parent");
        }
        if connection.changed().await.is_err() {
            return;
        }
    }
}
