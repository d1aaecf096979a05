//! What a bad network does to a mix, and how soon it is over.

use crate::world::{World, median};

/// Two talk, one listens.
fn meeting() -> World {
    let mut world = World::new();
    for (who, behind) in [(1, "a"), (2, "b"), (10, "a")] {
        world.join(who, behind);
    }
    world.talk(1);
    world.talk(2);
    world
}

/// Delays that look random, up to a bound.
fn scattered_ms(bound: u64) -> Vec<u64> {
    (0..97_u64).map(|n| n * n * 31 % 101 * bound / 101).collect()
}

/// From entering the relay to leaving the mixer, in the frames since a time.
fn delay_ms(world: &World, since_ms: u64) -> u64 {
    let heard = world.heard[&10].iter().filter(|d| d.at_us >= since_ms * 1000);
    median(heard.map(|d| (d.at_us - d.frame.ingress_us) / 1000).collect())
}

#[test]
fn jitter_is_absorbed() {
    for bound_ms in [20, 40, 100] {
        let mut world = meeting();
        for who in [1, 2] {
            world.delay(who, scattered_ms(bound_ms));
        }
        world.run_ms(6000);
        let (since_ms, before) = (world.now_ms, world.meeting.counters());
        world.run_ms(10_000);
        let after = world.meeting.counters();
        let concealed = after.concealed - before.concealed;
        let late = after.frames_dropped_late - before.frames_dropped_late;
        // A thousand frames were played.
        assert!(concealed <= 10, "{concealed} at {bound_ms} ms");
        assert!(late <= 5, "{late} at {bound_ms} ms");
        assert_eq!(world.tones_of(10, &[1, 2], since_ms), [1, 2]);
        let delay_ms = delay_ms(&world, since_ms);
        assert!(delay_ms <= bound_ms + 35, "{delay_ms} ms at {bound_ms} ms");
    }
}

#[test]
fn the_delay_goes_down_again_when_the_jitter_is_over() {
    let mut world = meeting();
    for who in [1, 2] {
        world.delay(who, scattered_ms(100));
    }
    world.run_ms(6000);
    assert!(delay_ms(&world, 4000) > 50);
    for who in [1, 2] {
        world.delay(who, vec![0]);
    }
    world.run_ms(25_000);
    let delay_ms = delay_ms(&world, 29_000);
    assert!(delay_ms <= 35, "{delay_ms} ms");
    assert_eq!(world.tones_of(10, &[1, 2], 29_000), [1, 2]);
}

#[test]
fn lost_packets_are_concealed_and_do_not_add_delay() {
    let mut world = meeting();
    world.terminals.get_mut(&1).unwrap().loses_every = 10;
    world.run_ms(1000);
    let (since_ms, before) = (world.now_ms, world.meeting.counters());
    world.run_ms(10_000);
    let after = world.meeting.counters();
    let concealed = after.concealed - before.concealed;
    assert!((45..=60).contains(&concealed), "{concealed} of 50 lost");
    let delay_ms = delay_ms(&world, since_ms + 8000);
    assert!(delay_ms <= 40, "{delay_ms} ms");
    assert_eq!(world.tones_of(10, &[1, 2], since_ms), [1, 2]);
}

#[test]
fn a_burst_after_an_outage_does_not_stay_as_delay() {
    let mut world = meeting();
    world.run_ms(1000);
    // Packets of 300 ms arrive together.
    let outage: Vec<u64> = (0..15).map(|n| 300 - n * 20).collect();
    world.delay(1, outage.into_iter().chain([0; 2000]).collect());
    world.run_ms(20_000);
    assert!(world.meeting.counters().frames_dropped_overflow > 0);
    let delay_ms = delay_ms(&world, 20_000);
    assert!(delay_ms <= 40, "{delay_ms} ms");
}

#[test]
fn a_jump_of_the_timestamps_is_over_within_a_second() {
    for jump in [1 << 31, 1 << 30, u32::MAX - 23_999, 24_000, 480_000, u32::MAX - 480_000] {
        let mut world = meeting();
        world.run_ms(1000);
        let terminal = world.terminals.get_mut(&1).unwrap();
        terminal.media_time = terminal.media_time.wrapping_add(jump);
        world.run_ms(1000);
        let since_ms = world.now_ms;
        world.run_ms(1000);
        assert_eq!(world.tones_of(10, &[1, 2], since_ms), [1, 2], "after a jump of {jump}");
        let delay_ms = delay_ms(&world, since_ms);
        assert!(delay_ms <= 60, "{delay_ms} ms after a jump of {jump}");
    }
}

#[test]
fn a_jump_of_a_lone_speakers_timestamps_is_another_stream() {
    let mut world = meeting();
    world.hush(2);
    world.run_ms(1000);
    let stream = world.heard[&10].last().unwrap().frame.stream;
    let terminal = world.terminals.get_mut(&1).unwrap();
    terminal.media_time = terminal.media_time.wrapping_add(1 << 31);
    world.run_ms(1000);
    assert_ne!(world.heard[&10].last().unwrap().frame.stream, stream);
    let heard: Vec<_> = world.heard[&10].iter().map(|d| &d.frame.payload).collect();
    assert_eq!(heard[heard.len() - 90..], {
        let sent = &world.terminals[&1].sent;
        sent[sent.len() - 90..].iter().collect::<Vec<_>>()
    });
}

#[test]
fn timestamps_that_stand_still_disturb_nobody_else() {
    let mut world = meeting();
    world.run_ms(500);
    for _ in 0..2000 {
        let terminal = world.terminals.get_mut(&1).unwrap();
        terminal.media_time = 42;
        world.run_ms(1);
    }
    assert_eq!(world.tones_of(10, &[2], 1500), [2]);
}
