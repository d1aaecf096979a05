//! A relay goes to another core replica: who is behind it is that one's from then on.

use std::time::Duration;

use tokio::time::sleep;
use tributary_contracts::{
    event::v1::{Participant, ParticipantJoined, meeting_event::Body as EventBody},
    relay::v1::{CloseLink, attach_request::Body as Up, place::Body as PlaceBody},
    terminal::v1::{RefusalCode, relay_message::Body as Said},
};
use tributary_relay_gateway_server::{Config, UplinkConfig};

use crate::{
    neighbour::Neighbour,
    office::{Office, Uplink},
    world::{World, meeting},
};

/// A participant has come in again by the same relay, which is attached to another core now.
async fn move_to_other_core(world: &World, id: u32) {
    let before = world.registry.log(&meeting(1).to_string(), |log| log.participant(id));
    assert_eq!(before.core_relay_id, "test");
    let participant = Some(Participant { core_relay_id: "other-core".into(), ..before });
    world.emit(1, EventBody::Joined(ParticipantJoined { participant })).await;
}

async fn place_is_given_up(uplink: &mut Uplink) {
    let is_out = |uplink: &mut Uplink| {
        let mut bodies = uplink.places.iter().map(|place| &place.body);
        bodies.any(|body| matches!(body, Some(PlaceBody::Detach(_)))).then_some(())
    };
    uplink.until("the place is given up", is_out).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_left_behind_ends_at_once() {
    let world = World::start().await;
    world.open([1]);
    let mut uplink = Office::known(&world, "office").attach().await;
    let mut eve = Neighbour::enter(&mut uplink, "eve").await;
    let own = eve.join(&mut uplink, 1).await.participant_id;
    move_to_other_core(&world, own).await;
    let refusal = loop {
        if let Some(Said::Refusal(refusal)) = uplink.next(eve.link).await.body {
            break refusal;
        }
    };
    assert_eq!(refusal.code(), RefusalCode::Replaced);
    assert_eq!(uplink.closed(eve.link).await, 1000);
    place_is_given_up(&mut uplink).await;
    assert!(world.registry.leaves.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_lost_here_and_is_there_has_not_left() {
    let world = World::start_with(Config { reconnect_grace_seconds: 3, ..<_>::default() }).await;
    world.open([1]);
    let mut uplink = Office::known(&world, "office").attach().await;
    let mut eve = Neighbour::enter(&mut uplink, "eve").await;
    let own = eve.join(&mut uplink, 1).await.participant_id;
    uplink.say(Up::CloseLink(CloseLink { link_id: eve.link, ..<_>::default() }));
    // Time enough for the connection to have ended.
    sleep(Duration::from_millis(500)).await;
    move_to_other_core(&world, own).await;
    place_is_given_up(&mut uplink).await;
    sleep(Duration::from_secs(4)).await;
    assert!(world.registry.leaves.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_held_says_nothing_about_who_is_elsewhere() {
    let uplink = UplinkConfig { hold_seconds: 5, ..UplinkConfig::default() };
    let config = Config { uplink, reconnect_grace_seconds: 1, ..Config::default() };
    let world = World::start_with(config).await;
    world.open([1]);
    let mut uplink = Office::known(&world, "office").attach().await;
    let mut eve = Neighbour::enter(&mut uplink, "eve").await;
    let own = eve.join(&mut uplink, 1).await.participant_id;
    let _lost = uplink.cut();
    move_to_other_core(&world, own).await;
    // Longer than until it would be shown as away, and until it would be let go.
    sleep(Duration::from_secs(8)).await;
    assert!(world.registry.reachable.lock().unwrap().is_empty());
    assert!(world.registry.leaves.lock().unwrap().is_empty());
}
