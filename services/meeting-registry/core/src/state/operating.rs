//! Applying what a participant does: whether it is its turn, what it does, and its answer.

use super::State;
use crate::{
    Act, Admission, Audience, Cause, Event, Happening, Operation, OperationRefusal as Why,
    Patience, Presence, Refused, UnixMillis, admit,
};

/// What has become of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operated {
    /// It has its answer: what it has caused, in order, all with its cause. At least one.
    Answered(Vec<Event>),
    /// Its predecessor has not come yet. Nothing has changed.
    Wait,
    /// There is no such participant, so there is nobody to tell. Nothing has changed.
    NotTheirs,
}

impl State {
    /// Applies an operation that has not been answered before.
    pub fn operate(
        &mut self,
        operation: &Operation,
        patience: Patience,
        now: UnixMillis,
    ) -> Operated {
        let Some(actor) = self.place(operation.participant) else { return Operated::NotTheirs };
        match admit(operation, actor, patience, now) {
            Admission::Wait => Operated::Wait,
            Admission::Refuse(refused) => Operated::Answered(self.refuse(operation, refused, now)),
            Admission::Apply => {
                let outcome = self.act(operation, self.event_time(now));
                Operated::Answered(match outcome {
                    Ok(events) => self.answer(operation, events, now),
                    Err(refused) => self.refuse(operation, refused, now),
                })
            }
        }
    }

    /// Refuses an operation whose id was used for another one.
    pub fn refuse_reused(&mut self, operation: &Operation, now: UnixMillis) -> Vec<Event> {
        let refused = Refused(Why::IdReused, "the id was used for another operation");
        self.refuse(operation, refused, now)
    }

    fn act(&mut self, operation: &Operation, now: UnixMillis) -> Result<Vec<Event>, Refused> {
        let id = operation.participant;
        if self.meeting.ended_at.is_some() {
            return Err(Refused(Why::MeetingEnded, "the meeting has ended"));
        }
        let actor = self.participants.get(&id);
        let actor = actor.ok_or(Refused(Why::NotIn, "the participant has left"))?;
        if actor.participant.presence == Presence::Waiting {
            return Err(Refused(Why::NotIn, "the participant waits in the lobby"));
        }
        let actor = actor.clone();
        match &operation.act {
            Act::SetMuted(muted) => self.mute(&actor, *muted, None, now),
            Act::SetHand(raised) => self.set_hand(&actor, *raised, now),
            Act::CheckIn => self.check_in(&actor, now),
            Act::SendChat { text, to } => self.send_chat(&actor, text, to, now),
            Act::SetPresence(presence) => self.set_presence(&actor, *presence, now),
            Act::TalkTo(targets) => self.talk_to(&actor, targets, now),
            Act::SetName(name) => self.set_name(&actor, name, now),
            Act::Malformed(why) => Err(Refused(Why::Invalid, why)),
            Act::Unknown => Err(Refused(Why::Unsupported, "this kind is not known here")),
            act if !actor.participant.host => {
                let _ = act;
                Err(Refused(Why::NotHost, "only hosts may do this"))
            }
            act => self.host_act(&actor, act, now),
        }
    }

    fn answer(
        &mut self,
        operation: &Operation,
        mut events: Vec<Event>,
        now: UnixMillis,
    ) -> Vec<Event> {
        let actor = operation.participant;
        if events.is_empty() {
            let now = self.event_time(now);
            events.push(self.tell(Some(Audience::of([actor])), Happening::OperationDone, now));
        }
        // Who does something is told what became of it, whoever else is.
        let told = |event: &Event| {
            event.audience.as_ref().is_none_or(|audience| audience.participants.contains(&actor))
        };
        if !events.iter().any(told)
            && let Some(audience) = events.first_mut().and_then(|event| event.audience.as_mut())
        {
            audience.participants.insert(actor);
        }
        self.finish(operation, true, &mut events);
        events
    }

    fn refuse(&mut self, operation: &Operation, refused: Refused, now: UnixMillis) -> Vec<Event> {
        let Refused(reason, why) = refused;
        let now = self.event_time(now);
        let audience = Audience::of([operation.participant]);
        let refusal = Happening::OperationRefused { reason, why };
        let mut events = vec![self.tell(Some(audience), refusal, now)];
        self.finish(operation, reason.counts(), &mut events);
        events
    }

    /// Puts the cause on what an operation has caused; if it counts, it has had its turn.
    fn finish(&mut self, operation: &Operation, counts: bool, events: &mut [Event]) {
        let Operation { participant, id, sequence, .. } = operation;
        for event in events {
            event.cause = Some(Cause { participant: *participant, operation: id.clone() });
        }
        // One that can't be a place in a session takes none.
        if counts && *sequence <= crate::SEQUENCE_MAX {
            let place = match self.participants.get_mut(participant) {
                None => self.gone.get_mut(participant),
                found => found,
            };
            if let Some(place) = place {
                place.last_sequence = place.last_sequence.max(*sequence);
            }
        }
    }
}
