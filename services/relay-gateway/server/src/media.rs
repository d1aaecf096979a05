//! The relay's media: one UDP port, one NATS connection, one thread of its own.
//!
//! The thread runs a single loop on a runtime of its own and never waits for the control side;
//! [`MediaHandle`] is how the control side speaks to it.
//!
//! Its way up is NATS at a core relay and the parent at an edge relay ([`ChildPort`]); relays that are
//! attached here have a [`ParentPort`] each.

mod catch_up;
mod channels;
mod figures;
mod latency;
mod meetings;
mod ports;
mod terminals;
mod uplinks;
mod wire;
mod worker;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::sync::{mpsc, oneshot, watch};
use tributary_identifiers::{ParticipantId, RelayId};
use tributary_message_bus::subjects::MeetingScope;
pub use tributary_relay_gateway_core::UplinkId;
use tributary_rtc_session::DescriptionError;
use tributary_service_runtime::Platform;
use tributary_speaker_selection::Config as SelectionConfig;

pub use channels::{Channels, DataError, DataLink, DataReceiver, DataSender};
pub use figures::Figures;
use ports::{ChildLanes, ParentLanes};
pub use ports::{ChildPort, ParentPort};

/// Commands that wait for the media thread; more mean that it is stuck.
const COMMANDS_MAX: usize = 1024;

/// Names a terminal's place in the media thread; lives as long as the participation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TerminalId(pub u64);

/// What the media thread needs to know.
#[derive(Clone, Debug)]
pub struct MediaConfig {
    /// The relay's id, for subjects.
    pub relay: RelayId,
    /// Where to listen.
    pub udp_listen: SocketAddr,
    /// What to tell terminals; empty: the address that is listened on.
    pub udp_advertise: Vec<SocketAddr>,
    /// Which voices go up.
    pub selection: SelectionConfig,
    /// True if all terminals of this relay itself stand in one room.
    pub room: bool,
    /// What a terminal would have heard while its peer connection is away is kept for so long, and
    /// caught up when it is back; zero: not at all.
    pub catch_up: Duration,
}

/// What can change while the relay runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaSettings {
    /// Which voices go up.
    pub selection: SelectionConfig,
    /// True if all terminals of this relay itself stand in one room.
    pub room: bool,
}

/// The media thread did not answer.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The UDP address can't be used.
    #[error("can't listen for media on UDP {address}: {source}")]
    Listen {
        /// The configured address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The NATS configuration can't be used.
    #[error(transparent)]
    Bus(#[from] tributary_message_bus::ConnectError),
    /// The thread could not be started.
    #[error("can't start the media thread: {0}")]
    Thread(#[source] std::io::Error),
    /// No key or certificate could be made.
    #[error("can't make a DTLS certificate")]
    Certificate,
    /// The thread has ended or does not keep up.
    #[error("the media thread does not answer")]
    Gone,
    /// The terminal is not attached.
    #[error("the terminal is not attached")]
    NotAttached,
    /// The terminal is held: it has no sound here until it is switched to.
    #[error("the terminal is held in this meeting: switch to it first")]
    NotLive,
    /// The terminal is carried: its peer connection is with the relay that it is behind.
    #[error("the terminal is behind another relay: its media goes there")]
    Carried,
    /// There are too many data channels.
    #[error("no more data channels can be opened here: try again, or connect by WebSocket")]
    ChannelsFull,
    /// The session description is not usable.
    #[error(transparent)]
    Description(#[from] DescriptionError),
}

/// Where to say that something was done.
type Reply = oneshot::Sender<Result<(), MediaError>>;

/// A command to the media thread.
enum Command {
    Attach(Attach),
    Offer { terminal: TerminalId, sdp: String, reply: oneshot::Sender<Result<String, MediaError>> },
    SetMuted { terminal: TerminalId, muted: bool },
    SetTalk { terminal: TerminalId, targets: Vec<ParticipantId>, reply: Reply },
    Switch { from: TerminalId, to: TerminalId, reply: Reply },
    Detach { terminal: TerminalId },
    Configure(MediaSettings),
    OpenUplink { uplink: UplinkId, lanes: Arc<ParentLanes> },
    SetAttached { attached: bool, done: oneshot::Sender<()> },
    ForgetAll { done: oneshot::Sender<()> },
}

/// How a participant's media comes who has no peer connection here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CarriedBy {
    /// The uplink that its relay is behind; frames from elsewhere are not its own.
    pub uplink: UplinkId,
    /// [`RelayId::room_id`] of the relay that it is attached to, if that stands in a room.
    pub room: Option<u32>,
}

/// Brings a participant into a meeting's media.
pub struct Attach {
    /// Its place from now on.
    pub terminal: TerminalId,
    /// The meeting.
    pub scope: MeetingScope,
    /// Who.
    pub participant: ParticipantId,
    /// True if the microphone is off.
    pub muted: bool,
    /// True to be there without sound, ready to be switched to.
    pub held: bool,
    /// Set if it is behind a relay that is attached here; none: a terminal of this relay.
    pub carried: Option<CarriedBy>,
    /// Where the meeting's active speakers are announced.
    pub speakers: watch::Sender<Vec<ParticipantId>>,
}

/// The control side's end of the media thread.
#[derive(Clone)]
pub struct MediaHandle {
    commands: mpsc::Sender<Command>,
    channels: Channels,
    shared: Arc<worker::Shared>,
}

impl MediaHandle {
    /// Binds the UDP port and starts the thread of a core relay, whose way up is NATS. It goes on after the
    /// platform's shutdown, so that terminals hear what they are told at last, until [`Self::end`] is
    /// called; for 10 s at most.
    ///
    /// # Errors
    /// The port or the configuration can't be used.
    pub async fn start(config: MediaConfig, platform: &Platform) -> Result<Self, MediaError> {
        Self::start_with(config, platform, None).await
    }

    /// The same of an edge relay, whose way up is the port. Until [`ChildPort::set_attached`] says that
    /// somebody takes what goes up, voices are passed on between those behind this relay.
    ///
    /// # Errors
    /// The port or the configuration can't be used.
    pub async fn start_edge(
        config: MediaConfig,
        platform: &Platform,
    ) -> Result<(Self, ChildPort), MediaError> {
        let lanes = Arc::new(ChildLanes::default());
        let handle = Self::start_with(config, platform, Some(lanes.clone())).await?;
        let port = ChildPort::new(lanes, handle.commands.clone(), handle.shared.arrivals.clone());
        Ok((handle, port))
    }

    async fn start_with(
        config: MediaConfig,
        platform: &Platform,
        parent: Option<Arc<ChildLanes>>,
    ) -> Result<Self, MediaError> {
        let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
        let shared = Arc::new(worker::Shared::default());
        let channels =
            worker::start(config, platform.clone(), parent, shared.clone(), inbox).await?;
        Ok(Self { commands, channels, shared })
    }

    /// Answers an offer with one data channel: a terminal that speaks the terminal protocol over it.
    ///
    /// # Errors
    /// The offer is not usable, there are too many channels, or the relay stops.
    pub async fn accept_channel(&self, sdp: String) -> Result<(String, DataLink), MediaError> {
        self.channels.accept(sdp).await
    }

    /// Opens the media of a relay that is attached here, for one of its `Carry` streams: an earlier port
    /// of the same uplink ends. What there is to know of its participants' meetings is said again.
    ///
    /// # Errors
    /// The thread is gone.
    pub async fn open_uplink(&self, uplink: UplinkId) -> Result<ParentPort, MediaError> {
        let lanes = Arc::new(ParentLanes::default());
        self.send(Command::OpenUplink { uplink, lanes: lanes.clone() }).await?;
        Ok(ParentPort::new(lanes, self.shared.arrivals.clone()))
    }

    /// Changes what the administrator has changed. Who speaks is selected anew.
    ///
    /// # Errors
    /// The thread is gone.
    pub async fn configure(&self, settings: MediaSettings) -> Result<(), MediaError> {
        self.send(Command::Configure(settings)).await
    }

    /// What the media thread has done since it started; at most 250 ms old.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.shared.figures.read()
    }

    /// Brings a participant in; again for the same terminal after a reconnect. What was said before is
    /// forgotten: a talk ends, and a peer connection if it is held now.
    ///
    /// # Errors
    /// The thread is gone.
    pub async fn attach(&self, attach: Attach) -> Result<(), MediaError> {
        self.send(Command::Attach(attach)).await
    }

    /// Answers a terminal's offer; an earlier peer connection of the same terminal ends.
    ///
    /// # Errors
    /// The offer is not usable, or the terminal is not attached, or held, or carried.
    pub async fn offer(&self, terminal: TerminalId, sdp: String) -> Result<String, MediaError> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Offer { terminal, sdp, reply }).await?;
        answer.await.map_err(|_| MediaError::Gone)?
    }

    /// Switches a terminal's microphone on the open floor. Private talk goes on.
    ///
    /// # Errors
    /// The thread is gone.
    pub async fn set_muted(&self, terminal: TerminalId, muted: bool) -> Result<(), MediaError> {
        self.send(Command::SetMuted { terminal, muted }).await
    }

    /// From now on a terminal talks to these only, and is not heard on the open floor; to nobody: is
    /// on the floor again. Returns when it is in force: from one set to another that takes 200 ms, in
    /// which nothing that it says privately is for anybody. For who is carried it is in force at once:
    /// what comes from a relay says whom it is for.
    ///
    /// # Errors
    /// The terminal is not attached, or held.
    pub async fn set_talk(
        &self,
        terminal: TerminalId,
        targets: Vec<ParticipantId>,
    ) -> Result<(), MediaError> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::SetTalk { terminal, targets, reply }).await?;
        answer.await.map_err(|_| MediaError::Gone)?
    }

    /// Takes a peer connection from one meeting to another: `to` goes on where `from` was, and `from`
    /// is held.
    ///
    /// # Errors
    /// One of them is not attached; then nothing has changed.
    pub async fn switch(&self, from: TerminalId, to: TerminalId) -> Result<(), MediaError> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Switch { from, to, reply }).await?;
        answer.await.map_err(|_| MediaError::Gone)?
    }

    /// Takes a terminal out.
    ///
    /// # Errors
    /// The thread is gone.
    pub async fn detach(&self, terminal: TerminalId) -> Result<(), MediaError> {
        self.send(Command::Detach { terminal }).await
    }

    /// Ends all media, data channels too: everybody has been told that the relay goes.
    pub fn end(&self) {
        self.shared.end.cancel();
    }

    async fn send(&self, command: Command) -> Result<(), MediaError> {
        self.commands.send(command).await.map_err(|_| MediaError::Gone)
    }
}
