//! People in one room: nobody there gets back from the loudspeaker what was said beside them.

use tributary_identifiers::ParticipantId;
use tributary_mixer_core::{Destination, Needs, Output, PlanHeld, Reason, Room, RoomPlan, Track};

use crate::world::{Cost, World, relay};

const TALKERS: [u32; 4] = [1, 2, 3, 4];

const ROOM: u32 = 77;
const OTHER_ROOM: u32 = 5;

/// Participants 1, 2 and 10 in the room of relay r; 3 and 11 behind b, 4 behind c.
fn meeting() -> World {
    let mut world = World::new();
    for (who, behind) in [(1, "r"), (2, "r"), (10, "r"), (3, "b"), (11, "b"), (4, "c")] {
        world.join(who, behind);
    }
    world.seat(ROOM, &[1, 2, 10]);
    world
}

/// All behind one relay: 1 and 10 in a room, 2 and 11 in another, 3 and 4 in none.
fn one_relay_with_two_rooms() -> World {
    let mut world = World::new();
    for who in [1, 2, 3, 4, 10, 11] {
        world.join(who, "a");
    }
    world.seat(ROOM, &[1, 10]);
    world.seat(OTHER_ROOM, &[2, 11]);
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
    assert_eq!(world.plans[&relay("r")].rooms, []);
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
    assert_eq!(plan.rooms, [RoomPlan { room: ROOM, track: Track::Room(ROOM) }]);
    assert_eq!(plan.exceptions, []);
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
    for (who, behind) in [(1, "r"), (10, "r"), (11, "r"), (3, "b")] {
        world.join(who, behind);
    }
    world.seat(ROOM, &[1, 10, 11]);
    world.talk(1);
    world.talk(3);
    world.run_ms(1000);
    let cost = world.cost_of_ms(1000);
    assert_eq!(cost, Cost { ticks: 0, decodes: 0, encodes: 0, passed: 100 });
}

#[test]
fn the_rooms_of_two_relays_hear_each_other_whatever_their_numbers() {
    let mut world = World::new();
    for (who, behind) in [(1, "r"), (10, "r"), (3, "s"), (4, "s"), (11, "s"), (2, "b")] {
        world.join(who, behind);
    }
    world.seat(ROOM, &[1, 10, 3, 4, 11]);
    let matrix = heard(&mut world, &[1, 3, 4]);
    assert_eq!(matrix, all([&[3, 4], &[1, 3, 4], &[1], &[1], &[3, 4], &[1]]));
    // For relay b, and 3 and 4 for room r; room s hears 1 untouched.
    let cost = world.cost_of_ms(1000);
    assert_eq!(cost, Cost { ticks: 50, decodes: 150, encodes: 100, passed: 50 });
}

#[test]
fn two_rooms_and_people_in_none_behind_one_relay_hear_all_but_themselves() {
    let mut world = one_relay_with_two_rooms();
    let matrix = heard(&mut world, &[1, 2, 3]);
    let expected = all([&[2, 3], &[1, 3], &[1, 2], &[1, 2, 3], &[2, 3], &[1, 3]]);
    assert_eq!(matrix, expected);
    let plan = &world.plans[&relay("a")];
    let room_plan = |room| RoomPlan { room, track: Track::Room(room) };
    assert_eq!(plan.rooms, [room_plan(OTHER_ROOM), room_plan(ROOM)]);
    let excepted: Vec<_> = plan.exceptions.iter().map(|plan| plan.participant.0).collect();
    assert_eq!(excepted, [3]);
    // One mix for each of the two rooms, one for 3 and the common one.
    let cost = world.cost_of_ms(1000);
    assert_eq!(cost, Cost { ticks: 50, decodes: 150, encodes: 200, passed: 0 });
}

#[test]
fn of_two_rooms_only_the_one_that_speaks_gets_a_track_of_its_own() {
    let mut world = one_relay_with_two_rooms();
    let matrix = heard(&mut world, &[1, 3]);
    assert_eq!(matrix, all([&[3], &[1, 3], &[1], &[1, 3], &[3], &[1, 3]]));
    assert_eq!(world.plans[&relay("a")].rooms.len(), 1);
    // The silent room shares the common mix; the others hear one voice, untouched.
    let cost = world.cost_of_ms(1000);
    assert_eq!(cost, Cost { ticks: 50, decodes: 100, encodes: 50, passed: 100 });
}

#[test]
fn a_lone_voice_of_a_room_reaches_the_other_room_untouched_and_not_its_own() {
    let mut world = one_relay_with_two_rooms();
    world.talk(1);
    let cost = world.cost_of_ms(1000);
    assert_eq!(cost, Cost { ticks: 0, decodes: 0, encodes: 0, passed: 50 });
    for (who, hears) in [(1, false), (10, false), (2, true), (11, true), (3, true), (4, true)] {
        assert_eq!(world.heard.contains_key(&who), hears, "{who}");
    }
}

#[test]
fn who_walks_from_one_room_into_another_hears_who_was_left_behind() {
    let mut world = one_relay_with_two_rooms();
    let matrix = heard(&mut world, &[1, 2, 3]);
    assert_eq!(matrix[4], (10, vec![2, 3]));
    world.seat(OTHER_ROOM, &[1]);
    let matrix = heard(&mut world, &[]);
    // 10 is alone in a room that is silent now; 1, 2 and 11 hear 3, untouched.
    let expected = all([&[3], &[3], &[1, 2], &[1, 2, 3], &[1, 2, 3], &[3]]);
    assert_eq!(matrix, expected);
}

#[test]
fn rooms_that_contradict_themselves_are_refused_and_what_was_stays() {
    let mut world = one_relay_with_two_rooms();
    heard(&mut world, &[1, 3]);
    let everybody = [1, 2, 3, 4, 10, 11].map(ParticipantId);
    let room = |id, who: &[u32]| Room {
        id,
        participants: who.iter().copied().map(ParticipantId).collect(),
    };
    let crowd: Vec<_> = (1..=513).map(|id| room(id, &[])).collect();
    let refused = [
        vec![room(0, &[1])],
        vec![room(7, &[1]), room(7, &[2])],
        vec![room(7, &[1]), room(8, &[1])],
        vec![room(7, &[1, 1])],
        vec![room(7, &[99])],
        vec![room(7, &[1, 2, 3, 4, 10, 11, 12])],
        crowd.clone(),
    ];
    for (number, rooms) in (1..).zip(&refused) {
        let held = PlanHeld::default();
        let needs = Needs { participants: &everybody, rooms, held };
        world.meeting.handle_needs(&relay("a"), needs, world.now());
        world.carry_out();
        assert_eq!(world.meeting.counters().needs_refused, number, "{rooms:?}");
    }
    let since_ms = world.now_ms;
    world.run_ms(900);
    assert_eq!(world.tones_of(10, &TALKERS, since_ms), [3], "still in the room");
    let needs = Needs { participants: &everybody, rooms: &crowd[..512], held: PlanHeld::default() };
    world.meeting.handle_needs(&relay("a"), needs, world.now());
    assert_eq!(world.meeting.counters().needs_refused, refused.len() as u64);
}

#[test]
fn people_become_a_room_and_stop_being_one() {
    let mut world = meeting();
    world.unseat(&[1, 2, 10]);
    let matrix = heard(&mut world, &[1, 3]);
    assert_eq!(matrix, all([&[3], &[1, 3], &[1], &[1, 3], &[1, 3], &[1, 3]]));
    world.seat(ROOM, &[1, 2, 10]);
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
