//! What is said to some only: to them, untouched, and to nobody else.

use std::time::Instant;

use bytes::Bytes;
use tributary_identifiers::ParticipantId;
use tributary_mixer_core::{
    Config, Counters, Destination, Meeting, Output, SendFrame, TARGETS_MAX, Track, TrackFrame,
};

use crate::{
    hostile::valid_packet,
    world::{Cost, World, needs, relay},
};

/// Participants 1 and 10 behind relay a, 2 and 11 behind b, 12 behind c.
fn meeting() -> World {
    let mut world = World::new();
    for (who, behind) in [(1, "a"), (2, "b"), (10, "a"), (11, "b"), (12, "c")] {
        world.join(who, behind);
    }
    world
}

/// What was sent privately: where to, for whom, and the packet.
fn private(outputs: &[Output]) -> Vec<(Destination, Vec<u32>, Bytes)> {
    let of = |output: &Output| match output {
        Output::Track { destination, frame: TrackFrame { track, targets, payload, .. } } => {
            let targets = targets.iter().map(|who| who.0).collect();
            let sent = (destination.clone(), targets, payload.clone());
            matches!(track, Track::Private(_)).then_some(sent)
        }
        Output::Plan { .. } => None,
    };
    outputs.iter().filter_map(of).collect()
}

#[test]
fn a_private_voice_goes_untouched_and_at_once_to_its_targets_only() {
    let mut world = meeting();
    world.whisper(1, &[10, 11, 12]);
    world.talk(1);
    let cost = world.cost_of_ms(1000);
    assert_eq!(cost, Cost { ticks: 0, decodes: 0, encodes: 0, passed: 0 });
    let counters = world.meeting.counters();
    assert_eq!((counters.frames_private_in, counters.frames_private_out), (50, 150));
    for who in [10, 11, 12] {
        let heard: Vec<_> = world.heard[&who].iter().map(|d| &d.frame.payload).collect();
        assert_eq!(heard, world.terminals[&1].sent.iter().collect::<Vec<_>>());
        assert!(world.heard[&who].iter().all(|d| d.at_us == d.frame.ingress_us), "no waiting");
    }
    assert!(!world.heard.contains_key(&1) && !world.heard.contains_key(&2));
    assert!(world.meeting.speakers().is_empty(), "not on the floor");
}

#[test]
fn each_relay_gets_one_frame_that_names_only_its_own_targets() {
    let mut world = meeting();
    world.whisper(1, &[2, 11, 12, 10]);
    world.talk(1);
    world.run_ms(200);
    let sent = private(&world.outputs);
    let packets = world.terminals[&1].sent.clone();
    assert_eq!(sent.len(), 3 * packets.len());
    for (group, packet) in sent.chunks(3).zip(&packets) {
        for (name, targets) in [("a", vec![10]), ("b", vec![2, 11]), ("c", vec![12])] {
            let expected = (Destination::Relay(relay(name)), targets, packet.clone());
            assert!(group.contains(&expected), "{name}: {group:?}");
        }
    }
}

#[test]
fn the_floor_goes_on_beside_and_is_left_by_who_whispers() {
    let mut world = meeting();
    world.talk(1);
    world.talk(2);
    world.run_ms(1000);
    assert!(world.meeting.ticking());
    world.whisper(1, &[11]);
    // The slot outlasts its holder by the hangover, as with everybody who falls silent.
    world.run_ms(500);
    assert_eq!(world.meeting.speakers()[..], [ParticipantId(2)]);
    let since_ms = world.now_ms;
    let cost = world.cost_of_ms(1000);
    assert_eq!(cost, Cost { ticks: 0, decodes: 0, encodes: 0, passed: 50 });
    assert_eq!(world.tones_of(12, &[1, 2], since_ms), [2]);
    assert_eq!(world.tones_of(10, &[1, 2], since_ms), [2]);
    let of_one = |who: u32, since_ms: u64| {
        let heard = world.heard[&who].iter().filter(|d| d.at_us >= since_ms * 1000);
        heard.filter(|d| d.frame.sources.contains(&ParticipantId(1))).count()
    };
    assert_eq!(of_one(11, since_ms), 50);
    assert_eq!(of_one(12, since_ms) + of_one(10, since_ms), 0);
    world.whisper(1, &[]);
    let since_ms = world.now_ms;
    world.run_ms(1000);
    assert_eq!(world.tones_of(12, &[1, 2], since_ms), [1, 2]);
}

#[test]
fn a_stream_is_one_talkers_on_one_time_base() {
    let mut world = meeting();
    world.whisper(1, &[11]);
    world.whisper(2, &[11]);
    world.talk(1);
    world.talk(2);
    world.run_ms(300);
    let streams = |world: &World, who: u32| {
        let heard = world.heard[&11].iter();
        let of = heard.filter(|d| d.frame.sources[..] == [ParticipantId(who)]);
        let mut streams: Vec<u32> = of.map(|d| d.frame.stream).collect();
        streams.dedup();
        streams
    };
    let (one, two) = (streams(&world, 1), streams(&world, 2));
    assert!(one.len() == 1 && two.len() == 1 && one != two, "{one:?} {two:?}");
    // A new peer connection begins anywhere.
    let terminal = world.terminals.get_mut(&1).unwrap();
    terminal.media_time = terminal.media_time.wrapping_add(1 << 30);
    world.run_ms(300);
    assert_eq!(streams(&world, 1).len(), 2);
    assert_eq!(streams(&world, 2), two);
}

#[test]
fn who_moves_while_being_talked_to_hears_it_at_the_other_relay() {
    let mut world = meeting();
    world.whisper(1, &[12]);
    world.talk(1);
    world.run_ms(200);
    world.terminals.get_mut(&12).unwrap().relay = relay("b");
    world.needs(&relay("b"));
    world.needs(&relay("c"));
    world.outputs.clear();
    world.run_ms(200);
    let sent = private(&world.outputs);
    assert_eq!(sent.len(), 10);
    assert!(sent.iter().all(|(to, ..)| *to == Destination::Relay(relay("b"))));
    world.leave(12);
    world.outputs.clear();
    let before = world.meeting.counters().frames_private_unheard;
    world.run_ms(200);
    assert!(private(&world.outputs).is_empty());
    assert_eq!(world.meeting.counters().frames_private_unheard - before, 10);
}

/// Handles one frame of participant 1 behind relay a for these; 2 is behind a too, 3 behind b.
fn said_to(targets: &[u32]) -> (Vec<(Destination, Vec<u32>, Bytes)>, Counters) {
    let now = Instant::now();
    let mut meeting = Meeting::new(Config::for_epoch(1), now);
    meeting.handle_needs(&relay("a"), needs(&[ParticipantId(1), ParticipantId(2)]), now);
    meeting.handle_needs(&relay("b"), needs(&[ParticipantId(3)]), now);
    while meeting.poll().is_some() {}
    let frame = SendFrame {
        participant: ParticipantId(1),
        sequence: 0,
        media_time: 0,
        level: 0,
        ingress_us: 0,
        payload: valid_packet(),
        targets: targets.iter().copied().map(ParticipantId).collect(),
    };
    meeting.handle_frame(&relay("a"), frame, now);
    let outputs: Vec<_> = std::iter::from_fn(|| meeting.poll()).collect();
    let sent = private(&outputs);
    assert_eq!(sent.len(), outputs.len(), "nothing on the floor, no plan");
    assert!(meeting.speakers().is_empty());
    (sent, meeting.counters())
}

fn targets_of(sent: &[(Destination, Vec<u32>, Bytes)]) -> Vec<Vec<u32>> {
    sent.iter().map(|(_, targets, _)| targets.clone()).collect()
}

#[test]
fn targets_of_any_kind_never_put_a_frame_on_the_floor() {
    let (sent, counters) = said_to(&[3; TARGETS_MAX]);
    assert_eq!(targets_of(&sent), [[3]], "one named often is one");
    assert_eq!(counters.frames_private_out, 1);
    let (sent, _) = said_to(&[1, 2, 1]);
    assert_eq!(targets_of(&sent), [[2]], "the talker is no target");
    for nobody in [&[1][..], &[77, 78], &[0, u32::MAX]] {
        let (sent, counters) = said_to(nobody);
        assert_eq!(sent, []);
        assert_eq!((counters.frames_private_in, counters.frames_private_unheard), (1, 1));
    }
    let many: Vec<u32> = (2..).take(TARGETS_MAX + 1).collect();
    let (sent, counters) = said_to(&many);
    assert_eq!(sent, []);
    assert_eq!((counters.frames_dropped_targets, counters.frames_private_in), (1, 0));
    let (sent, _) = said_to(&many[..TARGETS_MAX]);
    assert_eq!(targets_of(&sent), [[2], [3]]);
}
