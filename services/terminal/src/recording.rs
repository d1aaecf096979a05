//! What a terminal hears, laid out in time as a listener would hear it, pauses included.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use tributary_audio::{FileError, SAMPLE_RATE, WavWriter};

/// How much is kept; what comes after is not.
pub const RECORDING_SECONDS_MAX: usize = 600;

const SAMPLES_MAX: usize = RECORDING_SECONDS_MAX * SAMPLE_RATE as usize;
/// RTP time says where audio belongs, as long as it does not disagree more than this with the clock.
const DISAGREEMENT_MAX: i64 = SAMPLE_RATE as i64 / 2;

/// Heard audio since a first moment.
pub(crate) struct Recording {
    started: Instant,
    samples: Vec<i16>,
    /// RTP time and the position of the sample that it belongs to.
    anchor: Option<(u32, i64)>,
}

impl Recording {
    pub(crate) fn new(now: Instant) -> Self {
        Self { started: now, samples: Vec::new(), anchor: None }
    }

    pub(crate) fn push(&mut self, media_time: u32, samples: &[f32], now: Instant) {
        let clock = samples_in(now.saturating_duration_since(self.started));
        let position = self.anchor.map_or(clock, |(anchor, position)| {
            position + i64::from(media_time.wrapping_sub(anchor).cast_signed())
        });
        let position = if (position - clock).abs() > DISAGREEMENT_MAX { clock } else { position };
        self.anchor = Some((media_time, position));
        self.place(usize::try_from(position).unwrap_or(0), samples);
    }

    /// Later audio replaces earlier audio at the same place.
    fn place(&mut self, position: usize, samples: &[f32]) {
        let end = (position + samples.len()).min(SAMPLES_MAX);
        if self.samples.len() < end {
            self.samples.resize(end, 0);
        }
        let places = self.samples.get_mut(position..end).unwrap_or_default();
        for (place, sample) in places.iter_mut().zip(samples) {
            // The cast saturates.
            *place = (sample * f32::from(i16::MAX)) as i16;
        }
    }

    /// All that was heard until now, with silence up to now.
    pub(crate) fn samples(&self, now: Instant) -> Vec<i16> {
        let mut samples = self.samples.clone();
        let clock = samples_in(now.saturating_duration_since(self.started));
        let length = usize::try_from(clock).unwrap_or(SAMPLES_MAX).min(SAMPLES_MAX);
        samples.resize(length.max(samples.len()), 0);
        samples
    }
}

/// Writes 16-bit samples to a WAV file.
pub(crate) fn write_wav(path: &Path, samples: &[i16]) -> Result<(), FileError> {
    let mut writer = WavWriter::create(path)?;
    for chunk in samples.chunks(SAMPLE_RATE as usize) {
        let chunk: Vec<f32> =
            chunk.iter().map(|sample| f32::from(*sample) / f32::from(i16::MAX)).collect();
        writer.write(&chunk)?;
    }
    writer.finish()
}

fn samples_in(duration: Duration) -> i64 {
    let samples = duration.as_micros() * u128::from(SAMPLE_RATE) / 1_000_000;
    i64::try_from(samples).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(20);

    #[test]
    fn pauses_are_kept_and_jitter_is_not() {
        let start = Instant::now();
        let mut recording = Recording::new(start);
        recording.push(u32::MAX - 959, &[0.5; 960], start + FRAME);
        recording.push(0, &[0.25; 960], start + FRAME * 3);
        recording.push(960 * 50, &[0.125; 960], start + FRAME * 60);
        let heard = recording.samples(start + FRAME * 100);
        assert_eq!(heard.len(), 96_000);
        let places: Vec<(usize, i16)> = (0..100)
            .map(|frame| (frame, heard[frame * 960 + 480]))
            .filter(|(_, sample)| *sample != 0)
            .collect();
        assert_eq!(places, [(1, 16_383), (2, 8_191), (52, 4_095)]);
    }

    #[test]
    fn a_new_stream_with_other_times_goes_where_the_clock_says() {
        let start = Instant::now();
        let mut recording = Recording::new(start);
        recording.push(0, &[0.5; 960], start);
        recording.push(3_000_000_000, &[0.25; 960], start + FRAME * 5);
        let heard = recording.samples(start);
        assert_eq!((heard[5 * 960], heard.len()), (8_191, 6 * 960));
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let start = Instant::now();
        let mut recording = Recording::new(start);
        recording.push(0, &[0.5; 960], start + Duration::from_secs(1_000_000));
        assert!(recording.samples(start + Duration::from_secs(1_000_000)).len() <= SAMPLES_MAX);
    }
}
