//! [`ChannelSession`]: one ordered, reliable data channel (RFC 8831) that carries whole binary messages.
//!
//! The other side opens the channel (RFC 8832). Anything else than the one channel that is expected
//! ends the session: it was made by nobody who means well.

use std::{collections::VecDeque, fmt, net::SocketAddr, time::Instant};

use bytes::Bytes;
use str0m::{
    Rtc, RtcConfig,
    change::{SdpOffer, SdpPendingOffer},
    channel::{ChannelConfig, ChannelId, Reliability},
};
use thiserror::Error;
use tracing::Dispatch;

use crate::{
    connection::{self, Certificate, Connection, Polled, unusable},
    description::{self, DescriptionError},
    exchange::Output,
};

/// The label of the channel.
pub const CHANNEL_LABEL: &str = "terminal";
/// Longest message either way, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// The most bytes that wait for the other side to confirm them.
pub const SEND_BUFFER_BYTES: usize = 256 * 1024;

/// What has happened in a channel session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelEvent {
    /// The channel is open, messages can flow.
    Opened,
    /// A message has come in, 1 to [`MESSAGE_BYTES_MAX`] bytes.
    Message(Bytes),
    /// The session has ended, for this reason. Comes once, last.
    Closed(ChannelEnd),
}

/// Why a channel session has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelEnd {
    /// One of the sides has closed it, or the other one is gone.
    Gone,
    /// The other side did this, which it must not.
    Misuse(&'static str),
}

/// Why a message was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ChannelSendError {
    /// The channel is not open yet, or not any more.
    #[error("the channel is not open")]
    NotOpen,
    /// Empty, or longer than [`MESSAGE_BYTES_MAX`].
    #[error("a message of {0} bytes can't be sent, 1 to {MESSAGE_BYTES_MAX} are possible")]
    Length(usize),
    /// With it, more than [`SEND_BUFFER_BYTES`] would wait.
    #[error("the other side does not keep up: {waiting} bytes wait for it")]
    Full {
        /// How many.
        waiting: usize,
    },
}

/// One peer connection with one data channel and nothing else.
pub struct ChannelSession {
    connection: Connection,
    channel: Channel,
    events: VecDeque<ChannelEvent>,
    misuse: Option<&'static str>,
}

/// How far the channel is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Channel {
    Awaited,
    Open(ChannelId),
    Closed,
}

impl fmt::Debug for ChannelSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ufrag = self.local_ufrag();
        f.debug_struct("ChannelSession").field("local_ufrag", &ufrag).finish_non_exhaustive()
    }
}

impl ChannelSession {
    /// The answering side (the relay): ICE-lite, reachable at `candidates`, which are the addresses of
    /// the socket as the other side sees them. Candidates in the offer are ignored; the other side's
    /// address is learned from its authenticated datagrams. Returns the session and its answer (SDP).
    ///
    /// That nobody ever comes or opens the channel is for the caller to time.
    pub fn answer(
        offer_sdp: &str,
        candidates: &[SocketAddr],
        certificate: &Certificate,
        now: Instant,
    ) -> Result<(Self, String), DescriptionError> {
        let offer = description::checked_channel_offer(offer_sdp)?;
        let offer = SdpOffer::from_sdp_string(&offer).map_err(unusable)?;
        let mut rtc = config(certificate).set_ice_lite(true).build(now);
        connection::add_candidates(&mut rtc, candidates)?;
        let answer = rtc.sdp_api().accept_offer(offer).map_err(unusable)?.to_sdp_string();
        // What the library has made of it: a section that it did not take is refused here.
        description::check_channel_answer(&answer)?;
        Ok((Self::new(rtc, None), answer))
    }

    /// The offering side (a terminal), which opens the channel: full ICE, controlling, reachable at
    /// `local`. Returns the session and its offer (SDP), to be followed by
    /// [`accept_answer`](Self::accept_answer).
    pub fn offer(
        local: SocketAddr,
        certificate: &Certificate,
        now: Instant,
    ) -> Result<(Self, String), DescriptionError> {
        let mut rtc = config(certificate).build(now);
        connection::add_candidates(&mut rtc, &[local])?;
        let mut changes = rtc.sdp_api();
        changes.add_channel(CHANNEL_LABEL.to_owned());
        let (offer, pending) = changes.apply().ok_or_else(|| unusable("nothing to offer"))?;
        Ok((Self::new(rtc, Some(pending)), offer.to_sdp_string()))
    }

    fn new(rtc: Rtc, pending: Option<SdpPendingOffer>) -> Self {
        Self {
            connection: Connection::new(rtc, pending),
            channel: Channel::Awaited,
            events: VecDeque::new(),
            misuse: None,
        }
    }

    /// Takes the answer to [`offer`](Self::offer). After an error the session is of no more use.
    pub fn accept_answer(&mut self, answer_sdp: &str) -> Result<(), DescriptionError> {
        description::check_channel_answer(answer_sdp)?;
        self.connection.accept_answer(answer_sdp)
    }

    /// The own ICE user name fragment, by which [`crate::stun_local_ufrag`] finds this session.
    pub fn local_ufrag(&self) -> &str {
        self.connection.local_ufrag()
    }

    /// True if the datagram belongs to this session: it comes from the session's other side, or is an
    /// authentic STUN message for it.
    pub fn accepts(
        &self,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) -> bool {
        self.connection.accepts(source, destination, datagram, now)
    }

    /// Takes a datagram that came from `source` to `destination`, which must be one of the session's
    /// candidates. Ignores what the session does not accept.
    pub fn receive(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) {
        quietly(|| self.connection.receive(source, destination, datagram, now));
    }

    /// Moves the session's time on. Due at the time of the last [`Output::Timeout`].
    pub fn handle_timeout(&mut self, now: Instant) {
        self.connection.handle_timeout(now);
    }

    /// Sends one message; it comes out of the next polls. After [`ChannelSendError::Full`] there is room
    /// again when the other side has confirmed something: look after each poll.
    pub fn send(&mut self, message: &[u8], now: Instant) -> Result<(), ChannelSendError> {
        if message.is_empty() || message.len() > MESSAGE_BYTES_MAX {
            return Err(ChannelSendError::Length(message.len()));
        }
        // What is written is timed by it.
        self.connection.handle_timeout(now);
        let Channel::Open(id) = self.channel else { return Err(ChannelSendError::NotOpen) };
        let Some(mut channel) = self.connection.rtc.channel(id) else {
            return Err(ChannelSendError::NotOpen);
        };
        match channel.write(true, message) {
            Ok(true) => Ok(()),
            Ok(false) => Err(ChannelSendError::Full { waiting: channel.buffered_amount() }),
            Err(error) => {
                tracing::debug!(%error, "message not sent");
                Err(ChannelSendError::NotOpen)
            }
        }
    }

    /// How many bytes of messages the other side has not confirmed yet.
    pub fn waiting(&mut self) -> usize {
        let Channel::Open(id) = self.channel else { return 0 };
        self.connection.rtc.channel(id).map_or(0, |mut channel| channel.buffered_amount())
    }

    /// What is to be done next. To be called until it returns [`Output::Timeout`].
    pub fn poll(&mut self) -> Output<ChannelEvent> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Output::Event(event);
            }
            match quietly(|| self.connection.poll()) {
                Polled::Transmit { destination, contents } => {
                    return Output::Transmit { destination, contents };
                }
                Polled::Event(event) => self.take_event(event),
                Polled::Timeout(at) => return Output::Timeout(at),
                Polled::Ended => {
                    self.channel = Channel::Closed;
                    let end = self.misuse.map_or(ChannelEnd::Gone, ChannelEnd::Misuse);
                    self.events.push_back(ChannelEvent::Closed(end));
                }
            }
        }
    }

    fn take_event(&mut self, event: str0m::Event) {
        match event {
            str0m::Event::ChannelOpen(id, label) => self.take_open(id, &label),
            str0m::Event::ChannelData(data) => match self.channel {
                Channel::Open(id) if id == data.id => self.take_message(data.binary, data.data),
                _ => {}
            },
            str0m::Event::ChannelClose(_) => self.close(),
            _ => {}
        }
    }

    fn take_open(&mut self, id: ChannelId, label: &str) {
        let known = |channel: str0m::channel::Channel<'_>| channel.config().cloned();
        let config = self.connection.rtc.channel(id).and_then(known);
        match (self.channel, config) {
            (Channel::Awaited, Some(config)) if label == CHANNEL_LABEL && is_plain(&config) => {
                self.channel = Channel::Open(id);
                self.events.push_back(ChannelEvent::Opened);
            }
            (Channel::Awaited, _) => {
                self.end(
                    "the channel is not an ordered and reliable one with the label \"terminal\"",
                );
            }
            (Channel::Open(_), _) => self.end("a second channel"),
            (Channel::Closed, _) => {}
        }
    }

    fn take_message(&mut self, binary: bool, data: Vec<u8>) {
        match data.len() {
            _ if !binary => self.end("a text message"),
            0 => self.end("an empty message"),
            1..=MESSAGE_BYTES_MAX => {
                self.events.push_back(ChannelEvent::Message(data.into()));
            }
            _ => self.end("a message of more than 65536 bytes"),
        }
    }

    fn end(&mut self, misuse: &'static str) {
        self.misuse.get_or_insert(misuse);
        self.close();
    }

    /// Says goodbye: what it takes comes out of the next polls, then [`ChannelEvent::Closed`]. Messages
    /// that are [waiting](Self::waiting) may be lost.
    pub fn close(&mut self) {
        self.channel = Channel::Closed;
        self.connection.close();
    }

    /// False after [`ChannelEvent::Closed`].
    pub fn is_alive(&self) -> bool {
        self.connection.is_alive()
    }

    /// True while messages can flow.
    pub fn is_open(&self) -> bool {
        matches!(self.channel, Channel::Open(_)) && self.connection.is_connected()
    }
}

/// Without what the library would log: it warns of every message on a stream that was not announced, and
/// the other side can send those by the thousand.
fn quietly<T>(call: impl FnOnce() -> T) -> T {
    tracing::dispatcher::with_default(&Dispatch::none(), call)
}

/// Whether messages are neither lost nor out of order.
fn is_plain(config: &ChannelConfig) -> bool {
    config.ordered && config.reliability == Reliability::Reliable && config.negotiated.is_none()
}

fn config(certificate: &Certificate) -> RtcConfig {
    connection::config(certificate)
        .clear_codecs()
        .set_sctp_max_buffered_amount(SEND_BUFFER_BYTES)
        .set_sctp_max_message_size(MESSAGE_BYTES_MAX as u32)
}
