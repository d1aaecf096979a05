//! Who hears whom, by the sound itself.

use crate::world::World;

const TALKERS: [u32; 3] = [1, 2, 3];

fn meeting() -> World {
    let mut world = World::new();
    for (who, behind) in [(1, "a"), (2, "a"), (3, "b"), (10, "a"), (11, "b"), (12, "c")] {
        world.join(who, behind);
    }
    world
}

fn check(world: &World, talking: &[u32], since_ms: u64) {
    for who in world.terminals.keys() {
        let expected: Vec<_> = talking.iter().filter(|talker| *talker != who).copied().collect();
        let heard = world.tones_of(*who, &TALKERS, since_ms);
        assert_eq!(heard, expected, "what {who} hears");
    }
}

#[test]
fn nobody_gets_own_voice() {
    for talking in [&[1][..], &[1, 2], &[2, 3], &[1, 2, 3]] {
        let mut world = meeting();
        talking.iter().for_each(|who| world.talk(*who));
        world.run_ms(1000);
        let since_ms = world.now_ms;
        world.run_ms(1000);
        check(&world, talking, since_ms);
    }
}

#[test]
fn speakers_may_come_and_go_one_after_the_other() {
    let mut world = meeting();
    for talking in [&[1][..], &[1, 2], &[1, 2, 3], &[2, 3], &[3], &[1, 3], &[2]] {
        for who in TALKERS {
            let sending = world.terminals[&who].sending;
            if talking.contains(&who) && !sending {
                world.talk(who);
            } else if !talking.contains(&who) {
                world.hush(who);
            }
        }
        world.run_ms(1000);
        let since_ms = world.now_ms;
        world.run_ms(600);
        check(&world, talking, since_ms);
    }
}

#[test]
fn packets_of_10_40_and_60_ms_are_mixed_too() {
    for samples in [480, 1920, 2880] {
        let mut world = meeting();
        world.terminals.get_mut(&1).unwrap().samples = samples;
        TALKERS.iter().for_each(|who| world.talk(*who));
        world.run_ms(1000);
        let (since_ms, before) = (world.now_ms, world.meeting.counters());
        world.run_ms(1000);
        check(&world, &TALKERS, since_ms);
        assert_eq!(world.meeting.counters().concealed, before.concealed, "{samples} samples");
    }
}

#[test]
fn loud_talkers_do_not_wrap() {
    let mut world = meeting();
    for who in TALKERS {
        let terminal = world.terminals.get_mut(&who).unwrap();
        terminal.tone_hz = 200.0;
        terminal.amplitude = 0.99;
        world.talk(who);
    }
    world.run_ms(1000);
    let since_ms = world.now_ms;
    world.run_ms(1000);
    for listener in [1, 10] {
        let sound = world.sound_of(listener, since_ms);
        assert!(sound.len() > 40_000);
        let step = sound.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
        assert!(step < 0.2, "a wrapped sample jumps; the largest step is {step}");
        let peak = sound.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        assert!(peak > 0.5, "and it is still loud: {peak}");
    }
}

#[test]
fn stereo_is_mixed_as_mono() {
    let mut encoder =
        opus::Encoder::new(48_000, opus::Channels::Stereo, opus::Application::Audio).unwrap();
    let mut world = meeting();
    world.talk(2);
    world.talk(3);
    let mut media_time = 0_u32;
    let mut send = |world: &mut World| {
        let mut pcm = [0.0; 1920];
        for (place, pair) in pcm.chunks_mut(2).enumerate() {
            let at = (media_time as usize + place) as f32 / 48_000.0;
            let sample = 0.2 * (std::f32::consts::TAU * 650.0 * at).sin();
            pair.fill(sample);
        }
        let mut packet = [0; 1275];
        let length = encoder.encode_float(&pcm, &mut packet).unwrap();
        let frame = tributary_mixer_core::SendFrame {
            participant: tributary_identifiers::ParticipantId(1),
            sequence: media_time / 960,
            media_time,
            level: 17,
            ingress_us: 0,
            payload: bytes::Bytes::copy_from_slice(&packet[..length]),
            targets: vec![],
        };
        media_time += 960;
        let now = world.now();
        world.meeting.handle_frame(&crate::world::relay("a"), frame, now);
        world.run_ms(20);
    };
    (0..50).for_each(|_| send(&mut world));
    let since_ms = world.now_ms;
    (0..50).for_each(|_| send(&mut world));
    assert_eq!(world.tones_of(12, &TALKERS, since_ms), [1, 2, 3]);
    assert_eq!(world.tones_of(2, &TALKERS, since_ms), [1, 3]);
}
