//! Claims about one meeting at one relay.

use proptest::prelude::*;

use std::time::Duration;

use bytes::Bytes;

use super::{listener::FRAMES_PER_SECOND_MAX, *};
use crate::{
    egress::Placement,
    route::{ParticipantPlan, RoomPlan, TrackFrame},
    timelines::{FLOOR, PRIVATE},
};

mod carried;
mod cut_off;
mod private;

fn id(number: u32) -> ParticipantId {
    ParticipantId(number)
}

fn entry(number: u32) -> Entry<u32> {
    Entry { participant: id(number), terminal: number, muted: false, room: None, uplink: None }
}

fn meeting(participants: u32) -> Meeting<u32> {
    meeting_in(None, participants)
}

fn meeting_in(room: Option<u32>, participants: u32) -> Meeting<u32> {
    let mut meeting = Meeting::new(SelectionConfig::default());
    for number in 1..=participants {
        meeting.attach(Entry { room, ..entry(number) }, Instant::now());
        meeting.restart_timelines(id(number), 3);
    }
    meeting
}

fn track(track: Track, media_time: u32, sources: &[u32]) -> TrackFrame {
    TrackFrame {
        track,
        stream: 1,
        media_time,
        sources: sources.iter().copied().map(ParticipantId).collect(),
        targets: vec![],
        level: 20,
        payload: Bytes::from_static(b"opus"),
    }
}

fn receivers(meeting: &mut Meeting<u32>, frame: &TrackFrame, now: Instant) -> Vec<u32> {
    let mut receivers = Vec::new();
    meeting.handle_track(frame, now, &mut |exit| match exit {
        Exit::Terminal(terminal, _) => receivers.push(terminal),
        other => panic!("{other:?}"),
    });
    receivers
}

fn voice(number: u32, sequence: u32, level: u8) -> Voice {
    Voice {
        participant: id(number),
        sequence,
        media_time: sequence * 960,
        level,
        ingress_us: 0,
        payload: Bytes::from_static(b"opus"),
    }
}

#[test]
fn without_a_plan_everybody_but_the_sources_hears_the_common_track() {
    let mut meeting = meeting(4);
    let now = Instant::now();
    assert_eq!(receivers(&mut meeting, &track(Track::Common, 0, &[2]), now), [1, 3, 4]);
}

#[test]
fn a_plan_gives_exceptions_their_own_track_and_takes_the_common_one_away() {
    let mut meeting = meeting(3);
    let now = Instant::now();
    let plan = RoutePlan {
        epoch: 1,
        version: 1,
        speakers: vec![id(1), id(9)],
        exceptions: vec![ParticipantPlan { participant: id(1), track: Some(Track::Minus(id(1))) }],
        ..RoutePlan::default()
    };
    assert!(meeting.handle_plan(plan, now));
    assert_eq!(receivers(&mut meeting, &track(Track::Common, 0, &[1, 9]), now), [2, 3]);
    assert_eq!(receivers(&mut meeting, &track(Track::Minus(id(1)), 0, &[9]), now), [1]);
}

#[test]
fn an_older_plan_or_epoch_changes_nothing() {
    let mut meeting = meeting(1);
    let now = Instant::now();
    let plan = |epoch, version, speakers: &[u32]| RoutePlan {
        epoch,
        version,
        speakers: speakers.iter().copied().map(ParticipantId).collect(),
        ..RoutePlan::default()
    };
    assert!(meeting.handle_plan(plan(5, 3, &[1]), now));
    assert!(!meeting.handle_plan(plan(5, 2, &[2]), now));
    assert!(!meeting.handle_plan(plan(4, 9, &[3]), now));
    assert!(!meeting.admit_epoch(4, now));
    assert_eq!(meeting.speakers(), [id(1)]);
    assert!(meeting.handle_plan(plan(6, 1, &[4]), now));
}

#[test]
fn a_muted_participants_voice_does_not_go_up() {
    let mut meeting = meeting(1);
    meeting.set_muted(id(1), true);
    let mut up = 0;
    let result = meeting.handle_audio(FLOOR, voice(1, 1, 5), Instant::now(), &mut |_, _| up += 1);
    assert_eq!((result, up), (Err(Dropped::Muted), 0));
}

#[test]
fn only_the_loudest_voices_go_up_and_a_flood_is_cut() {
    let mut meeting = meeting(6);
    let start = Instant::now();
    let mut up = std::collections::BTreeSet::new();
    for sequence in 0..50 {
        let now = start + Duration::from_millis(u64::from(sequence) * 20);
        for number in 1..=6 {
            meeting
                .handle_audio(FLOOR, voice(number, sequence, 20), now, &mut |f, _| {
                    up.insert(f.participant);
                })
                .unwrap();
        }
    }
    assert_eq!(up.len(), SelectionConfig::default().voices_max);
    let flooded = (0..1000)
        .filter(|n| meeting.handle_audio(FLOOR, voice(1, *n, 20), start, &mut |_, _| ()).is_err())
        .count();
    assert!(flooded >= 800, "{flooded}");
}

#[test]
fn who_is_doubted_by_the_plan_loses_the_slot_to_who_speaks() {
    let mut meeting = meeting(4);
    let start = Instant::now();
    let heard = |sequences: std::ops::Range<u32>, meeting: &mut Meeting<u32>| {
        let mut up = std::collections::BTreeSet::new();
        for sequence in sequences {
            let now = start + Duration::from_millis(u64::from(sequence) * 20);
            for (number, level) in [(1, 0), (2, 0), (3, 0), (4, 25)] {
                let mut sent = |frame: Voice, _: &[ParticipantId]| {
                    up.insert((frame.participant.0, frame.level));
                };
                meeting
                    .handle_audio(FLOOR, voice(number, sequence, level), now, &mut sent)
                    .unwrap();
            }
        }
        up
    };
    let liars = [(1, 0), (2, 0), (3, 0)];
    assert_eq!(heard(0..50, &mut meeting), liars.into());
    let doubts = vec![(id(1), 90), (id(2), 90), (id(3), 90)];
    meeting.handle_plan(RoutePlan { epoch: 1, version: 1, doubts, ..RoutePlan::default() }, start);
    heard(50..150, &mut meeting);
    assert_eq!(heard(150..200, &mut meeting), [(4, 25)].into());
}

#[test]
fn the_track_of_a_room_is_for_everybody_in_it_but_the_exceptions() {
    let mut meeting = meeting_in(Some(5), 3);
    let now = Instant::now();
    meeting.attach(entry(4), now);
    let exceptions = vec![ParticipantPlan { participant: id(2), track: None }];
    let rooms = vec![
        RoomPlan { room: 5, track: Some(Track::Room(5)) },
        RoomPlan { room: 6, track: Some(Track::Room(6)) },
    ];
    let plan = RoutePlan { epoch: 1, version: 1, rooms, exceptions, ..RoutePlan::default() };
    meeting.handle_plan(plan, now);
    assert_eq!(receivers(&mut meeting, &track(Track::Common, 0, &[9]), now), [4]);
    assert_eq!(receivers(&mut meeting, &track(Track::Room(5), 0, &[9]), now), [1, 3]);
    assert_eq!(receivers(&mut meeting, &track(Track::Room(6), 0, &[9]), now), []);
}

#[test]
fn in_a_room_nobody_gets_what_somebody_in_the_room_says_even_without_a_plan() {
    let mut meeting = meeting_in(Some(5), 3);
    let now = Instant::now();
    meeting.attach(entry(4), now);
    meeting.attach(Entry { room: Some(6), ..entry(5) }, now);
    let room =
        |room, who: &[u32]| Room { room, participants: who.iter().map(|n| id(*n)).collect() };
    assert_eq!(meeting.needs().rooms, [room(5, &[1, 2, 3]), room(6, &[5])]);
    assert_eq!(receivers(&mut meeting, &track(Track::Common, 0, &[2]), now), [4, 5]);
    assert_eq!(receivers(&mut meeting, &track(Track::Common, 960, &[2, 5, 9]), now), [4]);
    assert_eq!(receivers(&mut meeting, &track(Track::Common, 1920, &[8]), now), [1, 2, 3, 4, 5]);
    assert_eq!(receivers(&mut meeting, &track(Track::Common, 2880, &[4]), now), [1, 2, 3, 5]);
    let whisper = TrackFrame { targets: vec![id(1)], ..track(Track::Private(id(2)), 0, &[2]) };
    assert_eq!(receivers(&mut meeting, &whisper, now), [1], "what is for one is for one");
    meeting.set_own_room(None);
    assert!(meeting.needs().rooms.is_empty());
    assert_eq!(receivers(&mut meeting, &track(Track::Common, 3840, &[2]), now), [1, 3, 4, 5]);
}

#[test]
fn what_comes_late_goes_on_with_the_timeline() {
    let mut meeting = meeting(2);
    let now = Instant::now();
    meeting.set_late(id(1), true);
    let exits = |meeting: &mut Meeting<u32>, time| {
        let mut exits = Vec::new();
        meeting.handle_track(&track(Track::Common, time, &[9]), now, &mut |exit| match exit {
            Exit::Terminal(who, at) => exits.push((who, Some(at.placement.media_time))),
            Exit::Later(who) => exits.push((who, None)),
            Exit::Uplink(..) => panic!("{exit:?}"),
        });
        exits
    };
    assert_eq!(exits(&mut meeting, 5_000), [(1, None), (2, Some(0))]);
    assert_eq!(exits(&mut meeting, 5_960), [(1, None), (2, Some(960))]);
    let mut late = |time| meeting.place_late(id(1), Track::Common, (1, time), now);
    assert_eq!(late(5_000).unwrap().placement.media_time, 0);
    assert_eq!(late(5_960).unwrap().placement.media_time, 960);
    assert_eq!(late(5_960), None, "sent already");
    meeting.set_late(id(1), false);
    assert_eq!(exits(&mut meeting, 6_920), [(1, Some(1_920)), (2, Some(1_920))]);
}

#[test]
fn another_rule_of_selection_is_in_force_at_once() {
    let mut meeting = meeting(3);
    let now = Instant::now();
    meeting.select(SelectionConfig { voices_max: 1, ..SelectionConfig::default() });
    let mut up = Vec::new();
    for number in 1..=3 {
        let mut sent = |frame: Voice, _: &[ParticipantId]| up.push(frame.participant);
        meeting.handle_audio(FLOOR, voice(number, 1, 20), now, &mut sent).unwrap();
    }
    assert_eq!(up, [id(1)]);
}

#[test]
fn timelines_go_on_in_the_next_meeting() {
    let now = Instant::now();
    let placed = |meeting: &mut Meeting<u32>, media_time, now| {
        let mut placements = Vec::new();
        let frame = track(Track::Common, media_time, &[9]);
        meeting.handle_track(&frame, now, &mut |exit| match exit {
            Exit::Terminal(_, delivery) => placements.push(delivery),
            other => panic!("{other:?}"),
        });
        placements
    };
    let (mut here, mut there) = (meeting(1), meeting(0));
    placed(&mut here, 7_000, now);
    placed(&mut here, 7_960, now);
    assert!(here.detach(id(1), 77).is_none(), "that is another terminal");
    let timelines = here.detach(id(1), 1).unwrap();
    let later = now + Duration::from_millis(60);
    there.attach(entry(4), later);
    there.carry_on(id(4), timelines, now);
    let placement = Placement { media_time: 960 + 2880, talkspurt_start: false };
    assert_eq!(placed(&mut there, 5, later), [Delivery { section: FLOOR, placement }]);
    assert!(here.is_empty());
}

proptest! {
    #[test]
    fn nobody_ever_gets_a_frame_they_can_be_heard_in(
        sources in prop::collection::vec(1u32..8, 0..4),
        exceptions in prop::collection::vec((1u32..8, any::<bool>()), 0..8),
        minus in 1u32..8,
    ) {
        let mut meeting = meeting(7);
        let now = Instant::now();
        let exceptions = exceptions
            .into_iter()
            .map(|(number, silent)| ParticipantPlan {
                participant: id(number),
                track: (!silent).then_some(Track::Minus(id(minus))),
            })
            .collect();
        let plan = RoutePlan { epoch: 1, version: 1, exceptions, ..RoutePlan::default() };
        meeting.handle_plan(plan, now);
        for which in [Track::Common, Track::Minus(id(minus))] {
            for got in receivers(&mut meeting, &track(which, 0, &sources), now) {
                prop_assert!(!sources.contains(&got));
            }
        }
    }
}
