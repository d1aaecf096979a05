//! Values that relays sign to show who they are: random, good once, for a minute.

use std::time::{Duration, Instant};

use moka::{policy::EvictionPolicy, sync::Cache};
use tributary_join_credential::RELAY_CHALLENGE_LENGTH;

const LIFE: Duration = Duration::from_secs(60);
/// Challenges that wait for their answer; with more, the oldest are no good any more. One address gets 200
/// a second at most, and a relay answers within seconds: to make it too late takes hundreds of addresses.
const CHALLENGES_MAX: u64 = 200_000;

type Challenge = [u8; RELAY_CHALLENGE_LENGTH];

/// All that wait.
pub(super) struct Challenges(Cache<Challenge, Instant>);

impl Default for Challenges {
    fn default() -> Self {
        Self::at_most(CHALLENGES_MAX)
    }
}

impl Challenges {
    fn at_most(challenges: u64) -> Self {
        let cache = Cache::builder().max_capacity(challenges).time_to_live(LIFE);
        // The usual policy would keep those that are there, and drop what is new.
        Self(cache.eviction_policy(EvictionPolicy::lru()).build())
    }

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

    #[test]
    fn whoever_asks_for_many_keeps_nobody_else_from_answering() {
        let challenges = Challenges::at_most(100);
        let first = challenges.make().unwrap();
        for _ in 0..2_000 {
            challenges.make().unwrap();
        }
        let newest: Vec<_> = (0..50).map(|_| challenges.make().unwrap()).collect();
        challenges.0.run_pending_tasks();
        assert!(!challenges.spend(&first), "the oldest makes room");
        assert!(newest.iter().all(|challenge| challenges.spend(challenge)));
    }
}
