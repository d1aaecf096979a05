//! Route plans between a relay and the one it is attached to: of each meeting the newest, until it is
//! taken.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use prost::Message as _;
use tributary_contracts::relay::v1::RoutePlan;

/// Meetings whose plans wait; nobody is in more.
pub(in crate::media) const MEETINGS_MAX: usize = 4_096;

/// Plans that wait. They are rare: they go under a lock, which frames never do.
#[derive(Default)]
pub(super) struct Plans {
    newest: Mutex<BTreeMap<u64, RoutePlan>>,
    /// There may be some.
    waiting: AtomicBool,
}

impl Plans {
    /// Puts one in; an older one of the same meeting is of no use any more. False: there are plans of more
    /// meetings than there can be, and it is not kept.
    pub(super) fn put(&self, meeting_id: u64, plan: RoutePlan) -> bool {
        let mut newest = self.newest();
        if newest.len() >= MEETINGS_MAX && !newest.contains_key(&meeting_id) {
            return false;
        }
        newest.insert(meeting_id, plan);
        self.waiting.store(true, Ordering::Release);
        true
    }

    /// Takes one after the other until they have about so many bytes; the others stay.
    pub(super) fn take(&self, bytes: usize) -> Vec<(u64, RoutePlan)> {
        let mut taken = Vec::new();
        if !self.waiting.swap(false, Ordering::AcqRel) {
            return taken;
        }
        let (mut newest, mut taken_bytes) = (self.newest(), 0);
        while taken_bytes < bytes
            && let Some(next) = newest.pop_first()
        {
            taken_bytes += next.1.encoded_len();
            taken.push(next);
        }
        if !newest.is_empty() {
            self.waiting.store(true, Ordering::Release);
        }
        taken
    }

    /// Whether any may wait.
    pub(super) fn are_waiting(&self) -> bool {
        self.waiting.load(Ordering::Acquire)
    }

    /// Forgets all.
    pub(super) fn clear(&self) {
        self.newest().clear();
    }

    fn newest(&self) -> MutexGuard<'_, BTreeMap<u64, RoutePlan>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(version: u64, speakers: u32) -> RoutePlan {
        RoutePlan { version, speaker_ids: (0..speakers).collect(), ..RoutePlan::default() }
    }

    #[test]
    fn the_newest_of_each_meeting_comes_once_and_no_more_at_a_time_than_is_asked_for() {
        let plans = Plans::default();
        for (meeting, version) in [(7, 1), (8, 1), (9, 1), (7, 2)] {
            assert!(plans.put(meeting, plan(version, 1_000)));
        }
        let versions = |taken: Vec<(u64, RoutePlan)>| {
            taken.into_iter().map(|(meeting, plan)| (meeting, plan.version)).collect::<Vec<_>>()
        };
        assert_eq!(versions(plans.take(3_000)), [(7, 2), (8, 1)]);
        assert!(plans.are_waiting());
        assert_eq!(versions(plans.take(1)), [(9, 1)]);
        assert!(!plans.are_waiting() && plans.take(1).is_empty());
    }

    #[test]
    fn memory_is_bounded_and_who_is_there_is_always_served() {
        let plans = Plans::default();
        for meeting in 0..MEETINGS_MAX as u64 {
            assert!(plans.put(meeting, plan(1, 0)));
        }
        assert!(!plans.put(u64::MAX, plan(1, 0)) && plans.put(0, plan(2, 0)));
        plans.clear();
        assert!(plans.take(1).is_empty() && plans.put(u64::MAX, plan(1, 0)));
    }
}
