//! Claims about participants behind attached relays.

use super::*;

const EAST: UplinkId = UplinkId(1);
const WEST: UplinkId = UplinkId(2);

fn behind(uplink: UplinkId, number: u32) -> Entry<u32> {
    Entry { uplink: Some(uplink), ..entry(number) }
}

/// 1 and 2 at terminals here, 11 and 12 behind one relay, 21 and 22 behind another.
fn world() -> Meeting<u32> {
    let mut meeting = meeting(2);
    for (uplink, numbers) in [(EAST, [11, 12]), (WEST, [21, 22])] {
        for number in numbers {
            meeting.attach(behind(uplink, number), Instant::now());
        }
    }
    meeting
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Out {
    terminals: Vec<u32>,
    uplinks: Vec<(UplinkId, Vec<u32>)>,
}

fn out(meeting: &mut Meeting<u32>, frame: &TrackFrame) -> Out {
    let mut out = Out::default();
    meeting.handle_track(frame, Instant::now(), &mut |exit| match exit {
        Exit::Terminal(terminal, _) => out.terminals.push(terminal),
        Exit::Uplink(uplink, targets) => {
            out.uplinks.push((uplink, targets.iter().map(|target| target.0).collect()));
        }
        Exit::Later(_) => panic!("{exit:?}"),
    });
    out.uplinks.sort();
    out
}

fn said(
    meeting: &mut Meeting<u32>,
    uplink: UplinkId,
    frame: Voice,
    targets: &[u32],
) -> Result<Vec<(u32, Vec<u32>)>, Dropped> {
    let targets: Vec<_> = targets.iter().copied().map(ParticipantId).collect();
    let mut up = Vec::new();
    let mut sent = |frame: Voice, targets: &[ParticipantId]| {
        up.push((frame.participant.0, targets.iter().map(|target| target.0).collect()));
    };
    let now = Instant::now();
    meeting.handle_carried(uplink, frame, &targets, now, &mut sent).map(|()| up)
}

#[test]
fn a_track_goes_to_an_uplink_once_however_many_are_behind_it() {
    let mut meeting = world();
    let got = out(&mut meeting, &track(Track::Common, 0, &[9]));
    let both = vec![(EAST, vec![]), (WEST, vec![])];
    assert_eq!(got, Out { terminals: vec![1, 2], uplinks: both.clone() });
    // Somebody behind it may hear it who is not the source.
    assert_eq!(out(&mut meeting, &track(Track::Common, 960, &[11])).uplinks, both);
    let got = out(&mut meeting, &track(Track::Common, 1920, &[11, 12]));
    assert_eq!(got.uplinks, [(WEST, vec![])]);
    meeting.detach(id(21), 21);
    meeting.detach(id(22), 22);
    assert_eq!(out(&mut meeting, &track(Track::Common, 2880, &[11, 12])).uplinks, []);
}

#[test]
fn an_uplink_gets_the_tracks_that_somebody_behind_it_is_to_hear() {
    let mut meeting = world();
    let exceptions = vec![
        ParticipantPlan { participant: id(11), track: Some(Track::Minus(id(11))) },
        ParticipantPlan { participant: id(12), track: None },
    ];
    let plan = RoutePlan { epoch: 1, version: 1, exceptions, ..RoutePlan::default() };
    meeting.handle_plan(plan, Instant::now());
    let got = out(&mut meeting, &track(Track::Common, 0, &[11, 9]));
    assert_eq!(got, Out { terminals: vec![1, 2], uplinks: vec![(WEST, vec![])] });
    let got = out(&mut meeting, &track(Track::Minus(id(11)), 0, &[9]));
    assert_eq!(got, Out { terminals: vec![], uplinks: vec![(EAST, vec![])] });
    assert_eq!(out(&mut meeting, &track(Track::Minus(id(9)), 0, &[11])), Out::default());
}

fn audiences(meeting: &mut Meeting<u32>, frame: &TrackFrame) -> Vec<(UplinkId, u64)> {
    let mut found = Vec::new();
    meeting.audiences(frame, &mut |uplink, people| found.push((uplink, people)));
    found.sort();
    found
}

#[test]
fn an_audience_is_counted_by_who_gets_a_frame_and_not_by_who_is_there() {
    let mut meeting = world();
    let common = |sources: &[u32]| track(Track::Common, 0, sources);
    assert_eq!(audiences(&mut meeting, &common(&[9])), [(EAST, 2), (WEST, 2)]);
    // Nobody gets what they have said.
    assert_eq!(audiences(&mut meeting, &common(&[11, 21, 22])), [(EAST, 1)]);
    let exceptions = vec![
        ParticipantPlan { participant: id(11), track: Some(Track::Minus(id(11))) },
        ParticipantPlan { participant: id(12), track: None },
    ];
    let plan = RoutePlan { epoch: 1, version: 1, exceptions, ..RoutePlan::default() };
    meeting.handle_plan(plan, Instant::now());
    assert_eq!(audiences(&mut meeting, &common(&[9])), [(WEST, 2)]);
    let minus = track(Track::Minus(id(11)), 0, &[9]);
    assert_eq!(audiences(&mut meeting, &minus), [(EAST, 1)]);
    let mut whisper = track(Track::Private(id(1)), 0, &[1]);
    whisper.targets = [2, 12, 21, 22].map(id).to_vec();
    assert_eq!(audiences(&mut meeting, &whisper), [(EAST, 1), (WEST, 2)]);
}

#[test]
fn an_uplink_is_told_of_private_targets_behind_it_only() {
    let mut meeting = world();
    let whisper = |targets: &[u32]| TrackFrame {
        targets: targets.iter().copied().map(ParticipantId).collect(),
        ..track(Track::Private(id(9)), 0, &[9])
    };
    let got = out(&mut meeting, &whisper(&[2, 12, 21, 22, 77]));
    let uplinks = vec![(EAST, vec![12]), (WEST, vec![21, 22])];
    assert_eq!(got, Out { terminals: vec![2], uplinks });
    assert_eq!(out(&mut meeting, &whisper(&[77])), Out::default());
    let own = TrackFrame { sources: vec![id(11)], ..whisper(&[11, 12]) };
    let own = TrackFrame { track: Track::Private(id(11)), ..own };
    assert_eq!(out(&mut meeting, &own).uplinks, [(EAST, vec![12])], "never its talker");
}

#[test]
fn a_room_behind_an_uplink_does_not_hear_itself_and_others_behind_it_hear_the_room() {
    let mut meeting = world();
    let now = Instant::now();
    for number in [11, 12] {
        meeting.attach(Entry { room: Some(7), ..behind(EAST, number) }, now);
    }
    assert_eq!(out(&mut meeting, &track(Track::Common, 0, &[12])).uplinks, [(WEST, vec![])]);
    meeting.attach(behind(EAST, 13), now);
    let got = out(&mut meeting, &track(Track::Common, 960, &[12]));
    assert_eq!(got.uplinks, [(EAST, vec![]), (WEST, vec![])]);
    let rooms = vec![RoomPlan { room: 7, track: Some(Track::Room(7)) }];
    meeting.handle_plan(RoutePlan { epoch: 1, version: 1, rooms, ..<_>::default() }, now);
    let got = out(&mut meeting, &track(Track::Room(7), 960, &[2]));
    assert_eq!(got, Out { terminals: vec![], uplinks: vec![(EAST, vec![])] });
    assert_eq!(meeting.needs().rooms.len(), 1);
}

#[test]
fn a_plan_for_an_uplink_is_about_those_behind_it() {
    let mut meeting = world();
    let now = Instant::now();
    meeting.attach(Entry { room: Some(7), ..behind(EAST, 13) }, now);
    meeting.attach(Entry { room: Some(8), ..behind(WEST, 23) }, now);
    let exception = |number| ParticipantPlan { participant: id(number), track: None };
    let room = |room| RoomPlan { room, track: Some(Track::Room(room)) };
    let plan = RoutePlan {
        epoch: 3,
        version: 9,
        speakers: vec![id(1), id(21)],
        exceptions: vec![exception(1), exception(12), exception(21)],
        rooms: vec![room(7), room(8)],
        doubts: vec![(id(2), 10), (id(11), 20), (id(22), 30)],
    };
    meeting.handle_plan(plan.clone(), now);
    let expected = RoutePlan {
        exceptions: vec![exception(12)],
        rooms: vec![room(7)],
        doubts: vec![(id(11), 20)],
        ..plan.clone()
    };
    assert_eq!(meeting.plan_for(EAST), expected);
    let nothing = RoutePlan { exceptions: vec![], rooms: vec![], doubts: vec![], ..plan };
    assert_eq!(meeting.plan_for(UplinkId(99)), nothing);
}

#[test]
fn plans_of_a_parent_replace_each_other_whatever_their_version() {
    let mut meeting = world();
    let now = Instant::now();
    let plan = |epoch, version, speaker| RoutePlan {
        epoch,
        version,
        speakers: vec![id(speaker)],
        ..RoutePlan::default()
    };
    for (epoch, version, speaker) in [(5, 3, 1), (5, 3, 2), (5, 2, 3)] {
        assert!(meeting.replace_plan(plan(epoch, version, speaker), now));
        assert_eq!(meeting.speakers(), [id(speaker)]);
    }
    assert!(!meeting.replace_plan(plan(4, 9, 4), now), "a mixer that no longer owns the meeting");
    assert_eq!(meeting.speakers(), [id(3)]);
}

#[test]
fn a_voice_is_heard_by_the_uplink_only_that_carries_the_participant() {
    let mut meeting = world();
    let open = |number: u32| Ok(vec![(number, vec![])]);
    assert_eq!(said(&mut meeting, EAST, voice(11, 1, 5), &[]), open(11));
    for (uplink, number) in [(WEST, 11), (UplinkId(3), 11), (EAST, 1)] {
        let dropped = said(&mut meeting, uplink, voice(number, 2, 5), &[]);
        assert_eq!(dropped, Err(Dropped::Foreign));
    }
    assert_eq!(said(&mut meeting, EAST, voice(77, 2, 5), &[]), Err(Dropped::Unknown));
    let local = meeting.handle_audio(FLOOR, voice(11, 2, 5), Instant::now(), &mut |_, _| ());
    assert_eq!(local, Err(Dropped::Foreign));
    // It moves to the other uplink, and then to a terminal here.
    meeting.attach(behind(WEST, 11), Instant::now());
    assert_eq!(said(&mut meeting, WEST, voice(11, 3, 5), &[]), open(11));
    assert_eq!(said(&mut meeting, EAST, voice(11, 4, 5), &[]), Err(Dropped::Foreign));
    meeting.attach(entry(11), Instant::now());
    assert_eq!(said(&mut meeting, WEST, voice(11, 5, 5), &[]), Err(Dropped::Foreign));
    let got = out(&mut meeting, &track(Track::Common, 0, &[9]));
    assert_eq!(got.terminals, [1, 2, 11]);
}

#[test]
fn a_carried_voice_passes_the_same_checks() {
    let mut meeting = world();
    meeting.set_muted(id(11), true);
    assert_eq!(said(&mut meeting, EAST, voice(11, 1, 5), &[]), Err(Dropped::Muted));
    meeting.set_muted(id(11), false);
    let dropped = (0..FRAMES_PER_SECOND_MAX + 100)
        .filter(|n| said(&mut meeting, EAST, voice(11, *n, 5), &[]) == Err(Dropped::Flood));
    assert!(dropped.count() >= 100);
    // The K loudest of all, wherever they are.
    let mut meeting = world();
    let mut up = std::collections::BTreeSet::new();
    let now = Instant::now();
    for number in [1, 2] {
        let sent = &mut |frame: Voice, _: &[ParticipantId]| {
            up.insert(frame.participant.0);
        };
        meeting.handle_audio(FLOOR, voice(number, 1, 20), now, sent).unwrap();
    }
    for (uplink, number) in [(EAST, 11), (EAST, 12), (WEST, 21), (WEST, 22)] {
        let sent = said(&mut meeting, uplink, voice(number, 1, 20), &[]).unwrap();
        up.extend(sent.iter().map(|(who, _)| *who));
    }
    assert_eq!(up.len(), SelectionConfig::default().voices_max);
}

#[test]
fn what_is_carried_privately_is_for_just_those_that_are_talked_to_now() {
    let mut meeting = world();
    let now = Instant::now();
    assert_eq!(said(&mut meeting, EAST, voice(11, 1, 5), &[1]), Err(Dropped::NoTalk));
    assert_eq!(meeting.set_talk(id(11), &[id(21), id(1)], now), Some(now));
    assert_eq!(said(&mut meeting, EAST, voice(11, 2, 5), &[1, 21]), Ok(vec![(11, vec![1, 21])]));
    for others in [&[1][..], &[1, 2, 21], &[22]] {
        assert_eq!(said(&mut meeting, EAST, voice(11, 3, 5), others), Err(Dropped::NoTalk));
    }
    assert_eq!(said(&mut meeting, EAST, voice(11, 4, 5), &[]), Err(Dropped::OffFloor));
    assert_eq!(said(&mut meeting, WEST, voice(11, 4, 5), &[1, 21]), Err(Dropped::Foreign));
    // Another set is in force at once: what is still under way says that it is for the former.
    assert_eq!(meeting.set_talk(id(11), &[id(2)], now), Some(now));
    assert_eq!(said(&mut meeting, EAST, voice(11, 5, 5), &[1, 21]), Err(Dropped::NoTalk));
    assert_eq!(said(&mut meeting, EAST, voice(11, 6, 5), &[2]), Ok(vec![(11, vec![2])]));
}

/// What the relays behind this one do with what they get: the same as this one.
fn child(numbers: &[u32], plan: RoutePlan) -> Meeting<u32> {
    let mut meeting = Meeting::new(SelectionConfig::default());
    for number in numbers {
        meeting.attach(entry(*number), Instant::now());
        meeting.restart_timelines(id(*number), 3);
    }
    meeting.replace_plan(plan, Instant::now());
    meeting
}

fn any_track() -> impl Strategy<Value = Track> {
    prop_oneof![
        Just(Track::Common),
        (1u32..9).prop_map(|who| Track::Minus(id(who))),
        (1u32..4).prop_map(Track::Room),
        (1u32..9).prop_map(|who| Track::Private(id(who))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Whether people are at terminals of one relay or behind others, they get the same.
    #[test]
    fn split_by_another_relay_everybody_gets_what_they_would_get_here(
        places in prop::collection::vec((0u64..3, prop::option::of(1u32..4)), 8),
        exceptions in prop::collection::vec((1u32..9, prop::option::of(any_track())), 0..6),
        rooms in prop::collection::vec((1u32..4, prop::option::of(any_track())), 0..4),
        which in any_track(),
        sources in prop::collection::vec(1u32..12, 1..4),
        targets in prop::collection::vec(1u32..12, 0..6),
    ) {
        let now = Instant::now();
        // A room is at one relay.
        let seat = |uplink: u64, room: Option<u32>| room.filter(|room| u64::from(*room % 3) == uplink);
        let exceptions = exceptions
            .into_iter()
            .map(|(who, track)| ParticipantPlan { participant: id(who), track })
            .collect();
        let rooms = rooms.into_iter().map(|(room, track)| RoomPlan { room, track }).collect();
        let plan = RoutePlan { epoch: 1, version: 1, exceptions, rooms, ..RoutePlan::default() };
        let private = matches!(which, Track::Private(_));
        let sources = match which {
            Track::Private(talker) => vec![talker.0],
            _ => sources,
        };
        let targets = targets.into_iter().filter(|_| private).map(ParticipantId).collect();
        let frame = TrackFrame { targets, ..track(which, 0, &sources) };

        let mut flat = Meeting::new(SelectionConfig::default());
        let mut split = Meeting::new(SelectionConfig::default());
        for (number, (uplink, room)) in (1..).zip(&places) {
            let here = Entry { room: seat(*uplink, *room), ..entry(number) };
            flat.attach(here, now);
            flat.restart_timelines(id(number), 3);
            let uplink = (*uplink > 0).then_some(UplinkId(*uplink));
            split.attach(Entry { uplink, ..here }, now);
            split.restart_timelines(id(number), 3);
        }
        flat.handle_plan(plan.clone(), now);
        split.handle_plan(plan, now);
        let expected = receivers(&mut flat, &frame, now);
        let exits = out(&mut split, &frame);
        let mut got = exits.terminals;
        for (uplink, behind) in exits.uplinks {
            let numbers: Vec<u32> = (1..)
                .zip(&places)
                .filter_map(|(number, (by, _))| (*by == uplink.0).then_some(number))
                .collect();
            prop_assert!(behind.iter().all(|target| numbers.contains(target)), "leaked");
            let mut child = child(&[], split.plan_for(uplink));
            for number in &numbers {
                let (by, room) = places[*number as usize - 1];
                child.attach(Entry { room: seat(by, room), ..entry(*number) }, now);
                child.restart_timelines(id(*number), 3);
            }
            let targets = behind.iter().copied().map(ParticipantId).collect();
            let passed = TrackFrame { targets, ..frame.clone() };
            got.extend(receivers(&mut child, &passed, now));
        }
        got.sort_unstable();
        prop_assert_eq!(&got, &expected);
        prop_assert!(got.iter().all(|who| !sources.contains(who)));
    }
}
