//! The one place where this service reads a clock, and what tests put in its place.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

/// Says what time it is. Clones share a manual one.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The operating system's.
    #[default]
    System,
    /// Milliseconds since 1970, moved by hand.
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// Milliseconds since 1970; 0 on a machine whose clock stands before that.
    #[must_use]
    pub fn now(&self) -> u64 {
        match self {
            Self::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
            }
            Self::Manual(millis) => millis.load(Ordering::SeqCst),
        }
    }
}
