//! Relays that fall silent lose their participants, and only they do.

use std::time::Duration;

use prost::Message as _;
use tributary_contracts::event::v1::{LeaveReason, MeetingEvent, meeting_event::Body};
use tributary_meeting_registry_server::{Config, Sweeper};
use tributary_message_bus::subjects::MeetingScope;

use crate::{Base, on_both, session};

on_both!(
    who_is_behind_a_silent_relay_is_taken_out_after_eight_seconds,
    a_relay_that_renews_itself_keeps_its_participants,
    after_a_restart_relays_have_eight_seconds_to_renew,
    a_relay_that_is_heard_in_the_last_moment_is_not_lost,
    relay_sessions_with_nobody_behind_them_are_forgotten,
);

const SWEEP: Duration = Duration::from_secs(1);

fn sweeper(base: &Base) -> Sweeper {
    Sweeper::new(base.store.clone(), &Config::default())
}

/// Sweeps every second for so long; how many were lost.
async fn sweep_for(base: &Base, sweeper: &mut Sweeper, seconds: u64) -> usize {
    let mut lost = 0;
    for _ in 0..seconds {
        lost += sweeper.sweep().await.unwrap();
        base.pass(SWEEP);
    }
    lost
}

async fn renew(base: &Base, relay: u32) {
    let id = format!("relay-{relay}").parse().unwrap();
    base.store.renew_relay(&id, &session(relay)).await.unwrap();
}

async fn present(base: &Base, meeting: &MeetingScope) -> Vec<u32> {
    let (_, roster) = base.store.roster(meeting).await.unwrap();
    roster.participants().map(|participant| participant.id.0).collect()
}

async fn who_is_behind_a_silent_relay_is_taken_out_after_eight_seconds(base: Base) {
    let (one, other) = (base.meeting().await, base.meeting().await);
    let mut sweeper = sweeper(&base);
    assert_eq!(sweep_for(&base, &mut sweeper, 30).await, 0);
    for (who, relay) in [(1, 1), (2, 2), (3, 1)] {
        base.join(&one, who, relay).await;
    }
    base.join(&other, 1, 1).await;
    let last_heard = base.now();
    for _ in 0..4 {
        assert_eq!(sweep_for(&base, &mut sweeper, 2).await, 0);
        renew(&base, 2).await;
    }
    assert_eq!(present(&base, &one).await, [1, 2, 3], "8 s have just passed");
    assert_eq!(sweep_for(&base, &mut sweeper, 2).await, 2, "one relay in two meetings");
    assert_eq!(present(&base, &one).await, [2]);
    assert_eq!(present(&base, &other).await, [0; 0]);
    let events = base.store.events(&other, 1, 10).await.unwrap();
    let event = MeetingEvent::decode(events[0].as_slice()).unwrap();
    let Some(Body::Left(left)) = event.body else { panic!("{event:?}") };
    assert_eq!(left.reason(), LeaveReason::RelayLost);
    let last_seen = left.last_seen_at.unwrap();
    let last_seen = last_seen.seconds * 1000 + i64::from(last_seen.nanos) / 1_000_000;
    assert_eq!(u64::try_from(last_seen).unwrap(), last_heard, "when the relay was last heard");
    assert_eq!(sweep_for(&base, &mut sweeper, 3).await, 0);
}

async fn a_relay_that_renews_itself_keeps_its_participants(base: Base) {
    let meeting = base.meeting().await;
    base.join(&meeting, 1, 1).await;
    let mut sweeper = sweeper(&base);
    for _ in 0..20 {
        assert_eq!(sweep_for(&base, &mut sweeper, 3).await, 0);
        renew(&base, 1).await;
    }
    assert_eq!(present(&base, &meeting).await, [1]);
}

async fn after_a_restart_relays_have_eight_seconds_to_renew(base: Base) {
    let meeting = base.meeting().await;
    base.join(&meeting, 1, 1).await;
    base.join(&meeting, 2, 2).await;
    base.pass(Duration::from_secs(600));
    let base = base.restart().await;
    let mut sweeper = sweeper(&base);
    assert_eq!(sweep_for(&base, &mut sweeper, 7).await, 0);
    renew(&base, 1).await;
    assert_eq!(sweep_for(&base, &mut sweeper, 3).await, 1);
    assert_eq!(present(&base, &meeting).await, [1]);
}

async fn a_relay_that_is_heard_in_the_last_moment_is_not_lost(base: Base) {
    let meeting = base.meeting().await;
    base.join(&meeting, 1, 1).await;
    base.pass(Duration::from_secs(60));
    let silent_since = crate::START + 45_000;
    assert_eq!(
        base.store.lost_relays(silent_since).await.unwrap(),
        [(meeting.clone(), session(1))]
    );
    // Between finding it silent and taking it out.
    renew(&base, 1).await;
    let now = base.store.clock().now();
    let taken = base.store.take_out_relay(&meeting, session(1), silent_since, now, now).await;
    let taken = taken.unwrap();
    assert!(!taken);
    assert_eq!(present(&base, &meeting).await, [1]);
}

async fn relay_sessions_with_nobody_behind_them_are_forgotten(base: Base) {
    let meeting = base.meeting().await;
    base.join(&meeting, 1, 1).await;
    renew(&base, 2).await;
    base.pass(Duration::from_secs(7200));
    let now = base.store.clock().now();
    assert_eq!(base.store.forget_relays(now).await.unwrap(), 1, "nobody is behind relay 2");
    base.end(&meeting).await;
    assert_eq!(base.store.forget_relays(now).await.unwrap(), 1);
}

#[tokio::test]
async fn the_shared_clock_of_postgres_is_the_databases() {
    let base = Base::postgres().await;
    assert_eq!(base.store.shared_now().await.unwrap(), crate::START, "a manual clock is obeyed");
    let store = crate::open(&base.scratch, tributary_meeting_registry_server::Clock::System).await;
    let before = store.clock().wall();
    let shared = store.shared_now().await.unwrap();
    // The server runs on this machine, so its clock is this one.
    assert!((before..=store.clock().wall()).contains(&shared), "{before} {shared}");
}
