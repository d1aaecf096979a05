//! What was done and has no result yet: kept in order, sent in order, sent again after every reconnect.
//!
//! Knows nothing of networks, signatures or clocks; time is an argument.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use tributary_identifiers::OperationId;

/// Operations that may be on their way without a result.
pub(crate) const IN_FLIGHT_MAX: usize = 32;
/// Operations without a result that are kept.
pub(crate) const PENDING_MAX: usize = 10_000;
/// How long to wait after the relay could not take one for now; doubled each time in a row.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// No more than [`PENDING_MAX`] operations are kept.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// To be sent.
    Waiting,
    /// Sent on this connection.
    Sent,
    /// It can't be lost any more.
    Received,
}

/// An operation without a result.
#[derive(Debug, Clone)]
pub(crate) struct Entry<T> {
    pub(crate) id: OperationId,
    /// Its number in the session, from 1.
    pub(crate) sequence: u64,
    pub(crate) stage: Stage,
    /// It was sent on a connection that was lost: its number may be used up.
    may_be_stored: bool,
    /// As it travels.
    pub(crate) payload: T,
}

/// The operations of one participant in one session that have no result.
#[derive(Debug)]
pub(crate) struct Outbox<T> {
    /// In order of their numbers.
    entries: VecDeque<Entry<T>>,
    last_sequence: u64,
    /// The highest number that is, or may be, used up.
    used_sequence: u64,
    /// A number that may never come to the registry, which waits for it before it goes on.
    missing: Option<u64>,
    in_flight: usize,
    paused_until: Option<Instant>,
    put_back_in_a_row: u32,
    made_at: Instant,
}

impl<T> Outbox<T> {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            entries: VecDeque::new(),
            last_sequence: 0,
            used_sequence: 0,
            missing: None,
            in_flight: 0,
            paused_until: None,
            put_back_in_a_row: 0,
            made_at: now,
        }
    }

    /// The number that the next operation gets.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.last_sequence + 1
    }

    /// True if no more are kept.
    pub(crate) fn is_full(&self) -> bool {
        self.entries.len() >= PENDING_MAX
    }

    /// Takes the operation with the [`next_sequence`](Self::next_sequence).
    pub(crate) fn push(&mut self, id: OperationId, payload: T) -> Result<(), Full> {
        if self.is_full() {
            return Err(Full);
        }
        self.last_sequence += 1;
        let sequence = self.last_sequence;
        let (stage, may_be_stored) = (Stage::Waiting, false);
        self.entries.push_back(Entry { id, sequence, stage, may_be_stored, payload });
        Ok(())
    }

    /// The operation to be sent now, if there is one; it counts as sent.
    pub(crate) fn next(&mut self, now: Instant) -> Option<&Entry<T>> {
        if self.in_flight >= IN_FLIGHT_MAX || self.paused_until.is_some_and(|until| now < until) {
            return None;
        }
        // What is on its way is at the front, and never many.
        let entry = self.entries.iter_mut().find(|entry| entry.stage == Stage::Waiting)?;
        entry.stage = Stage::Sent;
        self.in_flight += 1;
        Some(entry)
    }

    /// From when on there is a [`next`](Self::next), if time alone makes one; in the past: now.
    pub(crate) fn due(&self) -> Option<Instant> {
        let waits = self.entries.iter().any(|entry| entry.stage == Stage::Waiting);
        let may_go = waits && self.in_flight < IN_FLIGHT_MAX;
        may_go.then(|| self.paused_until.unwrap_or(self.made_at))
    }

    /// The relay has said that it can't be lost any more. True if that is news.
    pub(crate) fn received(&mut self, id: &OperationId) -> bool {
        self.put_back_in_a_row = 0;
        match self.find(id) {
            Some(entry) if entry.stage == Stage::Sent => {
                entry.stage = Stage::Received;
                true
            }
            _ => false,
        }
    }

    /// The relay can't take it for now: it is sent again after a while, before all that came later.
    pub(crate) fn put_back(&mut self, id: &OperationId, now: Instant) {
        let Some(entry) = self.find(id).filter(|entry| entry.stage == Stage::Sent) else { return };
        entry.stage = Stage::Waiting;
        self.in_flight -= 1;
        // What was sent together comes back together, and is one failure.
        if self.paused_until.is_none_or(|until| until <= now) {
            let pause = PAUSE_MIN.saturating_mul(1 << self.put_back_in_a_row.min(10));
            self.paused_until = Some(now + pause.min(PAUSE_MAX));
            self.put_back_in_a_row += 1;
        }
    }

    /// The connection was lost: all are to be sent again.
    pub(crate) fn lost(&mut self) {
        for entry in &mut self.entries {
            entry.may_be_stored |= entry.stage != Stage::Waiting;
            entry.stage = Stage::Waiting;
        }
        self.in_flight = 0;
        self.paused_until = None;
        self.put_back_in_a_row = 0;
    }

    /// The result is there. True if it was waited for.
    pub(crate) fn answered(&mut self, id: &OperationId) -> bool {
        let Some(entry) = self.take(id) else { return false };
        self.used_sequence = self.used_sequence.max(entry.sequence);
        // The registry waits for none before this one any more.
        self.missing = self.missing.filter(|missing| *missing > entry.sequence);
        true
    }

    /// The relay will never carry it. True if it was waited for. The next one gets its number, if none
    /// has a later one.
    pub(crate) fn not_taken(&mut self, id: &OperationId) -> bool {
        let Some(entry) = self.take(id) else { return false };
        if entry.may_be_stored {
            self.used_sequence = self.used_sequence.max(entry.sequence);
        }
        let last = self.entries.back().map_or(0, |entry| entry.sequence);
        self.last_sequence = last.max(self.used_sequence);
        self.missing = Some(self.missing.map_or(entry.sequence, |other| other.max(entry.sequence)))
            .filter(|missing| *missing <= self.last_sequence);
        true
    }

    fn take(&mut self, id: &OperationId) -> Option<Entry<T>> {
        let at = self.entries.iter().position(|entry| entry.id == *id)?;
        let entry = self.entries.remove(at)?;
        // There is room again.
        self.paused_until = None;
        if entry.stage != Stage::Waiting {
            self.in_flight -= 1;
        }
        Some(entry)
    }

    /// True if the registry may wait for a number that never comes, and a new session costs nothing.
    pub(crate) fn wants_new_session(&self) -> bool {
        self.missing.is_some() && self.entries.is_empty()
    }

    /// All without a result, oldest first.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry<T>> {
        self.entries.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn find(&mut self, id: &OperationId) -> Option<&mut Entry<T>> {
        self.entries.iter_mut().find(|entry| entry.id == *id)
    }
}

#[cfg(test)]
mod tests;
