//! The service's section of the configuration, `[access_control]`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// `[access_control]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long facts are believed, in milliseconds: so long may a member who was taken off the
    /// list still get in.
    pub facts_life_ms: u64,
    /// How many facts are kept at most; each has some hundred bytes.
    pub facts_max: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { facts_life_ms: 1000, facts_max: 100_000 }
    }
}

impl Config {
    /// How long facts are believed.
    #[must_use]
    pub const fn facts_life(&self) -> Duration {
        Duration::from_millis(self.facts_life_ms)
    }
}
