//! Two meetings over one connection.

use std::time::{Duration, Instant};

use tributary_contracts::{
    event::v1::{CheckedIn, LeaveReason, MeetingEnded, Presence, TalkChanged, meeting_event::Body},
    operation::v1::OfflineReason,
    terminal::v1::{
        Leave, MediaOffer, Ping, ReadChat, RefusalCode, SwitchMeeting, relay_message::Body as Said,
        terminal_message::Body as Ask,
    },
};

use crate::{
    fake_log::{left, only},
    person::{Person, code},
    world::{World, eventually, meeting},
};

fn switch(number: u64) -> Ask {
    Ask::SwitchMeeting(SwitchMeeting { meeting_id: meeting(number).to_string() })
}

fn leave(number: u64) -> Ask {
    Ask::Leave(Leave { meeting_id: meeting(number).to_string() })
}

fn checked_in(participant_id: u32) -> Body {
    Body::CheckedIn(CheckedIn { participant_id })
}

/// The meeting of which chat is read when none is named: where the terminal is live.
async fn live(person: &Person) -> String {
    let read = Ask::ReadChat(ReadChat::default());
    match person.ask(read).await.unwrap() {
        Said::Chat(chat) => chat.meeting_id,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_is_live_in_one_of_two_meetings_and_switches() {
    let world = World::start().await;
    world.open([1, 2, 3]);
    let mut eve = Person::enter(&world, "eve").await;
    assert_eq!(code(eve.ask(switch(1)).await), RefusalCode::OutOfOrder);
    eve.join(1).await;
    // Only held while live elsewhere; once each; two at most.
    assert_eq!(code(eve.try_join(2, |_| {}).await), RefusalCode::OutOfOrder);
    let joined = eve.join_held(2).await;
    let own = &joined.roster.unwrap().participants[0];
    assert_eq!(own.presence(), Presence::Offline);
    assert_eq!(own.offline_reason(), OfflineReason::OtherMeeting);
    for number in [1, 2, 3] {
        let refused = eve.try_join(number, |join| join.held = true).await;
        assert_eq!(code(refused), RefusalCode::OutOfOrder);
    }
    let held: Vec<_> = world.registry.joins.lock().unwrap().iter().map(|j| j.held).collect();
    assert_eq!(held, [false, true], "only what is admitted here goes to the registry");

    // Events of both come, and say where from.
    world.emit(2, checked_in(1)).await;
    assert_eq!(eve.next_event().await.meeting_id, meeting(2).to_string());
    world.emit(1, checked_in(1)).await;
    assert_eq!(eve.next_event().await.meeting_id, meeting(1).to_string());

    assert_eq!(live(&eve).await, meeting(1).to_string());
    for number in [2, 2, 1, 2] {
        let Ok(Said::Switched(switched)) = eve.ask(switch(number)).await else { panic!() };
        assert_eq!(switched.meeting_id, meeting(number).to_string());
        assert_eq!(live(&eve).await, meeting(number).to_string());
    }
    assert_eq!(code(eve.ask(switch(3)).await), RefusalCode::OutOfOrder);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_meeting_is_left_and_the_other_goes_on() {
    let world = World::start().await;
    world.open([1, 2]);
    let mut eve = Person::enter(&world, "eve").await;
    eve.join(1).await;
    eve.join_held(2).await;
    assert_eq!(code(eve.ask(leave(3)).await), RefusalCode::OutOfOrder);
    assert!(matches!(eve.ask(leave(1)).await, Ok(Said::Left(_))));
    let leaves = world.registry.leaves.lock().unwrap().clone();
    assert_eq!(leaves.len(), 1);
    assert_eq!(leaves[0].meeting_id, meeting(1).to_string());
    assert_eq!(leaves[0].reason(), LeaveReason::Left);
    // Nobody is live now: media wants a switch first.
    let offer = || Ask::MediaOffer(MediaOffer { sdp: "v=0".into() });
    assert_eq!(code(eve.ask(offer()).await), RefusalCode::OutOfOrder);
    assert!(matches!(eve.ask(switch(2)).await, Ok(Said::Switched(_))));
    assert_eq!(code(eve.ask(offer()).await), RefusalCode::BadSessionDescription);
    world.emit(2, checked_in(1)).await;
    assert_eq!(eve.next_event().await.meeting_id, meeting(2).to_string());
    assert!(matches!(eve.ask(leave(2)).await, Ok(Said::Left(_))));
    assert_eq!(eve.is_closed().await, Some(1000));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_one_participation_is_told_of_it_and_only_the_last_ends_the_connection() {
    let world = World::start().await;
    world.open([1, 2]);
    let mut eve = Person::enter(&world, "eve").await;
    eve.join(1).await;
    eve.join_held(2).await;
    world.emit(1, Body::Ended(MeetingEnded {})).await;
    assert!(matches!(eve.next_event().await.body, Some(Body::Ended(_))));
    assert_eq!(eve.next_refusal().await, (RefusalCode::MeetingEnded, meeting(1).to_string()));
    assert!(matches!(eve.ask(Ask::Ping(Ping {})).await, Ok(Said::Pong(_))));
    world.emit(2, left(1, LeaveReason::Removed)).await;
    assert_eq!(eve.next_event().await.meeting_id, meeting(2).to_string());
    assert_eq!(eve.next_refusal().await, (RefusalCode::Removed, meeting(2).to_string()));
    assert_eq!(eve.is_closed().await, Some(1000));
    // The registry knows both: nothing is told to it.
    assert!(world.registry.leaves.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_connection_takes_one_meeting_over() {
    let world = World::start().await;
    world.open([1, 2]);
    let mut eve = Person::enter(&world, "eve").await;
    eve.join(1).await;
    eve.join_held(2).await;
    let elsewhere = eve.again().await;
    elsewhere.join_held(2).await;
    let (code, meeting_id) = eve.next_refusal().await;
    assert_eq!((code, meeting_id), (RefusalCode::Replaced, meeting(2).to_string()));
    assert_eq!(live(&eve).await, meeting(1).to_string());
    elsewhere.try_join(1, |_| {}).await.unwrap();
    // The event of its coming back may be seen before.
    while let Some(message) = eve.next().await {
        if let Some(Said::Refusal(refusal)) = message.body {
            assert_eq!(refusal.code(), RefusalCode::Replaced);
        }
    }
    assert!(world.registry.leaves.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_come_in_is_told_why() {
    let world = World::start().await;
    world.open([1]);
    let eve = Person::enter(&world, "eve").await;
    for (status, expected) in [
        (tonic::Status::aborted("locked"), RefusalCode::MeetingLocked),
        (tonic::Status::permission_denied("removed"), RefusalCode::Removed),
        (tonic::Status::resource_exhausted("full"), RefusalCode::Limit),
        (tonic::Status::unavailable("away"), RefusalCode::TryAgain),
    ] {
        *world.registry.join_refusal.lock().unwrap() = Some(status);
        assert_eq!(code(eve.try_join(1, |_| {}).await), expected);
    }
    let without_session = eve.try_join(1, |join| join.session_id.clear()).await;
    assert_eq!(code(without_session), RefusalCode::Malformed);
    eve.join(1).await;
    let join = world.registry.joins.lock().unwrap().last().unwrap().clone();
    assert_eq!(join.session_id, eve.session);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_talk_is_told_to_who_takes_part_only_after_it_is_in_force() {
    let world = World::start().await;
    world.open([1]);
    let mut eve = Person::enter(&world, "eve").await;
    let mut bob = Person::enter(&world, "bob").await;
    let mut dan = Person::enter(&world, "dan").await;
    let ids = [eve.join(1).await, bob.join(1).await, dan.join(1).await].map(|j| j.participant_id);
    eve.next_numbers(2).await;
    bob.next_numbers(1).await;
    let talk = |target_ids: &[u32]| {
        let target_ids = target_ids.to_vec();
        Body::TalkChanged(TalkChanged { participant_id: ids[0], target_ids })
    };
    world.emit_to(1, talk(&ids[1..2]), only(&ids[..2]), None).await;
    assert!(matches!(eve.next_event().await.body, Some(Body::TalkChanged(_))));
    // From one set to another the media thread lets 200 ms pass, and so does the event.
    let begin = Instant::now();
    world.emit_to(1, talk(&ids[2..]), only(&ids), None).await;
    assert!(matches!(eve.next_event().await.body, Some(Body::TalkChanged(_))));
    assert!(begin.elapsed() >= Duration::from_millis(190), "{:?}", begin.elapsed());
    assert_eq!(bob.next_numbers(2).await, [4, 5]);
    // The first was none of his business.
    assert_eq!(dan.next_numbers(1).await, [5]);

    // Who comes back sees the talks that concern them.
    let again = bob.again().await;
    let joined = again.join(1).await;
    assert_eq!(joined.roster.unwrap().talks.len(), 0);
    let again = eve.again().await;
    assert_eq!(again.join(1).await.roster.unwrap().talks[0].target_ids, ids[2..]);
    eventually("nobody leaves", || world.registry.leaves.lock().unwrap().is_empty()).await;
}
