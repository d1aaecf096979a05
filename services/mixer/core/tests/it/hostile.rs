//! Input of any shape is counted, and what comes out stays consistent.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use proptest::prelude::*;
use tributary_identifiers::{ParticipantId, RelayId};
use tributary_mixer_core::{
    Config, Destination, Meeting, Needs, Output, PlanHeld, Room, RoomPlan, RoutePlan, SendFrame,
    Sources, TARGETS_MAX, Track, TrackFrame,
};

use crate::world::{World, needs, relay, rooms};

pub fn valid_packet() -> Bytes {
    let mut encoder = tributary_audio::Encoder::voice(32_000).unwrap();
    let mut pcm = [0.0; 960];
    tributary_audio::Tone::new(440.0, -12.0).fill(&mut pcm);
    let mut packet = [0; 1275];
    let length = encoder.encode(&pcm, &mut packet).unwrap();
    Bytes::copy_from_slice(&packet[..length])
}

#[test]
fn a_flood_is_dropped_and_the_others_are_heard() {
    let mut world = World::new();
    for (who, behind) in [(1, "a"), (2, "b"), (10, "a")] {
        world.join(who, behind);
    }
    world.talk(2);
    let payload = valid_packet();
    for step in 0..2000_u32 {
        for burst in 0..5 {
            let frame = SendFrame {
                participant: ParticipantId(1),
                sequence: step,
                media_time: step * 48 + burst,
                level: 0,
                ingress_us: 0,
                payload: payload.clone(),
                targets: vec![],
            };
            let now = world.now();
            world.meeting.handle_frame(&relay("a"), frame, now);
        }
        world.run_ms(1);
    }
    let counters = world.meeting.counters();
    assert_eq!(counters.frames_dropped_flood, 10_000 - 400);
    assert!(counters.decodes < 600, "{counters:?}");
    assert_eq!(world.tones_of(10, &[2], 1000), [2]);
}

#[test]
fn three_who_claim_to_be_loud_and_are_silent_lose_their_slots_to_those_who_speak() {
    let mut world = World::new();
    for (who, behind) in [(1, "a"), (2, "a"), (3, "b"), (4, "a"), (5, "b"), (10, "b")] {
        world.join(who, behind);
    }
    for liar in [1, 2, 3] {
        let terminal = world.terminals.get_mut(&liar).unwrap();
        (terminal.amplitude, terminal.claims) = (0.0, Some(3));
        world.talk(liar);
    }
    world.run_ms(200);
    world.talk(4);
    world.talk(5);
    world.run_ms(500);
    assert_eq!(world.tones_of(10, &[4, 5], world.now_ms - 200), [] as [u32; 0], "liars have all");
    world.run_ms(2_500);
    assert_eq!(world.tones_of(10, &[4, 5], world.now_ms - 1_000), [4, 5]);
    let doubted = |relay_name| {
        let plan = &world.plans[&relay(relay_name)];
        plan.doubts.iter().map(|doubt| doubt.participant.0).collect::<Vec<_>>()
    };
    assert_eq!((doubted("a"), doubted("b")), (vec![1, 2], vec![3]));
    assert_eq!(world.meeting.counters().levels_doubted, 3);
    world.run_ms(65_000);
    let plan = &world.plans[&relay("a")];
    assert!(world.meeting.counters().levels_doubted > 3, "who goes on lying is found out again");
    assert!(plan.doubts.len() <= 2);
}

#[test]
fn the_honest_are_never_doubted() {
    let mut world = World::new();
    for (who, behind) in [(1, "a"), (2, "a"), (3, "b"), (10, "b")] {
        world.join(who, behind);
    }
    for (who, amplitude) in [(1, 0.9), (2, 0.2), (3, 0.02)] {
        world.terminals.get_mut(&who).unwrap().amplitude = amplitude;
        world.terminals.get_mut(&who).unwrap().loses_every = 7;
        world.talk(who);
    }
    world.run_ms(10_000);
    assert!(world.meeting.counters().decodes > 1_000);
    assert_eq!(world.meeting.counters().levels_doubted, 0);
}

#[test]
fn payloads_that_are_no_opus_are_counted_and_concealed() {
    let mut world = World::new();
    for (who, behind) in [(1, "a"), (2, "b"), (3, "b"), (10, "a")] {
        world.join(who, behind);
    }
    world.talk(2);
    world.talk(3);
    // Code 3 with no frame count byte; a frame count of none; too long; empty; garbage that
    // claims to be one frame.
    let long = vec![0x78; 8000];
    let payloads: [&[u8]; 5] = [&[0x7b], &[0x7b, 0], &long, &[], &[0x79, 1, 2]];
    for step in 0..500_u32 {
        let frame = SendFrame {
            participant: ParticipantId(1),
            sequence: step,
            media_time: step * 960,
            level: 0,
            ingress_us: 0,
            payload: Bytes::copy_from_slice(payloads[step as usize % payloads.len()]),
            targets: vec![],
        };
        let now = world.now();
        world.meeting.handle_frame(&relay("a"), frame, now);
        world.run_ms(20);
    }
    let counters = world.meeting.counters();
    assert!(counters.frames_dropped_malformed >= 300, "{counters:?}");
    assert!(counters.undecodable + counters.concealed > 50, "{counters:?}");
    assert_eq!(world.tones_of(10, &[2, 3], 2000), [2, 3]);
}

#[derive(Clone, Debug)]
enum Act {
    Frame {
        relay: usize,
        who: u32,
        media_time: u32,
        level: u8,
        payload: Payload,
        targets: Vec<u32>,
    },
    Needs {
        relay: usize,
        participants: Vec<u32>,
        /// Participants and the numbers of their rooms, some of them wrong.
        seats: Vec<(u32, u32)>,
        held: (u64, u64),
    },
    Tick,
    Timeout,
    Wait(u64),
}

#[derive(Clone, Debug)]
enum Payload {
    Valid,
    Random(Vec<u8>),
}

fn media_time() -> impl Strategy<Value = u32> {
    prop_oneof![8 => (0..200_u32).prop_map(|n| n * 960), 1 => any::<u32>()]
}

fn payload() -> impl Strategy<Value = Payload> {
    prop_oneof![
        4 => Just(Payload::Valid),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Payload::Random),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let level = prop_oneof![0..60_u8, any::<u8>()];
    let targets = prop_oneof![
        4 => Just(Vec::new()),
        2 => prop::collection::vec(0..12_u32, 1..8),
        1 => prop::collection::vec(0..12_u32, 30..36),
    ];
    let frame = (0..3_usize, 0..8_u32, media_time(), level, payload(), targets);
    let held = (6..9_u64, 0..20_u64);
    let seats = prop::collection::vec((0..8_u32, 0..4_u32), 0..6);
    let needs = (0..3_usize, prop::collection::vec(0..8_u32, 0..6), seats, held);
    prop_oneof![
        8 => frame.prop_map(|(relay, who, media_time, level, payload, targets)| Act::Frame {
            relay, who, media_time, level, payload, targets
        }),
        1 => needs.prop_map(|(relay, participants, seats, held)| Act::Needs {
            relay, participants, seats, held
        }),
        3 => Just(Act::Tick),
        1 => Just(Act::Timeout),
        2 => (0..200_u64).prop_map(Act::Wait),
    ]
}

/// What a reader of the outputs knows.
#[derive(Default)]
struct Reader {
    /// Who is behind which relay now.
    behind: HashMap<RelayId, Vec<u32>>,
    /// The rooms of each relay.
    rooms: HashMap<RelayId, HashMap<u32, u32>>,
    /// Who is in which room for sure, now and before the last change.
    in_rooms: HashMap<(RelayId, u32), Vec<u32>>,
    in_rooms_before: HashMap<(RelayId, u32), Vec<u32>>,
    version: HashMap<RelayId, u64>,
    /// The newest plan of each relay.
    plans: HashMap<RelayId, RoutePlan>,
    speakers: Sources,
    speakers_before: Sources,
    /// Who sent the frame that is being handled, if it is for some only, and for whom.
    private: Option<(u32, Vec<u32>)>,
}

impl Reader {
    fn moved(&mut self, relay: &RelayId, participants: &[u32], rooms: &[Room]) {
        self.behind.insert(relay.clone(), participants.to_vec());
        let seats =
            rooms.iter().flat_map(|room| room.participants.iter().map(|who| (who.0, room.id)));
        self.rooms.insert(relay.clone(), seats.collect());
        let elsewhere = |relay: &RelayId, who: &u32| {
            self.behind.iter().any(|(other, behind)| other != relay && behind.contains(who))
        };
        let mut in_rooms: HashMap<_, Vec<u32>> = HashMap::new();
        for (relay, seats) in &self.rooms {
            for (who, room) in seats.iter().filter(|(who, _)| !elsewhere(relay, who)) {
                in_rooms.entry((relay.clone(), *room)).or_default().push(*who);
            }
        }
        self.in_rooms_before = std::mem::replace(&mut self.in_rooms, in_rooms);
    }

    fn read(&mut self, output: &Output) {
        match output {
            Output::Plan { relay, plan } => {
                let version = self.version.insert(relay.clone(), plan.version).unwrap_or(0);
                assert!(plan.version >= version, "versions never go back");
                assert!(plan.speakers.len() <= 3);
                let seats = &self.rooms[relay];
                for RoomPlan { room, track } in &plan.rooms {
                    assert_eq!(*track, Track::Room(*room));
                    let speaks = |who: &ParticipantId| seats.get(&who.0) == Some(room);
                    assert!(plan.speakers.iter().any(speaks), "a room with no speaker of its own");
                }
                if !plan.speakers.same_set(&self.speakers) {
                    self.speakers_before = self.speakers;
                    self.speakers = plan.speakers;
                }
                self.plans.insert(relay.clone(), plan.clone());
                for exception in &plan.exceptions {
                    let who = exception.participant;
                    let room = seats.get(&who.0);
                    let planned = plan.rooms.iter().any(|plan| Some(&plan.room) == room);
                    assert!(!planned, "in a room all are equal");
                    assert!(plan.speakers.contains(&who), "only speakers are exceptions");
                    assert!(self.behind[relay].contains(&who.0), "of this relay");
                    let alone = plan.speakers.len() == 1;
                    assert_eq!(exception.audio_slot, (!alone).then_some(Track::Minus(who)));
                }
            }
            Output::Track { destination, frame } => {
                assert!(!frame.sources.is_empty() && frame.level <= 127);
                self.read_frame(destination, frame);
            }
        }
    }

    /// By the plans, everybody in a room with speakers of its own gets the track of that room.
    fn check_rooms(&self) {
        let newest = self.plans.values().map(|plan| plan.version).max();
        for ((relay, room), people) in &self.in_rooms {
            let plan = self.plans.get(relay).filter(|plan| Some(plan.version) == newest);
            let Some(plan) = plan else { continue };
            if people.iter().any(|who| plan.speakers.contains(&ParticipantId(*who))) {
                let planned = plan.rooms.iter().any(|plan| plan.room == *room);
                assert!(planned, "room {room} of {people:?} hears itself by {plan:?}");
                let excepted = |who: &u32| {
                    plan.exceptions.iter().any(|plan| plan.participant == ParticipantId(*who))
                };
                assert!(!people.iter().any(excepted), "{people:?} in {plan:?}");
            }
        }
    }

    fn read_frame(&self, destination: &Destination, frame: &TrackFrame) {
        match (destination, frame.track) {
            (Destination::Relay(relay), Track::Private(talker)) => {
                return self.read_private(relay, talker, frame);
            }
            (Destination::Common, Track::Common) => {}
            (Destination::Relay(relay), Track::Minus(who)) => {
                assert!(!frame.sources.contains(&who), "nobody gets own voice");
                assert!(self.behind[relay].contains(&who.0));
            }
            (Destination::Relay(relay), Track::Room(room)) => {
                let key = (relay.clone(), room);
                let heard_in = |rooms: &HashMap<(RelayId, u32), Vec<u32>>| {
                    let room = rooms.get(&key).map(Vec::as_slice).unwrap_or_default();
                    frame.sources.iter().any(|who| room.contains(&who.0))
                };
                // The last of a mix that ends still has the sources of that mix.
                let allowed = frame.sources.len() > 1 && !heard_in(&self.in_rooms_before);
                assert!(allowed || !heard_in(&self.in_rooms), "the room hears itself");
            }
            other => panic!("{other:?}"),
        }
        assert!(self.private.is_none(), "what is for some is on a track for others");
        assert!(frame.targets.is_empty());
        let of = |speakers: &Sources| frame.sources.iter().all(|id| speakers.contains(id));
        assert!(of(&self.speakers) || of(&self.speakers_before), "{frame:?}");
    }

    fn read_private(&self, relay: &RelayId, talker: ParticipantId, frame: &TrackFrame) {
        let (from, asked) = self.private.as_ref().expect("nothing private was said");
        assert_eq!((talker.0, &frame.sources[..]), (*from, &[talker][..]));
        assert!(asked.len() <= TARGETS_MAX && !frame.targets.is_empty());
        assert!(frame.targets.is_sorted() && !frame.targets.contains(&talker));
        assert!(frame.targets.windows(2).all(|pair| pair[0] != pair[1]), "nobody twice");
        let meant =
            |who: &ParticipantId| asked.contains(&who.0) && self.behind[relay].contains(&who.0);
        assert!(frame.targets.iter().all(meant), "{frame:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_comes_in_what_goes_out_is_consistent(acts in prop::collection::vec(act(), 0..300)) {
        let relays = ["a", "b", "c"].map(relay);
        let mut now = Instant::now();
        let mut meeting = Meeting::new(Config::for_epoch(7), now);
        let (mut reader, valid) = (Reader::default(), valid_packet());
        for (name, participants) in relays.iter().zip([[0, 1, 2], [3, 4, 5], [5, 6, 7]]) {
            let behind = participants.map(ParticipantId);
            meeting.handle_needs(name, needs(&behind), now);
            reader.moved(name, &participants, &[]);
        }
        let mut before = meeting.counters();
        for (sequence, act) in (0..).zip(acts) {
            match act {
                Act::Frame { relay, who, media_time, level, payload, targets } => {
                    reader.private = (!targets.is_empty()).then(|| (who, targets.clone()));
                    let payload = match payload {
                        Payload::Valid => valid.clone(),
                        Payload::Random(bytes) => bytes.into(),
                    };
                    let participant = ParticipantId(who);
                    let frame = SendFrame {
                        participant,
                        sequence,
                        media_time,
                        level,
                        ingress_us: 0,
                        payload,
                        targets: targets.into_iter().map(ParticipantId).collect(),
                    };
                    meeting.handle_frame(&relays[relay], frame, now);
                }
                Act::Needs { relay, participants, seats, held: (epoch, version) } => {
                    let behind: Vec<_> = participants.iter().copied().map(ParticipantId).collect();
                    let held = PlanHeld { epoch, version };
                    let rooms = rooms(seats);
                    let needs = Needs { participants: &behind, rooms: &rooms, held };
                    let refused = meeting.counters().needs_refused;
                    meeting.handle_needs(&relays[relay], needs, now);
                    let refused = meeting.counters().needs_refused - refused;
                    let seated: Vec<_> = rooms.iter().flat_map(|room| &room.participants).collect();
                    let twice = (1..seated.len()).any(|at| seated[..at].contains(&seated[at]));
                    let foreign = seated.iter().any(|who| !behind.contains(who));
                    let wrong = twice || foreign || rooms.iter().any(|room| room.id == 0);
                    prop_assert_eq!(refused, u64::from(wrong && !behind.is_empty()));
                    if refused == 0 {
                        let rooms = if behind.is_empty() { &[][..] } else { &rooms };
                        reader.moved(&relays[relay], &participants, rooms);
                    }
                }
                Act::Tick => {
                    now += Duration::from_millis(20);
                    meeting.handle_tick(now);
                }
                Act::Timeout => {
                    if let Some((at, _)) = meeting.poll_timeout() {
                        now = now.max(at);
                    }
                    meeting.handle_timeout(now);
                    prop_assert!(meeting.poll_timeout().is_none_or(|(at, _)| at > now));
                }
                Act::Wait(milliseconds) => now += Duration::from_millis(milliseconds),
            }
            while let Some(output) = meeting.poll() {
                reader.read(&output);
            }
            reader.private = None;
            reader.check_rooms();
            let after = meeting.counters();
            let encodes = after.encodes - before.encodes;
            prop_assert!(encodes <= 4 + 6 * 4, "{encodes}");
            prop_assert!(after.decodes - before.decodes <= 3 * 16);
            before = after;
        }
    }
}
