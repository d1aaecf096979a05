//! How a terminal joins.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use tributary_identifiers::{MeetingId, TerminalSessionId};
use tributary_join_credential::TerminalKey;

use crate::{Account, AudioSource, TalkSchedule, Target};

/// Who the terminal's user is.
#[derive(Clone)]
pub enum IdentitySource {
    /// An account.
    LogIn {
        /// The log-in name.
        user_name: String,
        /// The password.
        password: String,
    },
    /// Somebody without an account.
    Guest {
        /// The name shown to others.
        display_name: String,
    },
    /// Who is logged in there already, with the same key.
    Account(Account),
}

impl std::fmt::Debug for IdentitySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::LogIn { user_name, .. } => write!(f, "LogIn({user_name:?})"),
            Self::Guest { display_name } => write!(f, "Guest({display_name:?})"),
            Self::Account(_) => f.write_str("Account"),
        }
    }
}

/// Which meeting the terminal joins.
#[derive(Clone)]
pub enum MeetingTarget {
    /// One that exists.
    Existing(Target),
    /// A new one, of which the terminal's user is the organiser.
    Create {
        /// What it is about.
        subject: String,
        /// True: whoever has the link may join.
        shared: bool,
        /// Password for outsiders, empty: none.
        password: String,
    },
}

impl std::fmt::Debug for MeetingTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Existing(target) => target.fmt(f),
            Self::Create { subject, .. } => write!(f, "Create({subject:?})"),
        }
    }
}

/// How a terminal joins. Start from [`Options::guest`] or [`Options::new`] and change what differs.
#[derive(Debug, Clone)]
pub struct Options {
    /// The relay: `ws://host:port/terminal/v1` or `http://host:port`.
    pub relay_url: String,
    /// Other relays, tried in turn when one lets nobody in for 3 s.
    pub other_relay_urls: Vec<String>,
    /// Who.
    pub identity: IdentitySource,
    /// Which meeting.
    pub meeting: MeetingTarget,
    /// True: comes with its microphone off.
    pub muted: bool,
    /// What the microphone hears.
    pub source: AudioSource,
    /// When; `None`: always.
    pub talk: Option<TalkSchedule>,
    /// Tones to listen for, in Hz, at least 75 Hz apart.
    pub listen_for_hz: Vec<f32>,
    /// Keep what is heard, for [`Terminal::write_heard_to`](crate::Terminal::write_heard_to).
    pub record: bool,
    /// Keep the last [`PACKETS_MAX`](crate::PACKETS_MAX) packets sent and received.
    pub record_packets: bool,
    /// The own address for media; the unspecified one: that from which the relay is reached.
    pub local_address: IpAddr,
    /// How long joining may take, all attempts together.
    pub join_time_max: Duration,
    /// False: comes without a peer connection, neither speaks nor hears.
    pub media: bool,
    /// The terminal's key; `None`: a new one, or that of the [`Account`].
    pub key: Option<Arc<TerminalKey>>,
    /// Names this run of the terminal in the first meeting; `None`: a new UUID.
    pub session_id: Option<TerminalSessionId>,
    /// Keep all that it is told and says, for [`Terminal::records`](crate::Terminal::records), and its
    /// operations as they were signed.
    pub record_events: bool,
}

impl Options {
    /// A silent terminal of somebody, with the microphone on.
    pub fn new(
        relay_url: impl Into<String>,
        identity: IdentitySource,
        meeting: MeetingTarget,
    ) -> Self {
        Self {
            relay_url: relay_url.into(),
            other_relay_urls: Vec::new(),
            identity,
            meeting,
            muted: false,
            source: AudioSource::Silence,
            talk: None,
            listen_for_hz: Vec::new(),
            record: false,
            record_packets: false,
            local_address: Ipv4Addr::UNSPECIFIED.into(),
            join_time_max: Duration::from_secs(15),
            media: true,
            key: None,
            session_id: None,
            record_events: false,
        }
    }

    /// A silent terminal of a guest in a meeting that needs no password.
    pub fn guest(
        relay_url: impl Into<String>,
        display_name: impl Into<String>,
        meeting_id: MeetingId,
    ) -> Self {
        Self::new(
            relay_url,
            IdentitySource::Guest { display_name: display_name.into() },
            MeetingTarget::Existing(Target::new(meeting_id)),
        )
    }
}
