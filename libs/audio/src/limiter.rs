//! Keeps a sum of voices within full scale.

use crate::SAMPLE_RATE;

/// Up to here nothing is changed.
const KNEE: f32 = 0.7;
/// Never reached.
const CEILING: f32 = 0.98;
/// How long the gain takes to come back after a peak, to 1/e, in seconds: longer than a period of the
/// deepest voice, so that its waves keep their form.
const RELEASE_SECONDS: f32 = 0.15;
/// Follows louder input without passing it on: sums of very many voices, broken decoders.
const INPUT_MAX: f32 = 1_000.0;

/// A limiter with a soft knee, one per track. Softer than 0.7 of full scale passes unchanged; the
/// output never exceeds 0.98, whatever comes in, and the gain moves without steps except down.
#[derive(Debug, Clone)]
pub struct Limiter {
    envelope: f32,
    release: f32,
}

impl Default for Limiter {
    fn default() -> Self {
        Self::new()
    }
}

impl Limiter {
    /// A limiter that has heard nothing yet.
    pub fn new() -> Self {
        Self { envelope: 0.0, release: (-1.0 / (RELEASE_SECONDS * SAMPLE_RATE as f32)).exp() }
    }

    /// Limits samples in place.
    pub fn apply(&mut self, samples: &mut [f32]) {
        for sample in samples {
            let input = if sample.is_finite() { sample.clamp(-INPUT_MAX, INPUT_MAX) } else { 0.0 };
            self.envelope = input.abs().max(self.envelope * self.release);
            // The clamp is for rounding only.
            *sample = if self.envelope <= KNEE {
                input
            } else {
                (input * gain(self.envelope)).clamp(-CEILING, CEILING)
            };
        }
        // Denormal numbers are slow.
        if self.envelope < 1e-6 {
            self.envelope = 0.0;
        }
    }
}

/// Bends what is above the knee so that infinity comes out at the ceiling; the slope has no step.
fn gain(envelope: f32) -> f32 {
    let room = CEILING - KNEE;
    let bent = KNEE + room * (1.0 - (-(envelope - KNEE) / room).exp());
    bent / envelope
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Goertzel, Tone};
    use proptest::prelude::*;

    #[test]
    fn what_is_soft_passes_unchanged() {
        let mut samples = vec![0.0; 9_600];
        Tone::new(220.0, -4.0).fill(&mut samples);
        let before = samples.clone();
        Limiter::new().apply(&mut samples);
        assert_eq!(samples, before);
    }

    #[test]
    fn eight_full_scale_voices_stay_within_full_scale_and_keep_their_tones() {
        let mut sum = vec![0.0_f32; 48_000];
        for voice in 0..8 {
            let mut samples = vec![0.0; sum.len()];
            Tone::new(200.0 + 150.0 * voice as f32, 0.0).fill(&mut samples);
            sum.iter_mut().zip(&samples).for_each(|(sum, sample)| *sum += sample);
        }
        Limiter::new().apply(&mut sum);
        assert!(sum.iter().all(|sample| sample.abs() <= CEILING));
        for voice in 0..8 {
            let hz = 200.0 + 150.0 * voice as f32;
            assert!(Goertzel::new(hz, 9_600).dbfs(&sum[9_600..19_200]) > -26.0, "{hz} Hz");
        }
        assert!(Goertzel::new(7_777.0, 9_600).dbfs(&sum[9_600..19_200]) < -60.0);
    }

    #[test]
    fn the_gain_comes_back_after_a_peak() {
        let mut limiter = Limiter::new();
        limiter.apply(&mut [8.0; 100]);
        let mut quiet = vec![0.5; SAMPLE_RATE as usize];
        limiter.apply(&mut quiet);
        assert!(quiet[0] < 0.1 && quiet[quiet.len() - 1] == 0.5);
        assert!(quiet.windows(2).all(|w| w[1] >= w[0]), "the gain comes back without steps");
    }

    proptest! {
        #[test]
        fn nothing_gets_over_the_ceiling(mut samples in prop::collection::vec(any::<f32>(), 0..500)) {
            Limiter::new().apply(&mut samples);
            prop_assert!(samples.iter().all(|sample| sample.abs() <= CEILING));
        }
    }
}
