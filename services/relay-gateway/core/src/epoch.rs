//! Fencing: only the mixer with the highest epoch is heard.

use std::time::{Duration, Instant};

/// A holder that was silent for so long no longer keeps lower epochs out: the numbering itself may
/// have been lost with the bus's storage. Longer than a lease lives.
const SILENCE_MAX: Duration = Duration::from_secs(6);

/// The highest epoch seen, and when it was heard last.
#[derive(Clone, Copy, Debug, Default)]
pub struct EpochGuard {
    current: Option<(u64, Instant)>,
}

impl EpochGuard {
    /// Something of this epoch has arrived: may it be used? `Some(true)` if the epoch is new.
    pub fn admit(&mut self, epoch: u64, now: Instant) -> Option<bool> {
        let new = match self.current {
            Some((current, heard)) if epoch < current && now < heard + SILENCE_MAX => return None,
            Some((current, _)) => epoch != current,
            None => true,
        };
        self.current = Some((epoch, now));
        Some(new)
    }

    /// The epoch in force, 0 if none.
    #[must_use]
    pub fn current(&self) -> u64 {
        self.current.map_or(0, |(epoch, _)| epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lower_epoch_is_kept_out_while_the_higher_one_lives() {
        let (mut guard, now) = (EpochGuard::default(), Instant::now());
        assert_eq!(guard.admit(7, now), Some(true));
        assert_eq!(guard.admit(7, now), Some(false));
        assert_eq!(guard.admit(9, now), Some(true));
        assert_eq!(guard.admit(7, now + Duration::from_secs(5)), None);
        assert_eq!(guard.admit(2, now + Duration::from_secs(6)), Some(true));
        assert_eq!(guard.current(), 2);
    }
}
