//! A bounded number of password checks at a time.
//!
//! **Invariant:** whoever has a place gets an answer: there are fewer places than the hasher, which
//! is nobody else's, lets in. So a place can be taken before a try is spent, and nobody is locked
//! out by the load of others.

use std::{sync::Arc, thread};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tributary_password_hash::{HashError, Hasher, PASSWORD_LENGTH_MAX};

/// How many may be there for each core, computed or waiting: about two seconds of work, and no more
/// than the hasher lets in.
const PLACES_PER_CORE: usize = 32;

/// Checks passwords. Clones share the places.
#[derive(Clone, Debug)]
pub struct PasswordChecks {
    hasher: Hasher,
    places: Arc<Semaphore>,
}

/// A place for one check.
pub struct PasswordCheck<'a> {
    hasher: &'a Hasher,
    password: &'a str,
    _place: OwnedSemaphorePermit,
}

impl Default for PasswordChecks {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self::new(cores, cores * PLACES_PER_CORE)
    }
}

impl PasswordChecks {
    /// On so many cores, with so many places: at most 32 for each core.
    pub fn new(cores: usize, places: usize) -> Self {
        Self { hasher: Hasher::new(cores), places: Arc::new(Semaphore::new(places)) }
    }

    /// Takes a place to check this password.
    ///
    /// # Errors
    /// The password is too long to be anybody's, or all places are taken.
    pub fn reserve<'a>(&'a self, password: &'a str) -> Result<PasswordCheck<'a>, HashError> {
        if password.len() > PASSWORD_LENGTH_MAX {
            return Err(HashError::TooLong);
        }
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| HashError::Busy)?;
        Ok(PasswordCheck { hasher: &self.hasher, password, _place: place })
    }
}

impl PasswordCheck<'_> {
    /// Whether the password is the one that `phc` was made of, by the same work if there is none.
    ///
    /// # Errors
    /// The stored hash is malformed, or the machine has no memory or thread left.
    pub async fn verify(self, phc: Option<&str>) -> Result<bool, HashError> {
        self.hasher.verify(self.password, phc).await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn whoever_has_a_place_gets_an_answer_and_the_rest_is_sent_away_before() {
        let checks = PasswordChecks::new(1, PLACES_PER_CORE);
        let places: Vec<_> = (0..PLACES_PER_CORE).map(|_| checks.reserve("x").unwrap()).collect();
        assert_eq!(checks.reserve("x").err(), Some(HashError::Busy));
        let answers = join_all(places.into_iter().map(|place| place.verify(None))).await;
        assert!(answers.iter().all(|answer| *answer == Ok(false)), "{answers:?}");
        assert!(checks.reserve("x").is_ok());
        let long = "x".repeat(PASSWORD_LENGTH_MAX + 1);
        assert_eq!(checks.reserve(&long).err(), Some(HashError::TooLong));
    }
}
