//! One WebRTC session that carries Opus in one to three audio sections, free of sockets and clocks.
//!
//! A caller feeds datagrams and the time in and polls datagrams, events and the next deadline out:
//! after each call that takes `&mut self`, [`Session::poll`] until it returns [`Output::Timeout`].
//!
//! **Invariant:** only this crate knows the WebRTC library.
//! **Invariant:** nothing that comes from the network makes a call panic or fail; what can't be used
//! is ignored.
//! **Invariant:** what is sent in one section never comes out of another one.
//! **Invariant:** audio payloads and their RTP times are passed on untouched, in the order of their
//! arrival, and never wait for a lost packet.

mod description;
mod dtls;
mod exchange;
mod session;
mod stun;

pub use description::{
    AUDIO_SECTIONS_MAX, CANDIDATES_MAX, DESCRIPTION_BYTES_MAX, DescriptionError, MEDIA_SECTIONS_MAX,
};
pub use exchange::{
    Datagram, Event, IncomingAudio, OutgoingAudio, Output, PAYLOAD_BYTES_MAX, SendError,
};
pub use session::{Certificate, Session, install_crypto};
pub use stun::stun_local_ufrag;
