//! Outsiders who were let in a moment ago, for the time when the database is down.

use std::{sync::Arc, time::Duration};

use moka::future::Cache;
use sha2::{Digest as _, Sha256};
use tributary_identifiers::{KeyThumbprint, UserId};
use tributary_message_bus::subjects::MeetingScope;

use super::freshness::{Freshness, Moment};

/// Remembers for a bounded time. Clones share everything.
#[derive(Clone)]
pub struct RecentAllows {
    cache: Cache<Allow, Moment>,
    freshness: Arc<Freshness>,
    /// Makes what is kept worthless outside of this process.
    salt: [u8; 32],
}

/// Who was let in where, having shown what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Allow {
    scope: MeetingScope,
    user: UserId,
    client: Option<KeyThumbprint>,
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
            shown: shown.into(),
        }
    }

    /// When it is now: to be taken before the facts are asked for that lead to an allow.
    pub fn now(&self) -> Moment {
        self.freshness.now()
    }

    /// Remembers an allow that was decided on facts asked for since `asked`.
    pub async fn remember(&self, allow: Allow, asked: Moment) {
        self.cache.insert(allow, asked).await;
    }

    /// Whether it was given lately, and nothing has changed at the meeting since.
    pub async fn contains(&self, allow: &Allow) -> bool {
        let asked = self.cache.get(allow).await;
        asked.is_some_and(|asked| self.freshness.holds(&allow.scope, asked))
    }
}
