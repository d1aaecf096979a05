//! One HTTP/2 connection to a parent: name, TCP, proxy, TLS, and the settings that keep what waits on
//! it small.
//!
//! A [`Connected`] is one connection and no more: when it breaks, calls on its channel fail, and
//! whoever owns it connects again.

mod dial;
mod error;
mod proxy;
mod socket;
#[cfg(test)]
mod tests;
pub(super) mod tls;
mod upstream;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout_at},
};
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};

use super::config::Config;
pub use error::{ConnectError, Stage};
pub(super) use proxy::Proxy;
pub use socket::{Received, Traffic};
pub use upstream::Upstream;

/// From the look-up of the name to the parent's first HTTP/2 frame.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// What the parent may send on one stream before it is read here. Bytes.
const STREAM_WINDOW: u32 = 64 << 10;
/// And on all streams: files that nobody takes for now leave room for voices. Bytes.
const CONNECTION_WINDOW: u32 = 4 << 20;
/// The smallest that HTTP/2 has (RFC 9113 §4.2), so that a long message holds others up least. Bytes.
const FRAME_MAX: u32 = 16 << 10;
/// Largest header of an answer. Bytes.
const HEADERS_MAX: u32 = 16 << 10;
/// Beside the heartbeats of the control stream; finds connections dead that nothing is attached by.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// After this without an answer to a ping the connection is over.
const KEEPALIVE_DEADLINE: Duration = Duration::from_secs(5);

/// Opens connections to parents, as one configuration says.
#[derive(Clone)]
pub struct Connector {
    upstreams: Arc<[Upstream]>,
    tls: TlsConnector,
    proxy: Proxy,
    traffic: Arc<Traffic>,
}

/// A connection to a parent.
pub struct Connected {
    /// What calls go by; when the connection is over, they all fail with `UNAVAILABLE`.
    pub channel: Channel,
    /// This machine's address on it.
    pub local: SocketAddr,
    /// The address at the other end: the parent's, or the proxy's.
    pub peer: SocketAddr,
    /// True if there is a proxy between.
    pub through_proxy: bool,
    /// What has come over it.
    pub received: Received,
}

impl Connector {
    /// Reads certificates and addresses.
    ///
    /// # Errors
    /// If an upstream or the proxy is no usable URL, or the certificates can't be read.
    pub fn new(config: &Config) -> Result<Self, ConnectError> {
        let upstreams = config.upstream.iter().map(|url| Upstream::parse(url, config.plaintext));
        Ok(Self {
            upstreams: upstreams.collect::<Result<_, _>>()?,
            tls: tls::connector(&config.ca_file, tls::HTTP2)?,
            proxy: Proxy::new(config.proxy.expose())?,
            traffic: Arc::new(Traffic::default()),
        })
    }

    /// The configured parents, in their order.
    #[must_use]
    pub fn upstreams(&self) -> &[Upstream] {
        &self.upstreams
    }

    /// All that has gone over the sockets of this connector and its clones.
    #[must_use]
    pub const fn traffic(&self) -> &Arc<Traffic> {
        &self.traffic
    }

    /// Connects, for at most 5 s. Cancelled by dropping.
    ///
    /// # Errors
    /// In words for whoever looks after the relay; no secret is in them.
    pub async fn connect(&self, upstream: &Upstream) -> Result<Connected, ConnectError> {
        let deadline = Instant::now() + CONNECT_DEADLINE;
        let late =
            |stage| move |_| ConnectError::TimedOut { stage, upstream: upstream.to_string() };
        let hop = self.proxy.for_upstream(upstream)?;
        let (host, port) = match &hop {
            Some(hop) => (hop.host(), hop.port()),
            None => (upstream.host(), upstream.port()),
        };
        let stream = timeout_at(deadline, dial::dial(host, port))
            .await
            .map_err(late(if hop.is_some() { Stage::Proxy } else { Stage::Tcp }))??;
        let ends = (stream.local_addr(), stream.peer_addr());
        let (Ok(local), Ok(peer)) = ends else {
            return Err(ConnectError::Lost { upstream: upstream.to_string() });
        };
        let mut socket = socket::prepare(stream, Arc::clone(&self.traffic));
        let received = socket.received();
        if let Some(hop) = &hop {
            let tunnel = hop.tunnel(socket, upstream);
            socket = timeout_at(deadline, tunnel).await.map_err(late(Stage::Proxy))??;
        }
        let channel = if upstream.is_tls() {
            let handshake = tls::handshake(&self.tls, upstream, socket, tls::HTTP2);
            let stream = timeout_at(deadline, handshake).await.map_err(late(Stage::Tls))??;
            timeout_at(deadline, http2(stream, upstream)).await
        } else {
            timeout_at(deadline, http2(socket, upstream)).await
        };
        let channel = channel.map_err(late(Stage::Http2))??;
        Ok(Connected { channel, local, peer, through_proxy: hop.is_some(), received })
    }
}

/// Speaks HTTP/2 on a connection that is there.
async fn http2<S>(stream: S, upstream: &Upstream) -> Result<Channel, ConnectError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut stream = Some(TokioIo::new(stream));
    // Asked a second time, the connection is over: whoever owns it decides where the next one goes.
    let connector = tower::service_fn(move |_: Uri| {
        let taken = stream.take().ok_or_else(|| std::io::Error::other("the connection is over"));
        std::future::ready(taken)
    });
    // TLS is spoken below: to tonic this is a connection without, of the origin that it has.
    Endpoint::from_static("http://upstream")
        .origin(upstream.origin().clone())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME_MAX)
        .http2_max_header_list_size(HEADERS_MAX)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_DEADLINE)
        .keep_alive_while_idle(true)
        .connect_with_connector(connector)
        .await
        .map_err(|error| ConnectError::Http2 {
            upstream: upstream.to_string(),
            reason: error::innermost(&error),
        })
}
