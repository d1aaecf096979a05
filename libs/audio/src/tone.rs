//! Tones, and finding them again: how tests and statistics tell who is heard.

use std::f32::consts::TAU;

use crate::{FRAME_SAMPLES, SAMPLE_RATE, amplitude};

/// A tone softer than this counts as not there, in dB relative to a full-scale sine.
pub const TONE_FLOOR_DBFS: f32 = -40.0;

/// Samples that [`ToneMeter`] looks at at once, 40 ms: tones 75 Hz apart are told from each other.
const WINDOW_SAMPLES: usize = 2 * FRAME_SAMPLES;

/// Windows in a row that a tone must be in: a sudden start or end of another tone is a click that has all
/// frequencies, but it is in two windows only.
const WINDOWS_MIN: u64 = 3;

/// A sine that goes on for ever.
#[derive(Debug, Clone)]
pub struct Tone {
    step: f32,
    phase: f32,
    amplitude: f32,
}

impl Tone {
    /// A tone of a frequency in Hz (0 to 24,000) and a level in dB relative to a full-scale sine.
    pub fn new(hz: f32, dbfs: f32) -> Self {
        Self { step: TAU * hz / SAMPLE_RATE as f32, phase: 0.0, amplitude: amplitude(dbfs) }
    }

    /// Overwrites `samples` with what comes next.
    pub fn fill(&mut self, samples: &mut [f32]) {
        for sample in samples {
            *sample = self.amplitude * self.phase.sin();
            self.phase = (self.phase + self.step) % TAU;
        }
    }
}

/// Measures the power at one frequency (Goertzel's algorithm behind a Hann window).
#[derive(Debug, Clone)]
pub struct Goertzel {
    coefficient: f32,
    window: Vec<f32>,
}

impl Goertzel {
    /// For a frequency in Hz and so many samples at a time.
    pub fn new(hz: f32, window_samples: usize) -> Self {
        let hann =
            |index: usize| 0.5 - 0.5 * (TAU * (index as f32 + 0.5) / window_samples as f32).cos();
        Self {
            coefficient: 2.0 * (TAU * hz / SAMPLE_RATE as f32).cos(),
            window: (0..window_samples).map(hann).collect(),
        }
    }

    /// Power at the frequency in dB, 0 for a full-scale sine; at least -150. Samples beyond the window
    /// are not looked at, missing ones count as silence.
    pub fn dbfs(&self, samples: &[f32]) -> f32 {
        let (mut last, mut before_last) = (0.0_f32, 0.0_f32);
        for (sample, weight) in samples.iter().zip(&self.window) {
            let next = sample * weight + self.coefficient * last - before_last;
            before_last = last;
            last = next;
        }
        let power = last * last + before_last * before_last - self.coefficient * last * before_last;
        // A full-scale sine gives half the sum of the window's weights, which is half their number.
        let full_scale = (self.window.len() as f32 / 4.0).powi(2);
        (10.0 * (power / full_scale).log10()).max(-150.0)
    }
}

/// Counts for how long each of some tones was heard in a stream of samples.
#[derive(Debug, Clone)]
pub struct ToneMeter {
    tones: Vec<HeardTone>,
    recent: Vec<f32>,
}

#[derive(Debug, Clone)]
struct HeardTone {
    hz: f32,
    goertzel: Goertzel,
    windows_in_a_row: u64,
    windows: u64,
}

impl HeardTone {
    fn push(&mut self, window: &[f32]) {
        if self.goertzel.dbfs(window) <= TONE_FLOOR_DBFS {
            self.windows_in_a_row = 0;
            return;
        }
        self.windows_in_a_row += 1;
        self.windows += match self.windows_in_a_row {
            ..WINDOWS_MIN => 0,
            WINDOWS_MIN => WINDOWS_MIN,
            _ => 1,
        };
    }
}

impl ToneMeter {
    /// For tones at these frequencies in Hz, each at least 75 Hz from the others.
    pub fn new(hz: &[f32]) -> Self {
        let tones = hz.iter().map(|&hz| HeardTone {
            hz,
            goertzel: Goertzel::new(hz, WINDOW_SAMPLES),
            windows_in_a_row: 0,
            windows: 0,
        });
        Self { tones: tones.collect(), recent: Vec::with_capacity(WINDOW_SAMPLES * 2) }
    }

    /// Listens to what comes next.
    pub fn push(&mut self, samples: &[f32]) {
        if self.tones.is_empty() {
            return;
        }
        for chunk in samples.chunks(WINDOW_SAMPLES) {
            self.recent.extend_from_slice(chunk);
            while self.recent.len() >= WINDOW_SAMPLES {
                for tone in &mut self.tones {
                    tone.push(&self.recent);
                }
                self.recent.drain(..FRAME_SAMPLES);
            }
        }
    }

    /// Frequency and milliseconds heard so far, of each tone, exact to 20 ms at each start and end;
    /// less than 80 ms in a row do not count.
    pub fn heard_ms(&self) -> impl Iterator<Item = (f32, u64)> + '_ {
        self.tones.iter().map(|tone| (tone.hz, tone.windows * 20))
    }

    /// Starts counting anew.
    pub fn reset(&mut self) {
        self.recent.clear();
        for tone in &mut self.tones {
            tone.windows_in_a_row = 0;
            tone.windows = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_power(hz: f32, dbfs: f32, at: f32, expected: std::ops::Range<f32>) {
        let mut samples = [0.0; WINDOW_SAMPLES];
        Tone::new(hz, dbfs).fill(&mut samples);
        let power = Goertzel::new(at, WINDOW_SAMPLES).dbfs(&samples);
        assert!(expected.contains(&power), "{power} dB at {at} Hz of {hz} Hz");
    }

    #[test]
    fn power_is_that_of_the_tone_and_nothing_elsewhere() {
        check_power(440.0, 0.0, 440.0, -0.2..0.2);
        check_power(440.0, -30.0, 440.0, -30.2..-29.8);
        check_power(440.0, 0.0, 550.0, -150.0..-45.0);
        check_power(10_000.0, -6.0, 10_000.0, -6.2..-5.8);
        let silence = Goertzel::new(440.0, WINDOW_SAMPLES).dbfs(&[0.0; WINDOW_SAMPLES]);
        assert_eq!(silence, -150.0);
    }

    #[test]
    fn the_meter_counts_each_tone_while_it_sounds() {
        let mut meter = ToneMeter::new(&[440.0, 550.0, 660.0]);
        let (mut low, mut high) = (Tone::new(440.0, -20.0), Tone::new(550.0, -20.0));
        let (mut a, mut b) = ([0.0; FRAME_SAMPLES], [0.0; FRAME_SAMPLES]);
        for frame in 0..100 {
            low.fill(&mut a);
            high.fill(&mut b);
            if frame >= 50 {
                a.iter_mut().zip(&b).for_each(|(a, b)| *a += b);
            }
            meter.push(&a);
        }
        let heard: Vec<u64> = meter.heard_ms().map(|(_, ms)| ms).collect();
        assert!((1_960..=2_000).contains(&heard[0]), "{heard:?}");
        assert!((980..=1_040).contains(&heard[1]), "{heard:?}");
        assert_eq!(heard[2], 0);
        meter.reset();
        assert!(meter.heard_ms().all(|(_, ms)| ms == 0));
    }
}
