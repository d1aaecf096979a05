//! The one place where this service reads a clock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

/// Where the time comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that somebody else sets, in Unix milliseconds.
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// Unix milliseconds; 0 on a machine whose clock stands before 1970.
    #[must_use]
    pub fn millis(&self) -> u64 {
        match self {
            Self::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX)),
            Self::Manual(hands) => hands.load(Ordering::SeqCst),
        }
    }

    /// Unix seconds.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        self.millis() / 1000
    }
}
