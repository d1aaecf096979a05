//! The listener that relays attach to: gRPC over HTTP/2, with TLS or behind a proxy, and with limits.

use std::{io, net::SocketAddr, time::Duration};

use futures_util::{Stream, stream};
use socket2::SockRef;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Server, ServerTlsConfig};

use super::{
    Backend, Host,
    connections::{Connections, Socket},
    fetch::FETCHES_MAX,
};
use crate::config::{Certificate, ConnectionLimits, UplinkConfig};

/// Calls of one connection that may run at once: the two streams, and requests.
const STREAMS_MAX: u32 = FETCHES_MAX as u32 + 32;
/// Headers of one call, in bytes.
const HEADER_BYTES_MAX: u32 = 16 << 10;
/// Streams that a client may open and reset before it is dropped (CVE-2023-44487).
const PENDING_RESETS_MAX: usize = 32;
/// What may come on one stream before it is taken, in bytes: voices don't grow old there.
const STREAM_WINDOW: u32 = 64 << 10;
/// The same on all streams of a connection: files that nobody takes for now leave room for voices.
const CONNECTION_WINDOW: u32 = 4 << 20;
/// Control messages don't wait behind a large frame.
const FRAME_BYTES: u32 = 16 << 10;
/// What the system takes before it is sent, in bytes: what is too old by then is not put in.
#[cfg(target_os = "linux")]
const UNSENT_MAX: u32 = 16 << 10;
const TLS_TIME_MAX: Duration = Duration::from_secs(5);
/// Who says nothing at all is asked for a sign of life this often, and given this long to answer.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_DEADLINE: Duration = Duration::from_secs(10);

/// Where relays attach.
pub(crate) struct Listener {
    listener: TcpListener,
    certificate: Option<Certificate>,
    limits: ConnectionLimits,
}

impl Listener {
    /// Opens it.
    ///
    /// # Errors
    /// The address can't be used.
    pub(crate) async fn bind(
        address: SocketAddr,
        certificate: Option<Certificate>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        // Inherited by what is accepted.
        tune(SockRef::from(&listener));
        let limits = UplinkConfig::default().connection_limits();
        Ok(Self { listener, certificate, limits })
    }

    /// With other limits than the usual ones.
    pub(crate) fn with_limits(self, limits: ConnectionLimits) -> Self {
        Self { limits, ..self }
    }

    /// Where it is, with the port that the system chose if 0 was asked for.
    ///
    /// # Errors
    /// The listener is not one any more.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop`, and until the calls under way have ended.
    ///
    /// # Errors
    /// The certificate can't be used, or the listener fails.
    pub(crate) async fn serve<B: Backend>(
        self,
        host: Host<B>,
        stop: CancellationToken,
    ) -> Result<(), tonic::transport::Error> {
        let incoming = incoming(Connections::new(self.listener, self.limits));
        let mut server = Server::builder();
        if let Some(certificate) = &self.certificate {
            let tls = ServerTlsConfig::new().identity(certificate.identity()).timeout(TLS_TIME_MAX);
            server = server.tls_config(tls)?;
        }
        server
            .max_concurrent_streams(STREAMS_MAX)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_frame_size(FRAME_BYTES)
            .http2_max_header_list_size(HEADER_BYTES_MAX)
            .http2_max_pending_accept_reset_streams(Some(PENDING_RESETS_MAX))
            .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
            .http2_keepalive_timeout(Some(KEEPALIVE_DEADLINE))
            .add_service(host.service())
            .serve_with_incoming_shutdown(incoming, stop.cancelled_owned())
            .await
    }
}

/// Connections as they come; never ends.
fn incoming(connections: Connections) -> impl Stream<Item = io::Result<Socket>> + Send {
    stream::unfold(connections, async |connections| {
        let socket = connections.next().await;
        Some((Ok(socket), connections))
    })
}

/// What either end of an uplink asks of the system; one that can't does without.
///
/// Under loss, model-based congestion control (BBR) holds a thin stream of small frames back for longer
/// than voices can wait; CUBIC (RFC 9438) does not.
pub(crate) fn tune(socket: SockRef<'_>) {
    #[cfg(target_os = "linux")]
    {
        let _ = socket.set_tcp_congestion(b"cubic");
        let _ = socket.set_tcp_notsent_lowat(UNSENT_MAX);
    }
}
