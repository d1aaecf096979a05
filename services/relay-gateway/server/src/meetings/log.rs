//! The last events of a meeting, so that terminals that come back, or are slow for a while, need not
//! ask the registry. Pure.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use prost::Message as _;
use tributary_contracts::{
    event::v1::MeetingEvent,
    terminal::v1::{RelayMessage, relay_message::Body},
};

/// The most that is kept of a meeting.
const EVENTS_MAX: usize = 1_024;
const BYTES_MAX: usize = 1 << 20;

/// An event, and how it goes over a WebSocket: encoded once for all terminals.
#[derive(Debug)]
pub(crate) struct Happening {
    pub(crate) event: MeetingEvent,
    pub(crate) encoded: Bytes,
}

impl Happening {
    pub(crate) fn new(event: MeetingEvent) -> Self {
        let message = RelayMessage { body: Some(Body::Event(event)), ..RelayMessage::default() };
        let encoded = message.encode_to_vec().into();
        let event = match message.body {
            Some(Body::Event(event)) => event,
            _ => MeetingEvent::default(),
        };
        Self { event, encoded }
    }
}

/// What comes after a cursor.
#[derive(Debug)]
pub(crate) enum After {
    /// These, without a gap; none: there is nothing yet.
    Here(Vec<Arc<Happening>>),
    /// It is not kept here any more: the registry has it.
    TooOld,
}

/// Consecutive events, the newest last.
#[derive(Debug, Default)]
pub(super) struct Log {
    kept: VecDeque<Arc<Happening>>,
    bytes: usize,
    /// Number of the last event, kept or not.
    newest: u64,
}

impl Log {
    /// Begins behind this event.
    pub(super) fn starting_after(newest: u64) -> Self {
        Self { newest, ..Self::default() }
    }

    /// Adds the next event.
    pub(super) fn push(&mut self, happening: Happening) {
        self.newest = happening.event.number;
        self.bytes += happening.encoded.len();
        self.kept.push_back(Arc::new(happening));
        while self.kept.len() > EVENTS_MAX || self.bytes > BYTES_MAX {
            let Some(oldest) = self.kept.pop_front() else { return };
            self.bytes -= oldest.encoded.len();
        }
    }

    /// What comes after a cursor, at most so many.
    pub(super) fn after(&self, cursor: u64, limit: usize) -> After {
        if cursor >= self.newest {
            return After::Here(Vec::new());
        }
        let first = self.kept.front().map_or(self.newest + 1, |first| first.event.number);
        let Some(skipped) = (cursor + 1).checked_sub(first) else { return After::TooOld };
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        After::Here(self.kept.iter().skip(skipped).take(limit).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use tributary_contracts::event::v1::{Announcement, meeting_event};

    use super::*;

    fn happening(number: u64, text: &str) -> Happening {
        let body = Some(meeting_event::Body::Announcement(Announcement { text: text.into() }));
        Happening::new(MeetingEvent { number, body, ..MeetingEvent::default() })
    }

    fn numbers(after: After) -> Option<Vec<u64>> {
        match after {
            After::Here(happenings) => Some(happenings.iter().map(|h| h.event.number).collect()),
            After::TooOld => None,
        }
    }

    #[test]
    fn what_comes_after_a_cursor_is_given_without_a_gap_or_not_at_all() {
        let mut log = Log::starting_after(7);
        assert_eq!(numbers(log.after(7, 9)), Some(vec![]));
        assert_eq!(numbers(log.after(6, 9)), None);
        for number in 8..=11 {
            log.push(happening(number, ""));
        }
        assert_eq!(numbers(log.after(7, 9)), Some(vec![8, 9, 10, 11]));
        assert_eq!(numbers(log.after(9, 1)), Some(vec![10]));
        assert_eq!(numbers(log.after(11, 9)), Some(vec![]));
        assert_eq!(numbers(log.after(99, 9)), Some(vec![]));
        assert_eq!(numbers(log.after(6, 9)), None);
        assert_eq!(numbers(log.after(0, 9)), None);
    }

    #[test]
    fn memory_is_bounded_by_events_and_bytes() {
        let mut log = Log::default();
        let many = EVENTS_MAX as u64 + 10;
        for number in 1..=many {
            log.push(happening(number, ""));
        }
        assert_eq!(log.kept.len(), EVENTS_MAX);
        assert_eq!(numbers(log.after(10, 1)), Some(vec![11]));
        assert_eq!(numbers(log.after(9, 1)), None);
        let long = "x".repeat(BYTES_MAX / 4);
        for number in many + 1..many + 9 {
            log.push(happening(number, &long));
        }
        assert!(log.bytes <= BYTES_MAX && log.kept.len() == 3, "{}", log.kept.len());
        assert_eq!(log.bytes, log.kept.iter().map(|h| h.encoded.len()).sum::<usize>());
    }
}
