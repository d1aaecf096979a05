//! One participant's private talk: for whom it is, and from when.
//!
//! **Invariant:** a packet that was said to one set of people never goes to another. What is under
//! way when the set changes is of the former talk; so for a while after the end of one set, nothing
//! that is said privately is for anybody.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tributary_identifiers::ParticipantId;

/// Whom somebody can talk to privately at a time, at most.
pub const TALK_TARGETS_MAX: usize = 32;
/// For so long after a talk to some, or after a change of the meeting, packets may still come that were
/// meant for those before.
pub const TALK_GUARD: Duration = Duration::from_millis(200);
/// How long after a switch to another meeting what comes is still what was said in the one before: the
/// request has overtaken it. Shorter than the other, for all of it is a gap that others hear.
pub const SWITCH_GUARD: Duration = Duration::from_millis(100);

/// The private talk of one participant, or none.
#[derive(Debug, Default)]
pub(crate) struct Talk {
    /// In order, nobody twice; nobody: no talk.
    targets: Arc<[ParticipantId]>,
    /// Before this, nothing goes to them.
    from: Option<Instant>,
    /// Whom the talk before was for, and when it ended.
    before: Option<(Arc<[ParticipantId]>, Instant)>,
}

impl Talk {
    /// From now on `talker` talks to these; to nobody: on the open floor again. Says when it is in
    /// force.
    pub(crate) fn set(
        &mut self,
        talker: ParticipantId,
        targets: &[ParticipantId],
        now: Instant,
    ) -> Instant {
        let targets = canonical(talker, targets);
        if targets != self.targets {
            let former = std::mem::replace(&mut self.targets, targets);
            if !former.is_empty() {
                self.before = Some((former, now));
            }
            let guarded = match &self.before {
                Some((former, ended)) if *former != self.targets => *ended + TALK_GUARD,
                _ => now,
            };
            if !self.targets.is_empty() {
                self.from = self.from.max(Some(guarded)).max(Some(now));
            }
        }
        self.from.filter(|_| self.is_on()).unwrap_or(now).max(now)
    }

    /// Whether the talker has left the open floor.
    pub(crate) fn is_on(&self) -> bool {
        !self.targets.is_empty()
    }

    /// Whom a private packet is for that comes now, if anybody.
    pub(crate) fn in_force(&self, now: Instant) -> Option<&[ParticipantId]> {
        (self.is_on() && self.from.is_some_and(|from| from <= now)).then_some(&*self.targets)
    }

    /// Whether somebody talks to just these, in order and nobody twice: what a relay says that a packet
    /// is for.
    pub(crate) fn is_to(&self, targets: &[ParticipantId]) -> bool {
        self.is_on() && *self.targets == *targets
    }
}

fn canonical(talker: ParticipantId, targets: &[ParticipantId]) -> Arc<[ParticipantId]> {
    let mut targets: Vec<_> = targets.iter().copied().filter(|who| *who != talker).collect();
    targets.sort_unstable();
    targets.dedup();
    targets.truncate(TALK_TARGETS_MAX);
    targets.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn ids(numbers: &[u32]) -> Vec<ParticipantId> {
        numbers.iter().copied().map(ParticipantId).collect()
    }

    fn set(talk: &mut Talk, numbers: &[u32], at: Instant) -> Duration {
        talk.set(ParticipantId(9), &ids(numbers), at) - at
    }

    #[test]
    fn a_first_talk_is_in_force_at_once_and_its_end_too() {
        let (mut talk, now) = (Talk::default(), Instant::now());
        assert!(!talk.is_on() && talk.in_force(now).is_none());
        assert_eq!(set(&mut talk, &[2, 1, 2, 9], now), Duration::ZERO);
        assert_eq!(talk.in_force(now), Some(&*ids(&[1, 2])));
        assert_eq!(set(&mut talk, &[], now), Duration::ZERO);
        assert!(!talk.is_on() && talk.in_force(now + TALK_GUARD).is_none());
    }

    #[test]
    fn between_two_sets_nothing_is_for_anybody() {
        let (mut talk, now) = (Talk::default(), Instant::now());
        set(&mut talk, &[1], now);
        assert_eq!(set(&mut talk, &[2], now + MS), TALK_GUARD);
        assert!(talk.is_on());
        assert_eq!(talk.in_force(now + TALK_GUARD), None);
        assert_eq!(talk.in_force(now + TALK_GUARD + MS), Some(&*ids(&[2])));
        assert_eq!(set(&mut talk, &[2], now + 50 * MS), TALK_GUARD - 49 * MS, "said again");
    }

    #[test]
    fn ending_a_talk_in_between_does_not_shorten_the_guard() {
        let (mut talk, now) = (Talk::default(), Instant::now());
        set(&mut talk, &[1], now);
        set(&mut talk, &[], now + MS);
        assert_eq!(set(&mut talk, &[2], now + 51 * MS), TALK_GUARD - 50 * MS);
        set(&mut talk, &[], now + 61 * MS);
        assert_eq!(set(&mut talk, &[2], now + 71 * MS), TALK_GUARD - 70 * MS, "1 is still guarded");
    }

    #[test]
    fn the_same_people_again_need_no_guard() {
        let (mut talk, now) = (Talk::default(), Instant::now());
        set(&mut talk, &[1, 3], now);
        set(&mut talk, &[], now + MS);
        assert_eq!(set(&mut talk, &[3, 1], now + 2 * MS), Duration::ZERO);
    }

    #[test]
    fn what_is_said_to_others_than_those_now_is_for_nobody() {
        let (mut talk, now) = (Talk::default(), Instant::now());
        assert!(!talk.is_to(&[]) && !talk.is_to(&ids(&[1])));
        set(&mut talk, &[2, 1], now);
        assert!(talk.is_to(&ids(&[1, 2])));
        for others in [&[1][..], &[1, 2, 3], &[2, 1], &[]] {
            assert!(!talk.is_to(&ids(others)), "{others:?}");
        }
    }

    #[test]
    fn no_more_than_the_limit_are_talked_to() {
        let (mut talk, now) = (Talk::default(), Instant::now());
        set(&mut talk, &(100..200).collect::<Vec<_>>(), now);
        assert_eq!(talk.in_force(now).unwrap().len(), TALK_TARGETS_MAX);
    }
}
