//! Argon2id hashes of passwords (RFC 9106), made and checked on a bounded pool.
//!
//! A hash costs tens of milliseconds of a core and 19 MiB, on purpose. So that guessing does not
//! take the machine away from everybody else, only as many are computed at once as there are
//! cores, on threads where blocking is allowed; a bounded number waits, and the rest is sent away
//! with [`HashError::Busy`].
//!
//! **Invariant:** [`Hasher::verify`] does the same work whether or not there is a hash to compare
//! with, so that its duration does not tell who has a password.

use std::{sync::Arc, thread};

use argon2::{
    Argon2, PasswordHash, PasswordHasher as _, PasswordVerifier as _,
    password_hash::{Error as PhcError, SaltString},
};
use tokio::{sync::Semaphore, task};

/// The longest password that is hashed, in bytes.
pub const PASSWORD_LENGTH_MAX: usize = 1024;

/// How many hashes may wait per core: about two seconds of work, more than anybody waits for.
const WAITING_PER_CORE: usize = 32;

/// As RFC 9106 section 3.1 recommends.
const SALT_BYTES: usize = 16;

/// What stands in for the salt of a user who does not exist.
const ABSENT_SALT: &[u8] = b"tributary-absent";

/// Makes and checks hashes. Clones share the bounds.
#[derive(Clone, Debug)]
pub struct Hasher {
    computing: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
}

/// Why there is no hash, or no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Too many are waiting already; try again later.
    #[error("too many passwords are being checked")]
    Busy,
    /// The password is longer than [`PASSWORD_LENGTH_MAX`].
    #[error("the password is longer than {PASSWORD_LENGTH_MAX} bytes")]
    TooLong,
    /// The stored hash is not an Argon2 hash in PHC form.
    #[error("the stored password hash is malformed")]
    MalformedHash,
    /// The computation failed: no memory, no random numbers or no thread.
    #[error("hashing a password failed")]
    Failed,
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new(thread::available_parallelism().map_or(1, std::num::NonZero::get))
    }
}

impl Hasher {
    /// At most `cores` hashes at once. The default takes all cores of the machine.
    #[must_use]
    pub fn new(cores: usize) -> Self {
        let cores = cores.max(1);
        Self {
            computing: Arc::new(Semaphore::new(cores)),
            admitted: Arc::new(Semaphore::new(cores * (1 + WAITING_PER_CORE))),
        }
    }

    /// Hashes a new password with a new salt; the result is in PHC form.
    ///
    /// # Errors
    /// The password is too long, too many are waiting, or the computation failed.
    pub async fn hash(&self, password: &str) -> Result<String, HashError> {
        self.compute(password, |password| {
            let mut salt = [0; SALT_BYTES];
            getrandom::fill(&mut salt).map_err(|_| HashError::Failed)?;
            let salt = SaltString::encode_b64(&salt).map_err(|_| HashError::Failed)?;
            Argon2::default()
                .hash_password(password.as_bytes(), &salt)
                .map(|hash| hash.to_string())
                .map_err(|_| HashError::Failed)
        })
        .await
    }

    /// Whether `password` is the one that `phc` was made of; never, if there is none.
    ///
    /// # Errors
    /// The password is too long, too many are waiting, the stored hash is malformed, or the
    /// computation failed.
    pub async fn verify(&self, password: &str, phc: Option<&str>) -> Result<bool, HashError> {
        let phc = phc.map(str::to_owned);
        self.compute(password, move |password| match phc {
            Some(phc) => verify_present(&password, &phc),
            None => verify_absent(&password),
        })
        .await
    }

    async fn compute<T: Send + 'static>(
        &self,
        password: &str,
        work: impl FnOnce(String) -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, HashError> {
        if password.len() > PASSWORD_LENGTH_MAX {
            return Err(HashError::TooLong);
        }
        let password = password.to_owned();
        let _admitted = self.admitted.try_acquire().map_err(|_| HashError::Busy)?;
        let computing = Arc::clone(&self.computing);
        let permit = computing.acquire_owned().await.map_err(|_| HashError::Failed)?;
        // The permit goes with the work: a caller who gives up does not let another one in early.
        task::spawn_blocking(move || {
            let result = work(password);
            drop(permit);
            result
        })
        .await
        .map_err(|_| HashError::Failed)?
    }
}

fn verify_present(password: &str, phc: &str) -> Result<bool, HashError> {
    let hash = PasswordHash::new(phc).map_err(|_| HashError::MalformedHash)?;
    match Argon2::default().verify_password(password.as_bytes(), &hash) {
        Ok(()) => Ok(true),
        Err(PhcError::Password) => Ok(false),
        Err(_) => Err(HashError::MalformedHash),
    }
}

fn verify_absent(password: &str) -> Result<bool, HashError> {
    let mut output = [0; 32];
    Argon2::default()
        .hash_password_into(password.as_bytes(), ABSENT_SALT, &mut output)
        .map(|()| false)
        .map_err(|_| HashError::Failed)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[tokio::test]
    async fn a_password_is_known_again_and_another_is_not() {
        let hasher = Hasher::new(2);
        let phc = hasher.hash("correct horse").await.unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert_eq!(hasher.verify("correct horse", Some(&phc)).await, Ok(true));
        assert_eq!(hasher.verify("correct Horse", Some(&phc)).await, Ok(false));
        assert_eq!(hasher.verify("", Some(&phc)).await, Ok(false));
        assert_eq!(hasher.verify("correct horse", None).await, Ok(false));
    }

    #[tokio::test]
    async fn the_same_password_never_has_the_same_hash_twice() {
        let hasher = Hasher::new(2);
        assert_ne!(hasher.hash("same").await, hasher.hash("same").await);
    }

    #[tokio::test]
    async fn who_has_no_hash_waits_as_long_as_who_has_one() {
        let hasher = Hasher::new(1);
        let phc = hasher.hash("correct horse").await.unwrap();
        let (mut present, mut absent) = (Duration::MAX, Duration::MAX);
        for _ in 0..5 {
            let start = Instant::now();
            hasher.verify("wrong horse", Some(&phc)).await.unwrap();
            present = present.min(start.elapsed());
            let start = Instant::now();
            hasher.verify("wrong horse", None).await.unwrap();
            absent = absent.min(start.elapsed());
        }
        let alike = absent * 3 > present && present * 3 > absent;
        assert!(alike, "present {present:?}, absent {absent:?}");
    }

    #[tokio::test]
    async fn malformed_hashes_and_long_passwords_are_refused() {
        let hasher = Hasher::new(1);
        for phc in ["", "x", "$argon2id$v=19$m=19456,t=2,p=1$", "$2b$10$abcdefghijklmnopqrstuv"] {
            assert_eq!(hasher.verify("x", Some(phc)).await, Err(HashError::MalformedHash), "{phc}");
        }
        let long = "x".repeat(PASSWORD_LENGTH_MAX + 1);
        assert_eq!(hasher.hash(&long).await, Err(HashError::TooLong));
        assert_eq!(hasher.verify(&long, None).await, Err(HashError::TooLong));
    }

    #[tokio::test]
    async fn those_above_the_bound_are_sent_away_at_once() {
        let hasher = Hasher::new(1);
        let held = hasher.computing.acquire().await.unwrap();
        let waiting: Vec<_> = (0..=WAITING_PER_CORE)
            .map(|_| {
                let hasher = hasher.clone();
                tokio::spawn(async move { hasher.verify("x", None).await })
            })
            .collect();
        while hasher.admitted.available_permits() > 0 {
            task::yield_now().await;
        }
        assert_eq!(hasher.verify("x", None).await, Err(HashError::Busy));
        drop(held);
        for answer in waiting {
            assert_eq!(answer.await.unwrap(), Ok(false));
        }
    }
}
