//! The last five minutes, second by second.

use std::collections::VecDeque;

use super::report::Second;

/// How far back it goes, in seconds.
pub(super) const SECONDS: usize = 300;

/// Bytes since the relay started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) up: u64,
    pub(super) down: u64,
    pub(super) direct: u64,
    /// What terminals have sent.
    pub(super) direct_up: u64,
}

/// What was added in each second.
pub(super) struct History {
    last: Totals,
    seconds: VecDeque<Second>,
}

impl History {
    pub(super) fn new(start: Totals) -> Self {
        Self { last: start, seconds: VecDeque::with_capacity(SECONDS) }
    }

    /// A second has passed.
    pub(super) fn note(&mut self, now: Totals) {
        if self.seconds.len() >= SECONDS {
            self.seconds.pop_front();
        }
        self.seconds.push_back(Second {
            up: now.up.saturating_sub(self.last.up),
            down: now.down.saturating_sub(self.last.down),
            direct: now.direct.saturating_sub(self.last.direct),
        });
        self.last = now;
    }

    /// Oldest first.
    pub(super) fn seconds(&self) -> Vec<Second> {
        self.seconds.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_hold_what_was_added_and_the_oldest_go_first() {
        let totals = |n: u64| Totals { up: n, down: 10 * n, direct: 100 * n, direct_up: n };
        let mut history = History::new(totals(5));
        for n in 6..6 + SECONDS as u64 + 3 {
            history.note(totals(n));
        }
        history.note(Totals { up: 1000, ..totals(308) });
        let seconds = history.seconds();
        assert_eq!(seconds.len(), SECONDS);
        assert_eq!(seconds[0], Second { up: 1, down: 10, direct: 100 });
        assert_eq!(seconds[SECONDS - 1], Second { up: 692, down: 0, direct: 0 });
    }
}
