//! An uplink that is lost: those behind it go on hearing each other.

use std::collections::HashMap;

use tributary_contracts::media::v1::TrackRole;

use crate::{
    edge::Edge,
    peer::{Peer, number},
    world::{FRAME, World, connect, frame},
};

/// All say something new at the same time, a few times.
async fn talk(
    speakers: &mut [&mut Peer],
    said: &mut u32,
    frames: u32,
    mut mixing: Option<&mut World>,
) {
    let mut talking = tokio::time::interval(FRAME);
    for _ in 0..frames {
        talking.tick().await;
        *said += 1;
        for (speaker, peer) in (1..).zip(speakers.iter_mut()) {
            peer.say_this(0, speaker * 1_000_000 + *said);
        }
        let Some(world) = &mut mixing else { continue };
        let mut mixed = 0;
        while mixed < speakers.len() {
            mixed += world.mix_some(1).await.len();
        }
    }
}

fn count(peer: &mut Peer, counts: &mut HashMap<u32, u32>) {
    for audio in peer.heard_so_far() {
        *counts.entry(number(&audio.payload)).or_default() += 1;
    }
}

#[tokio::test]
async fn cut_off_they_hear_each_other_and_attached_again_everything_once() {
    let mut world = World::start(false).await;
    let edge = Edge::start("edge", 1, false).await;
    let line = edge.attach_to(&world.media).await;
    let places = [edge.attach(&world.media, 1, 7).await, edge.attach(&world.media, 2, 8).await];
    let mut speaker = connect(&edge.media, places[0], 3).await;
    let mut listener = connect(&edge.media, places[1], 3).await;
    let (mut said, mut counts) = (0, HashMap::new());
    let floor = frame(TrackRole::Common, 0, &[99], &[]);
    world.send_until_heard(1, &floor, &mut listener).await;
    talk(&mut [&mut speaker], &mut said, 10, Some(&mut world)).await;
    drop(line);
    edge.port.set_attached(false).await.unwrap();
    let cut_at = said;
    let forwarded = edge.media.figures().forwarded_frames;
    talk(&mut [&mut speaker], &mut said, 20, None).await;
    let figures = edge.figures_when(|f| f.forwarded_frames >= forwarded + 20).await;
    let up = figures.parent_frames_out;
    let again = edge.attach_to(&world.media).await;
    let attached_at = said;
    talk(&mut [&mut speaker], &mut said, 20, Some(&mut world)).await;
    edge.figures_when(|f| f.parent_frames_out >= up + 20).await;
    assert!(again.counts.frames_up() >= 20);
    let last = said + 1_000_000;
    while !counts.contains_key(&last) {
        let heard = tokio::time::timeout(crate::world::PATIENCE, listener.heard()).await.unwrap();
        *counts.entry(number(&heard.payload)).or_insert(0) += 1;
    }
    count(&mut listener, &mut counts);
    for number in cut_at + 1..=said {
        let heard = counts.get(&(1_000_000 + number)).copied().unwrap_or(0);
        assert_eq!(heard, 1, "{number}: cut at {cut_at}, attached at {attached_at}");
    }
    count(&mut speaker, &mut counts);
    assert!(speaker.heard_so_far().is_empty());
    assert_eq!(edge.media.figures().forwarded_frames, figures.forwarded_frames);
}

#[tokio::test]
async fn a_relay_that_was_never_attached_lets_its_people_hear_the_loudest() {
    let edge = Edge::start("edge", 1, false).await;
    let other = Edge::start("other", 2, false).await;
    let _line = other.attach_to(&edge.media).await;
    let mut peers = Vec::new();
    for (place, who) in [(1, 7), (2, 8)] {
        let place = tributary_relay_gateway_server::media::TerminalId(place);
        edge.media.attach(crate::world::attaching(place, 1, who, None)).await.unwrap();
        peers.push(connect(&edge.media, place, 3).await);
    }
    let third = other.attach(&edge.media, 3, 9).await;
    peers.push(connect(&other.media, third, 3).await);
    let mut talking = tokio::time::interval(FRAME);
    let mut heard = [const { Vec::<u32>::new() }; 3];
    while heard.iter().any(Vec::is_empty) {
        talking.tick().await;
        // The one behind the other relay speaks, and one of those here.
        peers[2].say_this(0, 9);
        peers[0].say_this(0, 7);
        for (peer, heard) in peers.iter_mut().zip(&mut heard) {
            heard.extend(peer.heard_so_far().iter().map(|audio| number(&audio.payload)));
        }
    }
    assert!(heard[0].iter().all(|what| *what == 9), "{heard:?}");
    assert!(heard[2].iter().all(|what| *what == 7), "{heard:?}");
}
