//! What users are told outside of meetings: at once, once, and also what was missed.

use std::time::Duration;

use prost::Message as _;
use tributary_contracts::notice::v1::{Invitation, Notice, notice::Kind};
use tributary_message_bus::{ControlBus, permissions::User, subjects};
use tributary_terminal::Notices;

use crate::world::World;

const SOON: Duration = Duration::from_secs(20);

fn notice(user: &str, notice_id: &str) -> Notice {
    Notice {
        notice_id: notice_id.into(),
        organisation: "default".into(),
        user_id: user.into(),
        subject: "Planning".into(),
        kind: Some(Kind::Invitation(Invitation::default())),
        ..Notice::default()
    }
}

/// As the registry does it: first it is kept, then it is said.
async fn tell(world: &World, bus: &ControlBus, notice: Notice) {
    world.registry.notices.lock().unwrap().push(notice.clone());
    say(bus, &notice).await;
}

async fn say(bus: &ControlBus, notice: &Notice) {
    let user = notice.user_id.parse().unwrap();
    let subject = subjects::notice(&"default".parse().unwrap(), &user);
    bus.tell(subject, notice.encode_to_vec().into()).await.unwrap();
}

async fn next(notices: &mut Notices) -> String {
    tokio::time::timeout(SOON, notices.next()).await.unwrap().unwrap().notice_id
}

#[tokio::test(flavor = "multi_thread")]
async fn each_connection_of_a_user_is_told_once() {
    let world = World::start().await;
    let bus = world.nats.connect(&User::MeetingRegistry).await;
    world.registry.notices.lock().unwrap().push(notice("ada", "earlier"));
    let (ada, bob) = (world.account("ada").await, world.account("bob").await);
    let mut desk = ada.notices().await.unwrap();
    let mut phone = ada.notices().await.unwrap();
    let mut other = bob.notices().await.unwrap();
    assert_eq!(desk.listed(), [notice("ada", "earlier")]);
    assert_eq!(phone.listed(), [notice("ada", "earlier")]);
    assert_eq!(other.listed(), []);
    // Said three times, and found again whenever the relay asks.
    for _ in 0..3 {
        say(&bus, &notice("ada", "earlier")).await;
    }
    tell(&world, &bus, notice("ada", "first")).await;
    for _ in 0..3 {
        say(&bus, &notice("ada", "first")).await;
    }
    tell(&world, &bus, notice("ada", "second")).await;
    tell(&world, &bus, notice("bob", "for-bob")).await;
    for notices in [&mut desk, &mut phone] {
        assert_eq!([next(notices).await, next(notices).await], ["first", "second"]);
    }
    assert_eq!(next(&mut other).await, "for-bob");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_dismissed_does_not_come_again() {
    let world = World::start().await;
    let account = world.account("ada").await;
    for id in ["a", "b"] {
        world.registry.notices.lock().unwrap().push(notice("ada", id));
    }
    account.dismiss("a").await.unwrap();
    assert_eq!(account.notices().await.unwrap().listed(), [notice("ada", "b")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_while_nats_was_away_comes_when_it_is_back() {
    let mut world = World::start().await;
    let account = world.account("ada").await;
    let mut notices = account.notices().await.unwrap();
    world.nats.stop();
    world.registry.notices.lock().unwrap().push(notice("ada", "missed"));
    world.nats.start_again();
    assert_eq!(next(&mut notices).await, "missed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_for_somebody_else_on_a_users_subject_is_not_passed_on() {
    let world = World::start().await;
    let bus = world.nats.connect(&User::MeetingRegistry).await;
    let account = world.account("ada").await;
    let mut notices = account.notices().await.unwrap();
    let subject = subjects::notice(&"default".parse().unwrap(), &"ada".parse().unwrap());
    bus.tell(subject, notice("bob", "misrouted").encode_to_vec().into()).await.unwrap();
    tell(&world, &bus, notice("ada", "right")).await;
    assert_eq!(next(&mut notices).await, "right");
}
