//! Generated sequences of joins, leaves, lost relays and operations (good, bad, repeated, reordered,
//! of other sessions, too late) against a small model of them.

mod reference;
mod registry;

use proptest::prelude::*;
use tributary_identifiers::ParticipantId;
use tributary_meeting_registry_core::{
    Act, Command, Happening, Leave, LeaveReason, OfflineReason, Operation, Patience, Presence,
    Refusal, SetReachable,
};

use crate::{NOW, join, lobby, session};
use reference::{Coming, Model};
use registry::Registry;

#[derive(Clone, Debug)]
enum Step {
    Join(Coming),
    Leave {
        id: u32,
        relay: (u32, u32),
        silent: u64,
    },
    Lose {
        relay: (u32, u32),
        silent: u64,
    },
    Reach {
        ids: Vec<u32>,
        relay: (u32, u32),
        reachable: bool,
    },
    Lobby(bool),
    End,
    Operate {
        actor: u32,
        place: Turn,
        session: Option<u32>,
        late: bool,
        go_on: bool,
        act: Act,
    },
    /// One that was sent before, again; with another body if `changed`.
    Repeat {
        which: prop::sample::Index,
        changed: bool,
    },
}

/// Where in its session an operation says that it is.
#[derive(Clone, Copy, Debug)]
enum Turn {
    Next,
    After(u64),
    Again,
}

fn id() -> impl Strategy<Value = ParticipantId> {
    (0..7u32).prop_map(ParticipantId)
}

fn act() -> impl Strategy<Value = Act> {
    let presence = prop_oneof![
        Just(Presence::Online),
        Just(Presence::Away),
        Just(Presence::Offline(OfflineReason::Unsaid)),
        Just(Presence::Offline(OfflineReason::Interrupted)),
        Just(Presence::Waiting),
    ];
    let some = || prop::collection::vec(id(), 0..3);
    prop_oneof![
        4 => any::<bool>().prop_map(Act::SetMuted),
        4 => any::<bool>().prop_map(Act::SetHand),
        1 => Just(Act::CheckIn),
        3 => ("[a-z]{0,2}", some()).prop_map(|(text, to)| Act::SendChat { text, to }),
        4 => presence.prop_map(Act::SetPresence),
        4 => some().prop_map(Act::TalkTo),
        2 => id().prop_map(Act::MuteParticipant),
        1 => id().prop_map(Act::AskToUnmute),
        1 => id().prop_map(Act::RemoveParticipant),
        2 => any::<bool>().prop_map(Act::SetLocked),
        3 => (id(), any::<bool>())
            .prop_map(|(participant, admitted)| Act::AnswerLobby { participant, admitted }),
        2 => (id(), any::<bool>()).prop_map(|(participant, host)| Act::SetHost { participant, host }),
        3 => prop::option::of(id()).prop_map(Act::SetSpotlight),
        3 => prop::option::of(id()).prop_map(Act::LowerHand),
        1 => Just(Act::Unknown),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let relay = || (0..2u32, 0..2u32);
    let silent = || prop_oneof![Just(0u64), 0..30u64];
    // Keys belong to few users each, so that a terminal changes hands now and then.
    let way = (relay(), 0..2u32, any::<bool>());
    let joining = (0..5u32, 0..4u32, way, 0..2u32, 0..6u32, any::<bool>()).prop_map(
        |(key, other, (relay, depth, itself), session, held, muted)| {
            let user = if other == 0 && key > 0 { key + 100 } else { key };
            let held = held == 0;
            Step::Join(Coming { user, key, relay, depth, itself, session, held, muted })
        },
    );
    let turn = prop_oneof![
        12 => Just(Turn::Next),
        1 => (2..4u64).prop_map(Turn::After),
        1 => Just(Turn::Again),
    ];
    let session = prop_oneof![12 => Just(None), 1 => (0..2u32).prop_map(Some)];
    let late = (0..12u8).prop_map(|number| number == 0);
    let operating = (0..7u32, turn, session, late, any::<bool>(), act()).prop_map(
        |(actor, place, session, late, go_on, act)| Step::Operate {
            actor,
            place,
            session,
            late,
            go_on,
            act,
        },
    );
    prop_oneof![
        14 => joining,
        4 => (0..7u32, relay(), silent())
            .prop_map(|(id, relay, silent)| Step::Leave { id, relay, silent }),
        1 => (relay(), silent()).prop_map(|(relay, silent)| Step::Lose { relay, silent }),
        5 => (prop::collection::vec(0..6u32, 0..4), relay(), any::<bool>())
            .prop_map(|(ids, relay, reachable)| Step::Reach { ids, relay, reachable }),
        2 => any::<bool>().prop_map(Step::Lobby),
        1 => prop_oneof![9 => Just(Step::Lobby(false)), 1 => Just(Step::End)],
        40 => operating,
        4 => (any::<prop::sample::Index>(), any::<bool>())
            .prop_map(|(which, changed)| Step::Repeat { which, changed }),
    ]
}

fn coming(coming: &Coming) -> Command {
    let mut join = join(coming.user, coming.relay.0, coming.relay.1);
    if coming.user == 0 {
        join.user_id = "ann".parse().unwrap();
    }
    join.key = format!("key-{}", coming.key).parse().unwrap();
    join.session = format!("terminal-{}", coming.session).parse().unwrap();
    (join.held, join.muted) = (coming.held, coming.muted);
    (join.relay_depth, join.relay_itself) = (coming.depth, coming.itself);
    Command::Join(join)
}

fn take(
    registry: &mut Registry,
    model: &mut Model,
    step: &Step,
    now: u64,
) -> Result<(), TestCaseError> {
    match step {
        Step::Join(who) => {
            let joined = registry.command(coming(who), now)?;
            prop_assert_eq!(joined.is_ok(), model.join(who), "{:?}", joined);
        }
        Step::Leave { id, relay, silent } => {
            let leave = Leave {
                participant: ParticipantId(*id),
                relay_session: session(relay.0, relay.1),
                reason: LeaveReason::TerminalLost,
                silent: *silent,
            };
            let left = registry.command(Command::Leave(leave), now)?;
            prop_assert_eq!(left.is_ok(), model.places.contains_key(id));
            model.leave(|one, place| one == *id && place.relay == *relay);
        }
        Step::Lose { relay, silent } => {
            let relay_session = session(relay.0, relay.1);
            let lost = Command::RelayLost { relay_session, silent: *silent };
            prop_assert_eq!(registry.command(lost, now)?, Ok(()));
            model.leave(|_, place| place.relay == *relay);
        }
        Step::Reach { ids, relay, reachable } => {
            let set = Command::SetReachable(SetReachable {
                participants: ids.iter().copied().map(ParticipantId).collect(),
                relay_session: session(relay.0, relay.1),
                reachable: *reachable,
            });
            let (before, stays) = (model.places.clone(), registry.stays());
            let set = registry.command(set, now)?;
            prop_assert_eq!(set.is_ok(), model.set_reachable(ids, *relay, *reachable));
            let changed = model.places.iter().filter(|(id, one)| before[*id] != **one).count();
            prop_assert_eq!(registry.told_last(), changed, "one event for each who changes");
            prop_assert_eq!(registry.stays(), stays, "nobody comes or goes by it");
        }
        Step::Lobby(open) if model.ended => {
            prop_assert_eq!(registry.command(lobby(*open), now)?, Err(Refusal::Ended));
        }
        Step::Lobby(open) => {
            prop_assert_eq!(registry.command(lobby(*open), now)?, Ok(()));
            model.set_lobby(*open);
        }
        Step::End => {
            prop_assert_eq!(registry.command(Command::End, now)?, Ok(()));
            model.end();
        }
        Step::Operate { actor, place, session, late, go_on, act } => {
            let known = model.places.get(actor);
            let last = known.map_or(0, |one| one.sequence);
            let session = session.or(known.map(|one| one.session)).unwrap_or(0);
            let operation = Operation {
                id: format!("op-{}", registry.sent.len()).parse().unwrap(),
                sequence: match place {
                    Turn::Next => last + 1,
                    Turn::After(more) => last + more,
                    Turn::Again => last,
                },
                session: format!("terminal-{session}").parse().unwrap(),
                participant: ParticipantId(*actor),
                not_after: if *late { now - 1 } else { now + 1_000 },
                act: act.clone(),
            };
            registry.sent.push(operation.clone());
            let patience = if *go_on { Patience::GoOn } else { Patience::Wait };
            let found = registry.operate(&operation, patience, now)?;
            prop_assert_eq!(found, Some(model.operate(&operation, patience, now)));
        }
        Step::Repeat { .. } if registry.sent.is_empty() => {}
        Step::Repeat { which, changed } => {
            let mut operation = which.get(&registry.sent).clone();
            if *changed {
                operation.act = Act::SetHand(operation.act != Act::SetHand(true));
            }
            // One that waited, or was nobody's, is answered only now.
            if let Some(found) = registry.operate(&operation, Patience::GoOn, now)? {
                prop_assert_eq!(found, model.operate(&operation, Patience::GoOn, now));
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 384, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_steps_follows_the_model(
        steps in prop::collection::vec((step(), -20..60i64), 1..150),
    ) {
        let (mut registry, mut model, mut now) = (Registry::new(), Model::default(), NOW);
        for (step, passed) in &steps {
            // Clocks are set back now and then.
            now = now.saturating_add_signed(*passed);
            take(&mut registry, &mut model, step, now)?;
            registry.check(&model)?;
        }
        registry.check_attendance(&model)?;
        let numbers: Vec<_> = registry.log.iter().map(|event| event.number).collect();
        prop_assert_eq!(numbers, (1..=registry.log.len() as u64).collect::<Vec<_>>());
        let ids: Vec<_> = registry.log.iter().filter_map(|event| match &event.what {
            Happening::Joined(who) => Some((who.id, who.user_id.clone())),
            _ => None,
        }).collect();
        for (one, user) in &ids {
            prop_assert!(ids.iter().all(|(id, theirs)| id != one || theirs == user));
        }
    }
}
