//! The one place where this service reads a clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix seconds; 0 on a machine whose clock stands before 1970.
pub fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
