//! The section `mixer` of the configuration.

use serde::{Deserialize, Serialize};
use tributary_mixer_core::SOURCES_MAX;
use tributary_speaker_selection::Config as SelectionConfig;

/// How a mixer is set up.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Threads that carry media; 0: one for each processor.
    pub threads: usize,
    /// How many voices of a meeting are heard at a time at most (K).
    pub voices_max: usize,
    /// Bit rate of a mix, in bit/s: 6,000 to 128,000.
    pub bitrate: i32,
}

impl Default for Config {
    fn default() -> Self {
        Self { threads: 0, voices_max: SelectionConfig::default().voices_max, bitrate: 32_000 }
    }
}

impl Config {
    /// Looks for what can't work; all faults found, in words that say what to do.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if !(1..=SOURCES_MAX).contains(&self.voices_max) {
            faults.push(format!("mixer.voices_max must be 1 to {SOURCES_MAX}"));
        }
        if !(6_000..=128_000).contains(&self.bitrate) {
            faults.push("mixer.bitrate must be 6000 to 128000 bit/s".to_owned());
        }
        if self.threads > 256 {
            faults.push("mixer.threads must be at most 256".to_owned());
        }
        faults
    }

    /// The number of worker threads.
    #[must_use]
    pub fn workers(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            threads => threads,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_work_and_impossible_values_are_named() {
        assert!(Config::default().faults().is_empty());
        let config = Config { threads: 1000, voices_max: 0, bitrate: 1 };
        assert_eq!(config.faults().len(), 3);
    }
}
