//! A registry without a database: it remembers what a store would, and looks at each answer.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tributary_identifiers::ParticipantId;
use tributary_meeting_registry_core::{
    AttendanceReport, Audience, Command, Event, Needs, Operated, Operation, OperationRefusal,
    Patience, Presence, Refusal, Roster, State, Stay,
};

use super::reference::{Expected, Model};
use crate::{is_done, new_meeting, refusal};

/// A registry without a database: the state machine, the operations that were answered, the log.
pub struct Registry {
    pub state: State,
    answered: BTreeMap<(ParticipantId, String), Operation>,
    pub sent: Vec<Operation>,
    pub log: Vec<Event>,
    /// How many events the last command has caused.
    told_last: usize,
    roster: Roster,
    report: AttendanceReport,
}

impl Registry {
    pub fn new() -> Self {
        Self {
            state: new_meeting(),
            answered: BTreeMap::new(),
            sent: Vec::new(),
            log: Vec::new(),
            told_last: 0,
            roster: Roster::default(),
            report: AttendanceReport::default(),
        }
    }

    pub fn command(
        &mut self,
        command: Command,
        now: u64,
    ) -> Result<Result<(), Refusal>, TestCaseError> {
        let before = self.state.clone();
        let part = part_of(&self.state, &command.needs()).apply(command.clone(), now);
        let outcome = self.state.apply(command, now);
        prop_assert_eq!(&part, &outcome, "a part has another outcome");
        match outcome {
            Ok(events) => {
                self.told_last = events.len();
                prop_assert!(events.iter().all(|event| event.cause.is_none()));
                self.record(events)?;
                Ok(Ok(()))
            }
            Err(refusal) => {
                self.told_last = 0;
                prop_assert_eq!(&self.state, &before, "a refusal changed something");
                Ok(Err(refusal))
            }
        }
    }

    /// How many events the last command has caused.
    pub const fn told_last(&self) -> usize {
        self.told_last
    }

    /// Everybody's stays.
    pub fn stays(&self) -> Vec<Vec<Stay>> {
        self.report.attendances().map(|one| one.stays.clone()).collect()
    }

    /// What becomes of an operation, as a store does it; `None` if it was answered before.
    pub fn operate(
        &mut self,
        operation: &Operation,
        patience: Patience,
        now: u64,
    ) -> Result<Option<Expected>, TestCaseError> {
        let key = (operation.participant, operation.id.to_string());
        let before = self.state.clone();
        match self.answered.get(&key) {
            Some(known) if known == operation => return Ok(None),
            Some(_) => {
                let events = self.state.refuse_reused(operation, now);
                prop_assert_eq!(refusal(&events), Some(OperationRefusal::IdReused));
                self.record(events)?;
                prop_assert!(self.state.participants().eq(before.participants()));
                return Ok(None);
            }
            None => {}
        }
        let mut part = part_of(&self.state, &operation.needs());
        let of_part = part.operate(operation, patience, now);
        let operated = self.state.operate(operation, patience, now);
        prop_assert_eq!(&of_part, &operated, "a part has another outcome");
        prop_assert_eq!(part.counters(), self.state.counters());
        let Operated::Answered(events) = operated else {
            prop_assert_eq!(&self.state, &before);
            return Ok(Some(match operated {
                Operated::Wait => Expected::Wait,
                _ => Expected::NotTheirs,
            }));
        };
        self.answered.insert(key, operation.clone());
        self.check_answer(operation, &events)?;
        let found = match refusal(&events) {
            Some(why) => Expected::Refused(why),
            None if is_done(&events) => Expected::Done,
            None => Expected::Changed,
        };
        self.record(events)?;
        Ok(Some(found))
    }

    /// All of an answer has its cause, and who has done it is told.
    fn check_answer(&self, operation: &Operation, events: &[Event]) -> Result<(), TestCaseError> {
        prop_assert!(!events.is_empty());
        for event in events {
            let cause = event.cause.as_ref().unwrap();
            prop_assert_eq!(cause.participant, operation.participant);
            prop_assert_eq!(&cause.operation, &operation.id);
        }
        let place = self.state.place(operation.participant).unwrap();
        let told = |event: &Event| match &event.audience {
            Some(audience) => audience.participants.contains(&operation.participant),
            None => Audience::includes(None, &place.participant),
        };
        prop_assert!(events.iter().any(told), "the actor is not told: {:?}", events);
        let before = self.log.iter().filter(|event| event.cause == events[0].cause);
        prop_assert_eq!(before.count(), 0, "a second answer");
        Ok(())
    }

    fn record(&mut self, events: Vec<Event>) -> Result<(), TestCaseError> {
        for event in events {
            prop_assert!(self.log.last().is_none_or(|last| last.at <= event.at));
            self.roster.apply(&event).unwrap();
            self.report.take(&event);
            self.log.push(event);
        }
        Ok(())
    }

    pub fn check(&self, model: &Model) -> Result<(), TestCaseError> {
        prop_assert_eq!(&Model::of(&self.state), &model.places);
        let is_in = model.places.values().filter(|one| one.is_in).count();
        let floor = self.state.floor();
        prop_assert_eq!(self.state.counters().present as usize, is_in);
        let waiting = model.places.values().filter(|one| one.is_in && !one.admitted).count();
        prop_assert_eq!(self.state.counters().waiting as usize, waiting);
        prop_assert_eq!(self.state.counters().next_event, self.log.len() as u64 + 1);
        prop_assert_eq!(self.state.meeting().ended_at.is_some(), model.ended);
        prop_assert_eq!(floor.locked, model.locked);
        prop_assert_eq!(floor.spotlight.map_or(0, |id| id.0), model.spotlight);
        for one in self.state.participants().chain(self.state.gone()) {
            let shown = match one.chosen {
                Presence::Online if one.participant.unreachable => Presence::Away,
                chosen => chosen,
            };
            prop_assert_eq!(one.participant.presence, shown, "shown as another than it is");
        }
        let talks = self.state.participants().map(|one| (one.participant.id, one.talk.clone()));
        let present = self.state.participants().map(|one| one.participant.clone());
        let roster = Roster::at(self.log.len() as u64, model.ended, present)
            .with_state(floor)
            .with_talks(talks);
        prop_assert_eq!(&self.roster, &roster, "rebuilt from the events it is another");
        Ok(())
    }

    /// Stays follow one another, and one goes on exactly for who is there.
    pub fn check_attendance(&self, model: &Model) -> Result<(), TestCaseError> {
        let mut there = BTreeSet::new();
        for one in self.report.attendances() {
            let mut after = 0;
            for (index, stay) in one.stays.iter().enumerate() {
                prop_assert!(after <= stay.from, "{:?}", one);
                after = stay.to.unwrap_or(u64::MAX);
                prop_assert!(stay.from <= after);
                prop_assert!(stay.to.is_some() || index + 1 == one.stays.len());
            }
            if one.stays.last().is_some_and(|stay| stay.to.is_none()) {
                there.insert(one.participant.0);
            }
        }
        let online = model.places.iter().filter(|(_, one)| {
            one.is_in && matches!(one.presence, Presence::Online | Presence::Away)
        });
        prop_assert_eq!(there, online.map(|(id, _)| *id).collect::<BTreeSet<_>>());
        Ok(())
    }
}

/// The part of the state that is said to be needed.
fn part_of(state: &State, needs: &Needs<'_>) -> State {
    let places = &needs.places;
    let present = state.participants().filter(|one| places.include(one, true)).cloned();
    let gone = state.gone().filter(|one| places.include(one, false)).cloned();
    let user_of = needs.user_of.and_then(|id| state.place(id));
    let user_of = user_of.map(|place| &place.participant.user_id);
    let users: Vec<_> = needs.users.iter().copied().chain(user_of).collect();
    let members = state.members().filter(|(user, _)| users.contains(user));
    let members = members.map(|(user, role)| (user.clone(), role));
    let removed = state.removed().filter(|user| users.contains(user)).cloned();
    State::new(state.meeting().clone(), state.counters(), present)
        .with_floor(state.floor())
        .with_gone(gone)
        .with_members(members.collect::<Vec<_>>())
        .with_removed(removed.collect::<Vec<_>>())
}
