//! What a terminal has asked for and nobody has answered yet: how much more it may ask for, and whether
//! it is off the open floor here meanwhile. Pure.
//!
//! Operations of a session are applied in their order, so that an answer to one is an answer to all
//! before it. One that comes again long after its answer gets none; so each is forgotten a while after
//! it was stored.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;
use tributary_contracts::terminal::v1::RefusalCode;

use crate::refusal::Refused;

/// Operations of one participation without an answer.
const UNANSWERED_MAX: usize = 32;
/// For so long after it was stored one counts.
const COUNTED_FOR: Duration = Duration::from_secs(60);
/// For so long after it was stored one silences: usually it is answered in no time.
const SILENCES_FOR: Duration = Duration::from_secs(5);
/// Answers that are remembered.
const ANSWERS_MAX: usize = 64;

/// The operations of one participation that came over one connection.
#[derive(Debug, Default)]
pub(crate) struct Unanswered {
    /// In their order.
    asked: VecDeque<Asked>,
    answered: VecDeque<String>,
}

#[derive(Debug)]
struct Asked {
    id: String,
    /// It takes the talker off the open floor.
    silences: bool,
    stored_at: Option<Instant>,
}

impl Unanswered {
    /// Whether an operation may be taken. One that is known already may.
    ///
    /// # Errors
    /// `LIMIT` if too many have no answer.
    pub(crate) fn admit(&mut self, id: &str, now: Instant) -> Result<(), Refused> {
        let is_past = |asked: &Asked| asked.stored_at.is_some_and(|at| now >= at + COUNTED_FOR);
        self.asked.retain(|asked| !is_past(asked));
        if self.asked.len() < UNANSWERED_MAX || self.is_known(id) {
            return Ok(());
        }
        let text = format!(
            "{UNANSWERED_MAX} operations of this participant have no result yet: keep this one and \
             send it again later"
        );
        Err(Refused::new(RefusalCode::Limit, text))
    }

    /// An operation was taken. One that was answered before has come again and has no effect.
    pub(crate) fn ask(&mut self, id: &str, silences: bool) {
        if !self.is_known(id) {
            self.asked.push_back(Asked { id: id.to_owned(), silences, stored_at: None });
        }
    }

    fn is_known(&self, id: &str) -> bool {
        self.asked.iter().any(|asked| asked.id == id) || self.answered.iter().any(|past| past == id)
    }

    /// An operation can't be lost any more: its answer is on its way, unless it had one before.
    pub(crate) fn stored(&mut self, id: &str, now: Instant) {
        if let Some(asked) = self.asked.iter_mut().find(|asked| asked.id == id) {
            asked.stored_at.get_or_insert(now);
        }
    }

    /// An operation of this participant was answered by an event.
    pub(crate) fn answer(&mut self, id: &str) {
        if let Some(position) = self.asked.iter().position(|asked| asked.id == id) {
            self.asked.drain(..=position);
        }
        self.answered.push_back(id.to_owned());
        if self.answered.len() > ANSWERS_MAX {
            self.answered.pop_front();
        }
    }

    /// True while something is asked for that silences.
    pub(crate) fn silences(&self) -> bool {
        self.asked.iter().any(|asked| asked.silences)
    }

    /// When the next one silences no longer, if nobody answers it.
    pub(crate) fn lapses_at(&self) -> Option<Instant> {
        let silencing = self.asked.iter().filter(|asked| asked.silences);
        silencing.filter_map(|asked| Some(asked.stored_at? + SILENCES_FOR)).min()
    }

    /// Those whose time is over silence no longer.
    pub(crate) fn lapse(&mut self, now: Instant) {
        for asked in &mut self.asked {
            asked.silences &= asked.stored_at.is_none_or(|at| now < at + SILENCES_FOR);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_lasts_until_its_operation_or_a_later_one_is_answered() {
        let mut unanswered = Unanswered::default();
        unanswered.ask("hand", false);
        assert!(!unanswered.silences());
        unanswered.ask("mute", true);
        unanswered.ask("unmute", false);
        assert!(unanswered.silences());
        unanswered.answer("hand");
        assert!(unanswered.silences());
        unanswered.answer("unmute");
        assert!(!unanswered.silences());
    }

    #[test]
    fn a_quick_change_of_mind_is_not_undone_by_the_answer_to_the_one_before() {
        let mut unanswered = Unanswered::default();
        unanswered.ask("unmute", false);
        unanswered.ask("mute", true);
        unanswered.answer("unmute");
        assert!(unanswered.silences());
        unanswered.answer("mute");
        assert!(!unanswered.silences());
    }

    #[test]
    fn what_comes_again_after_its_answer_silences_nobody_and_does_not_count() {
        let mut unanswered = Unanswered::default();
        unanswered.answer("mute");
        unanswered.ask("mute", true);
        assert!(!unanswered.silences());
        unanswered.ask("talk", true);
        unanswered.ask("talk", true);
        unanswered.answer("talk");
        unanswered.ask("talk", true);
        assert!(!unanswered.silences());
        assert!(unanswered.asked.is_empty());
    }

    #[test]
    fn what_nobody_answers_silences_for_a_while_after_it_was_stored() {
        let (mut unanswered, now) = (Unanswered::default(), Instant::now());
        unanswered.ask("mute", true);
        assert_eq!(unanswered.lapses_at(), None, "it is on its way");
        unanswered.lapse(now + 2 * COUNTED_FOR);
        assert!(unanswered.silences());
        unanswered.stored("mute", now);
        unanswered.stored("mute", now + SILENCES_FOR);
        let lapses_at = unanswered.lapses_at().unwrap();
        assert_eq!(lapses_at, now + SILENCES_FOR, "stored is stored");
        unanswered.lapse(lapses_at - Duration::from_millis(1));
        assert!(unanswered.silences());
        unanswered.lapse(lapses_at);
        assert!(!unanswered.silences());
        assert_eq!(unanswered.lapses_at(), None);
    }

    #[test]
    fn only_so_many_may_have_no_answer_and_none_counts_for_ever() {
        let (mut unanswered, now) = (Unanswered::default(), Instant::now());
        let may = |unanswered: &mut Unanswered, id: &str, now| unanswered.admit(id, now).is_ok();
        for number in 0..UNANSWERED_MAX {
            assert!(may(&mut unanswered, &number.to_string(), now));
            unanswered.ask(&number.to_string(), false);
        }
        assert!(!may(&mut unanswered, "one more", now));
        assert!(may(&mut unanswered, "7", now), "that one is counted already");
        for number in 0..UNANSWERED_MAX {
            unanswered.stored(&number.to_string(), now);
        }
        assert!(!may(&mut unanswered, "one more", now), "stored is not answered");
        unanswered.answer("0");
        assert!(may(&mut unanswered, "one more", now));
        unanswered.ask("one more", false);
        assert!(!may(&mut unanswered, "another", now));
        assert!(may(&mut unanswered, "another", now + COUNTED_FOR));
        assert_eq!(unanswered.asked.len(), 1, "not stored yet");
    }

    #[test]
    fn memory_of_answers_is_bounded() {
        let mut unanswered = Unanswered::default();
        for number in 0..3 * ANSWERS_MAX {
            unanswered.answer(&number.to_string());
        }
        assert_eq!(unanswered.answered.len(), ANSWERS_MAX);
    }
}
