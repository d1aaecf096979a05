//! How many files may be on their way at a time: in all, and of one user, so that nobody takes all
//! places.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tributary_contracts::terminal::v1::RefusalCode;
use tributary_identifiers::UserId;

use crate::refusal::Refused;

#[derive(Default)]
struct Taken {
    all: usize,
    by_user: HashMap<UserId, usize>,
}

struct Inner {
    all_max: usize,
    user_max: usize,
    taken: Mutex<Taken>,
}

/// The places for transfers one way. A clone shares them.
#[derive(Clone)]
pub(super) struct Places(Arc<Inner>);

/// One of them; free again when dropped.
pub(crate) struct Place {
    user: UserId,
    places: Places,
}

impl Places {
    pub(super) fn new(all_max: usize, user_max: usize) -> Self {
        Self(Arc::new(Inner { all_max, user_max, taken: Mutex::default() }))
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for this user; refused with `LIMIT` if they have as many as one may, with `TRY_AGAIN` if
    /// there is none for anybody.
    pub(super) fn take(&self, user: &UserId) -> Result<Place, Refused> {
        let mut taken = self.taken();
        let of_user = taken.by_user.get(user).copied().unwrap_or_default();
        if of_user >= self.0.user_max {
            let text = format!(
                "at most {} files of a user at a time: wait until one has arrived",
                self.0.user_max
            );
            return Err(Refused::new(RefusalCode::Limit, text));
        }
        if taken.all >= self.0.all_max {
            return Err(Refused::try_again("a place for this transfer"));
        }
        taken.all += 1;
        taken.by_user.insert(user.clone(), of_user + 1);
        Ok(Place { user: user.clone(), places: self.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all = taken.all.saturating_sub(1);
        if let Some(of_user) = taken.by_user.get_mut(&self.user) {
            *of_user = of_user.saturating_sub(1);
            if *of_user == 0 {
                taken.by_user.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(taken: Result<Place, Refused>) -> Option<RefusalCode> {
        taken.err().map(|refused| refused.code)
    }

    #[test]
    fn one_user_takes_some_places_and_all_users_no_more_than_there_are() {
        let user = |name: &str| name.parse::<UserId>().unwrap();
        let places = Places::new(3, 2);
        let first = places.take(&user("ada")).unwrap();
        let _second = places.take(&user("ada")).unwrap();
        assert_eq!(code(places.take(&user("ada"))), Some(RefusalCode::Limit));
        let bobs = places.take(&user("bob")).unwrap();
        assert_eq!(code(places.take(&user("eve"))), Some(RefusalCode::TryAgain));
        drop(first);
        let _third = places.take(&user("ada")).unwrap();
        drop(bobs);
        assert!(!places.taken().by_user.contains_key(&user("bob")));
        assert_eq!(places.taken().all, 2);
    }
}
