//! Audio levels as in RFC 6464.

/// The level of digital silence, and of all that is softer than -126.5 dBov.
pub const LEVEL_SILENCE: u8 = 127;

/// Level of some samples in -dBov: 0 is the loudest there is (a full-scale square wave), a full-scale
/// sine has 3, [`LEVEL_SILENCE`] is silence. This is what RFC 6464 puts into packets.
pub fn level_dbov(samples: &[f32]) -> u8 {
    if samples.is_empty() {
        return LEVEL_SILENCE;
    }
    let energy: f32 = samples.iter().map(|sample| sample * sample).sum();
    let mean_square = energy / samples.len() as f32;
    let level = -10.0 * mean_square.log10();
    // Infinite for silence; a cast saturates and takes NaN to 0, hence the order of the comparison.
    if level < f32::from(LEVEL_SILENCE) { level.round() as u8 } else { LEVEL_SILENCE }
}

/// The amplitude that belongs to a level in dB relative to full scale: 0 dB is 1, -20 dB is 0.1.
pub fn amplitude(db: f32) -> f32 {
    10_f32.powf(db / 20.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FRAME_SAMPLES, Tone};

    fn check(samples: &[f32], expected: u8) {
        assert_eq!(level_dbov(samples), expected);
    }

    #[test]
    fn levels_are_those_of_rfc_6464() {
        check(&[1.0, -1.0, 1.0, -1.0], 0);
        check(&[4.0, -4.0], 0);
        check(&[0.1, -0.1], 20);
        check(&[0.0; FRAME_SAMPLES], 127);
        check(&[1e-9; 4], 127);
        check(&[], 127);
        check(&[f32::NAN], 127);
        check(&[f32::INFINITY], 0);
        let mut sine = [0.0; FRAME_SAMPLES];
        Tone::new(1_000.0, 0.0).fill(&mut sine);
        check(&sine, 3);
        Tone::new(1_000.0, -37.0).fill(&mut sine);
        check(&sine, 40);
    }
}
