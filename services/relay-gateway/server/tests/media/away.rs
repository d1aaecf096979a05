//! A terminal whose peer connection was away gets what it has missed.

use std::time::Duration;

use tributary_contracts::media::v1::{TrackFrame, TrackRole};

use crate::{
    edge::figures_when,
    peer::number,
    world::{FRAME, World, frame},
};

fn numbered(number: u32) -> TrackFrame {
    let mut payload = vec![1; 60];
    payload[1..5].copy_from_slice(&number.to_be_bytes());
    TrackFrame { payload: payload.into(), ..frame(TrackRole::Common, 0, &[99], &[]) }
}

#[tokio::test]
async fn what_was_said_while_a_terminal_was_away_comes_quickly_and_then_what_is_said_now() {
    let mut world = World::start(false).await;
    let terminal = world.attach(1, 1, 7, false).await;
    let mut peer = world.connect(terminal, 3).await;
    world.send_until_heard(1, &numbered(1), &mut peer).await;
    // It has a microphone that sends, and then nothing comes from it any more.
    let mut talking = tokio::time::interval(FRAME);
    for _ in 0..10 {
        talking.tick().await;
        peer.say(0);
    }
    world.frames().await;
    drop(peer);
    // Longer than the silence that tells that it is away.
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    let before = world.media.figures().delivered_frames;
    talking.reset();
    for number in 1_000..1_040 {
        talking.tick().await;
        world.send(1, numbered(number));
    }
    // They are sent to where it was, too.
    figures_when(&world.media, |figures| figures.delivered_frames >= before + 40).await;
    let mut peer = world.connect(terminal, 3).await;
    talking.reset();
    let mut heard = Vec::new();
    for number in 2_000..2_060 {
        talking.tick().await;
        world.send(1, numbered(number));
        heard.extend(peer.heard_so_far());
    }
    let numbers: Vec<_> = heard.iter().map(|audio| number(&audio.payload)).collect();
    let (missed, live): (Vec<u32>, Vec<u32>) =
        numbers.iter().copied().partition(|number| *number < 2_000);
    assert_eq!(missed, (1_000..1_040).collect::<Vec<_>>());
    assert_eq!(live[0], 2_000, "nothing is left out: {numbers:?}");
    assert!(live.len() > 40 && live.is_sorted(), "{numbers:?}");
    assert!(numbers.is_sorted(), "one after another: {numbers:?}");
    let steps = heard.windows(2).map(|pair| pair[1].media_time.wrapping_sub(pair[0].media_time));
    assert!(steps.clone().all(|step| step > 0 && step < 48_000), "{:?}", steps.collect::<Vec<_>>());
    let figures = figures_when(&world.media, |figures| figures.caught_up_frames >= 40).await;
    assert!(figures.caught_up_frames < 100, "{figures:?}");
}

#[tokio::test]
async fn the_first_peer_connection_begins_with_now() {
    let mut world = World::start(false).await;
    let terminal = world.attach(1, 1, 7, false).await;
    let other = world.attach(2, 1, 8, false).await;
    let mut other = world.connect(other, 3).await;
    // What somebody else has heard has come.
    let sent = 1..20;
    world.send_until_heard(1, &numbered(sent.start), &mut other).await;
    for number in sent.clone() {
        world.send(1, numbered(number));
    }
    while number(&other.heard().await.payload) != sent.end - 1 {}
    let mut peer = world.connect(terminal, 3).await;
    let heard = world.send_until_heard(1, &numbered(500), &mut peer).await;
    assert_eq!(number(&heard.payload), 500);
}
