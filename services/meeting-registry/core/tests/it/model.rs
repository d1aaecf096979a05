//! Generated commands against a model that keeps who is in as a plain list.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tributary_identifiers::ParticipantId;
use tributary_meeting_registry_core::{
    Command, Event, Happening, Leave, LeaveReason, Roster, State,
};

use crate::{NOW, join, new_meeting, session};

/// Who is in, as `(id, user, key, relay, run, muted)`, and what has been.
#[derive(Default)]
struct Model {
    present: Vec<(u32, u32, u32, u32, u32, bool)>,
    ids_given: u32,
    ended: bool,
}

#[derive(Clone, Debug)]
enum Act {
    Join { user: u32, key: u32, relay: u32, run: u32, muted: bool },
    Leave { id: u32, relay: u32, run: u32 },
    Mute { id: u32, muted: bool },
    Lose { relay: u32, run: u32 },
    End,
}

fn act() -> impl Strategy<Value = Act> {
    // Keys belong to few users each, so that a terminal changes hands now and then.
    let joining = (0..6u32, 0..3u32, 0..3u32, 0..2u32, any::<bool>()).prop_map(
        |(key, user, relay, run, muted)| {
            let user = if user == 0 { key + 100 } else { key };
            Act::Join { user, key, relay, run, muted }
        },
    );
    prop_oneof![
        10 => joining,
        5 => (0..12u32, 0..3u32, 0..2u32).prop_map(|(id, relay, run)| Act::Leave { id, relay, run }),
        4 => (0..12u32, any::<bool>()).prop_map(|(id, muted)| Act::Mute { id, muted }),
        2 => (0..3u32, 0..2u32).prop_map(|(relay, run)| Act::Lose { relay, run }),
        1 => Just(Act::End),
    ]
}

impl Act {
    fn command(&self) -> Command {
        match *self {
            Self::Join { user, key, relay, run, muted } => {
                let mut join = join(user, relay, run);
                join.key = format!("key-{key}").parse().unwrap();
                join.muted = muted;
                Command::Join(join)
            }
            Self::Leave { id, relay, run } => Command::Leave(Leave {
                participant: ParticipantId(id),
                relay_session: session(relay, run),
                reason: LeaveReason::TerminalLost,
            }),
            Self::Mute { id, muted } => Command::SetMuted { participant: ParticipantId(id), muted },
            Self::Lose { relay, run } => Command::RelayLost { relay_session: session(relay, run) },
            Self::End => Command::End,
        }
    }
}

impl Model {
    /// What is expected of the act: how many events, or a refusal.
    fn apply(&mut self, act: &Act) -> Option<usize> {
        let before = self.present.len();
        match *act {
            Act::Join { .. } if self.ended => None,
            Act::Join { user, key, relay, run, muted } => {
                if let Some(one) = self.present.iter_mut().find(|one| one.2 == key && one.1 == user)
                {
                    let changed = (one.3, one.4, one.5) != (relay, run, muted);
                    (one.3, one.4, one.5) = (relay, run, muted);
                    return Some(usize::from(changed));
                }
                self.present.retain(|one| one.2 != key);
                self.ids_given += 1;
                let left = before - self.present.len();
                self.present.push((self.ids_given, user, key, relay, run, muted));
                Some(left + 1)
            }
            Act::Leave { id, .. } if id == 0 || id > self.ids_given => None,
            Act::Leave { id, relay, run } => {
                self.present.retain(|one| (one.0, one.3, one.4) != (id, relay, run));
                Some(before - self.present.len())
            }
            Act::Mute { id, muted } => {
                let one = self.present.iter_mut().find(|one| one.0 == id)?;
                Some(usize::from(std::mem::replace(&mut one.5, muted) != muted))
            }
            Act::Lose { relay, run } => {
                self.present.retain(|one| (one.3, one.4) != (relay, run));
                Some(before - self.present.len())
            }
            Act::End if self.ended => Some(0),
            Act::End => {
                self.present.clear();
                self.ended = true;
                Some(before + 1)
            }
        }
    }

    fn check(&self, state: &State) -> Result<(), TestCaseError> {
        let found: Vec<_> = state
            .participants()
            .map(|one| {
                let participant = &one.participant;
                let relay_session = one.relay_session.to_string();
                let user = participant.user_id.to_string();
                (participant.id.0, user, one.key.to_string(), relay_session, participant.muted)
            })
            .collect();
        let expected: Vec<_> = self
            .present
            .iter()
            .map(|&(id, user, key, relay, run, muted)| {
                let relay_session = session(relay, run).to_string();
                (id, format!("user-{user}"), format!("key-{key}"), relay_session, muted)
            })
            .collect();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(state.counters().present as usize, self.present.len());
        prop_assert_eq!(state.meeting().ended_at.is_some(), self.ended);
        Ok(())
    }
}

/// Applies to the part of the state that the command says it needs.
fn apply_to_part(
    state: &State,
    command: &Command,
    now: u64,
) -> (Option<Vec<Event>>, tributary_meeting_registry_core::Counters) {
    let needs = command.needs();
    let part = state.participants().filter(|one| needs.present.include(one)).cloned();
    let mut part = State::new(state.meeting().clone(), state.counters(), part);
    let events = part.apply(command.clone(), now).ok();
    (events, part.counters())
}

proptest! {
    #[test]
    fn any_sequence_of_commands_follows_the_model(acts in prop::collection::vec(act(), 1..120)) {
        let (mut state, mut model, mut roster) =
            (new_meeting(), Model::default(), Roster::default());
        let (mut log, mut ids) = (Vec::<Event>::new(), BTreeSet::new());
        for (step, act) in acts.iter().enumerate() {
            let now = NOW + step as u64;
            let (command, before) = (act.command(), state.clone());
            let known: BTreeSet<_> = state.participants().map(|one| one.participant.id).collect();
            let (events_of_part, counters_of_part) = apply_to_part(&state, &command, now);
            let events = state.apply(command, now).ok();

            prop_assert_eq!(events.as_ref().map(Vec::len), model.apply(act), "{:?}", act);
            model.check(&state)?;
            prop_assert_eq!(&events_of_part, &events, "a part has another outcome: {:?}", act);
            prop_assert_eq!(counters_of_part, state.counters());
            if events.is_none() {
                prop_assert_eq!(&state, &before, "a refusal changed something: {:?}", act);
            }
            for event in events.unwrap_or_default() {
                if let Happening::Joined(participant) = &event.what
                    && !known.contains(&participant.id)
                {
                    prop_assert!(ids.insert(participant.id), "{} again", participant.id);
                }
                roster.apply(&event).unwrap();
                log.push(event);
            }
        }
        let numbers: Vec<_> = log.iter().map(|event| event.number).collect();
        prop_assert_eq!(numbers, (1..=log.len() as u64).collect::<Vec<_>>());
        prop_assert_eq!(state.counters().next_event, log.len() as u64 + 1);
        let present = state.participants().map(|one| one.participant.clone());
        prop_assert_eq!(roster, Roster::at(log.len() as u64, model.ended, present));
    }
}
