//! What was truly signed, and by whom: whatever the logs say beside that is a success of the evil relay.

use std::collections::HashMap;

use prost::Message as _;
use tributary_contracts::event::v1::meeting_event::Body as Happened;
use tributary_contracts::event::v1::{MeetingEvent, OperationRefusal};
use tributary_contracts::operation::v1::operation::Body as Act;
use tributary_contracts::operation::v1::{Operation, SignedOperation};

/// What may become of an operation that its participant has signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// What it says, once.
    Applied,
    /// A refusal, once; or nothing at all, if it does not arrive.
    Refused,
    /// Either, once.
    Either,
}

/// An operation that its participant has signed.
#[derive(Clone, Debug)]
pub struct Signed {
    /// What it says.
    pub operation: Operation,
    /// As it travels.
    pub signed: SignedOperation,
}

impl Signed {
    /// The bytes that relays carry.
    pub fn bytes(&self) -> Vec<u8> {
        self.signed.encode_to_vec()
    }

    fn name(&self) -> Name {
        let Operation { meeting_id, participant_id, operation_id, .. } = &self.operation;
        (meeting_id.clone(), *participant_id, operation_id.clone())
    }
}

/// Meeting, participant and operation id.
type Name = (String, u32, String);

struct Line {
    operation: Operation,
    fate: Fate,
    answers: Vec<u64>,
    /// Refusals that may still come because the id was used again, by who had it.
    reuses: usize,
}

/// All that was signed.
#[derive(Default)]
pub struct Ledger(HashMap<Name, Line>);

impl Ledger {
    /// Notes what somebody has signed and may become true.
    pub fn note(&mut self, signed: &Signed, fate: Fate) {
        let operation = signed.operation.clone();
        let line = Line { operation, fate, answers: Vec::new(), reuses: 0 };
        self.0.insert(signed.name(), line);
    }

    /// From now on something else may become of it.
    pub fn fate(&mut self, signed: &Signed, fate: Fate) {
        if let Some(line) = self.0.get_mut(&signed.name()) {
            line.fate = fate;
        }
    }

    /// Its participant has used its id again for something else, which may be refused once.
    pub fn reused(&mut self, signed: &Signed) {
        if let Some(line) = self.0.get_mut(&signed.name()) {
            line.reuses += 1;
        }
    }

    /// It is answered.
    pub fn is_answered(&self, signed: &Signed) -> bool {
        self.0.get(&signed.name()).is_some_and(|line| !line.answers.is_empty())
    }

    /// Enters an event of a log; says what is wrong with it, if anything.
    pub fn enter(&mut self, event: &MeetingEvent) -> Option<String> {
        let Some(cause) = &event.cause else {
            return Some(format!("event {} of {} has no cause", event.number, event.meeting_id));
        };
        let name = (event.meeting_id.clone(), cause.participant_id, cause.operation_id.clone());
        let Some(line) = self.0.get_mut(&name) else {
            return Some(format!(
                "event {} is caused by {name:?}, which nobody signed",
                event.number
            ));
        };
        let refusal = match &event.body {
            Some(Happened::OperationRefused(refused)) => Some(refused.reason()),
            _ => None,
        };
        if refusal == Some(OperationRefusal::IdReused) && line.reuses > 0 {
            line.reuses -= 1;
            return None;
        }
        let first = line.answers.is_empty();
        line.answers.push(event.number);
        if !first {
            return Some(format!("{name:?} has the effects {:?}", line.answers));
        }
        let wrong = match (refusal, line.fate) {
            (Some(_), Fate::Refused | Fate::Either) => return None,
            (Some(OperationRefusal::IdReused), Fate::Applied) => "its id was taken by another",
            (Some(_), Fate::Applied) => "it was refused",
            (None, Fate::Refused) => "it was applied",
            (None, _) if !says(&line.operation, event) => "something else was applied",
            (None, _) if is_late(&line.operation, event) => "it was applied too late",
            (None, _) => return None,
        };
        Some(format!("{name:?}: {wrong}: {:?}", event.body))
    }
}

fn is_late(operation: &Operation, event: &MeetingEvent) -> bool {
    let moment = |time: &prost_types::Timestamp| (time.seconds, time.nanos);
    match (&operation.not_after, &event.at) {
        (Some(not_after), Some(at)) => moment(at) > moment(not_after),
        _ => true,
    }
}

/// True if an event is what an operation says.
fn says(operation: &Operation, event: &MeetingEvent) -> bool {
    let own = operation.participant_id;
    match (&operation.body, &event.body) {
        // It was so already.
        (Some(_), Some(Happened::OperationDone(_))) => true,
        (Some(Act::SetMuted(act)), Some(Happened::Muted(event))) => {
            (event.participant_id, event.muted, event.by_participant_id) == (own, act.muted, 0)
        }
        (Some(Act::SetHand(act)), Some(Happened::HandChanged(event))) => {
            (event.participant_id, event.raised) == (own, act.raised)
        }
        (Some(Act::CheckIn(_)), Some(Happened::CheckedIn(event))) => event.participant_id == own,
        (Some(Act::SendChat(act)), Some(Happened::ChatMessage(event))) => {
            event.participant_id == own
                && event.text == act.text
                && event.to_participant_ids == act.to_participant_ids
        }
        (Some(Act::SetPresence(_)), Some(Happened::PresenceChanged(event))) => {
            event.participant_id == own
        }
        (Some(Act::SetName(act)), Some(Happened::NameChanged(event))) => {
            event.participant_id == own && event.display_name == act.display_name
        }
        (Some(Act::TalkTo(act)), Some(Happened::TalkChanged(event))) => {
            event.participant_id == own && event.target_ids == act.participant_ids
        }
        (Some(Act::MuteParticipant(act)), Some(Happened::Muted(event))) => {
            (event.participant_id, event.muted, event.by_participant_id)
                == (act.participant_id, true, own)
        }
        (Some(Act::SetSpotlight(act)), Some(Happened::SpotlightChanged(event))) => {
            event.participant_id == act.participant_id
        }
        (Some(Act::SetHost(act)), Some(Happened::HostChanged(event))) => {
            (event.participant_id, event.host) == (act.participant_id, act.host)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use tributary_contracts::event::v1::{Cause, ChatMessage, OperationRefused};
    use tributary_contracts::operation::v1::SendChat;

    use super::*;

    fn signed(text: &str) -> Signed {
        let body = Act::SendChat(SendChat { text: text.to_owned(), ..SendChat::default() });
        let operation = Operation {
            operation_id: "o".to_owned(),
            meeting_id: "42".to_owned(),
            participant_id: 1,
            not_after: Some(prost_types::Timestamp { seconds: 100, nanos: 0 }),
            body: Some(body),
            ..Operation::default()
        };
        Signed { operation, signed: SignedOperation::default() }
    }

    fn event(at: i64, body: Happened) -> MeetingEvent {
        MeetingEvent {
            meeting_id: "42".to_owned(),
            number: 1,
            at: Some(prost_types::Timestamp { seconds: at, nanos: 0 }),
            cause: Some(Cause { participant_id: 1, operation_id: "o".to_owned() }),
            body: Some(body),
            ..MeetingEvent::default()
        }
    }

    fn chat(at: i64, text: &str) -> MeetingEvent {
        let text = text.to_owned();
        let said = ChatMessage { participant_id: 1, text, ..ChatMessage::default() };
        event(at, Happened::ChatMessage(said))
    }

    fn wrong(fate: Fate, events: &[MeetingEvent]) -> usize {
        let mut ledger = Ledger::default();
        ledger.note(&signed("hello"), fate);
        events.iter().filter_map(|event| ledger.enter(event)).count()
    }

    #[test]
    fn what_was_signed_may_come_true_once_and_in_time() {
        assert_eq!(wrong(Fate::Applied, &[chat(99, "hello")]), 0);
        assert_eq!(wrong(Fate::Applied, &[chat(99, "hello"), chat(99, "hello")]), 1);
        assert_eq!(wrong(Fate::Applied, &[chat(101, "hello")]), 1);
        assert_eq!(wrong(Fate::Applied, &[chat(99, "goodbye")]), 1);
        assert_eq!(wrong(Fate::Refused, &[chat(99, "hello")]), 1);
    }

    #[test]
    fn refusals_that_were_not_to_be_and_what_nobody_signed_are_found() {
        let refused = || event(99, Happened::OperationRefused(OperationRefused::default()));
        assert_eq!(wrong(Fate::Applied, &[refused()]), 1);
        assert_eq!(wrong(Fate::Refused, &[refused()]), 0);
        assert_eq!(wrong(Fate::Either, &[refused(), refused()]), 1);
        let mut other = chat(99, "hello");
        other.cause.as_mut().unwrap().participant_id = 2;
        assert_eq!(wrong(Fate::Either, &[other.clone()]), 1);
        other.cause = None;
        assert_eq!(wrong(Fate::Either, &[other]), 1);
    }
}
