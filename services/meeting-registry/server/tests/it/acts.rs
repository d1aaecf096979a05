//! Operations on the database: each is applied once, whoever brings it how often, in its order, and
//! what is stored is what the state machine says.

use std::{collections::BTreeSet, time::Duration};

use prost::Message as _;
use tributary_contracts::event::v1::{MeetingEvent, meeting_event::Body};
use tributary_identifiers::ParticipantId;
use tributary_meeting_registry_core::{
    Act, Command, Happening, Join, Operation, OperationRefusal, Patience, Refusal, Role,
};
use tributary_meeting_registry_server::{Operated, Outbox, Received, Store, StoreError};
use tributary_message_bus::subjects::MeetingScope;

use crate::{Base, join, on_both};

on_both!(
    two_hundred_who_bring_one_operation_at_once_cause_it_once,
    operations_that_come_in_any_order_are_applied_in_theirs,
    callers_who_give_up_leave_an_operation_whole_or_undone,
    an_id_with_another_body_is_refused_once_and_changes_nothing,
    an_operation_of_another_key_is_nobodys,
    a_refusal_is_stored_and_told_to_who_did_it,
    who_was_removed_stays_out_until_put_on_the_list,
    a_deleted_meeting_leaves_no_operation_behind,
    the_same_terminal_goes_on_counting_after_a_restart,
);

const ANN: ParticipantId = ParticipantId(1);
const BOB: ParticipantId = ParticipantId(2);

/// The operation of that number of the terminal `who`, which is in as participant `who`.
pub fn received(who: u32, sequence: u64, act: Act) -> Received {
    let operation = Operation {
        id: format!("op-{who}-{sequence}").parse().unwrap(),
        sequence,
        session: format!("terminal-{who}").parse().unwrap(),
        participant: ParticipantId(who),
        not_after: crate::START + 3_600_000,
        act,
    };
    let mut hash = [u8::try_from(who).unwrap(); 32];
    hash[0] = u8::try_from(sequence).unwrap();
    Received { operation, key: format!("key-{who}").parse().unwrap(), hash }
}

/// Ann's meeting, with her, Bob and Cleo in it as 1, 2 and 3.
pub async fn with_three_in(base: &Base) -> MeetingScope {
    let meeting = base.meeting().await;
    let ann = Join { user_id: "ann".parse().unwrap(), ..join(1, 1) };
    base.registry.join(&meeting, ann).await.unwrap();
    for who in [2, 3] {
        base.join(&meeting, who, 1).await;
    }
    meeting
}

pub async fn operate(base: &Base, meeting: &MeetingScope, received: &Received) -> Operated {
    base.store.operate(meeting, received, Patience::Wait, base.now()).await.unwrap()
}

/// What an operation has caused, which is answered now.
pub async fn answer(base: &Base, meeting: &MeetingScope, received: &Received) -> Vec<Happening> {
    match operate(base, meeting, received).await {
        Operated::Answered(events) => events.into_iter().map(|event| event.what).collect(),
        other => panic!("{other:?}"),
    }
}

async fn log(store: &Store, meeting: &MeetingScope) -> Vec<MeetingEvent> {
    let payloads = store.events(meeting, 0, 1_000).await.unwrap();
    let events: Vec<_> =
        payloads.iter().map(|event| MeetingEvent::decode(event.as_slice()).unwrap()).collect();
    let numbers: Vec<_> = events.iter().map(|event| event.number).collect();
    assert_eq!(numbers, (1..=events.len() as u64).collect::<Vec<_>>());
    events
}

/// The operations that have been answered, in the order of their first events.
async fn causes(store: &Store, meeting: &MeetingScope) -> Vec<String> {
    let causes = log(store, meeting).await.into_iter().filter_map(|event| event.cause);
    causes.map(|cause| cause.operation_id).collect()
}

async fn two_hundred_who_bring_one_operation_at_once_cause_it_once(base: Base) {
    let meeting = with_three_in(&base).await;
    let replica = base.another_replica().await;
    let bringing: Vec<_> = (0..200)
        .map(|number| {
            let store = if number % 2 == 0 { base.store.clone() } else { replica.clone() };
            let (meeting, now) = (meeting.clone(), base.now());
            let received = received(2, 1, Act::CheckIn);
            tokio::spawn(
                async move { store.operate(&meeting, &received, Patience::Wait, now).await },
            )
        })
        .collect();
    let mut answered = 0;
    for one in bringing {
        match one.await.unwrap().unwrap() {
            Operated::Answered(events) => {
                assert_eq!(events.len(), 1);
                answered += 1;
            }
            other => assert_eq!(other, Operated::Known),
        }
    }
    assert_eq!(answered, 1);
    assert_eq!(causes(&base.store, &meeting).await, ["op-2-1"]);
    assert_eq!(base.store.untold(Outbox::Events, 10).await.unwrap().len(), 4);
}

async fn operations_that_come_in_any_order_are_applied_in_theirs(base: Base) {
    let meeting = with_three_in(&base).await;
    let replica = base.another_replica().await;
    let bringing: Vec<_> = (1..=30_u64)
        .rev()
        .map(|sequence| {
            let store = if sequence % 2 == 0 { base.store.clone() } else { replica.clone() };
            let (meeting, now) = (meeting.clone(), base.now());
            let received = received(2, sequence, Act::SetHand(sequence % 2 == 1));
            tokio::spawn(async move {
                loop {
                    let operated = store.operate(&meeting, &received, Patience::Wait, now).await;
                    match operated.unwrap() {
                        Operated::Wait => tokio::time::sleep(Duration::from_millis(1)).await,
                        operated => return operated,
                    }
                }
            })
        })
        .collect();
    for one in bringing {
        assert!(matches!(one.await.unwrap(), Operated::Answered(_)));
    }
    let expected: Vec<_> = (1..=30).map(|sequence| format!("op-2-{sequence}")).collect();
    assert_eq!(causes(&base.store, &meeting).await, expected);
}

async fn callers_who_give_up_leave_an_operation_whole_or_undone(base: Base) {
    let meeting = with_three_in(&base).await;
    for sequence in 1..=40 {
        let (store, scope, now) = (base.store.clone(), meeting.clone(), base.now());
        let received = received(2, sequence, Act::SetMuted(sequence % 2 == 1));
        let again = received.clone();
        let calling =
            tokio::spawn(
                async move { store.operate(&scope, &received, Patience::Wait, now).await },
            );
        // Further into the call each time.
        for _ in 0..sequence {
            tokio::task::yield_now().await;
        }
        calling.abort();
        let _ = calling.await;
        // Whatever became of it: brought again, it is answered, by now or before.
        let operated = operate(&base, &meeting, &again).await;
        assert!(matches!(operated, Operated::Answered(_) | Operated::Known), "{operated:?}");
    }
    let base = base.restart().await;
    let expected: Vec<_> = (1..=40).map(|sequence| format!("op-2-{sequence}")).collect();
    assert_eq!(causes(&base.store, &meeting).await, expected);
    assert_eq!(base.store.untold(Outbox::Events, 100).await.unwrap().len(), 43);
    let last = received(2, 40, Act::SetMuted(false));
    assert_eq!(operate(&base, &meeting, &last).await, Operated::Known);
}

async fn an_id_with_another_body_is_refused_once_and_changes_nothing(base: Base) {
    let meeting = with_three_in(&base).await;
    let first = received(2, 1, Act::SetHand(true));
    answer(&base, &meeting, &first).await;
    let mut other = received(2, 2, Act::SetHand(false));
    other.operation.id = first.operation.id.clone();
    let refused = answer(&base, &meeting, &other).await;
    let [Happening::OperationRefused { reason: OperationRefusal::IdReused, .. }] = refused[..]
    else {
        panic!("{refused:?}");
    };
    assert_eq!(operate(&base, &meeting, &other).await, Operated::Known, "told once");
    assert_eq!(operate(&base, &meeting, &first).await, Operated::Known);
    let (_, roster) = base.store.roster(&meeting).await.unwrap();
    assert_eq!((roster.participants().nth(1).unwrap().hand_raised, roster.event_number()), (4, 5));
    let next = received(2, 2, Act::SetHand(false));
    assert_eq!(answer(&base, &meeting, &next).await.len(), 1, "it has taken no turn");
}

async fn an_operation_of_another_key_is_nobodys(base: Base) {
    let meeting = with_three_in(&base).await;
    let mut forged = received(2, 1, Act::SetHand(true));
    forged.key = "key-3".parse().unwrap();
    assert_eq!(operate(&base, &meeting, &forged).await, Operated::NotTheirs);
    let nobody = received(9, 1, Act::SetHand(true));
    assert_eq!(operate(&base, &meeting, &nobody).await, Operated::NotTheirs);
    let elsewhere = MeetingScope { organisation: "other".parse().unwrap(), ..meeting.clone() };
    let theirs = received(2, 1, Act::SetHand(true));
    let nowhere = base.store.operate(&elsewhere, &theirs, Patience::Wait, base.now()).await;
    assert!(matches!(nowhere, Err(StoreError::NoSuchMeeting)));
    assert_eq!(log(&base.store, &meeting).await.len(), 3);
}

async fn a_refusal_is_stored_and_told_to_who_did_it(base: Base) {
    let meeting = with_three_in(&base).await;
    let refused = received(2, 1, Act::SetLocked(true));
    answer(&base, &meeting, &refused).await;
    let event = log(&base.store, &meeting).await.pop().unwrap();
    assert_eq!(event.audience.unwrap().participant_ids, [2]);
    assert_eq!(event.cause.unwrap().operation_id, "op-2-1");
    let Some(Body::OperationRefused(refusal)) = event.body else { panic!("{:?}", event.body) };
    assert_eq!(refusal.reason(), tributary_contracts::event::v1::OperationRefusal::NotHost);
    assert!(!refusal.message.is_empty());
    assert_eq!(operate(&base, &meeting, &refused).await, Operated::Known);
}

async fn who_was_removed_stays_out_until_put_on_the_list(base: Base) {
    let meeting = with_three_in(&base).await;
    base.add(&meeting, "user-2").await;
    answer(&base, &meeting, &received(1, 1, Act::RemoveParticipant(BOB))).await;
    let base = base.restart().await;
    let user = "user-2".parse().unwrap();
    assert_eq!(base.store.role(&meeting, &user).await.unwrap(), None);
    for terminal in [2, 7] {
        let comes = Join { user_id: user.clone(), ..join(terminal, 1) };
        let refused = base.registry.join(&meeting, comes).await.unwrap_err();
        assert!(matches!(refused, StoreError::Refused(Refusal::Removed)), "{refused}");
    }
    base.add(&meeting, "user-2").await;
    assert_eq!(base.store.role(&meeting, &user).await.unwrap(), Some(Role::Member));
    assert_eq!(base.join(&meeting, 2, 1).await.id, BOB);
}

async fn a_deleted_meeting_leaves_no_operation_behind(base: Base) {
    let meeting = with_three_in(&base).await;
    let first = received(2, 1, Act::SetHand(true));
    answer(&base, &meeting, &first).await;
    let mut other = received(2, 2, Act::SetHand(false));
    other.operation.id = first.operation.id.clone();
    answer(&base, &meeting, &other).await;
    answer(&base, &meeting, &received(1, 1, Act::RemoveParticipant(ParticipantId(3)))).await;
    base.registry.delete(&meeting).await.unwrap();
    let late = base.store.operate(&meeting, &first, Patience::Wait, base.now()).await;
    assert!(matches!(late, Err(StoreError::NoSuchMeeting)));
    for table in ["operation", "operation_reuse", "removed_user", "participant", "event"] {
        assert_eq!(base.rows(&format!("registry_{table}")).await, 0, "{table}");
    }
}

async fn the_same_terminal_goes_on_counting_after_a_restart(base: Base) {
    let meeting = with_three_in(&base).await;
    answer(&base, &meeting, &received(1, 1, Act::SetHand(true))).await;
    let base = base.restart().await;
    let third = received(1, 3, Act::CheckIn);
    assert_eq!(operate(&base, &meeting, &third).await, Operated::Wait);
    answer(&base, &meeting, &received(1, 2, Act::CheckIn)).await;
    answer(&base, &meeting, &third).await;
    let ids: BTreeSet<_> = causes(&base.store, &meeting).await.into_iter().collect();
    assert_eq!(ids.len(), 3);
    let end = received(1, 4, Act::End);
    assert_eq!(answer(&base, &meeting, &end).await.len(), 4);
    assert_eq!(operate(&base, &meeting, &end).await, Operated::Known);
    let late = answer(&base, &meeting, &received(1, 5, Act::CheckIn)).await;
    let [Happening::OperationRefused { reason: OperationRefusal::MeetingEnded, .. }] = late[..]
    else {
        panic!("{late:?}");
    };
    let command = Command::Join(join(ANN.0, 1));
    assert!(base.registry.apply(&meeting, command).await.is_err());
}
