//! What a session and its caller give each other: audio, events, datagrams.

use std::{net::SocketAddr, ops::Deref, time::Instant};

use bytes::Bytes;
use str0m::net::DatagramSend;
use thiserror::Error;

/// Longest audio payload that fits one datagram, in bytes. 20 ms of speech have about 80; Opus itself
/// stops at 1,275 per frame (RFC 6716 §3.2.1).
pub const PAYLOAD_BYTES_MAX: usize = 1_100;

/// One Opus packet to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingAudio {
    /// In which audio section, counted from 0.
    pub section: usize,
    /// RTP time, 48 kHz.
    pub media_time: u32,
    /// The Opus packet, 1 to [`PAYLOAD_BYTES_MAX`] bytes.
    pub payload: Bytes,
    /// Audio level in -dBov, 0 (loudest) to 127 (silence), RFC 6464.
    pub level: Option<u8>,
    /// True for the first packet after a pause: sets the RTP marker.
    pub talkspurt_start: bool,
}

/// One Opus packet that has come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingAudio {
    /// In which audio section, counted from 0.
    pub section: usize,
    /// RTP time as on the wire, 48 kHz.
    pub media_time: u32,
    /// RTP sequence number, extended: a step of more than 1 is a loss, a step back is reordering.
    pub sequence: u32,
    /// Audio level in -dBov, 0 (loudest) to 127 (silence), as the sender claims it.
    pub level: Option<u8>,
    /// The Opus packet, not empty.
    pub payload: Bytes,
}

/// What has happened in a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// ICE and DTLS are up, audio can flow.
    Connected,
    /// Audio has come in.
    Audio(IncomingAudio),
    /// The other side is gone or has closed. Comes once, last; the session is not alive any more.
    Disconnected,
}

/// What a session's `poll` wants done.
#[derive(Debug)]
pub enum Output<E = Event> {
    /// Send a datagram from the session's socket.
    Transmit {
        /// Where to.
        destination: SocketAddr,
        /// What.
        contents: Datagram,
    },
    /// Something happened.
    Event(E),
    /// Nothing more to do before this time, unless there is input.
    Timeout(Instant),
}

/// The contents of a datagram.
#[derive(Debug)]
pub struct Datagram(pub(crate) DatagramSend);

impl Deref for Datagram {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// Why audio was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SendError {
    /// The session is not connected yet, or not any more.
    #[error("the session is not connected")]
    NotConnected,
    /// Empty, or longer than [`PAYLOAD_BYTES_MAX`].
    #[error("an audio payload of {0} bytes can't be sent")]
    PayloadLength(usize),
    /// The other side does not want audio from us in that section, or there is no such section.
    #[error("the other side does not receive audio in that section")]
    NotWanted,
}
