//! People and relays come and go; plans follow.

use tributary_identifiers::ParticipantId;
use tributary_mixer_core::{Config, Meeting, Needs, Output, PlanHeld, Track};

use crate::world::{EPOCH, World, needs, relay};

fn meeting() -> World {
    let mut world = World::new();
    for (who, behind) in [(1, "a"), (2, "b"), (10, "a"), (11, "c")] {
        world.join(who, behind);
    }
    world
}

fn exceptions(world: &World, name: &str) -> Vec<(u32, Option<Track>)> {
    let plan = &world.plans[&relay(name)];
    plan.exceptions.iter().map(|plan| (plan.participant.0, plan.audio_slot)).collect()
}

#[test]
fn plans_name_only_the_exceptions_of_their_relay() {
    let mut world = meeting();
    world.talk(1);
    world.talk(2);
    world.run_ms(200);
    let minus = |who: u32| (who, Some(Track::Minus(ParticipantId(who))));
    assert_eq!(exceptions(&world, "a"), [minus(1)]);
    assert_eq!(exceptions(&world, "b"), [minus(2)]);
    assert_eq!(exceptions(&world, "c"), []);
    for name in ["a", "b", "c"] {
        let plan = &world.plans[&relay(name)];
        assert_eq!(plan.speakers.len(), 2);
        assert_eq!(plan.epoch, EPOCH);
    }
}

#[test]
fn a_relay_with_another_plan_gets_the_current_one() {
    let mut world = meeting();
    world.talk(1);
    world.run_ms(500);
    let current = world.plans[&relay("c")].clone();
    let held = |epoch, version| PlanHeld { epoch, version };
    for (has, sent) in [
        (held(0, 0), true),
        (held(EPOCH, current.version - 1), true),
        (held(EPOCH - 1, current.version), true),
        (held(EPOCH, current.version), false),
    ] {
        let now = world.now();
        world.meeting.handle_needs(
            &relay("c"),
            Needs { held: has, ..needs(&[ParticipantId(11)]) },
            now,
        );
        let output = world.meeting.poll();
        let expected = Output::Plan { relay: relay("c"), plan: current.clone() };
        assert_eq!(output, sent.then_some(expected), "{has:?}");
    }
}

#[test]
fn who_leaves_while_speaking_is_no_speaker_any_more() {
    let mut world = meeting();
    world.talk(1);
    world.talk(2);
    world.run_ms(500);
    world.leave(1);
    assert_eq!(world.meeting.speakers()[..], [ParticipantId(2)]);
    assert!(!world.meeting.ticking());
    world.run_ms(500);
    assert_eq!(world.tones_of(11, &[2], 600), [2]);
    assert_eq!(exceptions(&world, "a"), []);
}

#[test]
fn a_relay_that_falls_silent_is_dropped_with_its_speakers() {
    let mut world = meeting();
    world.talk(1);
    world.talk(2);
    world.run_ms(1000);
    // Relay a says nothing more, though its frames still come.
    let start = world.now();
    let mut sequence = 0;
    for second in 0..6 {
        for name in ["b", "c"] {
            let participants = if name == "b" { [ParticipantId(2)] } else { [ParticipantId(11)] };
            let now = start + std::time::Duration::from_secs(second);
            world.meeting.handle_needs(&relay(name), needs(&participants), now);
            sequence += 1;
        }
        let now = start + std::time::Duration::from_secs(second);
        world.meeting.handle_timeout(now);
    }
    assert_eq!(sequence, 12);
    while world.meeting.poll().is_some() {}
    let now = start + std::time::Duration::from_secs(6);
    let before = world.meeting.counters().frames_dropped_foreign;
    let frame = tributary_mixer_core::SendFrame {
        participant: ParticipantId(1),
        sequence: 0,
        media_time: 0,
        level: 10,
        ingress_us: 0,
        payload: world.terminals[&1].sent[0].clone(),
        targets: vec![],
    };
    world.meeting.handle_frame(&relay("a"), frame, now);
    assert_eq!(world.meeting.counters().frames_dropped_foreign, before + 1);
    assert!(world.meeting.speakers().is_empty());
}

#[test]
fn a_speaker_who_moves_to_another_relay_gets_the_others_there() {
    let mut world = meeting();
    world.talk(1);
    world.talk(2);
    world.run_ms(1000);
    world.terminals.get_mut(&1).unwrap().relay = relay("c");
    world.needs(&relay("c"));
    world.needs(&relay("a"));
    let since_ms = world.now_ms;
    world.run_ms(1000);
    assert_eq!(world.tones_of(1, &[1, 2], since_ms), [2]);
    assert_eq!(exceptions(&world, "a"), []);
    assert_eq!(exceptions(&world, "c"), [(1, Some(Track::Minus(ParticipantId(1))))]);
}

#[test]
fn no_more_than_the_configured_voices_are_heard() {
    let mut world = World::new();
    for who in 1..=6 {
        world.join(who, if who < 4 { "a" } else { "b" });
        world.talk(who);
    }
    world.join(10, "c");
    world.run_ms(1000);
    assert_eq!(world.meeting.speakers().len(), 3);
    let since_ms = world.now_ms;
    world.run_ms(1000);
    let heard = world.tones_of(10, &[1, 2, 3, 4, 5, 6], since_ms);
    let mut speakers: Vec<_> = world.meeting.speakers().iter().map(|who| who.0).collect();
    speakers.sort_unstable();
    assert_eq!(heard, speakers);
}

#[test]
fn a_meeting_that_everybody_has_left_is_empty_and_wants_nothing() {
    let mut world = meeting();
    world.talk(1);
    world.run_ms(500);
    [1, 2, 10, 11].into_iter().for_each(|who| world.leave(who));
    assert!(world.meeting.is_empty());
    assert!(world.meeting.speakers().is_empty());
    assert!(!world.meeting.ticking());
    world.run_ms(15_000);
    assert_eq!(world.meeting.poll_timeout(), None);
    assert_eq!(world.meeting.poll(), None);
}

#[test]
fn streams_of_one_epoch_are_not_those_of_the_next() {
    let stream = |epoch| {
        let mut world = World::with(Config::for_epoch(epoch));
        world.join(1, "a");
        world.join(2, "a");
        world.talk(1);
        world.run_ms(500);
        world.heard[&2][0].frame.stream
    };
    assert_ne!(stream(1), stream(2));
}

#[test]
fn a_first_need_is_answered_with_the_plan() {
    let now = std::time::Instant::now();
    let mut meeting = Meeting::new(Config::for_epoch(1), now);
    meeting.handle_needs(&relay("a"), needs(&[ParticipantId(1)]), now);
    let Some(Output::Plan { plan, .. }) = meeting.poll() else { panic!("no plan") };
    assert_eq!((plan.epoch, plan.version), (1, 1));
    assert!(plan.speakers.is_empty() && plan.exceptions.is_empty());
}

#[test]
fn a_meeting_may_be_mixed_on_any_thread() {
    fn is_send<T: Send>(_: &T) -> bool {
        true
    }
    assert!(is_send(&meeting().meeting));
}
