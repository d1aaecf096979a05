//! A pleasant sound for demonstrations: soft marimba-like notes that wander over a pentatonic scale.

use std::f32::consts::TAU;

use crate::SAMPLE_RATE;

/// Semitones above the root; any of them sound well together.
const SCALE: [i32; 8] = [0, 2, 4, 7, 9, 12, 14, 16];
/// Partials of a tuned bar: frequency relative to the lowest, strength, seconds to fall to 1/e.
const PARTIALS: [(f32, f32, f32); 3] = [(1.0, 1.0, 0.45), (3.93, 0.22, 0.12), (9.2, 0.05, 0.04)];
/// The mallet is felt: the tone takes this long to come.
const ATTACK_SECONDS: f32 = 0.006;
const NOTE_SECONDS: f32 = 0.36;
/// Two notes can sound at once without coming near full scale.
const NOTE_AMPLITUDE: f32 = 0.14;
/// A bar that was struck so long ago is not heard any more.
const RINGING_SECONDS: f32 = 2.0;

/// Notes without end. The same variant always plays the same.
#[derive(Debug, Clone)]
pub struct Melody {
    root_hz: f32,
    random: u32,
    degree: usize,
    samples_to_next: u32,
    notes: Vec<Note>,
}

#[derive(Debug, Clone)]
struct Note {
    hz: f32,
    age: u32,
}

impl Melody {
    /// Variants differ in pitch and course, so that several can be told from each other.
    pub fn new(variant: u32) -> Self {
        let root = 220.0 * 2_f32.powf((variant * 5 % 12) as f32 / 12.0);
        let random = variant.wrapping_mul(0x9E37_79B9) | 1;
        Self { root_hz: root, random, degree: 2, samples_to_next: 0, notes: Vec::new() }
    }

    /// Overwrites `samples` with what comes next.
    pub fn fill(&mut self, samples: &mut [f32]) {
        for sample in samples {
            if self.samples_to_next == 0 {
                self.strike();
            }
            self.samples_to_next -= 1;
            *sample = self.notes.iter_mut().map(Note::next).sum();
        }
        self.notes.retain(|note| note.seconds() < RINGING_SECONDS);
    }

    /// Decides what comes next: mostly a neighbour on the scale, sometimes a rest.
    fn strike(&mut self) {
        let beats = if self.draw(4) == 0 { 2 } else { 1 };
        self.samples_to_next = beats * (NOTE_SECONDS * SAMPLE_RATE as f32) as u32;
        if self.draw(7) == 0 {
            return;
        }
        let step = self.draw(5) as usize;
        self.degree = (self.degree + SCALE.len() + step - 2) % SCALE.len();
        let semitones = SCALE.get(self.degree).copied().unwrap_or_default();
        let hz = self.root_hz * 2_f32.powf(semitones as f32 / 12.0);
        self.notes.push(Note { hz, age: 0 });
    }

    /// Xorshift: good enough for a tune.
    fn draw(&mut self, below: u32) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        (self.random >> 8) % below
    }
}

impl Note {
    fn seconds(&self) -> f32 {
        self.age as f32 / SAMPLE_RATE as f32
    }

    fn next(&mut self) -> f32 {
        let seconds = self.seconds();
        self.age += 1;
        let attack = (seconds / ATTACK_SECONDS).min(1.0);
        let partial = |(ratio, strength, decay): &(f32, f32, f32)| {
            strength * (-seconds / decay).exp() * (TAU * self.hz * ratio * seconds).sin()
        };
        NOTE_AMPLITUDE * attack * PARTIALS.iter().map(partial).sum::<f32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FRAME_SAMPLES, level_dbov};

    fn ten_seconds(variant: u32) -> Vec<f32> {
        let mut samples = vec![0.0; 10 * SAMPLE_RATE as usize];
        let mut melody = Melody::new(variant);
        samples.chunks_mut(FRAME_SAMPLES).for_each(|frame| melody.fill(frame));
        samples
    }

    #[test]
    fn it_is_soft_goes_on_and_has_no_clicks() {
        for variant in 0..12 {
            let samples = ten_seconds(variant);
            let peak = samples.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
            assert!((0.05..0.5).contains(&peak), "variant {variant}: {peak}");
            for second in samples.chunks(2 * SAMPLE_RATE as usize) {
                assert!(level_dbov(second) < 45, "variant {variant} falls silent");
            }
            let step = samples.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
            assert!(step < 0.05, "variant {variant} clicks: {step}");
        }
    }

    #[test]
    fn a_variant_always_plays_the_same_and_differs_from_others() {
        assert_eq!(ten_seconds(3), ten_seconds(3));
        assert_ne!(ten_seconds(3), ten_seconds(4));
    }
}
