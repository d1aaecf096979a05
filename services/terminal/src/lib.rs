//! A terminal without a screen: a real WebRTC client that joins a meeting through a relay, plays a tone,
//! a melody or a file, listens, and comes back by itself when the connection is lost, as the web client
//! does. The demo, tests and load use it, many in one process too.
//!
//! [`Terminal`] is a participant; [`protocol::Connection`] is the bare terminal protocol beneath it, for
//! those who want to send something else than a well-behaved terminal would; [`cli`] is
//! `tributary terminal …`.

mod admission;
mod attendance;
pub mod cli;
mod hearing;
mod media;
mod options;
mod packets;
pub mod protocol;
mod recording;
mod schedule;
mod snapshot;
mod source;
mod terminal;

pub use hearing::Hearing;
pub use options::{IdentitySource, MeetingTarget, Options};
pub use packets::{Direction, PACKETS_MAX, PacketRecord};
pub use recording::RECORDING_SECONDS_MAX;
pub use schedule::{InvalidSchedule, TalkSchedule};
pub use snapshot::{EndReason, Event, Person, Snapshot, SpeakingTime};
pub use source::AudioSource;
pub use terminal::{JoinError, Terminal, Waited};
