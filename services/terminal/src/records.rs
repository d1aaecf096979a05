//! What a terminal has been told, without gaps: for tests that prove that each thing came once and in order.

use tributary_contracts::event::v1::MeetingEvent;
use tributary_identifiers::{MeetingId, OperationId, ParticipantId};

use crate::Outcome;

/// Records that are kept; what comes after is not.
pub const RECORDS_MAX: usize = 200_000;

/// One thing that a terminal has said or was told.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// It has joined a meeting, first or again.
    Joined {
        /// Which.
        meeting_id: MeetingId,
        /// As whom.
        participant_id: ParticipantId,
        /// The event after which it asked to be told: 0 at first.
        asked_from: u64,
        /// The last event that the roster includes; `None`: no roster, what was missed follows.
        roster_at: Option<u64>,
        /// In the lobby.
        waiting: bool,
        /// For events only.
        held: bool,
    },
    /// An event has come.
    Event {
        /// As it came.
        event: Box<MeetingEvent>,
        /// False: it was there before, and has changed nothing.
        news: bool,
    },
    /// A roster has come by itself.
    Roster {
        /// Of which meeting.
        meeting_id: MeetingId,
        /// The last event that it includes.
        event_number: u64,
    },
    /// Audio can flow; without audio: joined.
    Connected,
    /// The connection was lost.
    Lost,
    /// The relay has said how its own uplink is.
    Uplink {
        /// It is there.
        attached: bool,
        /// For so long the others keep the places of those behind the relay, in ms.
        hold_ms: u32,
        /// For so long it has been lost, in ms.
        lost_ms: u32,
    },
    /// An own operation was put on the wire, first or again.
    Sent {
        /// Where.
        meeting_id: MeetingId,
        /// Which.
        id: OperationId,
        /// Its number in the session.
        sequence: u64,
    },
    /// The relay said that an own operation can't be lost any more.
    Received {
        /// Where.
        meeting_id: MeetingId,
        /// Which.
        id: OperationId,
    },
    /// The result of an own operation has come.
    Answered {
        /// Where.
        meeting_id: MeetingId,
        /// Which.
        id: OperationId,
        /// The result.
        outcome: Outcome,
    },
}

#[derive(Default)]
pub(crate) struct RecordLog(Vec<Record>);

impl RecordLog {
    pub(crate) fn push(&mut self, record: Record) {
        if self.0.len() < RECORDS_MAX {
            self.0.push(record);
        }
    }

    pub(crate) fn from(&self, index: usize) -> Vec<Record> {
        self.0.get(index..).unwrap_or_default().to_vec()
    }
}
