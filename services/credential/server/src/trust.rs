//! What this replica believes: the keys that sign and verify, and what was revoked. It is a copy of
//! what is in the database, brought up to date whenever something is asked of it.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tributary_credential_core::rotation::{self, KEYS_UNREAD_MAX_SECONDS, KeyState, KeyTimes};
use tributary_identifiers::{KeyThumbprint, OrganisationId, UserId};
use tributary_join_credential::{KeyId, KeySet, Revocation, SigningKey, Verifier};

use crate::store::Changes;

/// Shared by all who ask. Clones share everything.
#[derive(Clone, Default)]
pub struct Trust {
    state: Arc<RwLock<State>>,
}

#[derive(Default)]
struct State {
    verifier: Verifier,
    jwks: String,
    keys: Vec<LoadedKey>,
    /// All revocations up to this number are in here, or were forgotten.
    revocations_known: u64,
    /// The number of the last change of keys that is in here.
    keys_changes: u64,
    /// When the keys were last known to be those of the database, Unix seconds.
    keys_read_at: u64,
}

/// A signing key and its times.
#[derive(Clone)]
pub struct LoadedKey {
    /// When it signs.
    pub times: KeyTimes,
    /// The key.
    pub key: Arc<SigningKey>,
}

/// A key without its private half, for administrators.
#[derive(Clone, Debug)]
pub struct ListedKey {
    /// Its thumbprint.
    pub key_id: KeyId,
    /// When it was made and when it signs.
    pub times: KeyTimes,
    /// What it is used for.
    pub state: KeyState,
    /// When it goes; none for the newest.
    pub removed_at: Option<u64>,
}

impl Trust {
    fn read(&self) -> RwLockReadGuard<'_, State> {
        // Nothing in here is ever half changed.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key to sign with. None if there is none, or if the keys were read so long ago that
    /// another one may have been retired.
    pub fn signing_key(&self, now: u64) -> Option<Arc<SigningKey>> {
        let state = self.read();
        if now.saturating_sub(state.keys_read_at) > KEYS_UNREAD_MAX_SECONDS {
            return None;
        }
        let active = rotation::active(&times(&state.keys), now)?;
        state.keys.iter().find(|loaded| loaded.times == active).map(|loaded| loaded.key.clone())
    }

    /// Asks the verifier.
    pub fn verify<T>(&self, question: impl FnOnce(&Verifier) -> T) -> T {
        question(&self.read().verifier)
    }

    /// The public keys as a JSON Web Key Set.
    pub fn jwks(&self) -> String {
        self.read().jwks.clone()
    }

    /// The keys, the newest first.
    pub fn list(&self, now: u64) -> Vec<ListedKey> {
        let state = self.read();
        let times = times(&state.keys);
        let mut listed: Vec<_> = state
            .keys
            .iter()
            .map(|loaded| ListedKey {
                key_id: loaded.key.key_id().clone(),
                times: loaded.times,
                state: rotation::state(loaded.times, &times, now),
                removed_at: rotation::removed_at(loaded.times, &times),
            })
            .collect();
        listed.sort_by_key(|key| std::cmp::Reverse(key.times.generation));
        listed
    }

    /// Until when what this user got is revoked.
    pub fn user_revoked_until(&self, organisation: &OrganisationId, user: &UserId) -> Option<u64> {
        self.read().verifier.revocations.user_revoked_until(organisation, user)
    }

    /// Whether everything bound to this terminal key is revoked.
    pub fn is_terminal_revoked(&self, key_thumbprint: &KeyThumbprint) -> bool {
        self.read().verifier.revocations.is_terminal_revoked(key_thumbprint)
    }

    /// How much of what has changed is in here.
    pub fn known(&self) -> Changes {
        let state = self.read();
        Changes { revocations: state.revocations_known, signing_keys: state.keys_changes }
    }

    /// Notes that the keys in here are those of the database at this time.
    pub fn keys_confirmed(&self, now: u64) {
        let mut state = self.write();
        state.keys_read_at = state.keys_read_at.max(now);
    }

    /// Takes in the keys that were read when so many changes had been made; older ones are left.
    pub fn put_keys(&self, keys: Vec<LoadedKey>, changes: u64, now: u64) {
        let mut state = self.write();
        if changes < state.keys_changes {
            return;
        }
        let set = KeySet::of(keys.iter().map(|loaded| &*loaded.key));
        state.jwks = set.to_jwks();
        state.verifier.keys = set;
        state.keys = keys;
        state.keys_changes = changes;
        state.keys_read_at = state.keys_read_at.max(now);
    }

    /// Takes in all that was listed after the last known number, up to another number.
    pub fn put_revocations(&self, listed: Vec<Revocation>, up_to: u64) {
        let mut state = self.write();
        state.verifier.revocations.insert_listed(listed);
        state.revocations_known = state.revocations_known.max(up_to);
    }

    /// Takes in one revocation.
    pub fn put_revocation(&self, revocation: Revocation) {
        let mut state = self.write();
        if revocation.number == state.revocations_known + 1 {
            state.revocations_known = revocation.number;
        }
        state.verifier.revocations.insert(revocation);
    }

    /// Drops what can't concern anything any more; says how many revocations are left.
    pub fn forget(&self, now: u64) -> usize {
        let mut state = self.write();
        state.verifier.revocations.forget(now);
        state.verifier.revocations.len()
    }
}

fn times(keys: &[LoadedKey]) -> Vec<KeyTimes> {
    keys.iter().map(|loaded| loaded.times).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(generation: i32, active_from: u64) -> LoadedKey {
        let times = KeyTimes { generation, created_at: active_from, active_from };
        LoadedKey { times, key: Arc::new(SigningKey::generate().unwrap()) }
    }

    #[test]
    fn keys_that_were_read_long_ago_do_not_sign() {
        let trust = Trust::default();
        assert!(trust.signing_key(1000).is_none());
        trust.put_keys(vec![loaded(1, 1000)], 1, 1000);
        assert!(trust.signing_key(1000 + KEYS_UNREAD_MAX_SECONDS).is_some());
        assert!(trust.signing_key(1001 + KEYS_UNREAD_MAX_SECONDS).is_none());
        trust.keys_confirmed(2000);
        assert!(trust.signing_key(2000 + KEYS_UNREAD_MAX_SECONDS).is_some());
    }

    #[test]
    fn what_was_read_earlier_does_not_replace_what_was_read_later() {
        let trust = Trust::default();
        let (old, new) = (loaded(1, 1000), loaded(2, 1500));
        trust.put_keys(vec![old.clone(), new.clone()], 2, 2000);
        trust.put_keys(vec![old], 1, 2000);
        assert_eq!(trust.signing_key(2000).unwrap().key_id(), new.key.key_id());
        assert_eq!(trust.known().signing_keys, 2);
    }
}
