//! Between mixing and passing on nothing is lost and nothing is said twice.

use std::collections::BTreeSet;

use crate::world::{Delivery, UNSTAMPED, World, median};

/// Speaker 1 talks all the time, the others do not stamp their frames: `ingress_us` tells which
/// frame of speaker 1 a listener heard, mixed or not.
fn meeting() -> World {
    let mut world = World::new();
    for (who, behind) in [(1, "a"), (2, "b"), (3, "b"), (10, "a"), (11, "b")] {
        world.join(who, behind);
        world.terminals.get_mut(&who).unwrap().stamps = who == 1;
    }
    world.talk(1);
    world
}

/// The times of speaker 1's frames as this participant heard them, in order.
fn heard_of_one(world: &World, who: u32) -> Vec<u64> {
    let heard = world.heard.get(&who).into_iter().flatten();
    heard.map(|delivery| delivery.frame.ingress_us).filter(|us| *us != UNSTAMPED).collect()
}

fn check_every_frame_once(world: &World, who: u32) {
    let heard = heard_of_one(world, who);
    let expected: Vec<_> = (0..heard.len() as u64).map(|n| heard[0] + n * 20_000).collect();
    assert_eq!(heard, expected, "what {who} heard");
    let sent = world.terminals[&1].sent.len();
    assert!((sent - 3..=sent).contains(&heard.len()), "{} of {sent}", heard.len());
}

#[test]
fn mix_to_lone_loses_and_doubles_nothing() {
    // Interjections start and end at many phases of the tick.
    for phase_ms in (0..20).step_by(3) {
        let mut world = meeting();
        world.run_ms(500 + phase_ms);
        for _ in 0..3 {
            world.talk(2);
            world.run_ms(700);
            assert!(world.meeting.ticking());
            world.hush(2);
            world.run_ms(700);
            assert!(!world.meeting.ticking());
        }
        for listener in [10, 11, 3] {
            check_every_frame_once(&world, listener);
        }
        let counters = world.meeting.counters();
        assert!(counters.decodes > 90 && counters.frames_passed_through > 100, "{counters:?}");
    }
}

#[test]
fn a_speaker_who_falls_silent_hears_on_without_a_gap_or_a_repetition() {
    let mut world = meeting();
    world.run_ms(500);
    world.talk(2);
    world.run_ms(700);
    world.hush(2);
    world.run_ms(700);
    check_every_frame_once(&world, 2);
}

#[test]
fn a_third_speaker_makes_nobody_hear_anything_twice() {
    for phase_ms in (0..20).step_by(3) {
        let mut world = meeting();
        world.talk(2);
        world.run_ms(1000 + phase_ms);
        let before = heard_of_one(&world, 2).len();
        world.talk(3);
        world.run_ms(400);
        world.hush(3);
        world.run_ms(700);
        let heard = heard_of_one(&world, 2);
        assert!(heard.len() > before + 40);
        // From passing on to mixing the delay grows, so a tick may be without speaker 1; frames
        // themselves come once each, apart from a mix that carries none of speaker 1.
        let distinct: BTreeSet<_> = heard.iter().collect();
        assert_eq!(distinct.len(), heard.len());
        assert!(heard.is_sorted());
        let (first, last) = (heard[0], heard[heard.len() - 1]);
        assert_eq!((last - first) / 20_000 + 1, heard.len() as u64, "nothing left out");
    }
}

#[test]
fn an_onset_is_not_clipped_by_the_mix() {
    let mut world = meeting();
    world.run_ms(500);
    // A soft start: three frames too quiet to be speech, then speech.
    let before = world.meeting.counters();
    world.terminals.get_mut(&2).unwrap().amplitude = 0.0;
    world.talk(2);
    world.run_ms(200);
    world.terminals.get_mut(&2).unwrap().amplitude = 0.2;
    world.run_ms(500);
    let after = world.meeting.counters();
    assert!(after.frames_unselected - before.frames_unselected >= 9);
    let minus_one = |d: &&Delivery| d.frame.sources.len() == 1;
    let passed = world.heard[&1].iter().filter(minus_one).count() as u64;
    // 700 ms are 35 frames; ten were quiet, and the last three of those are the onset.
    assert!((28..=29).contains(&passed), "{passed}");
}

#[test]
fn a_stream_has_one_time_base() {
    let mut world = meeting();
    world.run_ms(300);
    for (who, talks) in [(2, true), (3, true), (2, false), (3, false), (2, true), (2, false)] {
        if talks {
            world.talk(who);
        } else {
            world.hush(who);
        }
        world.run_ms(700);
    }
    for who in [1, 2, 3, 10, 11] {
        let heard = &world.heard[&who];
        let mut streams = BTreeSet::new();
        for pair in heard.windows(2) {
            let [before, after] = [&pair[0].frame, &pair[1].frame];
            if before.stream == after.stream {
                let step = after.media_time.wrapping_sub(before.media_time);
                assert_eq!(step % 960, 0, "{before:?} {after:?}");
                assert!(step > 0 && step <= 4 * 960, "{step} from {before:?} to {after:?}");
            } else if after.sources.len() > 1 {
                assert!(streams.insert(after.stream), "each mix has a stream of its own");
            }
        }
    }
}

#[test]
fn mixing_delays_a_clean_link_by_less_than_two_frames() {
    let mut world = meeting();
    world.run_ms(100);
    world.talk(2);
    world.run_ms(2000);
    let mixed = world.heard[&10].iter().filter(|d| d.frame.sources.len() == 2);
    let delays: Vec<_> = mixed
        .filter(|delivery| delivery.frame.ingress_us != UNSTAMPED)
        .map(|delivery| delivery.at_us - delivery.frame.ingress_us)
        .collect();
    assert!(delays.len() > 80);
    let middle = median(delays);
    assert!(middle <= 30_000, "{middle} us");
}
