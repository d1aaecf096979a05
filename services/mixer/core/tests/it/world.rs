//! Terminals, relays and a network around one meeting, on a clock that only the test moves.
//!
//! A relay here does what a real one does with the merged stream: it follows the route plan,
//! delivers no frame to its sources, and drops what is not newer within a stream.

use std::{
    collections::{BTreeMap, HashMap},
    f32::consts::TAU,
    time::{Duration, Instant},
};

use bytes::Bytes;
use opus::{Application::Voip, Channels::Mono};
use tributary_audio::{Decoder, Goertzel, level_dbov};
use tributary_identifiers::{ParticipantId, RelayId};
use tributary_mixer_core::{
    Config, Counters, Destination, Meeting, Needs, Output, PlanHeld, Room, RoutePlan, SendFrame,
    Track, TrackFrame,
};

/// The entrance of a frame that is not to be told by it: later than any other, so that in a mix the
/// others decide.
pub const UNSTAMPED: u64 = u64::MAX;

pub const EPOCH: u64 = 7;
const TICK_MS: u64 = 20;
/// Ticks come at this time within each 20 ms.
const TICK_PHASE_MS: u64 = 11;

/// Someone who sends a tone, or nothing.
pub struct Terminal {
    pub relay: RelayId,
    pub tone_hz: f32,
    pub amplitude: f32,
    /// The level that it claims, in -dBov; none: what it measures.
    pub claims: Option<u8>,
    /// Whether packets are sent at all.
    pub sending: bool,
    /// Private talk: for whom packets are. Nobody: for the open floor.
    pub targets: Vec<u32>,
    /// Duration of a packet, samples per channel.
    pub samples: usize,
    pub media_time: u32,
    /// Whether its frames say when they came to the relay; else 0.
    pub stamps: bool,
    /// Delay of each packet in ms, in turn.
    delays_ms: Vec<u64>,
    delayed: usize,
    /// The network loses every n-th packet; 0: none.
    pub loses_every: u64,
    /// Everything it sent, in order.
    pub sent: Vec<Bytes>,
    encoder: opus::Encoder,
    phase: f32,
    due_ms: u64,
    packets: u64,
}

/// A frame as a participant's terminal got it.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub at_us: u64,
    pub frame: TrackFrame,
}

pub struct World {
    pub meeting: Meeting,
    pub terminals: BTreeMap<u32, Terminal>,
    pub plans: HashMap<RelayId, RoutePlan>,
    /// Who sits in which room of their relay.
    pub seats: BTreeMap<u32, u32>,
    /// By participant.
    pub heard: HashMap<u32, Vec<Delivery>>,
    /// Everything the mixer sent.
    pub outputs: Vec<Output>,
    start: Instant,
    pub now_ms: u64,
    /// By time of arrival.
    network: BTreeMap<(u64, u64), (RelayId, SendFrame)>,
    posted: u64,
    last: HashMap<(u32, u32), u32>,
}

/// Of a relay that has no rooms and no plan.
pub fn needs(participants: &[ParticipantId]) -> Needs<'_> {
    Needs { participants, rooms: &[], held: PlanHeld::default() }
}

/// The rooms in which these sit, from participants and the numbers of their rooms.
pub fn rooms(seats: impl IntoIterator<Item = (u32, u32)>) -> Vec<Room> {
    let mut rooms: BTreeMap<u32, Vec<ParticipantId>> = BTreeMap::new();
    for (who, room) in seats {
        rooms.entry(room).or_default().push(ParticipantId(who));
    }
    rooms.into_iter().map(|(id, participants)| Room { id, participants }).collect()
}

pub fn relay(name: &str) -> RelayId {
    name.parse().unwrap()
}

impl World {
    pub fn new() -> Self {
        Self::with(Config::for_epoch(EPOCH))
    }

    pub fn with(config: Config) -> Self {
        let start = Instant::now();
        Self {
            meeting: Meeting::new(config, start),
            terminals: BTreeMap::new(),
            plans: HashMap::new(),
            seats: BTreeMap::new(),
            heard: HashMap::new(),
            outputs: Vec::new(),
            start,
            now_ms: 0,
            network: BTreeMap::new(),
            posted: 0,
            last: HashMap::new(),
        }
    }

    pub fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.now_ms)
    }

    /// Adds a terminal behind a relay that does not send yet.
    pub fn join(&mut self, who: u32, relay_name: &str) {
        let terminal = Terminal {
            relay: relay(relay_name),
            tone_hz: 300.0 + 350.0 * who as f32,
            amplitude: 0.2,
            claims: None,
            sending: false,
            targets: Vec::new(),
            samples: 960,
            media_time: who.wrapping_mul(0x3fff_fff0),
            stamps: true,
            delays_ms: vec![0],
            delayed: 0,
            loses_every: 0,
            sent: Vec::new(),
            encoder: opus::Encoder::new(48_000, Mono, Voip).unwrap(),
            phase: 0.0,
            due_ms: 0,
            packets: 0,
        };
        self.terminals.insert(who, terminal);
        self.needs(&relay(relay_name));
    }

    pub fn leave(&mut self, who: u32) {
        let gone = self.terminals.remove(&who).unwrap();
        self.needs(&gone.relay);
    }

    /// These sit in one room of their relay from now on.
    pub fn seat(&mut self, room: u32, who: &[u32]) {
        for who in who {
            self.seats.insert(*who, room);
            self.needs(&self.terminals[who].relay.clone());
        }
    }

    /// These sit in no room any more.
    pub fn unseat(&mut self, who: &[u32]) {
        for who in who {
            self.seats.remove(who);
            self.needs(&self.terminals[who].relay.clone());
        }
    }

    /// The relay says who is behind it and which plan it has.
    pub fn needs(&mut self, relay: &RelayId) {
        let behind = self.terminals.iter().filter(|(_, terminal)| terminal.relay == *relay);
        let behind: Vec<_> = behind.map(|(who, _)| ParticipantId(*who)).collect();
        let held = self.plans.get(relay);
        let held = held.map(|plan| PlanHeld { epoch: plan.epoch, version: plan.version });
        let rooms = rooms(behind.iter().filter_map(|who| Some((who.0, *self.seats.get(&who.0)?))));
        let needs = Needs { participants: &behind, rooms: &rooms, held: held.unwrap_or_default() };
        self.meeting.handle_needs(relay, needs, self.now());
        self.carry_out();
    }

    pub fn talk(&mut self, who: u32) {
        let due_ms = self.now_ms + 1 + u64::from(who * 7 % 20);
        let terminal = self.terminals.get_mut(&who).unwrap();
        terminal.sending = true;
        terminal.due_ms = due_ms;
    }

    /// The network delays the next packets so much, in turn.
    pub fn delay(&mut self, who: u32, delays_ms: Vec<u64>) {
        let terminal = self.terminals.get_mut(&who).unwrap();
        terminal.delays_ms = delays_ms;
        terminal.delayed = 0;
    }

    /// Talks to some only, or to everybody again.
    pub fn whisper(&mut self, who: u32, targets: &[u32]) {
        self.terminals.get_mut(&who).unwrap().targets = targets.to_vec();
    }

    pub fn hush(&mut self, who: u32) {
        self.terminals.get_mut(&who).unwrap().sending = false;
    }

    /// Lets time pass.
    pub fn run_ms(&mut self, milliseconds: u64) {
        for _ in 0..milliseconds {
            self.now_ms += 1;
            self.send();
            self.arrive();
            if self.now_ms.is_multiple_of(1000) {
                let relays: Vec<_> = self.terminals.values().map(|t| t.relay.clone()).collect();
                relays.iter().for_each(|relay| self.needs(relay));
            }
            if self.meeting.poll_timeout().is_some_and(|(at, _)| at <= self.now()) {
                self.meeting.handle_timeout(self.now());
                self.carry_out();
            }
            if self.now_ms % TICK_MS == TICK_PHASE_MS && self.meeting.ticking() {
                self.meeting.handle_tick(self.now());
                self.carry_out();
            }
        }
    }

    /// Counters of a stretch of time.
    pub fn cost_of_ms(&mut self, milliseconds: u64) -> Cost {
        let before = self.meeting.counters();
        self.run_ms(milliseconds);
        Cost::between(before, self.meeting.counters())
    }

    fn send(&mut self) {
        for (who, terminal) in &mut self.terminals {
            while terminal.sending && terminal.due_ms <= self.now_ms {
                let (media_time, level, payload) = terminal.encode();
                terminal.packets += 1;
                if terminal.loses_every > 0 && terminal.packets.is_multiple_of(terminal.loses_every)
                {
                    continue;
                }
                let delay_ms = terminal.delays_ms[terminal.delayed % terminal.delays_ms.len()];
                terminal.delayed += 1;
                let frame = SendFrame {
                    participant: ParticipantId(*who),
                    sequence: terminal.packets as u32,
                    media_time,
                    level,
                    ingress_us: if terminal.stamps { self.now_ms * 1000 } else { UNSTAMPED },
                    payload,
                    targets: terminal.targets.iter().copied().map(ParticipantId).collect(),
                };
                self.posted += 1;
                let when = (self.now_ms + delay_ms, self.posted);
                self.network.insert(when, (terminal.relay.clone(), frame));
            }
        }
    }

    fn arrive(&mut self) {
        while let Some(entry) = self.network.first_entry()
            && entry.key().0 <= self.now_ms
        {
            let (relay, frame) = entry.remove();
            self.meeting.handle_frame(&relay, frame, self.now());
            self.carry_out();
        }
    }

    /// Does what the meeting has decided.
    pub fn carry_out(&mut self) {
        while let Some(output) = self.meeting.poll() {
            match &output {
                Output::Plan { relay, plan } => {
                    self.plans.insert(relay.clone(), plan.clone());
                }
                Output::Track { destination, frame } => self.deliver(destination, frame),
            }
            self.outputs.push(output);
        }
    }

    fn deliver(&mut self, destination: &Destination, frame: &TrackFrame) {
        for (who, terminal) in &self.terminals {
            let here = match destination {
                Destination::Common => true,
                Destination::Relay(relay) => *relay == terminal.relay,
            };
            let me = ParticipantId(*who);
            if !here || frame.sources.contains(&me) || !self.is_meant_for(me, frame) {
                continue;
            }
            let last = self.last.insert((*who, frame.stream), frame.media_time);
            if last.is_some_and(|last| frame.media_time.wrapping_sub(last).cast_signed() <= 0) {
                self.last.insert((*who, frame.stream), last.unwrap());
                continue;
            }
            let delivery = Delivery { at_us: self.now_ms * 1000, frame: frame.clone() };
            self.heard.entry(*who).or_default().push(delivery);
        }
    }

    fn is_meant_for(&self, who: ParticipantId, frame: &TrackFrame) -> bool {
        if let Track::Private(_) = frame.track {
            return frame.targets.contains(&who);
        }
        let Some(plan) = self.plans.get(&self.terminals[&who.0].relay) else {
            return frame.track == Track::Common;
        };
        let exception = plan.exceptions.iter().find(|plan| plan.participant == who);
        let room = self.seats.get(&who.0);
        let room = plan.rooms.iter().find(|plan| Some(&plan.room) == room);
        let otherwise = room.map_or(Track::Common, |plan| plan.track);
        exception.map_or(Some(otherwise), |plan| plan.audio_slot) == Some(frame.track)
    }

    /// What a participant has heard since a time, decoded, without the first 100 ms.
    pub fn sound_of(&self, who: u32, since_ms: u64) -> Vec<f32> {
        let mut decoder = Decoder::new().unwrap();
        let mut sound = Vec::new();
        let mut pcm = [0.0; 5760];
        for delivery in self.heard.get(&who).into_iter().flatten() {
            if delivery.at_us >= since_ms * 1000 {
                let samples = decoder.decode(&delivery.frame.payload, &mut pcm).unwrap();
                sound.extend_from_slice(&pcm[..samples]);
            }
        }
        sound.drain(..sound.len().min(4800));
        sound
    }

    /// The tones of `talkers` that a participant has heard since a time.
    pub fn tones_of(&self, who: u32, talkers: &[u32], since_ms: u64) -> Vec<u32> {
        let sound = self.sound_of(who, since_ms);
        let hears = |talker: &&u32| {
            let tone_hz = self.terminals[talker].tone_hz;
            let dbfs = Goertzel::new(tone_hz, sound.len()).dbfs(&sound);
            assert!(!(-50.0..-30.0).contains(&dbfs), "{who} hears {talker} at {dbfs} dBFS");
            dbfs > -30.0
        };
        talkers.iter().filter(hears).copied().collect()
    }
}

impl Terminal {
    fn encode(&mut self) -> (u32, u8, Bytes) {
        let step = TAU * self.tone_hz / 48_000.0;
        let mut pcm = vec![0.0_f32; self.samples];
        for sample in &mut pcm {
            *sample = self.amplitude * self.phase.sin();
            self.phase = (self.phase + step) % TAU;
        }
        let mut packet = [0; 4000];
        let length = self.encoder.encode_float(&pcm, &mut packet).unwrap();
        let payload = Bytes::copy_from_slice(&packet[..length]);
        self.sent.push(payload.clone());
        let media_time = self.media_time;
        self.media_time = media_time.wrapping_add(self.samples as u32);
        self.due_ms += self.samples as u64 / 48;
        (media_time, self.claims.unwrap_or_else(|| level_dbov(&pcm)), payload)
    }
}

/// The middle one.
pub fn median(mut numbers: Vec<u64>) -> u64 {
    assert!(!numbers.is_empty());
    numbers.sort_unstable();
    numbers[numbers.len() / 2]
}

/// What a stretch of time has cost.
#[derive(Debug, PartialEq, Eq)]
pub struct Cost {
    pub ticks: u64,
    pub decodes: u64,
    pub encodes: u64,
    pub passed: u64,
}

impl Cost {
    fn between(before: Counters, after: Counters) -> Self {
        Self {
            ticks: after.mixing_ticks - before.mixing_ticks,
            decodes: after.decodes - before.decodes,
            encodes: after.encodes - before.encodes,
            passed: after.frames_passed_through - before.frames_passed_through,
        }
    }
}
