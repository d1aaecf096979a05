//! How long an operation has waited for the one before it.
//!
//! What was delivered to another replica, or before a restart, counts for nothing: then the wait is
//! longer. Deliveries do not count either, as they also come of a database that was away, in which
//! time the operation before could not be applied. Nor does the time in which operations of the
//! meeting are put off because there are too many: the one before may be among them.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use tributary_identifiers::ParticipantId;
use tributary_meeting_registry_core::Patience;
use tributary_message_bus::subjects::MeetingScope;

/// How long an operation waits for the one before it.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it waits while its meeting is crowded.
const PATIENCE_CROWDED: Duration = Duration::from_secs(300);
/// How many of one participant's wait at once. A relay passes on 32 without an answer, and more only
/// after a minute each; so who has that many has not been answered for long, or leaves out numbers.
/// What comes then does not wait.
const WAITING_MAX: usize = 256;
/// One that has not come for so long does not wait any more, or waits elsewhere.
const ALIVE: Duration = Duration::from_secs(5);
/// One that has not come for so long is answered elsewhere.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(120);
/// The first pause; each is longer by as much, up to the longest.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Operations that wait, by whose they are. As many as the stream hands out at most.
#[derive(Debug, Default)]
pub struct Waiting {
    places: BTreeMap<Whose, BTreeMap<Which, Wait>>,
    /// When an operation of a meeting was last put off because there were too many.
    crowded: BTreeMap<MeetingScope, Instant>,
}

/// An operation as it is known while it waits.
#[derive(Clone, Debug)]
pub struct Place {
    /// Whose it is.
    pub whose: Whose,
    /// Which one of theirs.
    pub which: Which,
}

/// The meeting and the participant.
type Whose = (MeetingScope, ParticipantId);
/// The sequence number and the hash of the envelope.
type Which = (u64, [u8; 32]);

#[derive(Clone, Copy, Debug)]
struct Wait {
    since: Instant,
    last: Instant,
    times: u32,
}

impl Waiting {
    /// Whether to wait for the one before it any longer.
    pub fn patience(&self, place: &Place, now: Instant) -> Patience {
        let Some(waits) = self.places.get(&place.whose) else { return Patience::Wait };
        let Some(wait) = waits.get(&place.which) else {
            let alive = |wait: &&Wait| now.saturating_duration_since(wait.last) < ALIVE;
            let many = waits.values().filter(alive).count() >= WAITING_MAX;
            return if many { Patience::GoOn } else { Patience::Wait };
        };
        let (scope, _) = &place.whose;
        let crowded = self.crowded.get(scope).copied().unwrap_or(wait.since);
        let waited = |since: Instant| now.saturating_duration_since(since);
        if waited(wait.since.max(crowded)) >= PATIENCE || waited(wait.since) >= PATIENCE_CROWDED {
            Patience::GoOn
        } else {
            Patience::Wait
        }
    }

    /// Whether it was seen to wait.
    pub fn contains(&self, place: &Place) -> bool {
        self.places.get(&place.whose).is_some_and(|waits| waits.contains_key(&place.which))
    }

    /// It waits; returns for how long until the next look.
    pub fn waits(&mut self, place: Place, now: Instant) -> Duration {
        let Place { whose, which } = place;
        let waits = self.places.entry(whose).or_default();
        let wait = waits.entry(which).or_insert(Wait { since: now, last: now, times: 0 });
        wait.last = now;
        wait.times = wait.times.saturating_add(1);
        PAUSE_MIN.saturating_mul(wait.times).min(PAUSE_MAX)
    }

    /// It is applied: neither it nor any before it waits any more.
    pub fn applied(&mut self, place: &Place) {
        let (sequence, _) = place.which;
        self.retain(&place.whose, |(one, _)| *one > sequence);
    }

    /// It waits no more.
    pub fn forget(&mut self, place: &Place) {
        self.retain(&place.whose, |which| *which != place.which);
    }

    /// An operation of that meeting is put off because there are too many.
    pub fn crowded(&mut self, scope: &MeetingScope, now: Instant) {
        self.crowded.insert(scope.clone(), now);
    }

    /// Forgets what comes no more; returns how many wait.
    pub fn tidy(&mut self, now: Instant) -> usize {
        let since = |then: Instant| now.saturating_duration_since(then);
        self.crowded.retain(|_, last| since(*last) < PATIENCE);
        self.places.retain(|_, waits| {
            waits.retain(|_, wait| since(wait.last) < FORGOTTEN_AFTER);
            !waits.is_empty()
        });
        self.places.values().map(BTreeMap::len).sum()
    }

    fn retain(&mut self, whose: &Whose, which: impl Fn(&Which) -> bool) {
        if let Some(waits) = self.places.get_mut(whose) {
            waits.retain(|one, _| which(one));
            if waits.is_empty() {
                self.places.remove(whose);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tributary_identifiers::{MeetingId, OrganisationId};

    use super::*;

    fn place(participant: u32, sequence: u64) -> Place {
        let meeting = MeetingId::try_from(1_u64).unwrap();
        let scope = MeetingScope { organisation: OrganisationId::default(), meeting };
        Place { whose: (scope, ParticipantId(participant)), which: (sequence, [7; 32]) }
    }

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn it_waits_half_a_minute_from_the_first_time_and_then_no_more() {
        let (mut waiting, start, one) = (Waiting::default(), Instant::now(), place(1, 2));
        let after = |time| start + seconds(time);
        assert_eq!(waiting.patience(&one, after(100)), Patience::Wait, "it has not waited yet");
        waiting.waits(one.clone(), start);
        waiting.waits(one.clone(), after(29));
        assert_eq!(waiting.patience(&one, after(29)), Patience::Wait);
        assert_eq!(waiting.patience(&one, after(30)), Patience::GoOn);
        assert_eq!(waiting.patience(&place(1, 3), after(30)), Patience::Wait, "another one");
        assert!(waiting.contains(&one) && !waiting.contains(&place(1, 3)));
        waiting.forget(&one);
        assert_eq!(waiting.patience(&one, after(31)), Patience::Wait);
    }

    #[test]
    fn the_time_in_which_its_meeting_is_crowded_does_not_count() {
        let (mut waiting, start, one) = (Waiting::default(), Instant::now(), place(1, 2));
        let after = |time| start + seconds(time);
        waiting.waits(one.clone(), start);
        waiting.crowded(&one.whose.0, after(20));
        assert_eq!(waiting.patience(&one, after(49)), Patience::Wait);
        waiting.tidy(after(49));
        assert_eq!(waiting.patience(&one, after(49)), Patience::Wait);
        assert_eq!(waiting.patience(&one, after(50)), Patience::GoOn);
        waiting.tidy(after(50));
        assert_eq!(waiting.patience(&one, after(50)), Patience::GoOn);
        assert!(waiting.crowded.is_empty());
        waiting.crowded(&one.whose.0, after(299));
        assert_eq!(waiting.patience(&one, after(299)), Patience::Wait);
        assert_eq!(waiting.patience(&one, after(300)), Patience::GoOn, "but not for ever");
    }

    #[test]
    fn so_many_of_one_participant_wait_and_one_more_does_not() {
        let (mut waiting, start) = (Waiting::default(), Instant::now());
        for number in 1..=WAITING_MAX as u64 {
            let one = place(1, 2 * number);
            assert_eq!(waiting.patience(&one, start), Patience::Wait);
            waiting.waits(one, start);
        }
        let more = place(1, 1_000);
        assert_eq!(waiting.patience(&more, start), Patience::GoOn);
        assert_eq!(waiting.patience(&place(1, 4), start), Patience::Wait, "one of those who wait");
        assert_eq!(waiting.patience(&place(2, 1_000), start), Patience::Wait, "somebody else's");
        assert_eq!(waiting.patience(&more, start + ALIVE), Patience::Wait, "they came no more");
        waiting.applied(&place(1, 4));
        assert_eq!(waiting.tidy(start), WAITING_MAX - 2, "what is before it waits no more");
        assert_eq!(waiting.patience(&more, start), Patience::Wait);
    }

    #[test]
    fn pauses_grow_to_a_second() {
        let (mut waiting, now) = (Waiting::default(), Instant::now());
        let pauses: Vec<_> = (0..7).map(|_| waiting.waits(place(1, 2), now).as_millis()).collect();
        assert_eq!(pauses, [200, 400, 600, 800, 1000, 1000, 1000]);
    }

    #[test]
    fn what_comes_no_more_is_forgotten() {
        let (mut waiting, start) = (Waiting::default(), Instant::now());
        waiting.waits(place(1, 2), start);
        waiting.waits(place(2, 2), start + FORGOTTEN_AFTER / 2);
        assert_eq!(waiting.tidy(start + FORGOTTEN_AFTER), 1);
        assert_eq!(waiting.places.len(), 1);
    }
}
