//! Coming back to where one was: each event once, in order.

use tributary_contracts::{
    event::v1::{Announcement, Cause, OperationDone, meeting_event::Body},
    terminal::v1::relay_message::Body as Said,
};

use crate::{
    fake_log::only,
    person::Person,
    world::{World, meeting},
};

fn said() -> Body {
    Body::Announcement(Announcement { text: "something".into() })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_comes_without_a_roster_each_once_and_then_what_is_new() {
    let world = World::start().await;
    world.open([1]);
    let ada = Person::enter(&world, "ada").await;
    let host = ada.join(1).await.participant_id;
    let mut eve = Person::enter(&world, "eve").await;
    let joined = eve.join(1).await;
    let own = joined.participant_id;
    assert_eq!(joined.roster.unwrap().event_number, 2);
    world.emit(1, said()).await;
    assert_eq!(eve.next_numbers(1).await, [3]);
    let mut again = eve.again().await;
    drop(eve);
    // What is for others leaves holes; what is for this one waits for it.
    for number in 4..=40 {
        let audience = match number % 3 {
            0 => only(&[host]),
            1 => only(&[own]),
            _ => None,
        };
        assert_eq!(world.emit_to(1, said(), audience, None).await, number);
    }
    let cause = Some(Cause { participant_id: own, operation_id: "earlier".into() });
    let done = Body::OperationDone(OperationDone {});
    world.emit_to(1, done, only(&[own]), cause).await;
    let joined = again.resume(1, 3).await;
    assert_eq!((joined.participant_id, joined.roster), (own, None));
    for _ in 43..=50 {
        world.emit(1, said()).await;
    }
    let expected: Vec<u64> = (4..=40).filter(|number| number % 3 != 0).chain(41..=50).collect();
    assert_eq!(again.next_numbers(expected.len()).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_absence_is_read_from_the_registry_page_by_page_while_the_meeting_goes_on() {
    let world = World::start().await;
    world.open([1]);
    // Nobody here follows the meeting yet: none of these are kept by the relay.
    world.registry.log(&meeting(1).to_string(), |log| {
        for number in 0..1_700 {
            log.add(said(), if number % 2 == 0 { only(&[99]) } else { None }, None);
        }
    });
    let mut eve = Person::enter(&world, "eve").await;
    let joined = eve.resume(1, 100).await;
    assert_eq!(joined.roster, None);
    for _ in 0..20 {
        world.emit(1, said()).await;
    }
    let missed = (101..=1_700).filter(|number| number % 2 == 0);
    let expected: Vec<u64> = missed.chain(1_701..=1_721).collect();
    assert_eq!(eve.next_numbers(expected.len()).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_from_the_future_is_the_newest() {
    let world = World::start().await;
    world.open([1]);
    let mut eve = Person::enter(&world, "eve").await;
    eve.resume(1, 1_000_000).await;
    let number = world.emit(1, said()).await;
    assert_eq!(eve.next_numbers(1).await, [number]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_left_and_comes_back_is_not_sent_away_by_the_own_leaving_in_the_log() {
    let world = World::start().await;
    world.open([1]);
    let eve = Person::enter(&world, "eve").await;
    let own = eve.join(1).await.participant_id;
    let mut again = eve.again().await;
    drop(eve);
    world.registry.log(&meeting(1).to_string(), |log| {
        log.add(
            crate::fake_log::left(own, tributary_contracts::event::v1::LeaveReason::TerminalLost),
            None,
            None,
        )
    });
    again.resume(1, 1).await;
    assert_eq!(again.next_numbers(2).await, [2, 3]);
    let number = world.emit(1, said()).await;
    assert_eq!(again.next_numbers(1).await, [number]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_any_more_is_made_up_for_by_a_roster() {
    let world = World::start().await;
    world.open([1]);
    world.registry.log(&meeting(1).to_string(), |log| {
        for _ in 0..10 {
            log.add(said(), None, None);
        }
    });
    let ada = Person::enter(&world, "ada").await;
    ada.join(1).await;
    let mut eve = Person::enter(&world, "eve").await;
    let joined = {
        world.registry.log(&meeting(1).to_string(), |log| log.forgotten = 11);
        eve.resume(1, 5).await
    };
    assert_eq!(joined.roster, None);
    let Some(Said::Roster(roster)) = eve.next().await.and_then(|message| message.body) else {
        panic!("no roster")
    };
    assert_eq!((roster.participants.len(), roster.event_number), (2, 12));
    let number = world.emit(1, said()).await;
    assert_eq!(eve.next_numbers(1).await, [number]);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_connection_takes_at_once_comes_whole() {
    let world = World::start().await;
    world.open([1]);
    let mut eve = Person::enter(&world, "eve").await;
    eve.join(1).await;
    let events = world.registry.log(&meeting(1).to_string(), |log| {
        (0..3_000).map(|_| log.add(said(), None, None)).collect::<Vec<_>>()
    });
    // Some are lost on the way, some come twice.
    for event in events.iter().filter(|event| event.number % 7 != 0) {
        world.publish(1, event).await;
        if event.number % 5 == 0 {
            world.publish(1, event).await;
        }
    }
    let expected: Vec<u64> = (2..=3_001).collect();
    assert_eq!(eve.next_numbers(expected.len()).await, expected);
}
