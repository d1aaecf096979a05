//! WebRTC sessions, free of sockets and clocks: [`Session`] carries Opus in one to three audio sections,
//! [`ChannelSession`] messages in one data channel.
//!
//! A caller feeds datagrams and the time in and polls datagrams, events and the next deadline out:
//! after each call that takes `&mut self`, `poll` until it returns [`Output::Timeout`].
//!
//! **Invariant:** only this crate knows the WebRTC library.
//! **Invariant:** nothing that comes from the network makes a call panic or fail; what can't be used
//! is ignored.
//! **Invariant:** what is sent in one section never comes out of another one.
//! **Invariant:** audio payloads and their RTP times are passed on untouched, in the order of their
//! arrival, and never wait for a lost packet.

mod channel;
mod connection;
mod description;
mod dtls;
mod exchange;
mod session;
mod stun;

pub use channel::{
    CHANNEL_LABEL, ChannelEnd, ChannelEvent, ChannelSendError, ChannelSession, MESSAGE_BYTES_MAX,
    SEND_BUFFER_BYTES,
};
pub use connection::{Certificate, install_crypto};
pub use description::{
    AUDIO_SECTIONS_MAX, CANDIDATES_MAX, DESCRIPTION_BYTES_MAX, DescriptionError, MEDIA_SECTIONS_MAX,
};
pub use exchange::{
    Datagram, Event, IncomingAudio, OutgoingAudio, Output, PAYLOAD_BYTES_MAX, SendError,
};
pub use session::Session;
pub use stun::stun_local_ufrag;
