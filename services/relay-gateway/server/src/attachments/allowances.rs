//! How often a user may ask for something by HTTP: as often as over a WebSocket, however many
//! connections it takes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use tributary_contracts::terminal::v1::RefusalCode;
use tributary_identifiers::UserId;

use crate::{refusal::Refused, terminals::allowance::Allowance};

/// At this number of users those who have asked for nothing of late are forgotten, at first.
const TIDY_AT_FIRST: usize = 1_024;

/// The allowances of all users. A clone shares them.
#[derive(Clone)]
pub(super) struct Allowances(Arc<Mutex<ByUser>>);

struct ByUser {
    allowances: HashMap<UserId, Allowance>,
    tidy_at: usize,
}

impl Default for Allowances {
    fn default() -> Self {
        let by_user = ByUser { allowances: HashMap::new(), tidy_at: TIDY_AT_FIRST };
        Self(Arc::new(Mutex::new(by_user)))
    }
}

impl Allowances {
    /// Takes one request; refused with `LIMIT` if there were too many.
    pub(super) fn take(&self, user: &UserId, now: Instant) -> Result<(), Refused> {
        let mut by_user = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ByUser { allowances, tidy_at } = &mut *by_user;
        if allowances.len() >= *tidy_at {
            // Whose allowance is full again is as good as new.
            allowances.retain(|_, allowance| !allowance.is_full(now));
            *tidy_at = (2 * allowances.len()).max(TIDY_AT_FIRST);
        }
        let allowance = allowances.entry(user.clone()).or_insert_with(|| Allowance::new(now));
        if allowance.take(now) {
            return Ok(());
        }
        let text = "too many requests: send at most 20 a second";
        Err(Refused::new(RefusalCode::Limit, text))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_user_has_an_own_allowance_and_who_is_quiet_is_forgotten() {
        let user = |name: &str| name.parse::<UserId>().unwrap();
        let (allowances, start) = (Allowances::default(), Instant::now());
        let taken = (0..1_000).filter(|_| allowances.take(&user("ada"), start).is_ok()).count();
        assert!((1..1_000).contains(&taken));
        assert!(allowances.take(&user("bob"), start).is_ok());
        let later = start + Duration::from_secs(60);
        assert!(allowances.take(&user("ada"), later).is_ok());
        for number in 0..5 * TIDY_AT_FIRST {
            let now = later + Duration::from_secs(60 * number as u64);
            assert!(allowances.take(&user(&number.to_string()), now).is_ok());
        }
        assert!(allowances.0.lock().unwrap().allowances.len() <= TIDY_AT_FIRST);
    }
}
