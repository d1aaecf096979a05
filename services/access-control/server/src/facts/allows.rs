//! Who was let in a moment ago, for the time when the database is down.

use std::{sync::Arc, time::Duration};

use moka::future::Cache;
use sha2::{Digest as _, Sha256};
use tributary_access_control_core::Entitlement;
use tributary_identifiers::{KeyThumbprint, UserId};
use tributary_message_bus::subjects::MeetingScope;

use super::freshness::{Freshness, Moment};

/// Remembers for a bounded time. Clones share everything.
#[derive(Clone)]
pub struct RecentAllows {
    cache: Cache<Allow, Remembered>,
    freshness: Arc<Freshness>,
    /// Makes what is kept worthless outside of this process.
    salt: [u8; 32],
}

#[derive(Clone, Copy)]
struct Remembered {
    asked: Moment,
    until: Option<u64>,
}

/// Who was let in where, as what, having shown what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Allow {
    scope: MeetingScope,
    user: UserId,
    client: Option<KeyThumbprint>,
    entitlement: Entitlement,
    shown: [u8; 32],
}

impl RecentAllows {
    /// Remembers each for `life` and at most `max`; `salt` is random.
    pub fn new(life: Duration, max: u64, freshness: Arc<Freshness>, salt: [u8; 32]) -> Self {
        let cache = Cache::builder().max_capacity(max).time_to_live(life).build();
        Self { cache, freshness, salt }
    }

    /// How somebody is known again; of what they showed, only a hash is kept.
    pub fn key(
        &self,
        scope: &MeetingScope,
        user: &UserId,
        client: Option<&KeyThumbprint>,
        entitlement: Entitlement,
        password: &str,
        secret: &str,
    ) -> Allow {
        let shown = Sha256::new()
            .chain_update(self.salt)
            .chain_update((password.len() as u64).to_be_bytes())
            .chain_update(password)
            .chain_update(secret)
            .finalize();
        Allow {
            scope: scope.clone(),
            user: user.clone(),
            client: client.cloned(),
            entitlement,
            shown: shown.into(),
        }
    }

    /// When it is now: to be taken before the facts are asked for that lead to an allow.
    pub fn now(&self) -> Moment {
        self.freshness.now()
    }

    /// Remembers an allow that was decided on facts asked for since `asked`, and that
    /// rests on shares which end at `until` (milliseconds since 1970; none: never).
    pub async fn remember(&self, allow: Allow, asked: Moment, until: Option<u64>) {
        self.cache.insert(allow, Remembered { asked, until }).await;
    }

    /// Whether it was given lately, nothing has changed at the meeting since, and what it rests on
    /// has not ended by `now`, milliseconds since 1970.
    pub async fn contains(&self, allow: &Allow, now: u64) -> bool {
        let Some(Remembered { asked, until }) = self.cache.get(allow).await else { return false };
        until.is_none_or(|until| now < until) && self.freshness.holds(&allow.scope, asked)
    }
}

#[cfg(test)]
mod tests {
    use tributary_identifiers::{MeetingId, OrganisationId};

    use super::*;

    #[tokio::test]
    async fn an_allow_is_known_until_its_shares_end_or_something_changes_and_as_what_it_was() {
        let freshness = Arc::new(Freshness::default());
        let life = Duration::from_secs(3600);
        let allows = RecentAllows::new(life, 10, Arc::clone(&freshness), [7; 32]);
        let meeting = MeetingId::try_from(1).unwrap();
        let scope = MeetingScope { organisation: OrganisationId::default(), meeting };
        let user: UserId = "user-1".parse().unwrap();
        let key = |entitlement, password: &str| {
            allows.key(&scope, &user, None, entitlement, password, "")
        };
        let shared = key(Entitlement::Shared, "");
        allows.remember(shared.clone(), allows.now(), Some(1000)).await;
        assert!(allows.contains(&shared, 999).await);
        assert!(!allows.contains(&shared, 1000).await);
        assert!(!allows.contains(&key(Entitlement::Member, ""), 999).await);
        assert!(!allows.contains(&key(Entitlement::Shared, "x"), 999).await);
        let member = key(Entitlement::Member, "");
        allows.remember(member.clone(), allows.now(), None).await;
        assert!(allows.contains(&member, u64::MAX).await);
        freshness.changed(&scope);
        assert!(!allows.contains(&member, 0).await);
        assert!(!allows.contains(&shared, 0).await);
    }
}
