//! The meeting: from relays' frames to the active speakers, from those to classes and tracks.
//!
//! A frame goes through the door (is its sender behind that relay, does it send too much, can it
//! be Opus), through the gate (is its sender an active speaker), and then onto every track that
//! has this speaker alone, at once, and into the speaker's jitter buffer if somebody mixes it. What
//! is said to some only goes from the door to their relays.

mod routing;

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
    media::{Destination, Output, SOURCES_MAX, SendFrame, Sources, TARGETS_MAX, Track, TrackFrame},
    relays::{Admission, Relays, Room},
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

/// What a relay says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Needs<'a> {
    /// Who is behind it; nobody: it leaves the meeting.
    pub participants: &'a [ParticipantId],
    /// Who of them sits in which room.
    pub rooms: &'a [Room],
    /// The plan that it has.
    pub held: PlanHeld,
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

    /// A relay says who is behind it and which plan it has.
    pub fn handle_needs(&mut self, relay: &RelayId, needs: Needs<'_>, now: Instant) {
        let Needs { participants, rooms, held } = needs;
        let version = self.plan_version;
        let before = self.rooms_and_exceptions(relay);
        let mut gone = Vec::new();
        match self.relays.set(relay, participants, rooms, now, &mut gone) {
            Err(_) => {
                self.counters.needs_refused += 1;
                return;
            }
            Ok(true) => {
                let moved = before != self.rooms_and_exceptions(relay);
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
        if !frame.targets.is_empty() {
            return self.handle_private(relay, frame, now);
        }
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

    /// Sends a private frame to the relays of those it is for, as it came.
    fn handle_private(&mut self, relay: &RelayId, frame: SendFrame, now: Instant) {
        let Self { relays, streams, counters, outputs, .. } = self;
        if frame.targets.len() > TARGETS_MAX {
            counters.frames_dropped_targets += 1;
            return;
        }
        counters.frames_private_in += 1;
        let routed = relays.route_privately(relay, &frame, now, || next_stream(streams));
        let Some((stream, routes)) = routed else { return };
        counters.frames_private_unheard += u64::from(routes.is_empty());
        for (relay, targets) in routes {
            counters.frames_private_out += 1;
            let frame = TrackFrame {
                track: Track::Private(frame.participant),
                stream,
                media_time: frame.media_time,
                sources: std::iter::once(frame.participant).collect(),
                ingress_us: frame.ingress_us,
                level: frame.level,
                payload: frame.payload.clone(),
                targets: targets.clone(),
            };
            let destination = Destination::Relay(relay.clone());
            outputs.push_back(Output::Track { destination, frame });
        }
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
