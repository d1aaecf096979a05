//! Relays in a chain: what one of them says comes to those behind another, once, and to nobody else.

use tributary_contracts::{
    media::v1::{SendBatch, SendFrame, Track, TrackRole},
    relay::v1::{CarriedSend, CarryRequest, ParticipantPlan, RoomPlan, RoutePlan},
};
use tributary_identifiers::ParticipantId;
use tributary_relay_gateway_server::media::{Figures, MediaError, MediaHandle, UplinkId};

use crate::{
    edge::{Edge, figures_when},
    peer::{Peer, number},
    world::{FRAME, World, attaching, connect, frame, scope, unix_us},
};

/// `speaker` says a number again and again, and a mixer sends it down, until all of `listeners` have heard
/// it.
async fn say_until_heard(
    world: &mut World,
    speaker: &mut Peer,
    what: u32,
    listeners: &mut [&mut Peer],
) {
    let mut heard = vec![false; listeners.len()];
    let mut talking = tokio::time::interval(FRAME);
    while !heard.iter().all(|heard| *heard) {
        talking.tick().await;
        speaker.say_this(0, what);
        world.mix_one(1).await;
        for (listener, heard) in listeners.iter_mut().zip(&mut heard) {
            *heard |= listener.heard_so_far().iter().any(|audio| number(&audio.payload) == what);
        }
    }
}

fn numbers(peer: &mut Peer) -> Vec<u32> {
    peer.heard_so_far().iter().map(|audio| number(&audio.payload)).collect()
}

#[tokio::test]
async fn behind_a_relay_and_in_front_of_it_all_hear_each_other_and_nobody_themselves() {
    let mut world = World::start(false).await;
    let edge = Edge::start("edge", 1, false).await;
    let _line = edge.attach_to(&world.media).await;
    let behind = edge.attach(&world.media, 1, 7).await;
    let front = world.attach(2, 1, 8, false).await;
    assert_eq!(world.needs_other_than(1, &[]).await.participant_ids, [7]);
    let mut behind = connect(&edge.media, behind, 3).await;
    let mut front = world.connect(front, 3).await;
    say_until_heard(&mut world, &mut behind, 70, &mut [&mut front]).await;
    say_until_heard(&mut world, &mut front, 80, &mut [&mut behind]).await;
    assert!(!numbers(&mut behind).contains(&70) && !numbers(&mut front).contains(&80));
    let figures = edge.figures_when(|figures| figures.parent_frames_in > 0).await;
    assert_eq!((figures.terminals, figures.carried, figures.forwarded_frames), (1, 0, 0));
    let figures =
        figures_when(&world.media, |f| f.carried_frames_in > 0 && f.carried_frames_out > 0).await;
    assert_eq!((figures.terminals, figures.carried, figures.carried_frames_foreign), (1, 1, 0));
}

#[tokio::test]
async fn at_every_level_of_a_chain_all_hear_all() {
    let mut world = World::start(false).await;
    let middle = Edge::start("middle", 1, false).await;
    let last = Edge::start("last", 2, false).await;
    let _lines = [middle.attach_to(&world.media).await, last.attach_to(&middle.media).await];
    let places = [
        world.attach(1, 1, 7, false).await,
        middle.attach(&world.media, 2, 8).await,
        last.attach(&middle.media, 3, 9).await,
    ];
    let carried = Some(middle.carried_from(&last));
    world.media.attach(attaching(places[2], 1, 9, carried)).await.unwrap();
    let mut peers = vec![
        world.connect(places[0], 3).await,
        connect(&middle.media, places[1], 3).await,
        connect(&last.media, places[2], 3).await,
    ];
    for speaker in 0..peers.len() {
        let what = speaker as u32 + 100;
        let mut speaking = peers.remove(speaker);
        let mut others: Vec<&mut Peer> = peers.iter_mut().collect();
        say_until_heard(&mut world, &mut speaking, what, &mut others).await;
        assert!(!numbers(&mut speaking).contains(&what));
        peers.insert(speaker, speaking);
    }
}

#[tokio::test]
async fn a_track_passes_the_uplink_once_for_all_behind_it() {
    let mut world = World::start(false).await;
    let edge = Edge::start("edge", 1, false).await;
    let line = edge.attach_to(&world.media).await;
    let mut peers = Vec::new();
    for place in 1..=3 {
        let terminal = edge.attach(&world.media, place, place as u32).await;
        peers.push(connect(&edge.media, terminal, 3).await);
    }
    let floor = frame(TrackRole::Common, 0, &[99], &[]);
    world.send_until_heard(1, &floor, &mut peers[0]).await;
    let before = edge.figures_when(|f| f.parent_frames_in == line.counts.frames_down()).await;
    let delivered = before.delivered_frames;
    assert_eq!(delivered, before.parent_frames_in * 3);
    let down = line.counts.frames_down();
    for _ in 0..10 {
        world.send(1, floor.clone());
        tokio::time::sleep(FRAME).await;
    }
    let figures = edge.figures_when(|f| f.delivered_frames >= delivered + 30).await;
    assert_eq!(line.counts.frames_down() - down, 10);
    let each = floor.payload.len() as u64 + 28 + 12 + 16;
    assert_eq!(figures.delivered_bytes - before.delivered_bytes, 30 * each);
}

#[tokio::test]
async fn in_the_middle_of_a_chain_is_counted_what_each_behind_it_would_have_cost_alone() {
    let mut world = World::start(false).await;
    let middle = Edge::start("middle", 1, false).await;
    let last = Edge::start("last", 2, false).await;
    let _above = middle.attach_to(&world.media).await;
    let below = last.attach_to(&middle.media).await;
    let mut peers = Vec::new();
    for who in 1..=3 {
        let place = last.attach(&middle.media, who.into(), who).await;
        let carried = Some(middle.carried_from(&last));
        world.media.attach(attaching(place, 1, who, carried)).await.unwrap();
        peers.push(connect(&last.media, place, 3).await);
    }
    middle.figures_when(|f| f.carried == 3).await;
    // Two of the three get it: the third has said it.
    let floor = frame(TrackRole::Common, 0, &[3], &[]);
    world.send_until_heard(1, &floor, &mut peers[0]).await;
    let around = 28 + 12 + 16;
    let each = floor.payload.len() as u64 + around;
    let is_counted = |f: &Figures| {
        let down = below.counts.frames_down();
        down > 0 && f.carried_direct_bytes == down * 2 * each
    };
    let figures = middle.figures_when(is_counted).await;
    assert_eq!(figures.delivered_bytes, 0, "nobody is at the relay itself");
    assert_eq!(world.media.figures().carried_direct_bytes, 0, "a core relay has no uplink");

    for _ in 0..10 {
        peers[0].say(0);
        tokio::time::sleep(FRAME).await;
    }
    last.figures_when(|f| f.heard_bytes == 10 * (50 + around)).await;
    let taken = |f: &Figures| {
        f.carried_frames_in > 0 && f.carried_heard_bytes == f.carried_frames_in * (50 + around)
    };
    assert_eq!(middle.figures_when(taken).await.heard_bytes, 0);
}

#[tokio::test]
async fn what_is_said_privately_passes_uplinks_for_its_targets_only() {
    let mut world = World::start(false).await;
    let (east, west) = (Edge::start("east", 1, false).await, Edge::start("west", 2, false).await);
    let lines = [east.attach_to(&world.media).await, west.attach_to(&world.media).await];
    let places = [
        east.attach(&world.media, 1, 1).await,
        east.attach(&world.media, 2, 2).await,
        west.attach(&world.media, 3, 3).await,
    ];
    let mut talker = connect(&east.media, places[0], 3).await;
    let mut other = connect(&east.media, places[1], 3).await;
    let mut target = connect(&west.media, places[2], 3).await;
    let targets = vec![ParticipantId(3), ParticipantId(77)];
    for media in [&world.media, &east.media] {
        media.set_talk(places[0], targets.clone()).await.unwrap();
    }
    let mut talking = tokio::time::interval(FRAME);
    let heard = loop {
        talking.tick().await;
        talker.say_this(1, 42);
        let voice = world.mix_one(1).await;
        assert_eq!((voice.participant_id, &voice.target_ids[..]), (1, &[3, 77][..]));
        if let Some(heard) = target.heard_so_far().pop() {
            break heard;
        }
    };
    assert_eq!((heard.section, number(&heard.payload)), (1, 42));
    assert!(numbers(&mut other).is_empty() && numbers(&mut talker).is_empty());
    assert_eq!(lines[1].counts.targets(), [3]);
    assert_eq!(lines[0].counts.frames_down(), 0);
}

#[tokio::test]
async fn a_room_behind_a_relay_hears_the_others_and_never_itself() {
    let mut world = World::start(false).await;
    let edge = Edge::start("edge", 1, true).await;
    let line = edge.attach_to(&world.media).await;
    let places = [edge.attach(&world.media, 1, 7).await, edge.attach(&world.media, 2, 8).await];
    let room_id = edge.relay.room_id();
    let needs = world.needs_other_than(1, &[7]).await;
    assert_eq!(needs.rooms.len(), 1);
    assert_eq!(
        (needs.rooms[0].room_id, &needs.rooms[0].participant_ids[..]),
        (room_id, &[7, 8][..])
    );
    let mut peer = connect(&edge.media, places[0], 3).await;
    let outside = frame(TrackRole::Common, 0, &[99], &[]);
    world.send_until_heard(1, &outside, &mut peer).await;
    // Who sits beside is not heard; it does not even pass the uplink.
    let down = line.counts.frames_down();
    world.send(1, frame(TrackRole::Common, 0, &[8, 99], &[]));
    let track = Track { role: TrackRole::Room.into(), participant_id: 0, room_id };
    let rooms = vec![RoomPlan { room_id, track: Some(track) }];
    world.plan(1, RoutePlan { version: 1, rooms, ..RoutePlan::default() });
    let mut of_room = frame(TrackRole::Room, 41, &[99], &[]);
    of_room.track = Some(track);
    peer.heard_so_far();
    let mut passed = 0;
    loop {
        world.send(1, of_room.clone());
        passed += 1;
        let heard = world.send_until_heard(1, &of_room, &mut peer).await;
        passed += 1;
        if heard.payload[0] == 42 {
            break;
        }
        assert!(passed < 1_000, "{heard:?}");
    }
    assert!(line.counts.frames_down() > down);
    // The common track is not for the room any more.
    peer.heard_so_far();
    world.send(1, outside);
    assert_eq!(world.send_until_heard(1, &of_room, &mut peer).await.payload[0], 42);
}

#[tokio::test]
async fn a_plan_is_told_again_when_others_are_behind_the_uplink_and_on_every_stream() {
    let world = World::start(false).await;
    let edge = Edge::start("edge", 1, false).await;
    let line = edge.attach_to(&world.media).await;
    edge.attach(&world.media, 1, 7).await;
    world.needs_other_than(1, &[]).await;
    let exception = |who| ParticipantPlan { participant_id: who, audio_slots: vec![] };
    let exceptions = vec![exception(7), exception(8)];
    world.plan(1, RoutePlan { version: 1, speaker_ids: vec![7], exceptions, ..<_>::default() });
    let counted = async |line: &crate::edge::Line, plans| {
        while line.counts.plans() < plans {
            tokio::task::yield_now().await;
        }
    };
    let patiently = |counting| tokio::time::timeout(crate::world::PATIENCE, counting);
    // Nothing is planned, the mixer's plan, and the same one for one more.
    patiently(counted(&line, 2)).await.unwrap();
    edge.attach(&world.media, 2, 8).await;
    patiently(counted(&line, 3)).await.unwrap();
    let again = edge.attach_to(&world.media).await;
    patiently(counted(&again, 1)).await.unwrap();
}

#[tokio::test]
async fn clocks_that_differ_change_nothing() {
    let mut world = World::start(false).await;
    let edge = Edge::start("edge", 1, false).await;
    let day_us = 86_400_000_000;
    let _line = edge.attach_with_clocks(&world.media, day_us).await;
    let terminal = edge.attach(&world.media, 1, 7).await;
    let mut peer = connect(&edge.media, terminal, 3).await;
    world.send_until_heard(1, &frame(TrackRole::Common, 0, &[99], &[]), &mut peer).await;
    peer.say(0);
    let (said_us, voice) = (unix_us(), world.mix_one(1).await);
    assert!(voice.ingress_us.abs_diff(said_us) < 1_000_000);
}

fn sent(meeting_id: u64, participant_id: u32, ingress_us: u64) -> CarryRequest {
    let frame = SendFrame {
        participant_id,
        sequence: 1,
        media_time: 960,
        level: 5,
        ingress_us,
        payload: vec![participant_id as u8; 50].into(),
        target_ids: vec![],
    };
    let batch = SendBatch { sequence: 1, frames: vec![frame] };
    CarryRequest { sends: vec![CarriedSend { meeting_id, batch: Some(batch) }] }
}

#[tokio::test]
async fn nobody_speaks_for_those_who_are_behind_another_relay() {
    let world = World::start(false).await;
    let meeting_id = scope(1).meeting.to_u64();
    let carried = |uplink| {
        let uplink = UplinkId(uplink);
        Some(tributary_relay_gateway_server::media::CarriedBy { uplink, room: None })
    };
    let place = tributary_relay_gateway_server::media::TerminalId;
    world.media.attach(attaching(place(1), 1, 7, carried(1))).await.unwrap();
    world.media.attach(attaching(place(2), 1, 8, carried(2))).await.unwrap();
    world.media.attach(attaching(place(3), 2, 70, carried(2))).await.unwrap();
    world.attach(4, 1, 9, false).await;
    let offered = world.media.offer(place(1), String::new()).await;
    assert!(matches!(offered, Err(MediaError::Carried)), "{offered:?}");
    let port = world.media.open_uplink(UplinkId(1)).await.unwrap();
    let now = unix_us();
    for foreign in [8, 9, 77] {
        port.push(sent(meeting_id, foreign, now), 0);
    }
    port.push(sent(scope(2).meeting.to_u64(), 70, now), 0);
    port.push(sent(meeting_id, 7, now - 2_000_000), 0);
    figures_when(&world.media, |f| (f.carried_frames_foreign, f.frames_too_old) == (4, 1)).await;
    // Its own is the first that goes up.
    port.push(sent(meeting_id, 7, unix_us()), 0);
    let (_, frames) = world.frames().await;
    assert_eq!((frames.len(), frames[0].participant_id), (1, 7));
    let flooded = SendBatch { sequence: 2, frames: vec![SendFrame::default(); 2_000] };
    let flood = CarriedSend { meeting_id, batch: Some(flooded) };
    port.push(CarryRequest { sends: vec![flood] }, 0);
    figures_when(&world.media, |figures| figures.messages_dropped == 1).await;
}

#[tokio::test]
async fn a_newer_stream_of_an_uplink_ends_the_older_and_a_closed_one_gets_nothing() {
    let mut world = World::start(false).await;
    let edge = Edge::start("edge", 1, false).await;
    let terminal = edge.attach(&world.media, 1, 7).await;
    let older = world.media.open_uplink(edge.uplink).await.unwrap();
    let line = edge.attach_to(&world.media).await;
    while older.next().await.is_some() {}
    let mut peer = connect(&edge.media, terminal, 3).await;
    let floor = frame(TrackRole::Common, 0, &[99], &[]);
    world.send_until_heard(1, &floor, &mut peer).await;
    drop(line);
    let _again = edge.attach_to(&world.media).await;
    peer.heard_so_far();
    world.send_until_heard(1, &floor, &mut peer).await;
}

#[tokio::test]
async fn what_waits_for_nobody_is_dropped_and_plans_are_not() {
    let mut world = World::start(false).await;
    let edge = Edge::start("edge", 1, false).await;
    edge.attach(&world.media, 1, 7).await;
    world.needs_other_than(1, &[]).await;
    let port = world.media.open_uplink(edge.uplink).await.unwrap();
    world.plan(1, RoutePlan { version: 1, speaker_ids: vec![99], ..RoutePlan::default() });
    let floor = frame(TrackRole::Common, 0, &[99], &[]);
    let mut sending = tokio::time::interval(FRAME / 10);
    while world.media.figures().carried_frames_out < 300 {
        sending.tick().await;
        world.send(1, floor.clone());
    }
    tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    let message = port.next().await.unwrap();
    assert!(message.tracks.iter().all(|tracks| tracks.batch.is_none()), "too old");
    assert_eq!(message.tracks[0].plan.as_ref().unwrap().speaker_ids, [99]);
    figures_when(&world.media, |figures| figures.messages_dropped >= 300).await;
}

#[tokio::test]
async fn a_forgotten_relay_has_nobody_behind_it() {
    let world = World::start(false).await;
    let edge = Edge::start("edge", 1, false).await;
    let line = edge.attach_to(&world.media).await;
    let terminal = edge.attach(&world.media, 1, 7).await;
    edge.figures_when(|figures| figures.terminals == 1).await;
    edge.port.forget_all().await.unwrap();
    let offered = edge.media.offer(terminal, String::new()).await;
    assert!(matches!(offered, Err(MediaError::NotAttached)), "{offered:?}");
    edge.figures_when(|figures| figures.terminals == 0).await;
    drop(line);
    let parent: &MediaHandle = &world.media;
    parent.detach(terminal).await.unwrap();
    figures_when(parent, |figures| figures.carried == 0).await;
}
