//! One active speaker: what came from them, and, while they are mixed, their sound.
//!
//! Invariants: while nobody mixes the speaker nothing is decoded and nothing waits; each packet
//! is decoded once, however many tracks it is mixed into.

use std::{collections::VecDeque, time::Instant};

use bytes::Bytes;
use tributary_audio::{CodecError, DECODED_SAMPLES_MAX, Decoder, FRAME_SAMPLES, level_dbov};
use tributary_identifiers::ParticipantId;

use crate::{
    counters::Counters,
    honesty::Tally,
    jitter::{self, Frame, Next},
    media::SendFrame,
};

/// How many packets warm a decoder: Opus has converged after some 60 ms.
const WARMING_PACKETS: usize = 3;

/// A frame and when it came here.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub frame: SendFrame,
    /// Duration of the packet, 48 kHz.
    pub samples: u32,
    pub at: Instant,
}

/// A speaker, or somebody who was one lately.
pub struct Voice {
    pub who: ParticipantId,
    /// Names the time base of the packets.
    pub stream: u32,
    /// When the slot was lost; none while it is held.
    pub unselected_since: Option<Instant>,
    /// The last packets of this spurt.
    warming: VecDeque<Bytes>,
    pub buffer: jitter::Buffer,
    sound: Option<Box<Sound>>,
}

/// What exists of a voice while it is mixed.
struct Sound {
    decoder: Decoder,
    /// Decoded and not yet played.
    pcm: [f32; FRAME_SAMPLES + DECODED_SAMPLES_MAX],
    len: usize,
    block: Block,
    tally: Tally,
}

/// What a voice says in one tick.
pub struct Block {
    pub pcm: [f32; FRAME_SAMPLES],
    /// Media time at the end of it, unwrapped.
    pub end: i64,
    /// When the newest frame that went into it entered a relay.
    pub ingress_us: u64,
}

impl Voice {
    pub fn new(who: ParticipantId, stream: u32, config: jitter::Config, now: Instant) -> Self {
        Self {
            who,
            stream,
            unselected_since: None,
            warming: VecDeque::with_capacity(WARMING_PACKETS + 1),
            buffer: jitter::Buffer::new(config, now),
            sound: None,
        }
    }

    /// Whether somebody mixes this voice.
    pub fn is_mixed(&self) -> bool {
        self.sound.is_some()
    }

    /// Makes the voice ready to be mixed.
    ///
    /// # Errors
    /// The decoder could not be made.
    pub fn start_mixing(&mut self, counters: &mut Counters) -> Result<(), CodecError> {
        let mut decoder = Decoder::new()?;
        let mut nothing = [0.0; DECODED_SAMPLES_MAX];
        for payload in self.warming.drain(..) {
            counters.decodes_warming += 1;
            counters.undecodable += u64::from(decoder.decode(&payload, &mut nothing).is_err());
        }
        let block = Block { pcm: [0.0; FRAME_SAMPLES], end: i64::MIN, ingress_us: 0 };
        let pcm = [0.0; FRAME_SAMPLES + DECODED_SAMPLES_MAX];
        self.sound = Some(Box::new(Sound { decoder, pcm, len: 0, block, tally: Tally::default() }));
        self.buffer.restart();
        Ok(())
    }

    /// Nobody mixes the voice any more.
    pub fn stop_mixing(&mut self, counters: &mut Counters) {
        self.sound = None;
        if self.unselected_since.is_some() {
            counters.frames_dropped_overflow += self.buffer.frames().count() as u64;
        }
        self.buffer.restart();
    }

    /// The voice has a slot anew, and its first `packets` may come all at once.
    pub fn begin_spurt(&mut self, packets: usize) {
        self.warming.clear();
        self.buffer.begin_spurt(packets);
    }

    /// Keeps a packet to warm a decoder with, should mixing start after it.
    pub fn keep_for_warming(&mut self, payload: Bytes) {
        if self.warming.len() >= WARMING_PACKETS {
            self.warming.pop_front();
        }
        self.warming.push_back(payload);
    }

    /// Decoded samples that are left over from the last tick: less than a packet.
    pub fn leftover(&self) -> &[f32] {
        self.sound.as_ref().and_then(|sound| sound.pcm.get(..sound.len)).unwrap_or_default()
    }

    /// Plays the next 20 ms.
    pub fn play(&mut self, now: Instant, counters: &mut Counters) {
        let Some(sound) = &mut self.sound else { return };
        while let Some(wanted) = FRAME_SAMPLES.checked_sub(sound.len)
            && wanted > 0
        {
            let wanted = u32::try_from(wanted).unwrap_or(0);
            match self.buffer.take(wanted, now, counters) {
                Next::Frame(frame) => sound.decode(&frame, counters),
                Next::Merged(first, second) => sound.decode_merged(&first, &second, counters),
                Next::Concealment(samples) => sound.conceal(samples, counters),
                Next::Silence(samples) => sound.pad(samples),
            }
        }
        let leftover = sound.finish_block();
        let position = self.buffer.position().unwrap_or(i64::MIN);
        sound.block.end = position.saturating_sub(leftover);
    }

    /// By how many dB the speaker is quieter than claimed, now and then and if it is too much.
    pub fn verdict(&mut self) -> Option<u8> {
        self.sound.as_mut()?.tally.verdict()
    }

    /// What the last [`Voice::play`] gave.
    pub fn block(&self) -> Option<&Block> {
        self.sound.as_ref().map(|sound| &sound.block)
    }
}

impl Sound {
    fn decode(&mut self, frame: &Frame, counters: &mut Counters) {
        self.block.ingress_us = frame.ingress_us;
        counters.decodes += 1;
        let free = self.pcm.get_mut(self.len..).unwrap_or_default();
        match self.decoder.decode(&frame.payload, free) {
            Ok(samples) if samples > 0 => {
                let samples = samples.min(free.len());
                let heard = level_dbov(free.get(..samples).unwrap_or_default());
                self.tally.add(frame.level, heard);
                self.len += samples;
            }
            _ => {
                counters.undecodable += 1;
                self.conceal(frame.samples, counters);
            }
        }
    }

    /// Decodes both and fades from the first into the second.
    fn decode_merged(&mut self, first: &Frame, second: &Frame, counters: &mut Counters) {
        let start = self.len;
        self.decode(first, counters);
        let mut faded = [0.0_f32; DECODED_SAMPLES_MAX];
        let out = self.pcm.get(start..self.len).unwrap_or_default();
        let count = out.len().min(DECODED_SAMPLES_MAX);
        for (kept, sample) in faded.iter_mut().zip(out) {
            *kept = *sample;
        }
        self.len = start;
        self.decode(second, counters);
        let into = self.pcm.get_mut(start..self.len).unwrap_or_default();
        let length = count.min(into.len()).max(1) as f32;
        for (place, (sample, before)) in into.iter_mut().zip(faded.iter().take(count)).enumerate() {
            let share = place as f32 / length;
            *sample = *sample * share + before * (1.0 - share);
        }
    }

    fn conceal(&mut self, samples: u32, counters: &mut Counters) {
        counters.concealed += 1;
        let start = self.len;
        self.pad(samples);
        let made_up = self.pcm.get_mut(start..self.len).unwrap_or_default();
        self.decoder.conceal(made_up);
    }

    fn pad(&mut self, samples: u32) {
        let end = self.pcm.len().min(self.len + samples as usize);
        if let Some(free) = self.pcm.get_mut(self.len..end) {
            free.fill(0.0);
        }
        self.len = end;
    }

    /// Moves the first 20 ms into the block. Gives how many samples are left over.
    fn finish_block(&mut self) -> i64 {
        for (to, from) in self.block.pcm.iter_mut().zip(&self.pcm) {
            *to = *from;
        }
        let end = self.len.max(FRAME_SAMPLES);
        self.pcm.copy_within(FRAME_SAMPLES..end, 0);
        self.len = end - FRAME_SAMPLES;
        self.len as i64
    }
}
