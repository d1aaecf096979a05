//! Voices through an edge relay, and between those behind it when its uplink is lost.

use std::time::Duration;

use futures_util::StreamExt as _;
use prost::Message as _;
use tokio::time::{Instant, interval, timeout, timeout_at};
use tokio_util::task::AbortOnDropHandle;
use tributary_contracts::{
    media::v1::SendBatch,
    operation::v1::{SetMuted, operation::Body as Act},
    terminal::v1::{
        MediaOffer, Operate, RefusalCode, relay_message::Body as Said,
        terminal_message::Body as Ask,
    },
};
use tributary_message_bus::Subscriber;

use crate::{
    peer::Peer,
    person::{Person, code},
    stage::Stage,
    world::PATIENCE,
};

/// What was on its way has arrived then.
const SETTLING: Duration = Duration::from_millis(400);
const QUIET: Duration = Duration::from_millis(700);

pub async fn peer(person: &Person) -> Peer {
    let (offering, sdp) = Peer::offering(1).await;
    let answer = match person.ask(Ask::MediaOffer(MediaOffer { sdp })).await.unwrap() {
        Said::MediaAnswer(answer) => answer.sdp,
        other => panic!("{other:?}"),
    };
    offering.connect(answer).await
}

/// Talks until it is dropped.
pub fn talk(mut peer: Peer) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut frames = interval(Duration::from_millis(20));
        loop {
            frames.tick().await;
            peer.say(0);
        }
    }))
}

/// From whom the next voice comes that goes up to the mixer.
pub async fn heard_at_the_mixer(up: &mut Subscriber) -> Vec<u32> {
    loop {
        let message = timeout(PATIENCE, up.next()).await.expect("nobody is heard").unwrap();
        let batch = SendBatch::decode(message.payload).unwrap();
        if !batch.frames.is_empty() {
            return batch.frames.iter().map(|frame| frame.participant_id).collect();
        }
    }
}

async fn is_silent_at_the_mixer(up: &mut Subscriber) {
    let from = Instant::now() + SETTLING;
    while timeout_at(from, up.next()).await.is_ok() {}
    let until = Instant::now() + QUIET;
    while let Ok(Some(message)) = timeout_at(until, up.next()).await {
        let batch = SendBatch::decode(message.payload).unwrap();
        assert!(batch.frames.is_empty(), "somebody is heard");
    }
}

async fn hears(peer: &mut Peer) {
    peer.heard_so_far();
    timeout(PATIENCE, peer.heard()).await.expect("nothing is heard");
}

async fn hears_nothing(peer: &mut Peer) {
    tokio::time::sleep(SETTLING).await;
    peer.heard_so_far();
    assert!(timeout(QUIET, peer.heard()).await.is_err(), "something is heard");
}

fn mute(person: &Person, own: u32) -> Ask {
    let operation = person.operation(1, own, Act::SetMuted(SetMuted { muted: true }));
    let operation = Some(tributary_terminal::operations::sign(&person.key, &operation).unwrap());
    Ask::Operate(Operate { operation })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voice_goes_up_through_the_chain_until_it_is_muted() {
    let stage = Stage::start().await;
    let (_mixer, mut up) = stage.up().await;
    let office = stage.edge("office").await;
    let desk = stage.edge_behind("desk", office.uplinks.unwrap()).await;
    let kim = desk.enter("kim").await;
    let own = kim.join(1).await.participant_id;
    let _talking = talk(peer(&kim).await);
    assert_eq!(heard_at_the_mixer(&mut up).await[0], own);
    kim.ask(mute(&kim, own)).await.unwrap();
    is_silent_at_the_mixer(&mut up).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_place_there_is_no_sound() {
    let stage = Stage::start().await;
    let office = stage.edge("office").await;
    let eve = office.enter("eve").await;
    let (_offering, sdp) = Peer::offering(1).await;
    let offer = |sdp: &str| Ask::MediaOffer(MediaOffer { sdp: sdp.to_owned() });
    assert_eq!(code(eve.ask(offer(&sdp)).await), RefusalCode::OutOfOrder);
    eve.join(1).await;
    assert_eq!(code(eve.ask(offer("nonsense")).await), RefusalCode::BadSessionDescription);
    assert!(eve.ask(offer(&sdp)).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_uplink_is_lost_those_behind_it_hear_each_other_and_silence_is_silence() {
    let stage = Stage::start().await;
    let office = stage.edge("office").await;
    let (eve, bob) = (office.enter("eve").await, office.enter("bob").await);
    let own = eve.join(1).await.participant_id;
    bob.join(1).await;
    let _talking = talk(peer(&eve).await);
    let mut bob_hears = peer(&bob).await;
    // There is no mixer: nobody is heard.
    hears_nothing(&mut bob_hears).await;
    office.cable.cut();
    office.is_lost().await;
    hears(&mut bob_hears).await;
    // Nobody can answer that now; it is in force all the same.
    let (muting, requests) = (mute(&eve, own), eve.connection.requests());
    let answer = tokio::spawn(async move { requests.request(muting).await });
    hears_nothing(&mut bob_hears).await;
    office.cable.mend();
    let answer = timeout(PATIENCE, answer).await.unwrap().unwrap();
    assert!(matches!(answer, Ok(Said::OperationReceived(_))), "{answer:?}");
    hears_nothing(&mut bob_hears).await;
}
