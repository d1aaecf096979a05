//! Whether something that is kept may still be believed.
//!
//! Changes are told by NATS, per meeting. Each change moves a clock that counts changes, and leaves
//! its time at the place of the meeting; what was asked for before that time is not believed. There
//! is a fixed number of places, so that neither meetings nor changes cost memory: meetings that
//! share a place are looked up once more than needed.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use tributary_message_bus::subjects::MeetingScope;

/// Places for changes: half a megabyte.
const PLACES: usize = 1 << 16;

/// Knows what has changed when. Reading takes no lock.
pub struct Freshness {
    clock: AtomicU64,
    everything: AtomicU64,
    places: Box<[AtomicU64]>,
    hasher: RandomState,
    linked: AtomicBool,
}

/// A time between two changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Default for Freshness {
    fn default() -> Self {
        Self {
            clock: AtomicU64::new(1),
            everything: AtomicU64::new(0),
            places: (0..PLACES).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
            linked: AtomicBool::new(false),
        }
    }
}

impl Freshness {
    /// Now. To be taken *before* something is asked for that is to be kept.
    pub fn now(&self) -> Moment {
        Moment(self.clock.load(Ordering::SeqCst))
    }

    /// Something about this meeting has changed.
    pub fn changed(&self, scope: &MeetingScope) {
        let now = self.clock.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some(place) = self.place(scope) {
            place.fetch_max(now, Ordering::SeqCst);
        }
    }

    /// Anything may have changed.
    pub fn everything_changed(&self) {
        let now = self.clock.fetch_add(1, Ordering::SeqCst) + 1;
        self.everything.fetch_max(now, Ordering::SeqCst);
    }

    /// Whether nothing is known to have changed about this meeting since something was asked for.
    pub fn holds(&self, scope: &MeetingScope, asked: Moment) -> bool {
        let changed = self.place(scope).map_or(u64::MAX, |place| place.load(Ordering::SeqCst));
        asked.0 >= changed && asked.0 >= self.everything.load(Ordering::SeqCst)
    }

    /// Whether changes are heard of at the moment.
    pub fn is_linked(&self) -> bool {
        self.linked.load(Ordering::SeqCst)
    }

    /// Changes are heard of from now on, or not any more.
    pub fn set_linked(&self, linked: bool) {
        self.linked.store(linked, Ordering::SeqCst);
    }

    fn place(&self, scope: &MeetingScope) -> Option<&AtomicU64> {
        let hash = self.hasher.hash_one(scope);
        self.places.get((hash % PLACES as u64) as usize)
    }
}

#[cfg(test)]
mod tests {
    use tributary_identifiers::{MeetingId, OrganisationId};

    use super::*;

    fn scope(number: u64) -> MeetingScope {
        let meeting = MeetingId::try_from(number).unwrap();
        MeetingScope { organisation: OrganisationId::default(), meeting }
    }

    #[test]
    fn what_was_asked_for_before_a_change_is_not_believed() {
        let freshness = Freshness::default();
        let before = freshness.now();
        assert!(freshness.holds(&scope(1), before));
        freshness.changed(&scope(1));
        assert!(!freshness.holds(&scope(1), before));
        assert!(freshness.holds(&scope(1), freshness.now()));
    }

    #[test]
    fn a_change_concerns_few_other_meetings() {
        let freshness = Freshness::default();
        let before = freshness.now();
        freshness.changed(&scope(0));
        let concerned = (1..1000).filter(|id| !freshness.holds(&scope(*id), before)).count();
        assert!(concerned < 10, "{concerned}");
    }

    #[test]
    fn when_anything_may_have_changed_nothing_is_believed() {
        let freshness = Freshness::default();
        let before = freshness.now();
        freshness.everything_changed();
        assert!((0..10).all(|id| !freshness.holds(&scope(id), before)));
        assert!((0..10).all(|id| freshness.holds(&scope(id), freshness.now())));
    }
}
