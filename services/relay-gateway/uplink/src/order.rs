//! Numbered messages: kept until they are acknowledged, sent again after a broken connection, taken
//! once.

use std::collections::VecDeque;

/// What may wait for its acknowledgement, in bytes.
pub const UNACKNOWLEDGED_BYTES_MAX: usize = 4 << 20;

/// What the keeping of one message costs beside its bytes, so that empty ones are bounded too.
const OVERHEAD_BYTES: usize = 64;

/// More waits for its acknowledgement than may be kept: the session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {max} bytes wait for their acknowledgement: the session is over")]
pub struct Overflow {
    /// What may wait, in bytes.
    pub max: usize,
}

/// The other side says that something has arrived that was never sent, or has forgotten what it had
/// acknowledged: the session can't go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("message {said} can't be the last that has arrived: it is one of {oldest} to {newest}")]
pub struct Impossible {
    /// What it says.
    pub said: u64,
    /// The last one that it has acknowledged.
    pub oldest: u64,
    /// The last one that there is.
    pub newest: u64,
}

/// The numbered messages of one side of a session, from 1.
#[derive(Debug)]
pub struct Outgoing<M> {
    /// Messages `acknowledged + 1` and up, with their costs.
    kept: VecDeque<(M, usize)>,
    acknowledged: u64,
    /// The last one that was given out by [`Self::next_unsent`] on this connection.
    sent: u64,
    bytes: usize,
    bytes_max: usize,
}

impl<M> Default for Outgoing<M> {
    fn default() -> Self {
        Self::with_bound(UNACKNOWLEDGED_BYTES_MAX)
    }
}

impl<M> Outgoing<M> {
    /// Keeps at most `bytes_max` bytes.
    #[must_use]
    pub fn with_bound(bytes_max: usize) -> Self {
        Self { kept: VecDeque::new(), acknowledged: 0, sent: 0, bytes: 0, bytes_max }
    }

    /// Keeps a message of `bytes` bytes and gives it its number.
    ///
    /// # Errors
    /// Too much waits; nothing is kept.
    pub fn push(&mut self, message: M, bytes: usize) -> Result<u64, Overflow> {
        let cost = bytes.saturating_add(OVERHEAD_BYTES);
        let total = self.bytes.saturating_add(cost);
        if total > self.bytes_max {
            return Err(Overflow { max: self.bytes_max });
        }
        self.bytes = total;
        self.kept.push_back((message, cost));
        Ok(self.newest())
    }

    /// Forgets what has arrived at the other side: everything up to `number`. An older one changes
    /// nothing.
    ///
    /// # Errors
    /// There is no such message.
    pub fn acknowledge(&mut self, number: u64) -> Result<(), Impossible> {
        if number > self.newest() {
            return Err(self.impossible(number));
        }
        while self.acknowledged < number {
            let Some((_, cost)) = self.kept.pop_front() else { break };
            self.bytes -= cost;
            self.acknowledged += 1;
        }
        self.sent = self.sent.max(self.acknowledged);
        Ok(())
    }

    /// A new connection, on which the other side has said that `received` was the last to arrive: what
    /// came after it is sent again.
    ///
    /// # Errors
    /// There is no such message, or what came after it is not kept any more.
    pub fn resume(&mut self, received: u64) -> Result<(), Impossible> {
        if received < self.acknowledged {
            return Err(self.impossible(received));
        }
        self.acknowledge(received)?;
        self.sent = self.acknowledged;
        Ok(())
    }

    /// The next message to be sent on this connection, with its number; from then on it is sent.
    pub fn next_unsent(&mut self) -> Option<(u64, &M)> {
        let index = usize::try_from(self.sent - self.acknowledged).ok()?;
        let (message, _) = self.kept.get(index)?;
        self.sent += 1;
        Some((self.sent, message))
    }

    /// True if something is to be sent on this connection.
    #[must_use]
    pub fn has_unsent(&self) -> bool {
        self.sent < self.newest()
    }

    /// What waits for its acknowledgement, in bytes with what keeping it costs.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn newest(&self) -> u64 {
        self.acknowledged + self.kept.len() as u64
    }

    fn impossible(&self, said: u64) -> Impossible {
        Impossible { said, oldest: self.acknowledged, newest: self.newest() }
    }
}

/// What a numbered message is to its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The next one.
    New,
    /// It was there before: to be dropped.
    Known,
    /// One before it is missing: the connection is to be given up.
    Gap,
}

/// The numbered messages of the other side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Incoming {
    received: u64,
}

impl Incoming {
    /// Takes the number of a message, from 1.
    pub fn accept(&mut self, sequence: u64) -> Arrival {
        if sequence <= self.received {
            return Arrival::Known;
        }
        if sequence != self.received + 1 {
            return Arrival::Gap;
        }
        self.received = sequence;
        Arrival::New
    }

    /// Number of the last message that has arrived; to be acknowledged.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bound_counts_what_is_not_acknowledged() {
        let mut outgoing = Outgoing::with_bound(2 * (100 + OVERHEAD_BYTES));
        assert_eq!(outgoing.push('a', 100), Ok(1));
        assert_eq!(outgoing.push('b', 100), Ok(2));
        assert!(outgoing.push('c', 0).is_err(), "even an empty one costs something");
        outgoing.acknowledge(1).unwrap();
        assert_eq!(outgoing.push('c', 100), Ok(3));
        outgoing.acknowledge(3).unwrap();
        assert_eq!(outgoing.bytes(), 0);
    }

    #[test]
    fn what_can_not_be_is_refused_and_changes_nothing() {
        let mut outgoing = Outgoing::default();
        for message in 0..3 {
            outgoing.push(message, 1).unwrap();
        }
        assert!(outgoing.acknowledge(4).is_err());
        outgoing.acknowledge(2).unwrap();
        assert!(outgoing.resume(1).is_err(), "it has forgotten what it had");
        assert!(outgoing.resume(9).is_err());
        outgoing.resume(2).unwrap();
        assert_eq!(outgoing.next_unsent(), Some((3, &2)));
        assert_eq!(outgoing.next_unsent(), None);
    }

    #[test]
    fn a_gap_is_seen_and_does_not_count() {
        let mut incoming = Incoming::default();
        assert_eq!(incoming.accept(1), Arrival::New);
        assert_eq!(incoming.accept(3), Arrival::Gap);
        assert_eq!(incoming.accept(1), Arrival::Known);
        assert_eq!(incoming.accept(0), Arrival::Known);
        assert_eq!(incoming.accept(2), Arrival::New);
        assert_eq!(incoming.received(), 2);
    }

    /// What happens to two sides of a session.
    #[derive(Clone, Debug)]
    enum Step {
        Push,
        /// So many messages are written to the connection.
        Send(usize),
        /// So many of those on the way arrive.
        Arrive(usize),
        /// The receiver's acknowledgement arrives.
        Acknowledge,
        /// The connection breaks: what is on the way is lost. There is a new one.
        Cut,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => Just(Step::Push),
            4 => (1..5usize).prop_map(Step::Send),
            4 => (1..5usize).prop_map(Step::Arrive),
            2 => Just(Step::Acknowledge),
            2 => Just(Step::Cut),
        ]
    }

    #[derive(Default)]
    struct Pair {
        outgoing: Outgoing<u64>,
        incoming: Incoming,
        pushed: u64,
        on_the_way: VecDeque<(u64, u64)>,
        taken: Vec<u64>,
    }

    impl Pair {
        fn take(&mut self, step: &Step) {
            match step {
                Step::Push => {
                    self.pushed += 1;
                    assert_eq!(self.outgoing.push(self.pushed, 10), Ok(self.pushed));
                }
                Step::Send(count) => {
                    for _ in 0..*count {
                        let Some((number, message)) = self.outgoing.next_unsent() else { break };
                        self.on_the_way.push_back((number, *message));
                    }
                }
                Step::Arrive(count) => {
                    for _ in 0..*count {
                        let Some((number, message)) = self.on_the_way.pop_front() else { break };
                        match self.incoming.accept(number) {
                            Arrival::New => self.taken.push(message),
                            Arrival::Known => {}
                            Arrival::Gap => panic!("a gap without a loss"),
                        }
                    }
                }
                Step::Acknowledge => self.outgoing.acknowledge(self.incoming.received()).unwrap(),
                Step::Cut => {
                    self.on_the_way.clear();
                    self.outgoing.resume(self.incoming.received()).unwrap();
                }
            }
        }
    }

    proptest! {
        #[test]
        fn over_any_cuts_every_message_arrives_once_and_in_order(
            steps in prop::collection::vec(step(), 0..300),
        ) {
            let mut pair = Pair::default();
            for step in &steps {
                pair.take(step);
            }
            for step in [Step::Cut, Step::Send(1_000), Step::Arrive(1_000), Step::Acknowledge] {
                pair.take(&step);
            }
            let all: Vec<u64> = (1..=pair.pushed).collect();
            prop_assert_eq!(pair.taken, all);
            prop_assert_eq!(pair.outgoing.bytes(), 0);
            prop_assert!(!pair.outgoing.has_unsent());
        }
    }
}
