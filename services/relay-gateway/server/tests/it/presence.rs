//! Terminals that are lost, and come back or not, as the registry hears it.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tonic::Status;
use tributary_contracts::event::v1::LeaveReason;
use tributary_relay_gateway_server::Config;

use crate::{
    person::Person,
    world::{World, eventually, meeting},
};

async fn with_grace(seconds: u64) -> World {
    let world =
        World::start_with(Config { reconnect_grace_seconds: seconds, ..Config::default() }).await;
    world.open([1, 2]);
    world
}

fn leaves(world: &World) -> usize {
    world.registry.leaves.lock().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_falls_silent_is_gone_within_ten_seconds_from_both_meetings() {
    let world = with_grace(Config::default().reconnect_grace_seconds).await;
    let eve = Person::enter(&world, "eve").await;
    eve.join(1).await;
    eve.join_held(2).await;
    // Somebody who goes on pinging stays.
    let bob = Person::enter(&world, "bob").await;
    bob.join(1).await;
    eve.fall_silent();
    eventually("both are told", || leaves(&world) == 2).await;
    let leaves = world.registry.leaves.lock().unwrap().clone();
    let mut meetings: Vec<_> = leaves.iter().map(|leave| leave.meeting_id.clone()).collect();
    meetings.sort();
    assert_eq!(meetings, [1, 2].map(|number| meeting(number).to_string()));
    for leave in leaves {
        assert_eq!(leave.reason(), LeaveReason::TerminalLost);
        assert!((9_000..=10_000).contains(&leave.silent_ms), "{}", leave.silent_ms);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_in_time_was_never_away() {
    let world = with_grace(2).await;
    let eve = Person::enter(&world, "eve").await;
    let own = eve.join(1).await.participant_id;
    let again = eve.again().await;
    drop(eve);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(again.resume(1, 1).await.participant_id, own);
    sleep(Duration::from_secs(3)).await;
    assert_eq!(leaves(&world), 0);
    // And is away when it does not.
    drop(again);
    eventually("it is told", || leaves(&world) == 1).await;
    let leave = world.registry.leaves.lock().unwrap()[0].clone();
    assert!(leave.silent_ms >= 2_000, "{}", leave.silent_ms);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leave_that_is_on_its_way_comes_before_the_joining_again() {
    let world = with_grace(1).await;
    let eve = Person::enter(&world, "eve").await;
    let own = eve.join(1).await.participant_id;
    let again = eve.again().await;
    let registry_answers = world.registry.leaving.lock().await;
    drop(eve);
    eventually("it is told", || leaves(&world) == 1).await;
    {
        let mut joining = std::pin::pin!(again.join(1));
        assert!(timeout(Duration::from_millis(500), &mut joining).await.is_err());
        assert_eq!(world.registry.joins.lock().unwrap().len(), 1, "it has overtaken the leave");
        drop(registry_answers);
        assert_eq!(joining.await.participant_id, own);
    }
    let calls = world.registry.calls.lock().unwrap().clone();
    let calls: Vec<_> =
        calls.into_iter().filter(|call| matches!(*call, "join" | "leave")).collect();
    assert_eq!(calls, ["join", "leave", "join"]);
    // It is in: what happens is told to it.
    world.registry.log(&meeting(1).to_string(), |log| log.participant(own));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leave_that_could_not_be_told_is_told_until_it_is_or_the_participant_is_back() {
    let world = with_grace(1).await;
    let eve = Person::enter(&world, "eve").await;
    let own = eve.join(1).await.participant_id;
    let again = eve.again().await;
    *world.registry.leave_refusal.lock().unwrap() = Some(Status::unavailable("away"));
    drop(eve);
    eventually("it is told again", || leaves(&world) >= 2).await;
    let silent: Vec<_> =
        world.registry.leaves.lock().unwrap().iter().map(|leave| leave.silent_ms).collect();
    assert!(silent[1] > silent[0], "the time goes on: {silent:?}");
    again.join(1).await;
    let told = leaves(&world);
    *world.registry.leave_refusal.lock().unwrap() = None;
    sleep(Duration::from_secs(3)).await;
    assert_eq!(leaves(&world), told);
    world.registry.log(&meeting(1).to_string(), |log| log.participant(own));
}
