//! What terminals are told while their relay, or one above it, is cut off from the others.

use std::time::Duration;

use prost::Message as _;
use tokio::time::{Instant, sleep};
use tributary_contracts::terminal::v1::{
    Introduce, Ping, RelayMessage, UplinkChanged, relay_message::Body as Said,
    terminal_message::Body as Ask,
};

use crate::{
    page::Offering,
    person::Person,
    stage::{Edge, Stage},
    world::soon,
};

/// What the relay says next of its uplink; all else is passed over.
async fn next(person: &mut Person) -> UplinkChanged {
    loop {
        let message = soon("it is told", person.connection.next()).await.expect("it goes on");
        if let Some(Said::UplinkChanged(changed)) = message.body {
            return changed;
        }
    }
}

/// A cut that is told, with the time that it is told after.
async fn is_told_of_a_loss(person: &mut Person, hold_ms: u32) -> UplinkChanged {
    let told = next(person).await;
    assert_eq!((told.attached, told.hold_ms), (false, hold_ms), "{told:?}");
    assert!((3_000..5_000).contains(&told.lost_ms), "{told:?}");
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loss_is_told_and_its_end_and_a_blip_is_not() {
    let stage = Stage::start().await;
    let edge = stage.edge("office").await;
    let (mut eve, mut bob) = (edge.enter("eve").await, edge.enter("bob").await);
    eve.join(1).await;
    edge.cable.cut();
    edge.is_lost().await;
    sleep(Duration::from_secs(1)).await;
    edge.cable.mend();
    edge.is_attached().await;
    // If the blip were told, that would be what comes first.
    edge.cable.cut();
    edge.is_lost().await;
    let began = Instant::now();
    is_told_of_a_loss(&mut eve, 30_000).await;
    assert!(began.elapsed() > Duration::from_secs(2), "{:?}", began.elapsed());
    // Also who is in no meeting.
    is_told_of_a_loss(&mut bob, 30_000).await;
    assert!(eve.ask(Ask::Ping(Ping {})).await.is_ok());
    edge.cable.mend();
    edge.is_attached().await;
    for person in [&mut eve, &mut bob] {
        assert!(next(person).await.attached);
    }
    let number = stage.announce("back").await;
    assert_eq!(eve.next_event().await.number, number);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_nothing_is_held_any_more_that_is_told_too() {
    let stage = Stage::start_holding(5).await;
    let edge = stage.edge("office").await;
    let mut eve = edge.enter("eve").await;
    eve.join(1).await;
    edge.cable.cut();
    edge.is_lost().await;
    is_told_of_a_loss(&mut eve, 5_000).await;
    let told = next(&mut eve).await;
    assert!(!told.attached && told.lost_ms >= told.hold_ms, "{told:?}");
    assert!(eve.ask(Ask::Ping(Ping {})).await.is_ok(), "it is still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_chain_they_are_told_whichever_uplink_is_lost() {
    let stage = Stage::start().await;
    let office = stage.edge("office").await;
    let floor = stage.edge_behind("floor", office.uplinks.unwrap()).await;
    let desk = stage.edge_behind("desk", floor.uplinks.unwrap()).await;
    let mut kim = desk.enter("kim").await;
    kim.join(1).await;
    let (mut eve, mut bob) = (office.enter("eve").await, floor.enter("bob").await);
    let cut = async |edge: &Edge, told: &mut [&mut Person]| {
        edge.cable.cut();
        edge.is_lost().await;
        for person in told.iter_mut() {
            is_told_of_a_loss(person, 30_000).await;
        }
        edge.cable.mend();
        edge.is_attached().await;
        for person in told.iter_mut() {
            assert!(next(person).await.attached);
        }
    };
    // The desk stays attached to the floor, and that to the office.
    cut(&office, &mut [&mut eve, &mut bob, &mut kim]).await;
    cut(&floor, &mut [&mut bob, &mut kim]).await;
    cut(&desk, &mut [&mut kim]).await;
    let number = stage.announce("to all").await;
    assert_eq!(kim.next_event().await.number, number);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_on_a_data_channel_is_told_too() {
    let stage = Stage::start().await;
    let edge = stage.edge("office").await;
    let eve = Person::enter(&stage.core, "eve").await;
    let (offering, sdp) = Offering::new().await;
    let introduce = Introduce { relay_id: "office".to_owned(), sdp };
    let introduced = eve.ask(Ask::Introduce(introduce)).await.unwrap();
    let Said::Introduced(introduced) = introduced else { panic!("{introduced:?}") };
    let mut page = offering.connect(&introduced.sdp);
    // One piece each, after the byte that says so.
    let mut said = async || RelayMessage::decode(page.message().await.slice(1..)).unwrap().body;
    let welcome = said().await;
    assert!(matches!(welcome, Some(Said::Welcome(_))), "{welcome:?}");
    edge.cable.cut();
    for attached in [false, true] {
        let Some(Said::UplinkChanged(told)) = said().await else { panic!("not of the uplink") };
        assert_eq!(told.attached, attached, "{told:?}");
        edge.cable.mend();
    }
}
