//! Commands on the database: the log has no gap, whoever writes at the same time, and what is
//! stored is what the state machine says.

use std::collections::BTreeSet;

use prost::Message as _;
use tributary_contracts::event::v1::{MeetingEvent, meeting_event::Body};
use tributary_identifiers::ParticipantId;
use tributary_meeting_registry_core::{Command, Leave, LeaveReason, Refusal};
use tributary_meeting_registry_server::{Outbox, Store, StoreError};
use tributary_message_bus::subjects::MeetingScope;

use crate::{Base, join, on_both, session};

on_both!(
    fifty_who_join_at_once_have_numbers_without_gap_and_ids_of_their_own,
    the_same_terminal_joining_fifty_times_at_once_is_one_participant,
    two_replicas_write_one_log,
    moving_leaving_and_coming_back_are_kept,
    another_user_at_the_same_terminal_is_kept_as_another_participant,
    the_end_of_a_large_meeting_is_one_step,
    a_refused_command_leaves_nothing_behind,
    a_log_is_read_from_a_cursor,
);

async fn log(store: &Store, meeting: &MeetingScope) -> Vec<MeetingEvent> {
    let (mut events, mut after) = (Vec::new(), 0);
    loop {
        let page = store.events(meeting, after, 500).await.unwrap();
        if page.is_empty() {
            return events;
        }
        events.extend(page.iter().map(|event| MeetingEvent::decode(event.as_slice()).unwrap()));
        after = events.last().map_or(0, |event| event.number);
    }
}

fn assert_no_gap(events: &[MeetingEvent], count: u64) {
    let numbers: Vec<_> = events.iter().map(|event| event.number).collect();
    assert_eq!(numbers, (1..=count).collect::<Vec<_>>());
}

async fn fifty_who_join_at_once_have_numbers_without_gap_and_ids_of_their_own(base: Base) {
    let meeting = base.meeting().await;
    let joining: Vec<_> = (0..50)
        .map(|who| {
            let (registry, meeting) = (base.registry.clone(), meeting.clone());
            tokio::spawn(async move { registry.join(&meeting, join(who, who % 3)).await })
        })
        .collect();
    let mut ids = BTreeSet::new();
    for one in joining {
        ids.insert(one.await.unwrap().unwrap().0.id);
    }
    assert_eq!(ids, (1..=50).map(ParticipantId).collect());
    assert_no_gap(&log(&base.store, &meeting).await, 50);
    let (_, roster) = base.store.roster(&meeting).await.unwrap();
    assert_eq!((roster.participants().len(), roster.event_number()), (50, 50));
    assert_eq!(roster.groups().len(), 3);
}

async fn the_same_terminal_joining_fifty_times_at_once_is_one_participant(base: Base) {
    let meeting = base.meeting().await;
    let joining: Vec<_> = (0..50)
        .map(|_| {
            let (registry, meeting) = (base.registry.clone(), meeting.clone());
            tokio::spawn(async move { registry.join(&meeting, join(1, 1)).await })
        })
        .collect();
    for one in joining {
        assert_eq!(one.await.unwrap().unwrap().0.id, ParticipantId(1));
    }
    assert_no_gap(&log(&base.store, &meeting).await, 1);
}

async fn two_replicas_write_one_log(base: Base) {
    let meeting = base.meeting().await;
    let replica = base.another_replica().await;
    let writing: Vec<_> = (0..40)
        .map(|who| {
            let store = if who % 2 == 0 { base.store.clone() } else { replica.clone() };
            let (meeting, command) = (meeting.clone(), Command::Join(join(who, 1)));
            tokio::spawn(async move { store.apply(&meeting, command, crate::START).await })
        })
        .collect();
    for one in writing {
        one.await.unwrap().unwrap();
    }
    assert_no_gap(&log(&base.store, &meeting).await, 40);
    assert_eq!(replica.roster(&meeting).await.unwrap().1.participants().len(), 40);
}

async fn moving_leaving_and_coming_back_are_kept(base: Base) {
    let meeting = base.meeting().await;
    let first = base.join(&meeting, 1, 1).await;
    assert_eq!(base.join(&meeting, 1, 1).await, first);
    base.pass(std::time::Duration::from_secs(5));
    let moved = base.join(&meeting, 1, 2).await;
    assert_eq!((moved.id, moved.joined_at), (first.id, first.joined_at));
    assert_eq!(moved.relay_id.as_str(), "relay-2");

    let leave = |relay| {
        let reason = LeaveReason::TerminalLost;
        let relay_session = session(relay);
        Command::Leave(Leave { participant: first.id, relay_session, reason, silent: 3_000 })
    };
    assert_eq!(base.registry.apply(&meeting, leave(1)).await.unwrap().events, []);
    let (_, roster) = base.store.roster(&meeting).await.unwrap();
    assert_eq!(roster.participants().collect::<Vec<_>>(), [&moved]);
    assert_eq!(base.registry.apply(&meeting, leave(2)).await.unwrap().events.len(), 1);
    assert_eq!(base.registry.apply(&meeting, leave(2)).await.unwrap().events, []);
    assert_eq!(base.store.roster(&meeting).await.unwrap().1.participants().len(), 0);
    let back = base.join(&meeting, 1, 1).await;
    assert_eq!((back.id, back.joined_at), (first.id, first.joined_at), "the same for ever");
    assert_eq!(base.join(&meeting, 2, 1).await.id, ParticipantId(2));
    assert_no_gap(&log(&base.store, &meeting).await, 5);
}

async fn another_user_at_the_same_terminal_is_kept_as_another_participant(base: Base) {
    let meeting = base.meeting().await;
    base.join(&meeting, 1, 1).await;
    let mut other = join(1, 1);
    other.user_id = "somebody-else".parse().unwrap();
    let (other, _) = base.registry.join(&meeting, other).await.unwrap();
    let (_, roster) = base.store.roster(&meeting).await.unwrap();
    assert_eq!(roster.participants().collect::<Vec<_>>(), [&other]);
    assert_eq!((other.id, roster.event_number()), (ParticipantId(2), 3));
}

async fn the_end_of_a_large_meeting_is_one_step(base: Base) {
    let meeting = base.meeting().await;
    let participants = 1_200;
    for who in 0..participants {
        base.store.apply(&meeting, Command::Join(join(who, 1)), crate::START).await.unwrap();
    }
    let ended = base.registry.apply(&meeting, Command::End).await.unwrap();
    assert_eq!(ended.meeting().ended_at, Some(crate::START));
    let events = log(&base.store, &meeting).await;
    assert_no_gap(&events, u64::from(participants) * 2 + 1);
    assert!(matches!(events.last().unwrap().body, Some(Body::Ended(_))));
    let (stored, roster) = base.store.roster(&meeting).await.unwrap();
    assert_eq!((stored, roster.participants().len()), (ended.meeting().clone(), 0));
    let refused = base.registry.join(&meeting, join(1, 1)).await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused(Refusal::Ended)));
    assert_eq!(base.registry.apply(&meeting, Command::End).await.unwrap().events, []);
}

async fn a_refused_command_leaves_nothing_behind(base: Base) {
    let meeting = base.meeting().await;
    base.join(&meeting, 1, 1).await;
    let nobody = Leave {
        participant: ParticipantId(9),
        relay_session: session(1),
        reason: LeaveReason::Left,
        silent: 0,
    };
    let unknown = base.registry.apply(&meeting, Command::Leave(nobody)).await.unwrap_err();
    let refusal = Refusal::UnknownParticipant(ParticipantId(9));
    assert!(matches!(unknown, StoreError::Refused(found) if found == refusal));
    assert_no_gap(&log(&base.store, &meeting).await, 1);
    assert_eq!(base.join(&meeting, 2, 1).await.id, ParticipantId(2));
    assert_eq!(base.store.untold(Outbox::Events, 10).await.unwrap().len(), 2);
}

async fn a_log_is_read_from_a_cursor(base: Base) {
    let meeting = base.meeting().await;
    for who in 0..7 {
        base.join(&meeting, who, 1).await;
    }
    let numbers = async |after, limit| {
        let events = base.store.events(&meeting, after, limit).await.unwrap();
        let decode = |event: &Vec<u8>| MeetingEvent::decode(event.as_slice()).unwrap().number;
        events.iter().map(decode).collect::<Vec<_>>()
    };
    assert_eq!(numbers(0, 3).await, [1, 2, 3]);
    assert_eq!(numbers(5, 3).await, [6, 7]);
    assert_eq!(numbers(7, 3).await, [0; 0]);
    assert_eq!(numbers(u64::MAX, 3).await, [0; 0]);
}
