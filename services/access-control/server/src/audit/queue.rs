//! Where decisions wait to be written.

use tokio::sync::mpsc;

use super::Record;

/// Takes decisions in. Clones share it.
#[derive(Clone)]
pub struct AuditQueue(mpsc::Sender<Record>);

/// A place in the queue, for one decision.
pub struct Place<'a>(mpsc::Permit<'a, Record>);

/// There is no place: nothing can be recorded at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many decisions wait to be written down")]
pub struct QueueFull;

impl AuditQueue {
    /// A queue with so many places, and its other end.
    pub fn new(places: usize) -> (Self, mpsc::Receiver<Record>) {
        let (sender, receiver) = mpsc::channel(places.max(1));
        (Self(sender), receiver)
    }

    /// Takes a place; it is given back if it is not used.
    ///
    /// # Errors
    /// There is none.
    pub fn place(&self) -> Result<Place<'_>, QueueFull> {
        self.0.try_reserve().map(Place).map_err(|_| QueueFull)
    }
}

impl Place<'_> {
    /// Puts a decision there.
    pub fn record(self, record: Record) {
        self.0.send(record);
    }
}
