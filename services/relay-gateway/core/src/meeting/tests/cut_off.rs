//! Claims about a relay that reaches nobody above it.

use super::*;

const CHILD: UplinkId = UplinkId(1);

/// Says something everybody hears, as the server does it. Who gets it, by terminal (0: the child).
fn say(
    meeting: &mut Meeting<u32>,
    number: u32,
    sequence: u32,
    level: u8,
    now: Instant,
) -> Vec<(Track, u32)> {
    let mut stranded = Vec::new();
    let mut up = |frame: Voice, targets: &[ParticipantId]| stranded.push((frame, targets.to_vec()));
    let frame = voice(number, sequence, level);
    match meeting.find(id(number)).and_then(|listener| listener.uplink()) {
        Some(uplink) => meeting.handle_carried(uplink, frame, &[], now, &mut up).unwrap(),
        None => meeting.handle_audio(FLOOR, frame, now, &mut up).unwrap(),
    }
    meeting.look_who_speaks(now);
    let mut got = Vec::new();
    for (frame, targets) in stranded {
        let Some(frame) = meeting.forward(frame, &targets) else { continue };
        assert_eq!(frame.sources, [id(number)]);
        meeting.handle_track(&frame, now, &mut |exit| match exit {
            Exit::Terminal(terminal, _) => got.push((frame.track, terminal)),
            Exit::Uplink(..) => got.push((frame.track, 0)),
            Exit::Later(_) => panic!("{exit:?}"),
        });
    }
    got
}

fn at(start: Instant, sequence: u32) -> Instant {
    start + Duration::from_millis(20) * sequence
}

#[test]
fn cut_off_everybody_hears_the_loudest_and_the_loudest_hears_the_next() {
    let mut meeting = meeting(4);
    let start = Instant::now();
    meeting.set_attached(false, start);
    assert!(meeting.is_cut_off());
    let mut last = Vec::new();
    for sequence in 0..50 {
        let now = at(start, sequence);
        let heard = [(1, 10), (2, 30), (3, 40)]
            .map(|(number, level)| say(&mut meeting, number, sequence, level, now));
        last = heard.concat();
    }
    let minus = Track::Minus(id(1));
    let common = |who| (Track::Common, who);
    assert_eq!(last, [common(2), common(3), common(4), (minus, 1)]);
    assert_eq!(meeting.speakers(), [id(1), id(2), id(3)]);
}

#[test]
fn a_lone_voice_is_heard_by_all_others_and_nobody_speaks_when_it_stops() {
    let mut meeting = meeting(3);
    let start = Instant::now();
    meeting.set_attached(false, start);
    assert_eq!(say(&mut meeting, 2, 0, 10, start), [(Track::Common, 1), (Track::Common, 3)]);
    assert!(meeting.look_who_speaks(start + Duration::from_secs(5)));
    assert_eq!(meeting.speakers(), []);
    assert!(!meeting.look_who_speaks(start + Duration::from_secs(5)));
}

#[test]
fn who_sits_in_a_room_with_the_loudest_hears_the_next_who_does_not() {
    let mut meeting = meeting(0);
    let start = Instant::now();
    for (number, room) in [(1, Some(5)), (2, Some(5)), (3, None), (4, Some(6)), (5, Some(5))] {
        meeting.attach(Entry { room, ..entry(number) }, start);
    }
    meeting.set_attached(false, start);
    let mut last = Vec::new();
    for sequence in 0..50 {
        let now = at(start, sequence);
        let heard = [(1, 10), (2, 30), (3, 40)]
            .map(|(number, level)| say(&mut meeting, number, sequence, level, now));
        last = heard.concat();
    }
    let minus = Track::Minus(id(1));
    let expected = [(Track::Common, 3), (Track::Common, 4), (minus, 1), (minus, 2), (minus, 5)];
    assert_eq!(last, expected);
}

#[test]
fn private_talk_reaches_those_behind_this_relay() {
    let mut meeting = meeting(3);
    let now = Instant::now();
    meeting.attach(Entry { uplink: Some(CHILD), ..entry(11) }, now);
    meeting.set_attached(false, now);
    meeting.set_talk(id(1), &[id(2), id(11), id(99)], now);
    let mut stranded = Vec::new();
    let mut up = |frame: Voice, targets: &[ParticipantId]| stranded.push((frame, targets.to_vec()));
    meeting.handle_audio(PRIVATE, voice(1, 1, 5), now, &mut up).unwrap();
    meeting.look_who_speaks(now);
    let (frame, targets) = stranded.remove(0);
    let frame = meeting.forward(frame, &targets).unwrap();
    let mut got = Vec::new();
    meeting.handle_track(&frame, now, &mut |exit| match exit {
        Exit::Terminal(terminal, delivery) => got.push((terminal, delivery.section as u32)),
        Exit::Uplink(_, targets) => got.push((0, targets[0].0)),
        Exit::Later(_) => panic!("{exit:?}"),
    });
    assert_eq!(got, [(0, 11), (2, PRIVATE as u32)]);
}

#[test]
fn a_relay_behind_it_is_told_a_plan_that_splits_what_it_gets() {
    let mut meeting = meeting(1);
    let start = Instant::now();
    for number in [11, 12] {
        meeting.attach(Entry { uplink: Some(CHILD), ..entry(number) }, start);
    }
    meeting.handle_plan(RoutePlan { epoch: 4, version: 7, ..RoutePlan::default() }, start);
    meeting.set_attached(false, start);
    let mut child = Meeting::new(SelectionConfig::default());
    for number in [11, 12] {
        child.attach(entry(number), start);
    }
    let mut last = Vec::new();
    for sequence in 0..50 {
        let now = at(start, sequence);
        last = say(&mut meeting, 11, sequence, 10, now);
        last.extend(say(&mut meeting, 1, sequence, 40, now));
    }
    let minus = Track::Minus(id(11));
    assert_eq!(last, [(Track::Common, 0), (Track::Common, 1), (minus, 0)]);
    assert!(child.replace_plan(meeting.plan_for(CHILD), start));
    assert_eq!(child.epoch(), 4);
    let now = at(start, 50);
    assert_eq!(receivers(&mut child, &track(Track::Common, 0, &[11]), now), [12]);
    assert_eq!(receivers(&mut child, &track(minus, 0, &[1]), now), [11]);
    // The mixer's plan is in force again, here and there.
    meeting.set_attached(true, now);
    let plan = meeting.plan_for(CHILD);
    assert_eq!((plan.epoch, plan.version, plan.exceptions.len()), (4, 7, 0));
    assert!(child.replace_plan(plan, now));
}

#[test]
fn attached_again_nothing_is_passed_on_and_the_timeline_goes_on() {
    let mut meeting = meeting(2);
    let start = Instant::now();
    let placed = |meeting: &mut Meeting<u32>, frame: &TrackFrame, now| {
        let mut placed = Vec::new();
        meeting.handle_track(frame, now, &mut |exit| match exit {
            Exit::Terminal(_, delivery) => placed.push(delivery.placement.media_time),
            other => panic!("{other:?}"),
        });
        placed
    };
    assert_eq!(placed(&mut meeting, &track(Track::Common, 9_600, &[2, 9]), start), [0]);
    meeting.set_attached(false, start);
    for sequence in 1..10 {
        let now = at(start, sequence);
        assert_eq!(say(&mut meeting, 2, sequence, 10, now), [(Track::Common, 1)]);
    }
    let now = at(start, 10);
    meeting.set_attached(true, now);
    assert!(!meeting.is_cut_off() && !meeting.look_who_speaks(now));
    assert!(meeting.forward(voice(2, 11, 10), &[]).is_none());
    // The mixer's stream has the same number, and an older time than before.
    let times = placed(&mut meeting, &track(Track::Common, 960, &[2, 9]), now);
    assert_eq!(times, [960 * 10]);
}

#[test]
fn a_new_peer_connection_of_a_speaker_is_another_stream() {
    let mut meeting = meeting(2);
    let start = Instant::now();
    meeting.set_attached(false, start);
    let mut stream = |sequence: u32, media_time: u32| {
        let now = at(start, sequence);
        let mut stranded = None;
        let mut up = |frame: Voice, _: &[ParticipantId]| stranded = Some(frame);
        let frame = Voice { media_time, ..voice(1, sequence, 10) };
        meeting.handle_audio(FLOOR, frame, now, &mut up).unwrap();
        meeting.look_who_speaks(now);
        meeting.forward(stranded.unwrap(), &[]).unwrap().stream
    };
    let first = stream(1, u32::MAX - 959);
    assert_eq!(stream(2, 0), first, "over the wrap");
    assert_eq!(stream(3, 960 * 5), first);
    assert_eq!(stream(4, 960 * 4), first, "late");
    assert_eq!(stream(5, 960 * 6), first);
    let second = stream(6, 3_000_000_000);
    assert_ne!(second, first);
    assert_eq!(stream(7, 3_000_000_960), second);
}

proptest! {
    #[test]
    fn cut_off_nobody_hears_themselves_or_their_room_and_at_most_one_voice(
        rooms in prop::collection::vec(prop::option::of(1u32..3), 6),
        levels in prop::collection::vec(prop::collection::vec(0u8..127, 6), 1..60),
    ) {
        let mut meeting = meeting(0);
        let start = Instant::now();
        for (number, room) in (1..).zip(&rooms) {
            meeting.attach(Entry { room: *room, ..entry(number) }, start);
        }
        meeting.set_attached(false, start);
        for (sequence, levels) in (0..).zip(levels) {
            let now = at(start, sequence);
            let before = meeting.speakers().to_vec();
            let mut heard: Vec<Vec<u32>> = vec![Vec::new(); 7];
            let mut steady = true;
            for (number, level) in (1..).zip(levels) {
                for (_, listener) in say(&mut meeting, number, sequence, level, now) {
                    prop_assert_ne!(listener, number);
                    let room = |who: u32| rooms[who as usize - 1];
                    prop_assert!(room(number).is_none() || room(listener) != room(number));
                    heard[listener as usize].push(number);
                }
                steady &= meeting.speakers() == before;
            }
            if steady {
                for voices in &mut heard {
                    voices.dedup();
                    prop_assert!(voices.len() <= 1, "{:?}", voices);
                }
            }
        }
    }
}
