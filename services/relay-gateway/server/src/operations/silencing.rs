//! What a terminal has asked for that takes it off the open floor, and that nobody has answered yet:
//! meanwhile it is muted here. Pure.
//!
//! Operations of a session are applied in their order, so that an answer to one is an answer to all
//! before it.

use std::collections::VecDeque;

/// Operations that are remembered, asked for and answered.
const REMEMBERED_MAX: usize = 64;

/// The operations of one participation that came over one connection.
#[derive(Debug, Default)]
pub(crate) struct Silencing {
    /// Their ids, and whether they silence; in their order.
    asked: VecDeque<(String, bool)>,
    answered: VecDeque<String>,
}

impl Silencing {
    /// An operation was taken. One that was answered before has come again and has no effect.
    pub(crate) fn ask(&mut self, id: &str, silences: bool) {
        let is_known = self.asked.iter().any(|(asked, _)| asked == id);
        if is_known || self.answered.iter().any(|answered| answered == id) {
            return;
        }
        self.asked.push_back((id.to_owned(), silences));
        if self.asked.len() > REMEMBERED_MAX {
            self.asked.pop_front();
        }
    }

    /// An operation of this participant was answered by an event.
    pub(crate) fn answer(&mut self, id: &str) {
        if let Some(position) = self.asked.iter().position(|(asked, _)| asked == id) {
            self.asked.drain(..=position);
        }
        self.answered.push_back(id.to_owned());
        if self.answered.len() > REMEMBERED_MAX {
            self.answered.pop_front();
        }
    }

    /// True while something is asked for that silences.
    pub(crate) fn is_on(&self) -> bool {
        self.asked.iter().any(|(_, silences)| *silences)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_lasts_until_its_operation_or_a_later_one_is_answered() {
        let mut silencing = Silencing::default();
        silencing.ask("hand", false);
        assert!(!silencing.is_on());
        silencing.ask("mute", true);
        silencing.ask("unmute", false);
        assert!(silencing.is_on());
        silencing.answer("hand");
        assert!(silencing.is_on());
        silencing.answer("unmute");
        assert!(!silencing.is_on());
    }

    #[test]
    fn a_quick_change_of_mind_is_not_undone_by_the_answer_to_the_one_before() {
        let mut silencing = Silencing::default();
        silencing.ask("unmute", false);
        silencing.ask("mute", true);
        silencing.answer("unmute");
        assert!(silencing.is_on());
        silencing.answer("mute");
        assert!(!silencing.is_on());
    }

    #[test]
    fn what_comes_again_after_its_answer_silences_nobody() {
        let mut silencing = Silencing::default();
        silencing.answer("mute");
        silencing.ask("mute", true);
        assert!(!silencing.is_on());
        silencing.ask("talk", true);
        silencing.ask("talk", true);
        silencing.answer("talk");
        silencing.ask("talk", true);
        assert!(!silencing.is_on());
    }

    #[test]
    fn memory_is_bounded() {
        let mut silencing = Silencing::default();
        for number in 0..3 * REMEMBERED_MAX {
            silencing.ask(&number.to_string(), true);
            silencing.answer(&(number + 1_000).to_string());
        }
        assert_eq!(silencing.asked.len(), REMEMBERED_MAX);
        assert_eq!(silencing.answered.len(), REMEMBERED_MAX);
    }
}
