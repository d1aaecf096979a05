//! What `/status.json` holds. Names stay; new ones may come.

use serde::{Deserialize, Serialize};

use super::{
    super::state::Status,
    history::Totals,
    meeting::{OwnMeeting, Standing},
    text,
};

/// A relay on the way to the core.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// Its id.
    pub relay_id: String,
    /// Its name.
    pub relay_name: String,
}

/// The connection to the parent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AttachedTo {
    /// The parent's address.
    pub upstream: String,
    /// The parent.
    pub parent: Hop,
    /// From the core to the parent, both included.
    pub path: Vec<Hop>,
    /// Version of the parent's software.
    pub version: String,
    /// Version of the uplink's protocol.
    pub protocol: u32,
    /// Since when, in Unix milliseconds.
    pub since_ms: u64,
    /// The way there and back, in ms; null before it is known.
    pub rtt_ms: Option<f64>,
    /// What the parent's clock shows more than this machine's, in ms.
    pub clock_offset_ms: f64,
}

/// Bytes of one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Second {
    /// Over the uplink, to the parent.
    pub up: u64,
    /// Over the uplink, from the parent.
    pub down: u64,
    /// What everybody behind the relay would have taken from elsewhere, each on a connection of their own.
    pub direct: u64,
}

/// How an edge relay is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Its id; empty before it is enrolled.
    pub relay_id: String,
    /// Its name.
    pub relay_name: String,
    /// Version of its software.
    pub version: String,
    /// When this was, in Unix milliseconds.
    pub now_ms: u64,
    /// True if it is attached now.
    pub attached: bool,
    /// To what; null if it is not.
    pub attached_to: Option<AttachedTo>,
    /// What to do, if it is not attached.
    #[serde(default)]
    pub advice: Option<String>,
    /// True if the core has told it that it is no relay of its any more.
    pub revoked: bool,
    /// How often the session was gone on with after its connection had broken.
    pub resumed: u64,
    /// Terminals that are connected to it.
    pub terminals: u64,
    /// Participants in meetings behind it, those of attached relays included; while it is not attached,
    /// those whom it knows of from before. Null if it has not been attached since it started.
    pub participants: Option<u64>,
    /// Relays that are attached to it.
    pub relays: u64,
    /// True if everybody behind it sits in one room.
    pub room: bool,
    /// What its uplink may carry, in kbit/s each way; 0: no limit; null: the core has not said it yet.
    pub limit_kbit: Option<u32>,
    /// Over the uplink to the parent since it started, in bytes at the socket: TLS and HTTP/2 included, TCP
    /// and IP not.
    pub bytes_up: u64,
    /// The same from the parent.
    pub bytes_down: u64,
    /// What it has delivered to everybody behind it, in bytes: media with the headers of its packets, files,
    /// and what was said beside. They would have taken that from elsewhere without it, each on a connection
    /// of their own. Of those behind attached relays: what was given to these, for each of them.
    pub delivered_bytes: u64,
    /// `delivered_bytes` without `bytes_down`; less than 0 if the uplink has cost more than it has saved so
    /// far.
    pub saved_bytes: i64,
    /// The same in a sentence.
    pub saved: String,
    /// What terminals have sent to it, in bytes, as `delivered_bytes`. Of those behind attached relays only what
    /// these have passed up is known, which is less.
    #[serde(default)]
    pub heard_bytes: u64,
    /// `heard_bytes` without `bytes_up`; less than 0 if the uplink has cost more so far.
    #[serde(default)]
    pub saved_up_bytes: i64,
    /// The same in a sentence.
    #[serde(default)]
    pub saved_up: String,
    /// Bytes for the parent that it has not acknowledged.
    pub waiting_bytes: u64,
    /// What went wrong last, in plain words, also if it is over.
    pub last_error: Option<String>,
    /// When, in Unix milliseconds.
    pub last_error_at_ms: Option<u64>,
    /// The meeting that the relay itself is in; null: it is to be in none.
    #[serde(default)]
    pub meeting: Option<OwnMeeting>,
    /// The last five minutes, oldest first.
    pub history: Vec<Second>,
}

impl Report {
    pub(super) fn new(
        status: &Status,
        totals: &Totals,
        meeting: Option<OwnMeeting>,
        history: Vec<Second>,
        now_ms: u64,
    ) -> Self {
        let hop = |hop: &super::super::state::Hop| Hop {
            relay_id: hop.relay_id.clone(),
            relay_name: hop.relay_name.clone(),
        };
        let attached_to = status.attached.as_ref().map(|attached| AttachedTo {
            upstream: attached.upstream.clone(),
            parent: hop(&attached.parent),
            path: attached.path.iter().map(hop).collect(),
            version: attached.version.clone(),
            protocol: attached.protocol,
            since_ms: attached.since_ms,
            rtt_ms: attached.rtt_us.map(|rtt| rtt as f64 / 1_000.0),
            clock_offset_ms: attached.clock_offset_us as f64 / 1_000.0,
        });
        let error = status.last_error.as_ref();
        let less = |direct: u64, took| direct.cast_signed().saturating_sub_unsigned(took);
        let is_attached = attached_to.is_some();
        Self {
            relay_id: status.relay_id.clone(),
            relay_name: status.relay_name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            now_ms,
            attached: is_attached,
            attached_to,
            advice: (!is_attached).then(|| text::advice(status).to_owned()),
            revoked: status.revoked,
            resumed: status.resumed,
            terminals: status.terminals as u64,
            participants: status.participants.map(|participants| participants as u64),
            relays: status.relays as u64,
            room: status.room,
            limit_kbit: status.limit_kbit,
            bytes_up: totals.up,
            bytes_down: totals.down,
            delivered_bytes: totals.direct,
            saved_bytes: less(totals.direct, totals.down),
            saved: text::saved(totals.direct, totals.down),
            heard_bytes: totals.direct_up,
            saved_up_bytes: less(totals.direct_up, totals.up),
            saved_up: text::saved_up(totals.direct_up, totals.up),
            waiting_bytes: status.waiting_bytes as u64,
            last_error: error.map(|error| error.text.clone()),
            last_error_at_ms: error.map(|error| error.at_ms),
            meeting: meeting.map(|meeting| match meeting.standing {
                Standing::In if !is_attached => meeting.lost(),
                _ => meeting,
            }),
            history,
        }
    }

    /// The same for somebody who need not know who is in the meeting that the relay is in.
    #[must_use]
    pub fn without_people(self) -> Self {
        Self { meeting: self.meeting.map(OwnMeeting::without_people), ..self }
    }
}
