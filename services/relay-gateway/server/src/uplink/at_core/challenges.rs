//! Values that relays sign to show who they are: random, good once, for a minute.

use std::time::{Duration, Instant};

use moka::sync::Cache;
use tributary_join_credential::RELAY_CHALLENGE_LENGTH;

const LIFE: Duration = Duration::from_secs(60);
/// Challenges that wait for their answer; with more, the oldest are no good any more.
const CHALLENGES_MAX: u64 = 100_000;

type Challenge = [u8; RELAY_CHALLENGE_LENGTH];

/// All that wait.
pub(super) struct Challenges(Cache<Challenge, Instant>);

impl Default for Challenges {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(CHALLENGES_MAX).time_to_live(LIFE).build())
    }
}

impl Challenges {
    /// A new one.
    pub(super) fn make(&self) -> Result<Vec<u8>, getrandom::Error> {
        let mut challenge = [0; RELAY_CHALLENGE_LENGTH];
        getrandom::fill(&mut challenge)?;
        self.0.insert(challenge, Instant::now());
        Ok(challenge.to_vec())
    }

    /// True if this is one that waits; from now on it does not.
    pub(super) fn spend(&self, challenge: &[u8]) -> bool {
        let Ok(challenge) = Challenge::try_from(challenge) else { return false };
        // Of two who come with the same one, only one takes it out.
        self.0.remove(&challenge).is_some_and(|made| made.elapsed() < LIFE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_good_once() {
        let challenges = Challenges::default();
        let (one, other) = (challenges.make().unwrap(), challenges.make().unwrap());
        assert!(challenges.spend(&one) && !challenges.spend(&one));
        assert!(challenges.spend(&other));
        assert!(!challenges.spend(&[0; RELAY_CHALLENGE_LENGTH]) && !challenges.spend(&[]));
    }
}
