//! TCP connections of relays: how many there may be, in all and from one address; how long one may stay
//! that nobody has attached by; and how often one may be wrong.
//!
//! A connection is closed by an error of its socket: whatever is spoken on it ends there.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    time::{Instant, Sleep, sleep, sleep_until},
};
use tonic::{
    Request,
    transport::server::{Connected, TlsConnectInfo},
};

use crate::config::ConnectionLimits;

/// From the TCP connection to the first request: TLS, HTTP/2 and its head.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(10);
/// From the TCP connection to a session. A relay that is held up longer comes again.
const SESSION_TIME_MAX: Duration = Duration::from_secs(60);
/// Wrong session tokens on a connection that nobody has attached by; after more nothing is answered on it,
/// until it is closed for want of a session. Requests that were on
/// their way when a session ended are wrong, too.
const WRONG_MAX: u32 = 8;
/// After the system could not accept a connection, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Bits of an IPv6 address that its holder can choose at will.
const IPV6_HOST_BITS: u32 = 64;

/// What an address is counted by: whoever has an IPv6 address has its whole /64.
pub(super) fn prefix_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let network = address.to_bits() >> IPV6_HOST_BITS << IPV6_HOST_BITS;
            Ipv6Addr::from_bits(network).into()
        }
    }
}

/// Why a connection is closed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Full {
    /// There are as many as there may be.
    All,
    /// There are as many from this address as there may be.
    Address,
}

impl Full {
    const fn label(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Address => "address",
        }
    }
}

/// Those that are open.
#[derive(Default)]
struct Open {
    all: usize,
    by_prefix: HashMap<IpAddr, usize>,
}

/// All connections of one listener.
pub(super) struct Connections {
    listener: TcpListener,
    limits: ConnectionLimits,
    open: Arc<Mutex<Open>>,
}

/// One connection's place among all.
struct Place {
    prefix: IpAddr,
    open: Arc<Mutex<Open>>,
}

fn locked(open: &Mutex<Open>) -> MutexGuard<'_, Open> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = locked(&self.open);
        open.all = open.all.saturating_sub(1);
        if let Some(count) = open.by_prefix.get_mut(&self.prefix) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.by_prefix.remove(&self.prefix);
            }
        }
        metrics::gauge!("tributary_relay_uplink_connections").set(open.all as f64);
    }
}

impl Connections {
    pub(super) fn new(listener: TcpListener, limits: ConnectionLimits) -> Self {
        Self { listener, limits, open: Arc::default() }
    }

    /// The next connection that there is a place for.
    pub(super) async fn next(&self) -> Socket {
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => match self.place(peer.ip()) {
                    Ok(place) => return Socket::new(stream, peer.ip(), place),
                    // Closed without a word: it would cost more to say so.
                    Err(full) => closed(full.label()),
                },
                Err(error) => {
                    tracing::warn!(%error, "a connection of a relay was not accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn place(&self, address: IpAddr) -> Result<Place, Full> {
        let prefix = prefix_of(address);
        let mut open = locked(&self.open);
        if open.all >= self.limits.all {
            return Err(Full::All);
        }
        let of_prefix = open.by_prefix.get(&prefix).copied().unwrap_or_default();
        if of_prefix >= self.limits.of_address {
            return Err(Full::Address);
        }
        open.by_prefix.insert(prefix, of_prefix + 1);
        open.all += 1;
        metrics::gauge!("tributary_relay_uplink_connections").set(open.all as f64);
        Ok(Place { prefix, open: self.open.clone() })
    }
}

fn closed(reason: &'static str) {
    metrics::counter!("tributary_relay_uplink_connections_closed_total", "reason" => reason)
        .increment(1);
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
enum Stage {
    /// Nothing was asked yet.
    New = 0,
    /// Something was asked.
    Heard = 1,
    /// A session was attached or named.
    Known = 2,
}

#[derive(Debug)]
struct State {
    address: IpAddr,
    stage: AtomicU8,
    wrong: AtomicU32,
    /// Bytes that have come, with TLS and HTTP/2.
    received: AtomicU64,
}

/// Who is at the other end of a connection, for the calls that come by it.
#[derive(Clone, Debug)]
pub(super) struct Caller(Arc<State>);

impl Caller {
    fn new(address: IpAddr) -> Self {
        Self(Arc::new(State {
            address: address.to_canonical(),
            stage: AtomicU8::new(Stage::New as u8),
            wrong: AtomicU32::default(),
            received: AtomicU64::default(),
        }))
    }

    /// Of this call.
    pub(super) fn of<T>(request: &Request<T>) -> Self {
        let extensions = request.extensions();
        let plain = extensions.get::<Self>();
        let caller =
            plain.or_else(|| extensions.get::<TlsConnectInfo<Self>>().map(TlsConnectInfo::get_ref));
        // Every connection has one; what has none is counted as one address.
        caller.cloned().unwrap_or_else(|| Self::new(Ipv4Addr::UNSPECIFIED.into()))
    }

    /// The address that it comes from.
    pub(super) fn address(&self) -> IpAddr {
        self.0.address
    }

    /// Bytes that have come from it, with TLS and HTTP/2.
    pub(super) fn received(&self) -> u64 {
        self.0.received.load(Ordering::Relaxed)
    }

    fn come(&self, stage: Stage) {
        self.0.stage.fetch_max(stage as u8, Ordering::Relaxed);
    }

    fn is_at(&self, stage: Stage) -> bool {
        self.0.stage.load(Ordering::Relaxed) >= stage as u8
    }

    /// Something is asked. False if nothing is to be answered: it was wrong too often, and never right. By
    /// a proxy's connection others may be wrong besides.
    pub(super) fn asks(&self) -> bool {
        self.come(Stage::Heard);
        self.is_at(Stage::Known) || self.0.wrong.load(Ordering::Relaxed) <= WRONG_MAX
    }

    /// It has a session, or has named one: it stays for as long as it likes.
    pub(super) fn was_admitted(&self) {
        self.come(Stage::Known);
    }

    /// It has named a session that there is not.
    pub(super) fn was_wrong(&self) {
        metrics::counter!("tributary_relay_uplink_wrong_sessions_total").increment(1);
        self.0.wrong.fetch_add(1, Ordering::Relaxed);
    }
}

/// A connection; it gives its place up when it is dropped.
pub(super) struct Socket {
    stream: TcpStream,
    caller: Caller,
    /// When it is looked at how far it has come, and since when it is there; none: it stays.
    watch: Option<(Pin<Box<Sleep>>, Instant)>,
    _place: Place,
}

impl Socket {
    fn new(stream: TcpStream, address: IpAddr, place: Place) -> Self {
        // A frame does not wait for the acknowledgement of the one before; a system that can't still serves.
        let _ = stream.set_nodelay(true);
        let now = Instant::now();
        let watch = Some((Box::pin(sleep_until(now + REQUEST_TIME_MAX)), now));
        Self { stream, caller: Caller::new(address), watch, _place: place }
    }

    /// An error once it has not come as far as it must have by now.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        while let Some((look, since)) = &mut self.watch {
            if look.as_mut().poll(context).is_pending() {
                return Ok(());
            }
            let session_due = *since + SESSION_TIME_MAX;
            if self.caller.is_at(Stage::Known) {
                self.watch = None;
            } else if self.caller.is_at(Stage::Heard) && look.deadline() < session_due {
                look.as_mut().reset(session_due);
            } else {
                closed("late");
                self.watch = None;
                let text = "nobody has attached by this connection in time";
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
        }
        Ok(())
    }
}

impl Connected for Socket {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        self.caller.clone()
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let bytes = buffer.filled().len().saturating_sub(before);
        self.caller.0.received.fetch_add(bytes as u64, Ordering::Relaxed);
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // Whoever takes nothing is not read from either.
        self.check(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
#[path = "connections/tests.rs"]
mod tests;
