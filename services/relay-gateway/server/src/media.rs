//! The relay's media: one UDP port, one NATS connection, one thread of its own.
//!
//! The thread runs a single loop on a runtime of its own and never waits for the control side;
//! [`MediaHandle`] is how the control side speaks to it.

mod latency;
mod meetings;
mod terminals;
mod wire;
mod worker;

use std::net::SocketAddr;

use tokio::sync::{mpsc, oneshot, watch};
use tributary_identifiers::{ParticipantId, RelayId};
use tributary_message_bus::subjects::MeetingScope;
use tributary_rtc_session::DescriptionError;
use tributary_service_runtime::Platform;
use tributary_speaker_selection::Config as SelectionConfig;

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
    /// True if everybody behind this relay sits in one room.
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
    /// The session description is not usable.
    #[error(transparent)]
    Description(#[from] DescriptionError),
}

/// Where to say that something was done.
pub(crate) type Reply = oneshot::Sender<Result<(), MediaError>>;

/// A command to the media thread.
pub(crate) enum Command {
    Attach(Attach),
    Offer { terminal: TerminalId, sdp: String, reply: oneshot::Sender<Result<String, MediaError>> },
    SetMuted { terminal: TerminalId, muted: bool },
    SetTalk { terminal: TerminalId, targets: Vec<ParticipantId>, reply: Reply },
    Switch { from: TerminalId, to: TerminalId, reply: Reply },
    Detach { terminal: TerminalId },
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
    /// Where the meeting's active speakers are announced.
    pub speakers: watch::Sender<Vec<ParticipantId>>,
}

/// The control side's end of the media thread.
#[derive(Clone)]
pub struct MediaHandle {
    commands: mpsc::Sender<Command>,
}

impl MediaHandle {
    /// Binds the UDP port and starts the thread. It ends with the platform's shutdown.
    ///
    /// # Errors
    /// The port or the configuration can't be used.
    pub async fn start(config: MediaConfig, platform: &Platform) -> Result<Self, MediaError> {
        let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
        worker::start(config, platform.clone(), inbox).await?;
        Ok(Self { commands })
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
    /// The offer is not usable, or the terminal is not attached, or held.
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
    /// which nothing that it says privately is for anybody.
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

    async fn send(&self, command: Command) -> Result<(), MediaError> {
        self.commands.send(command).await.map_err(|_| MediaError::Gone)
    }
}
