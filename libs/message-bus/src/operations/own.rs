//! What this process has published itself. The stream takes a second message of the same name for the
//! first, whoever sent that and whatever was in it; a relay believes that only of its own.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Mutex, PoisonError},
};

/// More than a relay publishes in the two minutes in which the stream knows a name.
const REMEMBERED_MAX: usize = 16_384;

/// The newest operations that were published here, by their hashes.
#[derive(Debug, Default)]
pub struct OwnOperations(Mutex<Newest>);

#[derive(Debug, Default)]
struct Newest {
    known: BTreeSet<[u8; 32]>,
    in_order: VecDeque<[u8; 32]>,
}

impl OwnOperations {
    pub fn contains(&self, hash: &[u8; 32]) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).known.contains(hash)
    }

    /// Remembers one, and forgets the oldest if there are too many.
    pub fn insert(&self, hash: [u8; 32]) {
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.known.insert(hash) {
            newest.in_order.push_back(hash);
        }
        if newest.in_order.len() > REMEMBERED_MAX
            && let Some(oldest) = newest.in_order.pop_front()
        {
            newest.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: usize) -> [u8; 32] {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&number.to_be_bytes());
        hash
    }

    #[test]
    fn the_newest_are_remembered_and_the_oldest_forgotten() {
        let own = OwnOperations::default();
        for number in 0..=REMEMBERED_MAX {
            own.insert(hash(number));
            own.insert(hash(number));
        }
        assert!(!own.contains(&hash(0)));
        assert!(own.contains(&hash(1)) && own.contains(&hash(REMEMBERED_MAX)));
        own.insert(hash(0));
        assert!(own.contains(&hash(0)) && !own.contains(&hash(1)));
    }
}
