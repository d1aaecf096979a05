//! What does not hold any more though its life is not over.
//!
//! **Invariant:** the list is bounded, and what does not fit never makes anything hold that was
//! revoked by an administrator: beyond the bound everything older is refused.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
};

use tributary_identifiers::{KeyThumbprint, OrganisationId, UserId};

use crate::{KeyId, Provenance, TokenId};

/// The most revoked tokens that are kept. These are log-outs: of more, the ones whose life ends
/// first are forgotten.
pub const REVOKED_TOKENS_MAX: usize = 100_000;

/// The most revoked users, keys and terminals that are kept, of each. Should there be more,
/// everything that was issued until then is refused.
pub const REVOKED_OTHERS_MAX: usize = 100_000;

/// Something that was revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Its place among all revocations, from 1 without gaps.
    pub number: u64,
    /// What.
    pub what: Revoked,
    /// When, Unix seconds.
    pub at: u64,
    /// From then on nothing can be concerned any more, Unix seconds.
    pub forget_at: u64,
}

/// What can be revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// One token or credential.
    Token(TokenId),
    /// All that a user got until the revocation.
    User(OrganisationId, UserId),
    /// All that a key has signed.
    Key(KeyId),
    /// All that is bound to a terminal's key.
    Terminal(KeyThumbprint),
}

/// Everything revoked that is of use to know.
#[derive(Clone, Debug, Default)]
pub struct RevocationList {
    tokens: HashMap<TokenId, u64>,
    tokens_by_end: BTreeSet<(u64, TokenId)>,
    users: HashMap<(OrganisationId, UserId), Until>,
    keys: HashMap<KeyId, u64>,
    terminals: HashMap<KeyThumbprint, u64>,
    /// What no room was left for.
    everybody: Option<Until>,
    last_number: u64,
}

/// What was issued until `at` is revoked, to be remembered until `forget_at`.
#[derive(Clone, Copy, Debug)]
struct Until {
    at: u64,
    forget_at: u64,
}

impl Until {
    fn or_later(self, other: Self) -> Self {
        Self { at: self.at.max(other.at), forget_at: self.forget_at.max(other.forget_at) }
    }
}

impl Revocation {
    /// Whether this token does not hold any more by this revocation.
    #[must_use]
    pub fn concerns(&self, token: &Provenance) -> bool {
        match &self.what {
            Revoked::Token(id) => *id == token.token_id,
            Revoked::User(organisation, user_id) => {
                *organisation == token.organisation
                    && *user_id == token.user_id
                    && token.issued_at <= self.at
            }
            Revoked::Key(id) => *id == token.key_id,
            Revoked::Terminal(thumbprint) => *thumbprint == token.key_thumbprint,
        }
    }
}

impl RevocationList {
    /// Takes in a revocation, in any order and however often; for what is heard by the way.
    pub fn insert(&mut self, revocation: Revocation) {
        let Revocation { number, what, at, forget_at } = revocation;
        if number == self.last_number.saturating_add(1) {
            self.last_number = number;
        }
        let until = Until { at, forget_at };
        let kept = match what {
            Revoked::Token(id) => {
                self.insert_token(id, forget_at);
                true
            }
            Revoked::User(organisation, user_id) => {
                insert(&mut self.users, (organisation, user_id), until, Until::or_later)
            }
            Revoked::Key(id) => insert(&mut self.keys, id, forget_at, u64::max),
            Revoked::Terminal(thumbprint) => {
                insert(&mut self.terminals, thumbprint, forget_at, u64::max)
            }
        };
        if !kept {
            self.everybody = Some(self.everybody.map_or(until, |known| known.or_later(until)));
        }
    }

    /// Takes in an answer to the question for all revocations after [`last_number`]
    /// (`CredentialService.ListRevocations`), whose numbers may have gaps by what was forgotten.
    ///
    /// [`last_number`]: Self::last_number
    pub fn insert_listed(&mut self, page: impl IntoIterator<Item = Revocation>) {
        for revocation in page {
            let number = revocation.number;
            self.insert(revocation);
            self.last_number = self.last_number.max(number);
        }
    }

    /// All revocations up to this number are known. What was heard beyond a gap does not count, so
    /// that asking for all after this number closes the gap. 0 if none is known.
    #[must_use]
    pub const fn last_number(&self) -> u64 {
        self.last_number
    }

    /// Drops what can't concern anything any more. `now` is in Unix seconds.
    pub fn forget(&mut self, now: u64) {
        while let Some(&(end, id)) = self.tokens_by_end.first()
            && end <= now
        {
            self.tokens_by_end.pop_first();
            self.tokens.remove(&id);
        }
        self.users.retain(|_, until| until.forget_at > now);
        self.keys.retain(|_, end| *end > now);
        self.terminals.retain(|_, end| *end > now);
        self.everybody = self.everybody.filter(|until| until.forget_at > now);
    }

    /// Whether this token was revoked.
    #[must_use]
    pub fn concerns(&self, token: &Provenance) -> bool {
        let until = |until: &Until| token.issued_at <= until.at;
        self.tokens.contains_key(&token.token_id)
            || self.keys.contains_key(&token.key_id)
            || self.terminals.contains_key(&token.key_thumbprint)
            || self.everybody.as_ref().is_some_and(until)
            || (!self.users.is_empty()
                && self
                    .users
                    .get(&(token.organisation.clone(), token.user_id.clone()))
                    .is_some_and(until))
    }

    /// Until when what a user got is revoked, Unix seconds: who gets something new needs a later
    /// time of issue.
    #[must_use]
    pub fn user_revoked_until(
        &self,
        organisation: &OrganisationId,
        user_id: &UserId,
    ) -> Option<u64> {
        let user = self.users.get(&(organisation.clone(), user_id.clone()));
        user.into_iter().chain(&self.everybody).map(|until| until.at).max()
    }

    /// Whether everything that is bound to this terminal key is revoked.
    #[must_use]
    pub fn is_terminal_revoked(&self, key_thumbprint: &KeyThumbprint) -> bool {
        self.terminals.contains_key(key_thumbprint)
    }

    /// Whether everything that this key has signed is revoked.
    #[must_use]
    pub fn is_key_revoked(&self, key_id: &KeyId) -> bool {
        self.keys.contains_key(key_id)
    }

    /// How many are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tokens.len() + self.users.len() + self.keys.len() + self.terminals.len()
    }

    /// True if nothing is revoked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.everybody.is_none()
    }

    fn insert_token(&mut self, id: TokenId, forget_at: u64) {
        let end = self.tokens.entry(id).or_insert(forget_at);
        if *end < forget_at {
            self.tokens_by_end.remove(&(*end, id));
            *end = forget_at;
        }
        self.tokens_by_end.insert((*end, id));
        if self.tokens.len() > REVOKED_TOKENS_MAX
            && let Some((_, first)) = self.tokens_by_end.pop_first()
        {
            self.tokens.remove(&first);
        }
    }
}

/// Puts a value in, joined to the one that is there; false if there is no room.
fn insert<K: Eq + Hash, V: Copy>(
    map: &mut HashMap<K, V>,
    key: K,
    value: V,
    join: impl FnOnce(V, V) -> V,
) -> bool {
    if let Some(known) = map.get_mut(&key) {
        *known = join(*known, value);
        return true;
    }
    let room = map.len() < REVOKED_OTHERS_MAX;
    if room {
        map.insert(key, value);
    }
    room
}
