//! Data channels: terminals that speak the terminal protocol over WebRTC instead of a WebSocket.
//!
//! They share the media port, but not the media thread: what SCTP costs is spent in a task of its own,
//! so that no channel delays a voice. The thread passes on what is not its own ([`Channels::push`]) and
//! waits for nothing.
//!
//! **Invariant:** everything is bounded: channels, those of them that nobody has come to, datagrams that
//! wait, and the messages of each channel both ways. A channel that is over its bound is closed.

mod link;
mod place;
mod routes;
mod task;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    net::UdpSocket,
    runtime::Handle,
    sync::{mpsc, oneshot},
};
use tokio_util::sync::CancellationToken;
use tributary_rtc_session::Certificate;

use super::MediaError;
pub use link::{DataError, DataLink, DataReceiver, DataSender};
use task::Task;

/// The most channels at a time.
pub const CHANNELS_MAX: usize = 4096;
/// The most channels that are not open yet.
pub const CHANNELS_UNOPENED_MAX: usize = 64;
/// A channel that is not open by then is given up.
pub const OPENING_MAX: Duration = Duration::from_secs(10);
/// How long a channel that is closed here goes on, so that what was said before comes through.
const CLOSING_MAX: Duration = Duration::from_secs(2);
/// Bytes that wait on each side of a channel: for the other side, and for the control side.
const WAITING_BYTES_MAX: usize = 256 * 1024;
/// Messages of a channel that wait for the control side.
const WAITING_MESSAGES_MAX: usize = 256;
/// Datagrams that wait for the task; what comes beyond them is lost, as on any network.
const DATAGRAMS_MAX: usize = 1024;
/// Offers that wait for the task.
const OFFERS_MAX: usize = 64;

/// Names a channel in the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct ChannelId(u64);

/// A datagram that is no voice's.
struct Datagram {
    source: SocketAddr,
    /// The candidate that it was sent to.
    destination: SocketAddr,
    contents: Bytes,
}

/// An offer, and who waits for the answer.
struct Offer {
    sdp: String,
    reply: oneshot::Sender<Result<(String, DataLink), MediaError>>,
}

/// The other end of the task that has the channels.
#[derive(Clone, Debug)]
pub struct Channels {
    offers: mpsc::Sender<Offer>,
    datagrams: mpsc::Sender<Datagram>,
    /// How many channels there are.
    count: Arc<AtomicUsize>,
}

impl Channels {
    /// Starts the task on `runtime`. It sends from `socket`, which is reachable at `candidates`, and
    /// ends with `shutdown`.
    #[must_use]
    pub fn start(
        runtime: &Handle,
        socket: Arc<UdpSocket>,
        candidates: Vec<SocketAddr>,
        certificate: Certificate,
        shutdown: CancellationToken,
    ) -> Self {
        let (offers, asked) = mpsc::channel(OFFERS_MAX);
        let (datagrams, arrived) = mpsc::channel(DATAGRAMS_MAX);
        let count = Arc::new(AtomicUsize::new(0));
        let task = Task::new(socket, candidates, certificate, count.clone());
        runtime.spawn(task.run(asked, arrived, shutdown));
        Self { offers, datagrams, count }
    }

    /// Answers an offer with exactly one data channel section. The link may be used at once; what is
    /// sent before the channel is open is kept until it is.
    ///
    /// # Errors
    /// The offer is not usable, there are too many channels, or the relay stops.
    pub async fn accept(&self, sdp: String) -> Result<(String, DataLink), MediaError> {
        let (reply, answer) = oneshot::channel();
        self.offers.send(Offer { sdp, reply }).await.map_err(|_| MediaError::Gone)?;
        answer.await.map_err(|_| MediaError::Gone)?
    }

    /// Takes a datagram that is no voice's, sent from `source` to the candidate `destination`. Never
    /// waits. False: it is no channel's either, or too many wait.
    #[must_use]
    pub fn push(&self, source: SocketAddr, destination: SocketAddr, datagram: &[u8]) -> bool {
        if self.count.load(Ordering::Relaxed) == 0 || !is_stun_or_dtls(datagram) {
            return false;
        }
        let contents = Bytes::copy_from_slice(datagram);
        self.datagrams.try_send(Datagram { source, destination, contents }).is_ok()
    }
}

/// By the first byte (RFC 7983): a data channel has no other datagrams.
fn is_stun_or_dtls(datagram: &[u8]) -> bool {
    matches!(datagram.first(), Some(0..=3 | 20..=63))
}
