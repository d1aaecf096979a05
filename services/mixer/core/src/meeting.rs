//! The meeting: from relays' frames to the active speakers, from those to classes and tracks.
//!
//! A frame goes through the door (is its sender behind that relay, does it send too much, can it
//! be Opus), through the gate (is its sender an active speaker), and then onto every track that
//! has this speaker alone, at once, and into the speaker's jitter buffer if somebody mixes it.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use tributary_audio::{PACKET_BYTES_MAX, packet_duration};
use tributary_identifiers::{ParticipantId, RelayId};
use tributary_speaker_selection::{self as speaker_selection, Gate, LEVEL_QUIETEST};

use crate::{
    counters::Counters,
    honesty::Doubts,
    jitter,
    media::{
        LevelDoubt, Output, ParticipantPlan, RoutePlan, SOURCES_MAX, SendFrame, Sources, Track,
    },
    relays::{Admission, Relays},
    tracks::{Content, Egress, Lane},
    voice::{Arrival, Voice},
};

/// The longest payload that is looked at, in bytes: six frames of 20 ms, each as long as Opus
/// frames can be.
const PAYLOAD_BYTES_MAX: usize = 6 * PACKET_BYTES_MAX;
/// For how long a speaker is remembered after losing the slot, with what is known of the network.
const VOICE_KEPT: Duration = Duration::from_secs(10);
/// The most voices remembered.
const VOICES_MAX: usize = 2 * SOURCES_MAX;

/// How a meeting is mixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Fencing number of the ownership under which this meeting is mixed.
    pub epoch: u64,
    /// Who counts as speaking. At most [`SOURCES_MAX`] voices.
    pub selection: speaker_selection::Config,
    /// How long to wait for packets that are to be mixed.
    pub jitter: jitter::Config,
    /// Of mixes, in bit/s.
    pub bitrate: i32,
}

impl Config {
    /// The defaults, for this ownership.
    #[must_use]
    pub fn for_epoch(epoch: u64) -> Self {
        Self {
            epoch,
            selection: speaker_selection::Config::default(),
            jitter: jitter::Config::default(),
            bitrate: 32_000,
        }
    }
}

/// Which route plan a relay has; zeros if none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlanHeld {
    /// Its epoch.
    pub epoch: u64,
    /// Its version.
    pub version: u64,
}

/// What a timeout is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A speaker has stopped and the slot becomes free.
    SlotFree,
    /// A relay has been silent for too long.
    RelaySilent,
    /// A codec or a voice has not been used for long.
    Unused,
    /// Somebody's levels are believed again.
    DoubtOver,
}

/// One meeting owned by this mixer.
///
/// After every `handle_*` the caller takes outputs by [`Meeting::poll`] until there are none.
pub struct Meeting {
    config: Config,
    relays: Relays,
    gate: Gate<Arrival>,
    /// The gate's revision that `speakers` shows.
    revision: u64,
    speakers: Sources,
    plan_version: u64,
    voices: Vec<Voice>,
    doubts: Doubts,
    /// The common track first.
    lanes: Vec<Lane>,
    streams: u32,
    outputs: VecDeque<Output>,
    counters: Counters,
    /// What the gate let through; empty between calls.
    forwarded: Vec<Arrival>,
}

impl Meeting {
    /// A meeting with no relays.
    #[must_use]
    pub fn new(mut config: Config, now: Instant) -> Self {
        config.selection.voices_max = config.selection.voices_max.min(SOURCES_MAX);
        Self {
            relays: Relays::default(),
            gate: Gate::new(config.selection),
            revision: 0,
            speakers: Sources::EMPTY,
            plan_version: 1,
            voices: Vec::with_capacity(VOICES_MAX),
            doubts: Doubts::default(),
            lanes: vec![Lane::new(Track::Common, now)],
            // Streams of another epoch are not taken for these.
            streams: (config.epoch as u32) << 16,
            outputs: VecDeque::new(),
            counters: Counters::default(),
            forwarded: Vec::new(),
            config,
        }
    }

    /// The ownership goes on under a higher number; sound goes on without a break.
    pub fn handle_epoch(&mut self, epoch: u64) {
        self.config.epoch = epoch;
        self.replan();
    }

    /// A relay says who is behind it and which plan it has; nobody: it leaves the meeting.
    pub fn handle_needs(
        &mut self,
        relay: &RelayId,
        participants: &[ParticipantId],
        held: PlanHeld,
        now: Instant,
    ) {
        let version = self.plan_version;
        let speaking = self.relays.speakers_behind(relay, &self.speakers);
        let mut gone = Vec::new();
        match self.relays.set(relay, participants, now, &mut gone) {
            Err(_) => {
                self.counters.needs_refused += 1;
                return;
            }
            Ok(true) => {
                let moved = speaking != self.relays.speakers_behind(relay, &self.speakers);
                self.follow_roster(&gone, moved, now);
            }
            Ok(false) => {}
        }
        let current = PlanHeld { epoch: self.config.epoch, version: self.plan_version };
        if !participants.is_empty() && version == self.plan_version && held != current {
            self.send_plan(relay.clone());
        }
    }

    /// A frame has come from a relay.
    pub fn handle_frame(&mut self, relay: &RelayId, mut frame: SendFrame, now: Instant) {
        self.counters.frames_in += 1;
        frame.level = frame.level.min(LEVEL_QUIETEST);
        match self.relays.admit(relay, frame.participant, now) {
            Admission::Admitted => {}
            Admission::Foreign => {
                self.counters.frames_dropped_foreign += 1;
                return;
            }
            Admission::Flood => {
                self.counters.frames_dropped_flood += 1;
                return;
            }
        }
        let Some(samples) = duration(&frame) else {
            self.counters.frames_dropped_malformed += 1;
            return;
        };
        let mut forwarded = std::mem::take(&mut self.forwarded);
        let who = frame.participant;
        let level = self.doubts.corrected(who, frame.level);
        let arrival = Arrival { frame, samples, at: now };
        self.gate.push(who, level, arrival, now, &mut |_, arrival| forwarded.push(arrival));
        if forwarded.is_empty() {
            self.counters.frames_unselected += 1;
        }
        self.follow_gate(now);
        for arrival in forwarded.drain(..) {
            self.distribute(arrival, now);
        }
        self.forwarded = forwarded;
    }

    /// Mixes the next 20 ms. To be called every 20 ms while [`Meeting::ticking`].
    pub fn handle_tick(&mut self, now: Instant) {
        self.settle(now);
        if !self.ticking() {
            return;
        }
        let Self { voices, lanes, counters, outputs, config, .. } = self;
        counters.mixing_ticks += 1;
        for voice in voices.iter_mut() {
            voice.play(now, counters);
        }
        let mut egress = Egress { counters, outputs };
        for lane in lanes.iter_mut().filter(|lane| lane.content == Content::Mix) {
            lane.mix(voices, config.bitrate, now, &mut egress);
        }
        self.judge(now);
    }

    /// Compares what speakers claim with what was heard of them.
    fn judge(&mut self, now: Instant) {
        let Self { voices, doubts, counters, .. } = self;
        let mut news = false;
        for voice in voices.iter_mut() {
            let Some(correction) = voice.verdict() else { continue };
            news |= doubts.doubt(voice.who, correction, now);
            counters.levels_doubted += 1;
        }
        if news {
            self.replan();
        }
    }

    /// The time of [`Meeting::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.settle(now);
        if self.doubts.expire(now) {
            self.replan();
        }
        let mut gone = Vec::new();
        if self.relays.expire(now, &mut gone) {
            self.follow_roster(&gone, false, now);
        }
        self.lanes.retain_mut(|lane| lane.release(now));
        self.voices.retain(|voice| release_at(voice).is_none_or(|at| now < at));
    }

    /// The next thing to send.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Meeting::handle_timeout`] at the latest, and what for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        let slot = self.gate.next_expiry().map(|at| (at, Reason::SlotFree));
        let relay = self.relays.silent_at().map(|at| (at, Reason::RelaySilent));
        let encoders = self.lanes.iter().filter_map(Lane::release_at);
        let unused = encoders.chain(self.voices.iter().filter_map(release_at)).min();
        let unused = unused.map(|at| (at, Reason::Unused));
        let doubt = self.doubts.next_expiry().map(|at| (at, Reason::DoubtOver));
        [slot, relay, unused, doubt].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// Whether something is mixed, so that [`Meeting::handle_tick`] is needed.
    #[must_use]
    pub fn ticking(&self) -> bool {
        self.lanes.iter().any(|lane| lane.content == Content::Mix)
    }

    /// Whether no relay is in the meeting: it can be dropped.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.relays.is_empty()
    }

    /// The active speakers, loudest first.
    #[must_use]
    pub fn speakers(&self) -> Sources {
        self.speakers
    }

    /// What has been done so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Puts a frame of an active speaker onto the tracks.
    fn distribute(&mut self, arrival: Arrival, now: Instant) {
        let Self { voices, lanes, streams, counters, outputs, .. } = self;
        let Arrival { frame, samples, at } = arrival;
        let speaker = |voice: &&mut Voice| voice.who == frame.participant;
        let Some(voice) = voices.iter_mut().find(speaker) else { return };
        let (media_time, jumped) = voice.buffer.observe(frame.media_time, at);
        if jumped {
            voice.stream = next_stream(streams);
        }
        let SendFrame { level, ingress_us, payload, .. } = frame;
        voice.keep_for_warming(payload.clone());
        let frame = jitter::Frame { media_time, samples, level, ingress_us, payload };
        let mut egress = Egress { counters, outputs };
        for lane in lanes.iter_mut().filter(|lane| lane.content == Content::Lone(voice.who)) {
            lane.pass(voice, &frame, now, &mut egress);
        }
        if voice.is_mixed() {
            voice.buffer.push(frame, jumped, counters);
        }
    }

    /// Frees the slots of those who have stopped.
    fn settle(&mut self, now: Instant) {
        self.gate.expire(now);
        self.follow_gate(now);
    }

    /// Does what follows from people having come or gone. `moved`: a speaker is behind another
    /// relay than before.
    fn follow_roster(&mut self, gone: &[ParticipantId], moved: bool, now: Instant) {
        for who in gone {
            if self.relays.of(*who).next().is_none() {
                self.gate.remove(*who);
            }
        }
        if self.gate.revision() != self.revision {
            self.follow_gate(now);
        } else if moved {
            self.replan();
            self.route(now);
        } else {
            self.route(now);
        }
    }

    /// Does what follows from a change of the gate's selection.
    fn follow_gate(&mut self, now: Instant) {
        if self.gate.revision() == self.revision {
            return;
        }
        self.revision = self.gate.revision();
        let speakers: Sources = self.gate.selected().collect();
        let changed = !speakers.same_set(&self.speakers);
        self.speakers = speakers;
        self.follow_speakers(now);
        if changed {
            self.replan();
        }
        self.route(now);
    }

    /// Makes a voice for each speaker, and notes who has stopped.
    fn follow_speakers(&mut self, now: Instant) {
        let Self { voices, speakers, streams, config, .. } = self;
        let onset = config.selection.onset_frames.saturating_add(1);
        for voice in voices.iter_mut() {
            if !speakers.contains(&voice.who) {
                voice.unselected_since.get_or_insert(now);
            } else if voice.unselected_since.take().is_some() {
                voice.begin_spurt(onset);
            }
        }
        for who in speakers.iter() {
            if !voices.iter().any(|voice| voice.who == *who) {
                let mut voice = Voice::new(*who, next_stream(streams), config.jitter, now);
                voice.begin_spurt(onset);
                voices.push(voice);
            }
        }
    }

    /// A new plan, for all relays.
    fn replan(&mut self) {
        self.plan_version += 1;
        let relays: Vec<RelayId> = self.relays.ids().cloned().collect();
        for relay in relays {
            self.send_plan(relay);
        }
    }

    fn send_plan(&mut self, relay: RelayId) {
        let alone = self.speakers.len() == 1;
        let behind = self.relays.speakers_behind(&relay, &self.speakers);
        let exception = |participant: &ParticipantId| ParticipantPlan {
            participant: *participant,
            audio_slot: (!alone).then_some(Track::Minus(*participant)),
        };
        let doubts =
            self.doubts.iter().filter(|doubt| self.relays.of(doubt.who).any(|of| *of == relay));
        let doubts = doubts
            .map(|doubt| LevelDoubt { participant: doubt.who, correction: doubt.correction })
            .collect();
        let plan = RoutePlan {
            epoch: self.config.epoch,
            version: self.plan_version,
            speakers: self.speakers,
            exceptions: behind.iter().map(exception).collect(),
            doubts,
        };
        self.counters.plans += 1;
        self.outputs.push_back(Output::Plan { relay, plan });
    }

    /// Decides anew what is on each track, and carries running sound over.
    fn route(&mut self, now: Instant) {
        for who in self.speakers.iter() {
            if !self.lanes.iter().any(|lane| lane.track == Track::Minus(*who)) {
                self.lanes.push(Lane::new(Track::Minus(*who), now));
            }
        }
        let listened = self.relays.has_listeners(&self.speakers);
        let Self { relays, speakers, voices, lanes, streams, counters, outputs, config, .. } = self;
        let mut egress = Egress { counters, outputs };
        for lane in lanes.iter_mut() {
            let sources = match lane.track {
                Track::Common if listened => *speakers,
                Track::Minus(who) if speakers.contains(&who) => {
                    lane.relays.clear();
                    lane.relays.extend(relays.of(who).cloned());
                    speakers.without(who)
                }
                Track::Common | Track::Minus(_) => Sources::EMPTY,
            };
            let sources_before = std::mem::replace(&mut lane.sources, sources);
            let content_before = std::mem::replace(&mut lane.content, Content::of(&sources));
            match (content_before, lane.content) {
                (Content::Nothing | Content::Lone(_), Content::Mix) => {
                    lane.start_mix(next_stream(streams));
                }
                (Content::Mix, Content::Lone(who)) if sources_before.contains(&who) => {
                    if let Some(voice) = voices.iter().find(|voice| voice.who == who) {
                        lane.leave_mix(voice, &sources_before, config.bitrate, now, &mut egress);
                    }
                }
                _ => {}
            }
        }
        self.follow_mixing(now);
    }

    /// Voices that are mixed get a decoder, others lose it; the longest unused are forgotten.
    fn follow_mixing(&mut self, now: Instant) {
        let Self { voices, lanes, counters, .. } = self;
        for voice in voices.iter_mut() {
            let mixed = lanes.iter().any(|lane| lane.mixes(voice.who));
            if mixed && !voice.is_mixed() {
                counters.codec_failures += u64::from(voice.start_mixing(counters).is_err());
            } else if !mixed && voice.is_mixed() {
                voice.stop_mixing(counters);
            }
        }
        lanes.retain_mut(|lane| lane.release(now));
        while voices.len() > VOICES_MAX
            && let Some(place) = longest_unused(voices)
        {
            voices.remove(place);
        }
    }
}

/// The duration of a frame's packet in samples, if it can be an Opus packet.
fn duration(frame: &SendFrame) -> Option<u32> {
    if frame.payload.len() > PAYLOAD_BYTES_MAX {
        return None;
    }
    packet_duration(&frame.payload)
}

fn next_stream(streams: &mut u32) -> u32 {
    *streams = streams.wrapping_add(1);
    *streams
}

fn release_at(voice: &Voice) -> Option<Instant> {
    voice.unselected_since.map(|since| since + VOICE_KEPT)
}

fn longest_unused(voices: &[Voice]) -> Option<usize> {
    let unused = voices.iter().enumerate();
    let unused = unused.filter_map(|(place, voice)| Some((voice.unselected_since?, place)));
    unused.min().map(|(_, place)| place)
}
