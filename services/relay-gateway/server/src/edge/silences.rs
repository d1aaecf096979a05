//! What a terminal has asked for that takes it off the open floor, and nobody has answered yet. Pure.
//!
//! The core answers operations; here it is only seen whether it has, so that a terminal is silent from
//! the moment that it asks on, and for no longer than in the core.

use std::time::Duration;

use tokio::time::Instant;
use tributary_contracts::{
    operation::v1::{Operation, operation::Body as Operating},
    terminal::v1::{RelayMessage, relay_message::Body},
};

/// For so long after it was stored one silences; as at the core.
const SILENCES_FOR: Duration = Duration::from_secs(5);
/// Of one terminal; whoever asks more often is refused by the core.
const ASKED_MAX: usize = 64;

#[derive(Debug)]
struct Asked {
    operation_id: String,
    request_id: u64,
    place: u64,
    stored_at: Option<Instant>,
}

/// The wishes of one terminal for silence.
#[derive(Debug, Default)]
pub(super) struct Silences {
    asked: Vec<Asked>,
}

/// Whether an operation takes its participant off the open floor.
pub(super) fn silences(operation: &Operation) -> bool {
    match &operation.body {
        Some(Operating::SetMuted(set)) => set.muted,
        Some(Operating::TalkTo(talk)) => !talk.participant_ids.is_empty(),
        _ => false,
    }
}

impl Silences {
    pub(super) fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// A terminal asks for silence in one of its places; false if that can't be remembered.
    pub(super) fn ask(&mut self, operation_id: &str, request_id: u64, place: u64) -> bool {
        if self.asked.iter().any(|asked| asked.operation_id == operation_id) {
            return true;
        }
        if self.asked.len() >= ASKED_MAX {
            return false;
        }
        let operation_id = operation_id.to_owned();
        self.asked.push(Asked { operation_id, request_id, place, stored_at: None });
        true
    }

    /// Looks at what the terminal is told; gives the places that are silenced no longer.
    pub(super) fn hear(&mut self, message: &RelayMessage, now: Instant) -> Vec<u64> {
        match &message.body {
            Some(Body::OperationReceived(received)) => {
                let mut asked = self.asked.iter_mut();
                if let Some(asked) = asked.find(|a| a.operation_id == received.operation_id) {
                    asked.stored_at.get_or_insert(now);
                }
                Vec::new()
            }
            Some(Body::Event(event)) => {
                let cause = event.cause.as_ref().map(|cause| cause.operation_id.as_str());
                let answered =
                    self.asked.iter().position(|a| Some(a.operation_id.as_str()) == cause);
                let Some(answered) = answered else { return Vec::new() };
                let place = self.asked.get(answered).map(|asked| asked.place);
                // Operations are applied in their order: the answer to one is one to those before it.
                let mut index = 0;
                self.drop_if(|asked| {
                    let is_before = index <= answered && Some(asked.place) == place;
                    index += 1;
                    is_before
                })
            }
            Some(Body::Refusal(_)) if message.in_reply_to != 0 => self.refuse(message.in_reply_to),
            _ => Vec::new(),
        }
    }

    /// A request was refused; gives the places that are silenced no longer.
    pub(super) fn refuse(&mut self, request_id: u64) -> Vec<u64> {
        self.drop_if(|asked| asked.request_id == request_id)
    }

    /// When the next one silences no longer, if nobody answers it.
    pub(super) fn lapses_at(&self) -> Option<Instant> {
        self.asked.iter().filter_map(|asked| Some(asked.stored_at? + SILENCES_FOR)).min()
    }

    /// Those whose time is over silence no longer; gives their places.
    pub(super) fn lapse(&mut self, now: Instant) -> Vec<u64> {
        self.drop_if(|asked| asked.stored_at.is_some_and(|at| now >= at + SILENCES_FOR))
    }

    /// Gives the places of those dropped that nothing else silences.
    fn drop_if(&mut self, mut is_over: impl FnMut(&Asked) -> bool) -> Vec<u64> {
        let mut freed: Vec<u64> =
            self.asked.extract_if(.., |asked| is_over(asked)).map(|asked| asked.place).collect();
        freed.retain(|place| self.asked.iter().all(|asked| asked.place != *place));
        freed
    }
}

#[cfg(test)]
mod tests {
    use tributary_contracts::{
        event::v1::{Cause, MeetingEvent},
        terminal::v1::{OperationReceived, Refusal},
    };

    use super::*;

    fn message(in_reply_to: u64, body: Body) -> RelayMessage {
        RelayMessage { in_reply_to, body: Some(body), ..RelayMessage::default() }
    }

    fn answer(operation_id: &str) -> RelayMessage {
        let cause = Some(Cause { operation_id: operation_id.into(), ..Cause::default() });
        message(0, Body::Event(MeetingEvent { cause, ..MeetingEvent::default() }))
    }

    #[test]
    fn silence_lasts_until_its_operation_or_a_later_one_is_answered() {
        let (mut silences, now) = (Silences::default(), Instant::now());
        assert!(silences.ask("mute", 1, 7) && silences.ask("again", 2, 7));
        assert!(silences.hear(&answer("hand"), now).is_empty());
        assert!(silences.hear(&answer("mute"), now).is_empty(), "one more is asked for");
        assert_eq!(silences.hear(&answer("again"), now), [7]);
        assert!(silences.is_empty());
        silences.ask("mute", 1, 7);
        silences.ask("again", 2, 7);
        assert_eq!(silences.hear(&answer("again"), now), [7, 7]);
    }

    #[test]
    fn what_is_refused_silences_nobody() {
        let (mut silences, now) = (Silences::default(), Instant::now());
        silences.ask("mute", 5, 7);
        let refusal = || Body::Refusal(Refusal::default());
        assert!(silences.hear(&message(0, refusal()), now).is_empty());
        assert!(silences.hear(&message(4, refusal()), now).is_empty());
        assert_eq!(silences.hear(&message(5, refusal()), now), [7]);
    }

    #[test]
    fn what_nobody_answers_lapses_after_it_was_stored_and_not_before() {
        let (mut silences, now) = (Silences::default(), Instant::now());
        silences.ask("mute", 1, 7);
        assert_eq!(silences.lapses_at(), None, "the uplink may be down for long");
        assert!(silences.lapse(now + 100 * SILENCES_FOR).is_empty());
        let stored = Body::OperationReceived(OperationReceived { operation_id: "mute".into() });
        silences.hear(&message(1, stored), now);
        assert_eq!(silences.lapses_at(), Some(now + SILENCES_FOR));
        assert!(silences.lapse(now).is_empty());
        assert_eq!(silences.lapse(now + SILENCES_FOR), [7]);
    }

    #[test]
    fn memory_is_bounded() {
        let mut silences = Silences::default();
        for number in 0..ASKED_MAX {
            assert!(silences.ask(&number.to_string(), 0, 7));
        }
        assert!(!silences.ask("one more", 0, 7));
        assert!(silences.ask("3", 0, 7), "that one is known");
    }
}
