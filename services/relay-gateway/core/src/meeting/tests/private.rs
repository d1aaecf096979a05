//! Claims about private talk: who it reaches, and whom never.

use super::*;
use crate::talk::{SWITCH_GUARD, TALK_GUARD};

/// Sends a frame in a section; gives for whom it went up, per frame that did.
fn said(
    meeting: &mut Meeting<u32>,
    section: usize,
    frame: Voice,
    now: Instant,
) -> Result<Vec<Vec<u32>>, Dropped> {
    let mut up = Vec::new();
    let mut sent = |_: Voice, targets: &[ParticipantId]| {
        up.push(targets.iter().map(|who| who.0).collect());
    };
    meeting.handle_audio(section, frame, now, &mut sent).map(|()| up)
}

fn whisper(talker: u32, targets: &[u32], media_time: u32) -> TrackFrame {
    TrackFrame {
        targets: targets.iter().copied().map(ParticipantId).collect(),
        ..track(Track::Private(id(talker)), media_time, &[talker])
    }
}

#[test]
fn a_private_voice_goes_up_with_whom_it_is_for_and_the_floor_is_left() {
    let mut meeting = meeting(3);
    let now = Instant::now();
    assert_eq!(said(&mut meeting, PRIVATE, voice(1, 1, 5), now), Err(Dropped::NoTalk));
    assert_eq!(meeting.set_talk(id(1), &[id(3), id(7)], now), Some(now));
    assert_eq!(said(&mut meeting, PRIVATE, voice(1, 1, 5), now), Ok(vec![vec![3, 7]]));
    assert_eq!(said(&mut meeting, FLOOR, voice(1, 1, 5), now), Err(Dropped::OffFloor));
    assert_eq!(said(&mut meeting, 2, voice(1, 1, 5), now), Err(Dropped::Section));
    assert_eq!(said(&mut meeting, FLOOR, voice(2, 1, 5), now), Ok(vec![vec![]]), "others go on");
    meeting.set_talk(id(1), &[], now);
    assert_eq!(said(&mut meeting, PRIVATE, voice(1, 2, 5), now), Err(Dropped::NoTalk));
    assert_eq!(said(&mut meeting, FLOOR, voice(1, 2, 5), now), Ok(vec![vec![]]));
    assert_eq!(meeting.set_talk(id(9), &[id(1)], now), None);
}

#[test]
fn a_microphone_that_is_off_on_the_floor_is_on_in_private() {
    let mut meeting = meeting(1);
    let now = Instant::now();
    meeting.set_muted(id(1), true);
    meeting.set_talk(id(1), &[id(3)], now);
    assert_eq!(said(&mut meeting, PRIVATE, voice(1, 1, 5), now), Ok(vec![vec![3]]));
    meeting.set_talk(id(1), &[], now);
    assert_eq!(said(&mut meeting, FLOOR, voice(1, 2, 5), now), Err(Dropped::Muted));
}

#[test]
fn what_was_quietly_said_before_a_talk_does_not_come_after_it() {
    let mut meeting = meeting(1);
    let now = Instant::now();
    // Too quiet to be let through: kept, should speech follow.
    assert_eq!(said(&mut meeting, FLOOR, voice(1, 1, 100), now), Ok(vec![]));
    meeting.set_talk(id(1), &[id(3)], now);
    meeting.set_talk(id(1), &[], now);
    assert_eq!(said(&mut meeting, FLOOR, voice(1, 2, 5), now), Ok(vec![vec![]]));
}

#[test]
fn who_comes_again_talks_to_nobody_in_particular() {
    let mut meeting = meeting(1);
    let now = Instant::now();
    meeting.set_talk(id(1), &[id(3)], now);
    meeting.attach(Entry { terminal: 8, ..entry(1) }, now);
    assert_eq!(said(&mut meeting, PRIVATE, voice(1, 1, 5), now), Err(Dropped::NoTalk));
    assert_eq!(meeting.set_talk(id(1), &[id(4)], now), Some(now + TALK_GUARD), "3 is guarded");
}

#[test]
fn what_was_said_in_the_meeting_before_is_for_nobody_here() {
    let (mut left, mut entered) = (meeting(1), meeting(2));
    let start = Instant::now();
    left.set_talk(id(1), &[id(3)], start);
    let timelines = left.detach(id(1), 1).unwrap();
    entered.carry_on(id(1), timelines, start);
    let last = start + SWITCH_GUARD - Duration::from_millis(1);
    for now in [start, last] {
        assert_eq!(said(&mut entered, FLOOR, voice(1, 1, 5), now), Err(Dropped::SaidElsewhere));
        assert_eq!(said(&mut entered, PRIVATE, voice(1, 1, 5), now), Err(Dropped::SaidElsewhere));
        assert_eq!(
            said(&mut entered, FLOOR, voice(2, 1, 5), now),
            Ok(vec![vec![]]),
            "others go on"
        );
    }
    let over = start + SWITCH_GUARD;
    // A talk that was in force here already waits for the same moment.
    assert_eq!(entered.set_talk(id(1), &[id(2)], start), Some(over));
    assert_eq!(said(&mut entered, PRIVATE, voice(1, 2, 5), last), Err(Dropped::SaidElsewhere));
    assert_eq!(said(&mut entered, PRIVATE, voice(1, 2, 5), over), Ok(vec![vec![2]]));
    assert_eq!(entered.set_talk(id(1), &[], over), Some(over));
    assert_eq!(said(&mut entered, FLOOR, voice(1, 3, 5), over), Ok(vec![vec![]]));
}

#[test]
fn by_a_new_peer_connection_nothing_was_said_elsewhere() {
    let mut meeting = meeting(1);
    let now = Instant::now();
    meeting.carry_on(id(1), Timelines::new(3), now);
    meeting.restart_timelines(id(1), 3);
    assert_eq!(said(&mut meeting, FLOOR, voice(1, 1, 5), now), Ok(vec![vec![]]));
}

#[test]
fn a_flood_is_cut_in_private_too() {
    let mut meeting = meeting(1);
    let now = Instant::now();
    meeting.set_talk(id(1), &[id(3)], now);
    let sent = (0..1000).filter(|n| said(&mut meeting, PRIVATE, voice(1, *n, 5), now).is_ok());
    assert_eq!(sent.count(), FRAMES_PER_SECOND_MAX as usize);
}

#[test]
fn only_its_targets_get_a_private_voice_and_never_its_talker() {
    let mut meeting = meeting(4);
    let now = Instant::now();
    assert_eq!(receivers(&mut meeting, &whisper(9, &[2, 4, 77], 0), now), [2, 4]);
    assert_eq!(receivers(&mut meeting, &whisper(3, &[2, 3], 960), now), [2]);
    let without_source = TrackFrame { sources: vec![], ..whisper(3, &[2, 3], 1920) };
    assert_eq!(receivers(&mut meeting, &without_source, now), [2]);
    let private = Some(Track::Private(id(9)));
    meeting.set_own_room(Some(5));
    let plan = RoutePlan {
        epoch: 1,
        version: 1,
        rooms: vec![RoomPlan { room: 5, track: private }],
        exceptions: vec![ParticipantPlan { participant: id(1), track: private }],
        ..RoutePlan::default()
    };
    meeting.handle_plan(plan, now);
    assert_eq!(receivers(&mut meeting, &whisper(9, &[2], 960), now), [2], "whatever the plan says");
}

#[test]
fn a_private_voice_has_a_section_of_its_own_and_a_third_one_is_dropped() {
    let mut meeting = meeting(2);
    let now = Instant::now();
    let mut sections = |frame: TrackFrame| {
        let mut sections = Vec::new();
        let crowded = meeting.handle_track(&frame, now, &mut |exit| match exit {
            Exit::Terminal(terminal, delivery) => sections.push((terminal, delivery.section)),
            other => panic!("{other:?}"),
        });
        (sections, crowded)
    };
    assert_eq!(sections(whisper(7, &[1, 2], 0)), (vec![(1, 1), (2, 1)], 0));
    assert_eq!(sections(whisper(8, &[1], 0)), (vec![(1, 2)], 0));
    assert_eq!(sections(whisper(9, &[1, 2], 0)), (vec![(2, 2)], 1));
    assert_eq!(sections(track(Track::Common, 0, &[7])), (vec![(1, 0), (2, 0)], 0));
}

#[derive(Clone, Debug)]
enum Act {
    Talk(u32, Vec<u32>),
    Say(u32, usize, u8),
    Whispered(u32, Vec<u32>),
    Mute(u32, bool),
    Attach(u32),
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let who = || 1u32..5;
    let some = || prop::collection::vec(1u32..8, 0..4);
    prop_oneof![
        3 => (who(), some()).prop_map(|(who, targets)| Act::Talk(who, targets)),
        8 => (who(), 0usize..4, prop_oneof![Just(5u8), Just(100)])
            .prop_map(|(who, section, level)| Act::Say(who, section, level)),
        4 => (who(), some()).prop_map(|(who, targets)| Act::Whispered(who, targets)),
        1 => (who(), any::<bool>()).prop_map(|(who, muted)| Act::Mute(who, muted)),
        1 => who().prop_map(Act::Attach),
        3 => (0u64..300).prop_map(Act::Wait),
    ]
}

/// What a reader of the rules expects of one talker.
#[derive(Clone, Default)]
struct Expected {
    targets: Vec<u32>,
    /// All sets that were talked to before, and when each ended.
    ended: Vec<(Vec<u32>, Instant)>,
}

impl Expected {
    fn set(&mut self, talker: u32, mut targets: Vec<u32>, now: Instant) {
        targets.retain(|who| *who != talker);
        targets.sort_unstable();
        targets.dedup();
        if targets != self.targets {
            let ended = std::mem::replace(&mut self.targets, targets);
            if !ended.is_empty() {
                self.ended.push((ended, now));
            }
        }
    }

    /// Whether something that was meant for others may still be under way.
    fn is_guarded(&self, now: Instant) -> bool {
        let recent = |ended: &&(Vec<u32>, Instant)| now < ended.1 + TALK_GUARD;
        self.ended.iter().filter(recent).any(|(targets, _)| *targets != self.targets)
    }

    /// Checks whom packets went to that were said now.
    fn check(&self, section: usize, up: &Result<Vec<Vec<u32>>, Dropped>, now: Instant) {
        for targets in up.iter().flatten() {
            match section {
                PRIVATE => {
                    assert!(!targets.is_empty(), "said privately, heard by all");
                    assert_eq!(*targets, self.targets);
                    assert!(!self.is_guarded(now), "meant for others");
                }
                FLOOR => {
                    assert!(targets.is_empty());
                    assert!(self.targets.is_empty(), "has left the floor");
                }
                _ => panic!("nothing can be said in section {section}"),
            }
        }
        if section == PRIVATE && !self.targets.is_empty() && self.ended.is_empty() {
            assert_eq!(up.as_ref().map(Vec::len), Ok(1), "a first talk is heard");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn whatever_changes_while_packets_come_none_goes_to_whom_it_is_not_for(
        acts in prop::collection::vec(act(), 1..FRAMES_PER_SECOND_MAX as usize),
    ) {
        let mut meeting = meeting(4);
        let mut now = Instant::now();
        let mut expected = vec![Expected::default(); 5];
        for (act, sequence) in acts.into_iter().zip(0..) {
            match act {
                Act::Talk(who, targets) => {
                    let ids: Vec<_> = targets.iter().copied().map(ParticipantId).collect();
                    expected[who as usize].set(who, targets, now);
                    let from = meeting.set_talk(id(who), &ids, now).unwrap();
                    prop_assert!(from >= now && from <= now + TALK_GUARD);
                }
                Act::Attach(who) => {
                    expected[who as usize].set(who, vec![], now);
                    meeting.attach(entry(who), now);
                }
                Act::Mute(who, muted) => meeting.set_muted(id(who), muted),
                Act::Wait(ms) => now += Duration::from_millis(ms),
                Act::Say(who, section, level) => {
                    let up = said(&mut meeting, section, voice(who, sequence, level), now);
                    expected[who as usize].check(section, &up, now);
                }
                Act::Whispered(who, targets) => {
                    let frame = whisper(who, &targets, sequence * 960);
                    for terminal in receivers(&mut meeting, &frame, now) {
                        prop_assert!(targets.contains(&terminal) && terminal != who);
                    }
                }
            }
        }
    }
}
