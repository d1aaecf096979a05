//! The one place where this service reads a clock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use tributary_meeting_registry_core::UnixMillis;

/// Where the time comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock; for what replicas must agree on, the database's.
    System,
    /// A clock that somebody else sets.
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// A clock that stands at `now` until it is set.
    #[must_use]
    pub fn manual(now: UnixMillis) -> (Self, Arc<AtomicU64>) {
        let hands = Arc::new(AtomicU64::new(now));
        (Self::Manual(Arc::clone(&hands)), hands)
    }

    /// Unix milliseconds; 0 on a machine whose clock stands before 1970.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        match self {
            Self::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX)),
            Self::Manual(hands) => hands.load(Ordering::SeqCst),
        }
    }
}
