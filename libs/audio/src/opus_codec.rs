//! Opus (RFC 6716) as meetings use it: 48 kHz mono, 20 ms, for voices.

use std::fmt;

use thiserror::Error;

use crate::{FRAME_SAMPLES, SAMPLE_RATE};

/// Most samples that one packet can hold: 120 ms.
pub const DECODED_SAMPLES_MAX: usize = 5_760;
/// Longest packet that an encoder makes for one frame, in bytes.
pub const PACKET_BYTES_MAX: usize = 1_275;

/// Effort of the encoder, 0 to 10. 5 costs two thirds of 10 and can hardly be told from it at 32 kb/s.
const COMPLEXITY: i32 = 5;

/// Why audio could not be encoded or decoded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CodecError {
    /// An encoder takes whole frames only.
    #[error("a frame of {0} samples, {FRAME_SAMPLES} are needed")]
    FrameLength(usize),
    /// A decoder's buffer is too small for any packet there is.
    #[error("a buffer for {0} samples, {DECODED_SAMPLES_MAX} are needed")]
    BufferLength(usize),
    /// Not an Opus packet, or out of memory.
    #[error("{0}")]
    Opus(&'static str),
}

impl From<opus::Error> for CodecError {
    fn from(error: opus::Error) -> Self {
        Self::Opus(error.description())
    }
}

/// Makes packets of 20 ms.
pub struct Encoder(opus::Encoder);

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Encoder")
    }
}

impl Encoder {
    /// An encoder for voices at about so many bits per second; 32,000 is good.
    pub fn voice(bits_per_second: i32) -> Result<Self, CodecError> {
        let mut encoder =
            opus::Encoder::new(SAMPLE_RATE, opus::Channels::Mono, opus::Application::Voip)?;
        encoder.set_bitrate(opus::Bitrate::Bits(bits_per_second))?;
        encoder.set_complexity(COMPLEXITY)?;
        Ok(Self(encoder))
    }

    /// Encodes [`FRAME_SAMPLES`] samples into `packet` ([`PACKET_BYTES_MAX`] are always enough) and
    /// returns the length.
    pub fn encode(&mut self, samples: &[f32], packet: &mut [u8]) -> Result<usize, CodecError> {
        if samples.len() != FRAME_SAMPLES {
            return Err(CodecError::FrameLength(samples.len()));
        }
        Ok(self.0.encode_float(samples, packet)?)
    }

    /// Forgets what was encoded so far, for a track that starts anew.
    pub fn reset(&mut self) -> Result<(), CodecError> {
        Ok(self.0.reset_state()?)
    }
}

/// Makes samples of packets, stereo ones too.
pub struct Decoder(opus::Decoder);

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Decoder")
    }
}

impl Decoder {
    /// A decoder that has heard nothing yet. Fails only without memory.
    pub fn new() -> Result<Self, CodecError> {
        Ok(Self(opus::Decoder::new(SAMPLE_RATE, opus::Channels::Mono)?))
    }

    /// Decodes a packet into `samples`, which has room for [`DECODED_SAMPLES_MAX`], and returns how many
    /// there are.
    pub fn decode(&mut self, packet: &[u8], samples: &mut [f32]) -> Result<usize, CodecError> {
        if samples.len() < DECODED_SAMPLES_MAX {
            return Err(CodecError::BufferLength(samples.len()));
        }
        // To the library an empty packet is a lost one.
        if packet.is_empty() {
            return Err(CodecError::Opus("empty packet"));
        }
        let length = self.0.decode_float(packet, samples, false)?;
        silence_broken(samples.get_mut(..length).unwrap_or_default());
        Ok(length)
    }

    /// Fills `samples`, a multiple of 120 of them, with what may have been in a lost packet.
    pub fn conceal(&mut self, samples: &mut [f32]) {
        if self.0.decode_float(&[], samples, false).is_err() {
            samples.fill(0.0);
        }
        silence_broken(samples);
    }
}

fn silence_broken(samples: &mut [f32]) {
    for sample in samples {
        if !sample.is_finite() {
            *sample = 0.0;
        }
    }
}

/// How many samples at 48 kHz a packet holds, 120 to 5,760. `None` if it is not an Opus packet.
pub fn packet_duration(packet: &[u8]) -> Option<u32> {
    let samples = opus::packet::get_nb_samples(packet, SAMPLE_RATE).ok()?;
    let samples = u32::try_from(samples).ok()?;
    (1..=DECODED_SAMPLES_MAX as u32).contains(&samples).then_some(samples)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Goertzel, Tone};
    use proptest::prelude::*;

    fn packets(count: usize) -> Vec<Vec<u8>> {
        let mut encoder = Encoder::voice(32_000).unwrap();
        let mut tone = Tone::new(440.0, -12.0);
        let mut samples = [0.0; FRAME_SAMPLES];
        let mut packet = [0; PACKET_BYTES_MAX];
        let mut encode = || {
            tone.fill(&mut samples);
            let length = encoder.encode(&samples, &mut packet).unwrap();
            packet[..length].to_vec()
        };
        (0..count).map(|_| encode()).collect()
    }

    #[test]
    fn a_tone_survives_and_no_other_appears() {
        let mut decoder = Decoder::new().unwrap();
        let mut heard = Vec::new();
        let mut samples = [0.0; DECODED_SAMPLES_MAX];
        for packet in packets(50) {
            assert_eq!(packet_duration(&packet), Some(960));
            assert!(packet.len() < 200, "{} bytes at 32 kb/s", packet.len());
            let length = decoder.decode(&packet, &mut samples).unwrap();
            heard.extend_from_slice(&samples[..length]);
        }
        let power = |hz| Goertzel::new(hz, 9_600).dbfs(&heard[24_000..33_600]);
        assert!((power(440.0) + 12.0).abs() < 2.0, "{}", power(440.0));
        assert!(power(700.0) < -40.0 && power(1_500.0) < -40.0);
    }

    #[test]
    fn a_lost_packet_is_concealed() {
        let mut decoder = Decoder::new().unwrap();
        let mut samples = [0.0; DECODED_SAMPLES_MAX];
        for packet in packets(20) {
            decoder.decode(&packet, &mut samples).unwrap();
        }
        let mut concealed = [0.0; FRAME_SAMPLES];
        decoder.conceal(&mut concealed);
        assert!(Goertzel::new(440.0, FRAME_SAMPLES).dbfs(&concealed) > -20.0);
        let mut odd = [1.0; 7];
        decoder.conceal(&mut odd);
        assert!(odd.iter().all(|sample| sample.is_finite()));
    }

    #[test]
    fn wrong_lengths_are_refused() {
        let mut encoder = Encoder::voice(32_000).unwrap();
        assert_eq!(
            encoder.encode(&[0.0; 480], &mut [0; PACKET_BYTES_MAX]),
            Err(CodecError::FrameLength(480))
        );
        let mut decoder = Decoder::new().unwrap();
        let mut samples = [0.0; DECODED_SAMPLES_MAX];
        assert_eq!(
            decoder.decode(&packets(1)[0], &mut samples[..960]),
            Err(CodecError::BufferLength(960))
        );
        assert!(decoder.decode(&[], &mut samples).is_err());
        assert_eq!(packet_duration(&[]), None);
        assert_eq!(packet_duration(&[0x03, 0x3f]), None, "63 frames of 10 ms");
    }

    #[test]
    fn every_kind_of_packet_with_any_tail_gives_finite_samples_or_an_error() {
        let mut decoder = Decoder::new().unwrap();
        let mut samples = [0.0; DECODED_SAMPLES_MAX];
        for kind in 0..=255_u8 {
            for length in [0, 1, 2, 3, 10, 100, 1_275, 1_400] {
                let mut packet = vec![kind];
                packet.extend((0..length).map(|i: usize| (i * 151 + usize::from(kind)) as u8));
                if let Ok(length) = decoder.decode(&packet, &mut samples) {
                    assert!(samples[..length].iter().all(|sample| sample.is_finite()));
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn damaged_packets_give_finite_samples_or_an_error(
            flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8_u8), 1..20),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut decoder = Decoder::new().unwrap();
            let mut samples = [0.0; DECODED_SAMPLES_MAX];
            for mut packet in packets(3) {
                for (at, bit) in &flips {
                    let at = at.index(packet.len());
                    packet[at] ^= 1 << bit;
                }
                packet.truncate(cut.index(packet.len()) + 1);
                packet_duration(&packet);
                if let Ok(length) = decoder.decode(&packet, &mut samples) {
                    prop_assert!(samples[..length].iter().all(|sample| sample.is_finite()));
                }
            }
        }
    }
}
