//! One track: what is on it now, for whom, and the encoder that lives on while that changes.
//!
//! Invariants: a track with one source carries that source's packets and nothing else; what a
//! track has passed on of a voice is not mixed into it again.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tributary_audio::{Encoder, FRAME_SAMPLES, Limiter, PACKET_BYTES_MAX, level_dbov};
use tributary_identifiers::{ParticipantId, RelayId};

use crate::{
    counters::Counters,
    jitter::Frame,
    media::{Destination, Output, Sources, Track, TrackFrame},
    relays::RoomRef,
    voice::{Block, Voice},
};

/// For how long an encoder outlasts its last mix, so that a short interjection costs no new one.
pub const ENCODER_KEPT: Duration = Duration::from_secs(10);
/// Longer than any jitter buffer: after this, nothing that was passed on can be mixed again.
const PASSED_REMEMBERED: Duration = Duration::from_millis(400);
/// In -dBov: a mix this quiet is below what 16 bits can hold, and is not sent.
const SILENT: u8 = 96;

/// What is on a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing: nobody speaks, or nobody listens.
    Nothing,
    /// The packets of this speaker.
    Lone(ParticipantId),
    /// A mix of several.
    Mix,
}

impl Content {
    pub fn of(sources: &Sources) -> Self {
        match **sources {
            [] => Self::Nothing,
            [who] => Self::Lone(who),
            _ => Self::Mix,
        }
    }
}

/// A track and its encoder.
pub struct Lane {
    pub track: Track,
    pub content: Content,
    pub sources: Sources,
    /// Where a minus track goes, or the one relay behind which the room is; the common track goes
    /// everywhere.
    pub relays: Vec<RelayId>,
    /// Of the mix; a lone speaker's packets have the voice's.
    stream: u32,
    media_time: u32,
    encoder: Option<Encoder>,
    limiter: Limiter,
    mixed_at: Instant,
    passed: Option<Passed>,
}

/// Up to where this track has passed on somebody's packets.
#[derive(Clone, Copy)]
struct Passed {
    who: ParticipantId,
    end: i64,
    at: Instant,
}

/// Where a lane's frames go.
pub struct Egress<'a> {
    pub counters: &'a mut Counters,
    pub outputs: &'a mut VecDeque<Output>,
}

impl Lane {
    pub fn new(track: Track, now: Instant) -> Self {
        Self {
            track,
            content: Content::Nothing,
            sources: Sources::EMPTY,
            relays: Vec::new(),
            stream: 0,
            media_time: 0,
            encoder: None,
            limiter: Limiter::new(),
            mixed_at: now,
            passed: None,
        }
    }

    /// The track of those who sit in one room.
    pub fn for_room(room: RoomRef<'_>, now: Instant) -> Self {
        Self { relays: vec![room.relay.clone()], ..Self::new(Track::Room(room.id), now) }
    }

    /// Whether this is that room's.
    pub fn is_for_room(&self, room: RoomRef<'_>) -> bool {
        self.track == Track::Room(room.id) && self.relays.contains(room.relay)
    }

    /// A mix begins.
    pub fn start_mix(&mut self, stream: u32) {
        self.stream = stream;
        self.media_time = 0;
        self.limiter = Limiter::new();
    }

    /// Whether this voice is part of a mix here.
    pub fn mixes(&self, who: ParticipantId) -> bool {
        self.content == Content::Mix && self.sources.contains(&who)
    }

    /// Passes on a packet of the lone speaker.
    pub fn pass(&mut self, voice: &Voice, frame: &Frame, now: Instant, egress: &mut Egress<'_>) {
        self.passed = Some(Passed { who: voice.who, end: frame.end(), at: now });
        egress.counters.frames_passed_through += 1;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "wraps")]
        let media_time = frame.media_time as u32;
        self.emit(
            TrackFrame {
                track: self.track,
                stream: voice.stream,
                media_time,
                sources: std::iter::once(voice.who).collect(),
                ingress_us: frame.ingress_us,
                level: frame.level,
                payload: frame.payload.clone(),
                targets: Arc::default(),
            },
            egress,
        );
    }

    /// After a mix, goes on with one of its voices: what was decoded ahead is sent as the end of
    /// the mix, what still waits is passed on. `sources` are those of the mix.
    pub fn leave_mix(
        &mut self,
        voice: &Voice,
        sources: &Sources,
        bitrate: i32,
        now: Instant,
        egress: &mut Egress<'_>,
    ) {
        let ingress_us = voice.block().map_or(0, |block| block.ingress_us);
        for samples in voice.leftover().chunks(FRAME_SAMPLES) {
            let mut rest = [0.0; FRAME_SAMPLES];
            add(&mut rest, samples);
            self.encode(&mut rest, sources, ingress_us, bitrate, egress);
        }
        for frame in voice.buffer.frames() {
            if !self.has_passed(voice.who, frame.end(), now) {
                self.pass(voice, frame, now, egress);
            }
        }
    }

    /// Mixes the voices' current 20 ms.
    pub fn mix(&mut self, voices: &[Voice], bitrate: i32, now: Instant, egress: &mut Egress<'_>) {
        self.mixed_at = now;
        let mut sum = [0.0; FRAME_SAMPLES];
        // The oldest decides: the delay of a mix is that of the voice that waited longest.
        let mut ingress_us = u64::MAX;
        for voice in voices.iter().filter(|voice| self.sources.contains(&voice.who)) {
            let fresh = |block: &&Block| !self.has_passed(voice.who, block.end, now);
            if let Some(block) = voice.block().filter(fresh) {
                add(&mut sum, &block.pcm);
                ingress_us = ingress_us.min(block.ingress_us);
            }
        }
        let sources = self.sources;
        self.encode(&mut sum, &sources, ingress_us, bitrate, egress);
    }

    /// Forgets the encoder if it has not been used for long. Says whether anything is left.
    pub fn release(&mut self, now: Instant) -> bool {
        if self.release_at().is_some_and(|at| now >= at) {
            self.encoder = None;
        }
        self.encoder.is_some() || self.content != Content::Nothing || self.track == Track::Common
    }

    /// When to call [`Lane::release`].
    pub fn release_at(&self) -> Option<Instant> {
        let idle = self.encoder.is_some() && self.content != Content::Mix;
        idle.then(|| self.mixed_at + ENCODER_KEPT)
    }

    fn has_passed(&self, who: ParticipantId, end: i64, now: Instant) -> bool {
        self.passed.is_some_and(|passed| {
            passed.who == who
                && end <= passed.end
                && now.saturating_duration_since(passed.at) < PASSED_REMEMBERED
        })
    }

    fn encode(
        &mut self,
        sum: &mut [f32; FRAME_SAMPLES],
        sources: &Sources,
        ingress_us: u64,
        bitrate: i32,
        egress: &mut Egress<'_>,
    ) {
        let media_time = self.media_time;
        self.media_time = media_time.wrapping_add(FRAME_SAMPLES as u32);
        self.limiter.apply(sum);
        let level = level_dbov(sum);
        if level >= SILENT {
            egress.counters.mixes_silent += 1;
            return;
        }
        let Some(payload) = self.encode_packet(sum, bitrate) else {
            egress.counters.codec_failures += 1;
            return;
        };
        egress.counters.encodes += 1;
        self.emit(
            TrackFrame {
                track: self.track,
                stream: self.stream,
                media_time,
                sources: *sources,
                ingress_us,
                level,
                payload,
                targets: Arc::default(),
            },
            egress,
        );
    }

    fn encode_packet(&mut self, sum: &[f32; FRAME_SAMPLES], bitrate: i32) -> Option<Bytes> {
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            none => none.insert(Encoder::voice(bitrate).ok()?),
        };
        let mut packet = [0; PACKET_BYTES_MAX];
        let length = encoder.encode(sum, &mut packet).ok()?;
        packet.get(..length).map(Bytes::copy_from_slice)
    }

    fn emit(&self, frame: TrackFrame, egress: &mut Egress<'_>) {
        if self.track == Track::Common {
            egress.outputs.push_back(Output::Track { destination: Destination::Common, frame });
            return;
        }
        for relay in &self.relays {
            let destination = Destination::Relay(relay.clone());
            egress.outputs.push_back(Output::Track { destination, frame: frame.clone() });
        }
    }
}

fn add(sum: &mut [f32], samples: &[f32]) {
    for (sum, sample) in sum.iter_mut().zip(samples) {
        *sum += sample;
    }
}
