//! A terminal without a screen: a real WebRTC client that joins a meeting through a relay, plays a tone,
//! a melody or a file, listens, and comes back by itself when the connection is lost, as the web client
//! does. The demo, tests and load use it, many in one process too.
//!
//! [`Terminal`] is a participant; [`Account`] is who does everything else: logs in, makes, reads and
//! shares meetings, hears notices, attaches files; [`protocol::Connection`] is the bare terminal protocol beneath it, for
//! those who want to send something else than a well-behaved terminal would; [`cli`] is
//! `tributary terminal …`.

mod account;
mod admission;
mod attendance;
mod board;
pub mod cli;
mod hearing;
mod holder;
mod http;
mod media;
pub mod operations;
mod options;
mod outbox;
mod packets;
mod person;
mod playout;
mod post;
pub mod protocol;
mod random_id;
mod recording;
mod records;
mod schedule;
mod section;
mod snapshot;
mod source;
mod target;
mod terminal;

pub use account::{Account, Downloaded, Notices};
pub use hearing::{Hearing, ToneTimes};
pub use http::HttpError;
pub use operations::{OperateError, Outcome, PendingOperation, Submitted};
pub use options::{IdentitySource, MeetingTarget, Options};
pub use packets::{Direction, PACKETS_MAX, PacketRecord};
pub use person::Person;
pub use playout::Concealment;
pub use recording::RECORDING_SECONDS_MAX;
pub use records::{RECORDS_MAX, Record};
pub use schedule::{InvalidSchedule, TalkSchedule};
pub use section::{SECTIONS, Section};
pub use snapshot::{
    CHAT_LINES_MAX, ChatLine, EndReason, Event, OperationCounts, Snapshot, SpeakingTime,
};
pub use source::AudioSource;
pub use target::{InvalidLink, Target};
pub use terminal::{JoinError, Terminal, Waited};
pub use tributary_contracts::{
    event::v1::{OperationRefusal, Presence},
    operation::v1::{OfflineReason, PresenceWish, operation::Body as OperationBody},
};
