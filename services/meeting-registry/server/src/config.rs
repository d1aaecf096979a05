//! The service's section of the configuration, `[meeting_registry]`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// `[meeting_registry]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// After how many seconds of silence a relay is lost, with all who are behind it. Relays renew
    /// themselves several times in that.
    pub relay_silence_seconds: u64,
    /// How often lost relays are looked for, in seconds.
    pub sweep_interval_seconds: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { relay_silence_seconds: 15, sweep_interval_seconds: 3 }
    }
}

/// The section holds what can't work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConfig {
    /// Out of bounds.
    #[error("meeting_registry.relay_silence_seconds must be 1 to 3600")]
    RelaySilence,
    /// Out of bounds.
    #[error("meeting_registry.sweep_interval_seconds must be 1 to relay_silence_seconds")]
    SweepInterval,
}

impl Config {
    /// Checks the bounds.
    ///
    /// # Errors
    /// A value is out of its bounds.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        if !(1..=3600).contains(&self.relay_silence_seconds) {
            return Err(InvalidConfig::RelaySilence);
        }
        if !(1..=self.relay_silence_seconds).contains(&self.sweep_interval_seconds) {
            return Err(InvalidConfig::SweepInterval);
        }
        Ok(())
    }

    /// After how long a silent relay is lost.
    #[must_use]
    pub const fn relay_silence(&self) -> Duration {
        Duration::from_secs(self.relay_silence_seconds)
    }

    /// How often lost relays are looked for.
    #[must_use]
    pub const fn sweep_interval(&self) -> Duration {
        Duration::from_secs(self.sweep_interval_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_in_its_bounds() {
        assert_eq!(Config::default().check(), Ok(()));
    }

    #[test]
    fn values_that_cannot_work_are_refused() {
        let check = |relay_silence_seconds, sweep_interval_seconds, expected| {
            let config = Config { relay_silence_seconds, sweep_interval_seconds };
            assert_eq!(config.check(), Err(expected));
        };
        check(0, 1, InvalidConfig::RelaySilence);
        check(3601, 1, InvalidConfig::RelaySilence);
        check(15, 0, InvalidConfig::SweepInterval);
        check(15, 16, InvalidConfig::SweepInterval);
    }
}
