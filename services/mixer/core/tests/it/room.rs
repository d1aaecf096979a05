//! Relays that stand in one room: nobody there gets back from the loudspeaker what was said beside them.

use tributary_identifiers::ParticipantId;
use tributary_mixer_core::{Destination, Output, Reason, Track};

use crate::world::{Cost, World, relay};

const TALKERS: [u32; 4] = [1, 2, 3, 4];

/// Participants 1, 2 and 10 in room r; 3 and 11 behind b, 4 behind c.
fn meeting() -> World {
    let mut world = World::new();
    world.rooms.push(relay("r"));
    for (who, behind) in [(1, "r"), (2, "r"), (10, "r"), (3, "b"), (11, "b"), (4, "c")] {
        world.join(who, behind);
    }
    world
}

/// Who hears whom after a second of these talking, by tone.
fn heard(world: &mut World, talkers: &[u32]) -> Vec<(u32, Vec<u32>)> {
    talkers.iter().for_each(|who| world.talk(*who));
    world.run_ms(1000);
    let since_ms = world.now_ms;
    world.run_ms(1000);
    let listeners = [1, 2, 3, 4, 10, 11];
    let tones = |who: &u32| {
        let sounds = world.heard.get(who).is_some_and(|heard| {
            heard.last().is_some_and(|last| last.at_us >= (world.now_ms - 100) * 1000)
        });
        (*who, if sounds { world.tones_of(*who, &TALKERS, since_ms) } else { vec![] })
    };
    listeners.iter().map(tones).collect()
}

fn all(lists: [&[u32]; 6]) -> Vec<(u32, Vec<u32>)> {
    [1, 2, 3, 4, 10, 11].into_iter().zip(lists.map(<[u32]>::to_vec)).collect()
}

#[test]
fn a_room_hears_everybody_but_itself() {
    let mut world = meeting();
    let matrix = heard(&mut world, &[1, 3]);
    assert_eq!(matrix, all([&[3], &[3], &[1], &[1, 3], &[3], &[1, 3]]));
    let mut world = meeting();
    let matrix = heard(&mut world, &[1, 2, 3]);
    assert_eq!(matrix, all([&[3], &[3], &[1, 2], &[1, 2, 3], &[3], &[1, 2, 3]]));
    let mut world = meeting();
    let matrix = heard(&mut world, &[1, 3, 4]);
    assert_eq!(matrix, all([&[3, 4], &[3, 4], &[1, 4], &[1, 3], &[3, 4], &[1, 3, 4]]));
}

#[test]
fn a_room_without_speakers_hears_the_common_track() {
    let mut world = meeting();
    let matrix = heard(&mut world, &[3, 4]);
    assert_eq!(matrix, all([&[3, 4], &[3, 4], &[4], &[3], &[3, 4], &[3, 4]]));
    assert_eq!(world.plans[&relay("r")].default_track, Track::Common);
}

#[test]
fn a_room_whose_speaker_is_alone_hears_nothing_and_the_others_do_untouched() {
    let mut world = meeting();
    world.talk(1);
    let cost = world.cost_of_ms(1000);
    assert_eq!(cost, Cost { ticks: 0, decodes: 0, encodes: 0, passed: 50 });
    for who in [1, 2, 10] {
        assert!(!world.heard.contains_key(&who), "{who}");
    }
    let packets: Vec<_> = world.heard[&11].iter().map(|d| d.frame.payload.clone()).collect();
    assert_eq!(packets, world.terminals[&1].sent);
    let plan = &world.plans[&relay("r")];
    assert_eq!((plan.default_track, plan.exceptions.len()), (Track::Room, 0));
}

#[test]
fn one_voice_from_outside_is_passed_on_to_the_room_untouched() {
    let mut world = meeting();
    world.talk(1);
    world.talk(3);
    world.run_ms(1000);
    let cost = world.cost_of_ms(1000);
    // One mix, for those outside who only listen; 3's packets to the room, 1's to 3.
    assert_eq!(cost, Cost { ticks: 50, decodes: 100, encodes: 50, passed: 100 });
    for who in [1, 2, 10] {
        let heard: Vec<_> = world.heard[&who].iter().map(|d| &d.frame.payload).collect();
        let sent: Vec<_> = world.terminals[&3].sent.iter().collect();
        assert_eq!(heard, sent[sent.len() - heard.len()..]);
    }
}

#[test]
fn a_room_costs_one_class_however_many_speak_in_it() {
    let mut world = meeting();
    [1, 2, 3].into_iter().for_each(|who| world.talk(who));
    world.run_ms(1000);
    world.outputs.clear();
    // A mix for those outside who only listen, and one of 1 and 2 for 3; the room hears 3 untouched.
    let cost = world.cost_of_ms(1000);
    assert_eq!(cost, Cost { ticks: 50, decodes: 150, encodes: 100, passed: 50 });
    let to_room = |output: &&Output| matches!(output, Output::Track { destination: Destination::Relay(to), .. } if *to == relay("r"));
    assert_eq!(world.outputs.iter().filter(to_room).count(), 50, "once for everybody there");
}

#[test]
fn a_mix_that_only_the_room_would_hear_is_not_made() {
    let mut world = World::new();
    world.rooms.push(relay("r"));
    for (who, behind) in [(1, "r"), (10, "r"), (11, "r"), (3, "b")] {
        world.join(who, behind);
    }
    world.talk(1);
    world.talk(3);
    world.run_ms(1000);
    let cost = world.cost_of_ms(1000);
    assert_eq!(cost, Cost { ticks: 0, decodes: 0, encodes: 0, passed: 100 });
}

#[test]
fn two_rooms_hear_each_other() {
    let mut world = World::new();
    world.rooms.extend([relay("r"), relay("s")]);
    for (who, behind) in [(1, "r"), (10, "r"), (3, "s"), (4, "s"), (11, "s"), (2, "b")] {
        world.join(who, behind);
    }
    let matrix = heard(&mut world, &[1, 3, 4]);
    assert_eq!(matrix, all([&[3, 4], &[1, 3, 4], &[1], &[1], &[3, 4], &[1]]));
    // For relay b, and 3 and 4 for room r; room s hears 1 untouched.
    let cost = world.cost_of_ms(1000);
    assert_eq!(cost, Cost { ticks: 50, decodes: 150, encodes: 100, passed: 50 });
}

#[test]
fn a_relay_becomes_a_room_and_stops_being_one() {
    let mut world = meeting();
    world.rooms.clear();
    world.needs(&relay("r"));
    let matrix = heard(&mut world, &[1, 3]);
    assert_eq!(matrix, all([&[3], &[1, 3], &[1], &[1, 3], &[1, 3], &[1, 3]]));
    world.rooms.push(relay("r"));
    world.needs(&relay("r"));
    let matrix = heard(&mut world, &[]);
    assert_eq!(matrix, all([&[3], &[3], &[1], &[1, 3], &[3], &[1, 3]]));
}

#[test]
fn somebody_who_speaks_in_a_room_makes_nobody_miss_or_hear_anything_twice() {
    for phase_ms in (0..20).step_by(3) {
        let mut world = meeting();
        world.talk(3);
        world.run_ms(500 + phase_ms);
        for _ in 0..3 {
            world.talk(1);
            world.run_ms(700);
            world.hush(1);
            world.run_ms(700);
        }
        for who in [1, 2, 10] {
            let heard: Vec<_> = world.heard[&who].iter().map(|d| d.frame.media_time).collect();
            let steps: Vec<_> = heard.windows(2).map(|w| w[1].wrapping_sub(w[0])).collect();
            assert!(steps.iter().all(|step| *step == 960), "{who}: {steps:?}");
            assert!(heard.len() + 2 >= world.terminals[&3].sent.len());
        }
    }
}

#[test]
fn a_rooms_encoder_is_released_like_any_other() {
    let mut world = meeting();
    [1, 3, 4].into_iter().for_each(|who| world.talk(who));
    world.run_ms(1000);
    // The common mix, minus 3, minus 4, and the room's.
    assert_eq!(world.cost_of_ms(1000).encodes, 200);
    [1, 3, 4].into_iter().for_each(|who| world.hush(who));
    world.run_ms(11_600);
    let (_, reason) = world.meeting.poll_timeout().unwrap();
    assert_eq!(reason, Reason::RelaySilent, "no codec is left to release");
    world.talk(1);
    world.run_ms(500);
    assert_eq!(world.meeting.speakers()[..], [ParticipantId(1)]);
}
