//! What is done one after the other for each meeting, and for some meetings at the same time.

use std::collections::{BTreeMap, VecDeque};

use tributary_message_bus::subjects::MeetingScope;

/// Work that waits for its turn in one meeting, at most.
const QUEUED_MAX: usize = 16;

/// Work by meeting. Each meeting has one piece of work at most in hand; meetings take turns.
pub struct Lanes<T> {
    at_once: usize,
    queues: BTreeMap<MeetingScope, VecDeque<T>>,
    /// Meetings with something in the queue and nothing in hand, in the order of their turns.
    ready: VecDeque<MeetingScope>,
    in_hand: BTreeMap<MeetingScope, T>,
}

impl<T: Clone> Lanes<T> {
    /// For so many meetings at the same time.
    pub fn new(at_once: usize) -> Self {
        let (queues, ready) = (BTreeMap::new(), VecDeque::new());
        Self { at_once, queues, ready, in_hand: BTreeMap::new() }
    }

    /// Whether there is room for more work of that meeting: one that has much to do must not take the
    /// places of others.
    pub fn has_room(&self, scope: &MeetingScope) -> bool {
        self.queues.get(scope).is_none_or(|queue| queue.len() < QUEUED_MAX)
    }

    /// Work comes in, behind what there is for its meeting.
    pub fn push(&mut self, scope: MeetingScope, work: T) {
        let queue = self.queues.entry(scope.clone()).or_default();
        queue.push_back(work);
        if queue.len() == 1 && !self.in_hand.contains_key(&scope) {
            self.ready.push_back(scope);
        }
    }

    /// Takes a piece of work in hand, if a meeting has one and there is a hand free.
    pub fn begin(&mut self) -> Option<T> {
        if self.in_hand.len() >= self.at_once {
            return None;
        }
        let scope = self.ready.pop_front()?;
        let queue = self.queues.get_mut(&scope)?;
        let work = queue.pop_front()?;
        if queue.is_empty() {
            self.queues.remove(&scope);
        }
        self.in_hand.insert(scope, work.clone());
        Some(work)
    }

    /// What a meeting had in hand is done.
    pub fn finished(&mut self, scope: &MeetingScope) {
        if self.in_hand.remove(scope).is_some() && self.queues.contains_key(scope) {
            self.ready.push_back(scope.clone());
        }
    }

    /// What is in hand or in a queue.
    pub fn all(&self) -> impl Iterator<Item = &T> {
        self.in_hand.values().chain(self.queued())
    }

    /// What is in a queue.
    pub fn queued(&self) -> impl Iterator<Item = &T> {
        self.queues.values().flatten()
    }
}

#[cfg(test)]
mod tests {
    use tributary_identifiers::{MeetingId, OrganisationId};

    use super::*;

    fn scope(meeting: u64) -> MeetingScope {
        MeetingScope {
            organisation: OrganisationId::default(),
            meeting: MeetingId::try_from(meeting).unwrap(),
        }
    }

    fn lanes(at_once: usize, work: &[(u64, char)]) -> Lanes<char> {
        let mut lanes = Lanes::new(at_once);
        for (meeting, letter) in work {
            lanes.push(scope(*meeting), *letter);
        }
        lanes
    }

    fn begin_all(lanes: &mut Lanes<char>) -> String {
        std::iter::from_fn(|| lanes.begin()).collect()
    }

    #[test]
    fn a_meeting_has_one_thing_in_hand_and_others_do_not_wait_for_it() {
        let mut lanes = lanes(4, &[(1, 'a'), (1, 'b'), (2, 'c'), (1, 'd')]);
        assert_eq!(begin_all(&mut lanes), "ac");
        lanes.finished(&scope(2));
        assert_eq!(begin_all(&mut lanes), "");
        lanes.finished(&scope(1));
        assert_eq!(begin_all(&mut lanes), "b");
        lanes.push(scope(1), 'e');
        assert_eq!(begin_all(&mut lanes), "");
        for expected in ["d", "e", ""] {
            lanes.finished(&scope(1));
            assert_eq!(begin_all(&mut lanes), expected);
        }
        assert_eq!(lanes.all().count(), 0);
    }

    #[test]
    fn only_so_many_meetings_are_in_hand_and_they_take_turns() {
        let mut lanes = lanes(2, &[(1, 'a'), (1, 'b'), (2, 'c'), (3, 'd'), (2, 'e')]);
        assert_eq!(begin_all(&mut lanes), "ac");
        lanes.finished(&scope(1));
        assert_eq!(begin_all(&mut lanes), "d", "the one that has waited longest");
        lanes.finished(&scope(2));
        assert_eq!(begin_all(&mut lanes), "b");
        assert_eq!(lanes.all().collect::<String>(), "bde");
        assert_eq!(lanes.queued().collect::<String>(), "e");
    }

    #[test]
    fn a_meeting_has_room_for_so_much_and_others_for_theirs() {
        let mut lanes = lanes(2, &[(1, 'a')]);
        assert_eq!(begin_all(&mut lanes), "a");
        for _ in 0..QUEUED_MAX {
            assert!(lanes.has_room(&scope(1)));
            lanes.push(scope(1), 'b');
        }
        assert!(!lanes.has_room(&scope(1)));
        assert!(lanes.has_room(&scope(2)));
        lanes.finished(&scope(1));
        assert_eq!(begin_all(&mut lanes), "b");
        assert!(lanes.has_room(&scope(1)));
    }

    #[test]
    fn what_was_never_in_hand_is_not_finished() {
        let mut lanes = lanes(2, &[(1, 'a')]);
        lanes.finished(&scope(1));
        lanes.finished(&scope(9));
        assert_eq!(begin_all(&mut lanes), "a");
    }
}
