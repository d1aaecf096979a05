//! What a terminal's microphone hears.

use std::{path::Path, sync::Arc, time::Duration};

use tributary_audio::{FRAME_SAMPLES, FileError, Melody, Tone, amplitude};

use crate::TalkSchedule;

/// A trace of noise under a tone, in dB relative to full scale: no two packets of the tone are alike, so
/// that tests can tell each from the others.
const NOISE_DBFS: f32 = -58.0;

/// What a microphone hears.
#[derive(Debug, Clone, Default)]
pub enum AudioSource {
    /// Nothing.
    #[default]
    Silence,
    /// A sine with a trace of noise.
    Tone {
        /// Its frequency.
        hz: f32,
        /// Its level in dB relative to a full-scale sine, below 0; -20 is a voice.
        level_dbfs: f32,
    },
    /// Soft notes that wander; variants differ.
    Melody {
        /// Which.
        variant: u32,
    },
    /// A recording, 48 kHz mono.
    Clip {
        /// Not empty, full scale ±1.
        samples: Arc<[f32]>,
        /// Starts again at its end; else silence follows.
        repeat: bool,
    },
}

impl AudioSource {
    /// Reads a WAV (48 kHz) or Ogg Opus file.
    pub fn from_file(path: &Path, repeat: bool) -> Result<Self, FileError> {
        Ok(Self::Clip { samples: tributary_audio::read_clip(path)?.into(), repeat })
    }
}

/// Plays a source frame by frame.
pub(crate) struct Player {
    playing: Playing,
    talk: Option<TalkSchedule>,
    audible: bool,
}

enum Playing {
    Silence,
    Tone { tone: Tone, noise: u32 },
    Melody(Melody),
    Clip { samples: Arc<[f32]>, repeat: bool, at: usize },
}

impl Player {
    pub(crate) fn new(source: AudioSource, talk: Option<TalkSchedule>) -> Self {
        Self { playing: source.into(), talk, audible: false }
    }

    pub(crate) fn set_source(&mut self, source: AudioSource) {
        self.playing = source.into();
        self.audible = false;
    }

    /// Overwrites `frame` with the next 20 ms, silence if muted or not its turn at this time since the
    /// Unix epoch. Turns begin and end within a frame, without a click.
    pub(crate) fn fill(&mut self, frame: &mut [f32; FRAME_SAMPLES], muted: bool, unix: Duration) {
        self.playing.fill(frame);
        let audible = !muted && self.talk.is_none_or(|talk| talk.is_talking(unix));
        match (self.audible, audible) {
            (true, true) => {}
            (false, false) => frame.fill(0.0),
            (before, _) => {
                for (index, sample) in frame.iter_mut().enumerate() {
                    let rising = index as f32 / FRAME_SAMPLES as f32;
                    *sample *= if before { 1.0 - rising } else { rising };
                }
            }
        }
        self.audible = audible;
    }
}

impl From<AudioSource> for Playing {
    fn from(source: AudioSource) -> Self {
        match source {
            AudioSource::Silence => Self::Silence,
            AudioSource::Tone { hz, level_dbfs } => {
                Self::Tone { tone: Tone::new(hz, level_dbfs), noise: hz.to_bits() | 1 }
            }
            AudioSource::Melody { variant } => Self::Melody(Melody::new(variant)),
            AudioSource::Clip { samples, repeat } => Self::Clip { samples, repeat, at: 0 },
        }
    }
}

impl Playing {
    fn fill(&mut self, frame: &mut [f32; FRAME_SAMPLES]) {
        match self {
            Self::Silence => frame.fill(0.0),
            Self::Melody(melody) => melody.fill(frame),
            Self::Tone { tone, noise } => {
                tone.fill(frame);
                let amplitude = amplitude(NOISE_DBFS);
                for sample in frame {
                    *noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    *sample += amplitude * ((*noise >> 8) as f32 / (1 << 23) as f32 - 1.0);
                }
            }
            Self::Clip { samples, repeat, at } => {
                for sample in frame {
                    if *at >= samples.len() && *repeat {
                        *at = 0;
                    }
                    *sample = samples.get(*at).copied().unwrap_or_default();
                    *at = at.saturating_add(1);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tributary_audio::{LEVEL_SILENCE, level_dbov};

    fn levels(player: &mut Player, muted: bool, count: usize) -> Vec<u8> {
        let mut frame = [0.0; FRAME_SAMPLES];
        let level = |_| {
            player.fill(&mut frame, muted, Duration::ZERO);
            level_dbov(&frame)
        };
        (0..count).map(level).collect()
    }

    #[test]
    fn a_tone_has_its_level_and_fades_when_muted() {
        let tone = AudioSource::Tone { hz: 440.0, level_dbfs: -20.0 };
        let mut player = Player::new(tone, None);
        let loud = levels(&mut player, false, 3);
        assert_eq!(&loud[1..], [23, 23]);
        let muted = levels(&mut player, true, 2);
        assert!(muted[0] > 23 && muted[0] < 40 && muted[1] == LEVEL_SILENCE, "{muted:?}");
    }

    #[test]
    fn a_clip_ends_or_starts_again() {
        let samples: Arc<[f32]> = vec![0.5; FRAME_SAMPLES * 3 / 2].into();
        let clip = |repeat| AudioSource::Clip { samples: samples.clone(), repeat };
        let once = levels(&mut Player::new(clip(false), None), false, 4);
        assert!(once[1] < 20 && once[2] == LEVEL_SILENCE && once[3] == LEVEL_SILENCE, "{once:?}");
        let again = levels(&mut Player::new(clip(true), None), false, 4);
        assert!(again[1..].iter().all(|level| *level == 6), "{again:?}");
    }

    #[test]
    fn nothing_is_heard_out_of_turn() {
        let tone = AudioSource::Tone { hz: 440.0, level_dbfs: -20.0 };
        let mut player = Player::new(tone, Some("1s/2s+1s".parse().unwrap()));
        assert_eq!(levels(&mut player, false, 2), [LEVEL_SILENCE; 2]);
    }
}
