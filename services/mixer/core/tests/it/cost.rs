//! What mixing costs: it follows the speakers, never the audience.

use tributary_identifiers::ParticipantId;
use tributary_mixer_core::{Destination, Output};

use crate::world::{Cost, World, relay};

/// Speakers 1 and 2 behind relay a, 3 behind b, and listeners behind both.
fn meeting_with(listeners: u32) -> World {
    let mut world = World::new();
    for (who, behind) in [(1, "a"), (2, "a"), (3, "b")] {
        world.join(who, behind);
    }
    for who in 100..100 + listeners {
        world.join(who, if who % 2 == 0 { "a" } else { "b" });
    }
    world
}

#[test]
fn lone_speaker_bytes_are_untouched_and_nothing_is_encoded() {
    let mut world = meeting_with(4);
    world.talk(1);
    let cost = world.cost_of_ms(1000);
    assert_eq!(cost, Cost { ticks: 0, decodes: 0, encodes: 0, passed: 50 });
    assert!(!world.meeting.ticking());
    for who in [2, 3, 100, 101, 102, 103] {
        let heard: Vec<_> = world.heard[&who].iter().map(|d| &d.frame.payload).collect();
        assert_eq!(heard, world.terminals[&1].sent.iter().collect::<Vec<_>>());
        let at_once = |d: &crate::world::Delivery| d.at_us == d.frame.ingress_us;
        assert!(world.heard[&who].iter().all(at_once), "no waiting");
    }
    assert!(!world.heard.contains_key(&1), "the speaker gets nothing");
    let plan = &world.plans[&relay("a")];
    assert_eq!(plan.exceptions.len(), 1);
    assert_eq!(plan.exceptions[0].participant, ParticipantId(1));
    assert_eq!(plan.exceptions[0].audio_slot, None);
    assert!(world.plans[&relay("b")].exceptions.is_empty());
}

#[test]
fn two_speakers_cost_one_encode_per_tick_and_each_hears_the_other_untouched() {
    let mut world = meeting_with(4);
    world.talk(1);
    world.talk(3);
    world.run_ms(1000);
    let cost = world.cost_of_ms(2000);
    assert_eq!(cost, Cost { ticks: 100, decodes: 200, encodes: 100, passed: 200 });
    for (listener, speaker) in [(1, 3), (3, 1)] {
        let heard: Vec<_> = world.heard[&listener].iter().map(|d| &d.frame.payload).collect();
        let sent: Vec<_> = world.terminals[&speaker].sent.iter().collect();
        assert_eq!(heard, sent[sent.len() - heard.len()..]);
        assert!(heard.len() >= 149);
    }
}

#[test]
fn three_speakers_cost_four_encodes_with_thirty_listeners() {
    for listeners in [1, 30] {
        let mut world = meeting_with(listeners);
        (1..=3).for_each(|who| world.talk(who));
        world.run_ms(1000);
        let cost = world.cost_of_ms(1000);
        let expected = Cost { ticks: 50, decodes: 150, encodes: 200, passed: 0 };
        assert_eq!(cost, expected, "{listeners} listeners");
    }
}

#[test]
fn the_common_track_goes_out_once_however_many_listen() {
    let mut world = meeting_with(30);
    (1..=3).for_each(|who| world.talk(who));
    world.run_ms(1000);
    world.outputs.clear();
    world.run_ms(1000);
    let sent_to = |destination: &Destination| {
        let is =
            |o: &&Output| matches!(o, Output::Track { destination: d, .. } if d == destination);
        world.outputs.iter().filter(is).count()
    };
    assert_eq!(sent_to(&Destination::Common), 50);
    assert_eq!(sent_to(&Destination::Relay(relay("a"))), 100, "minus 1 and minus 2");
    assert_eq!(sent_to(&Destination::Relay(relay("b"))), 50, "minus 3");
}

#[test]
fn with_nobody_listening_besides_two_speakers_nothing_is_encoded() {
    let mut world = World::new();
    world.join(1, "a");
    world.join(2, "b");
    world.talk(1);
    world.talk(2);
    world.run_ms(500);
    let cost = world.cost_of_ms(1000);
    assert_eq!(cost, Cost { ticks: 0, decodes: 0, encodes: 0, passed: 100 });
    world.join(3, "b");
    world.run_ms(500);
    assert_eq!(world.cost_of_ms(1000).encodes, 50, "until somebody comes to listen");
}

#[test]
fn someone_alone_costs_nothing() {
    let mut world = World::new();
    world.join(1, "a");
    world.talk(1);
    assert_eq!(world.cost_of_ms(1000), Cost { ticks: 0, decodes: 0, encodes: 0, passed: 0 });
}

#[test]
fn silence_sends_nothing() {
    let mut world = meeting_with(4);
    for who in 1..=3 {
        world.terminals.get_mut(&who).unwrap().amplitude = 0.0;
        world.talk(who);
    }
    let cost = world.cost_of_ms(1000);
    assert_eq!(cost, Cost { ticks: 0, decodes: 0, encodes: 0, passed: 0 });
    assert_eq!(world.meeting.counters().frames_unselected, 150);
}

#[test]
fn an_idle_meeting_asks_for_no_ticks_and_forgets_its_codecs() {
    let mut world = meeting_with(4);
    (1..=3).for_each(|who| world.talk(who));
    world.run_ms(1000);
    (1..=3).for_each(|who| world.hush(who));
    world.run_ms(600);
    assert!(!world.meeting.ticking());
    world.run_ms(11_000);
    let (_, reason) = world.meeting.poll_timeout().unwrap();
    assert_eq!(reason, tributary_mixer_core::Reason::RelaySilent, "no codec is left to release");
    world.outputs.clear();
    world.run_ms(2000);
    assert!(world.outputs.is_empty());
}

#[test]
fn a_mix_of_digital_silence_is_not_sent() {
    let mut world = meeting_with(2);
    (1..=3).for_each(|who| world.talk(who));
    world.run_ms(1000);
    (1..=3).for_each(|who| world.terminals.get_mut(&who).unwrap().amplitude = 0.0);
    world.run_ms(200);
    assert_eq!(world.meeting.speakers().len(), 3, "the hangover keeps the slots");
    let before = world.meeting.counters();
    assert_eq!(world.cost_of_ms(100).encodes, 0);
    assert_eq!(world.meeting.counters().mixes_silent - before.mixes_silent, 20);
}
