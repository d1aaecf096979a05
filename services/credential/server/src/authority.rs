//! Keeps the keys and the revocations: makes, changes and reads them, and tells everybody.
//!
//! **Invariant:** the database has them; what is in memory is brought up to it before a token is
//! verified or made, so that no replica accepts what another has revoked, bus or no bus.

use std::sync::Arc;

use tributary_credential_core::{
    issue_time, revocation_end,
    rotation::{self, KeyStep, KeyTimes, RotationPolicy, TooManyKeys},
};
use tributary_join_credential::{KeyId, Revocation, Revoked, SigningError, SigningKey};

use crate::{
    announcer::Announcer,
    clock::Clock,
    sealing::{Sealer, SealingError},
    store::{KeyChange, KeyRow, KeyRows, NewRevocation, Store, StoreError, signing_key},
    trust::{LoadedKey, Trust},
};

/// The most revocations of one answer.
pub const REVOCATIONS_PAGE: u64 = 10_000;

/// Keys and revocations. Clones share everything.
#[derive(Clone)]
pub struct Authority {
    store: Store,
    trust: Trust,
    sealer: Arc<Sealer>,
    policy: RotationPolicy,
    announcer: Announcer,
    clock: Clock,
}

/// Why keys or revocations could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The tables could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored key could not be opened or sealed.
    #[error(transparent)]
    Sealing(#[from] SealingError),
    /// No key could be made.
    #[error("making a signing key: {0}")]
    Signing(#[from] SigningError),
    /// There is no room for another key.
    #[error(transparent)]
    TooManyKeys(#[from] TooManyKeys),
    /// There is no such key.
    #[error("there is no such signing key")]
    NoSuchKey,
}

impl Authority {
    /// Over a database.
    pub fn new(
        store: Store,
        sealer: Sealer,
        policy: RotationPolicy,
        announcer: Announcer,
        clock: Clock,
    ) -> Self {
        let (trust, sealer) = (Trust::default(), Arc::new(sealer));
        Self { store, trust, sealer, policy, announcer, clock }
    }

    /// What is believed now, without a look at the database.
    pub const fn trust(&self) -> &Trust {
        &self.trust
    }

    /// Makes the first key if there is none, seals what is to be sealed, and reads everything.
    ///
    /// # Errors
    /// See [`AuthorityError`].
    pub async fn open(&self) -> Result<(), AuthorityError> {
        self.maintain().await?;
        let rows = self.store.keys().await?;
        if rows.keys.iter().any(|row| self.sealer.wants_sealed(&row.private_key)) {
            self.seal_all().await?;
        }
        self.load_keys().await?;
        self.catch_up().await
    }

    /// Brings what is believed up to the database: one small query if nothing has changed.
    ///
    /// # Errors
    /// See [`AuthorityError`].
    pub async fn catch_up(&self) -> Result<(), AuthorityError> {
        let now = self.clock.seconds();
        let there = self.store.changes().await?;
        if there.signing_keys == self.trust.known().signing_keys {
            self.trust.keys_confirmed(now);
        } else {
            self.load_keys().await?;
        }
        let mut known = self.trust.known().revocations;
        while there.revocations > known {
            let page = self.store.revocations(known, REVOCATIONS_PAGE).await?;
            // A page that is not full is the last; what is not in it has been forgotten.
            known = match page.last() {
                Some(last) if page.len() as u64 == REVOCATIONS_PAGE => last.number,
                _ => there.revocations,
            };
            self.trust.put_revocations(page, known);
        }
        Ok(())
    }

    /// Does what is due with the keys.
    ///
    /// # Errors
    /// See [`AuthorityError`].
    pub async fn maintain(&self) -> Result<(), AuthorityError> {
        let due = |rows: &KeyRows, now| {
            rotation::due(&rows.times(), rows.last_generation, self.policy, now)
        };
        if due(&self.store.keys().await?, self.clock.seconds()).is_empty() {
            return Ok(());
        }
        let change = self.store.begin_key_change().await?;
        let steps = due(&change.rows, self.clock.seconds());
        for step in &steps {
            self.carry_out(&change, *step).await?;
        }
        change.commit().await?;
        self.keys_have_changed().await
    }

    /// Makes a key now, unless one waits to sign; says which one waits.
    ///
    /// # Errors
    /// See [`AuthorityError`].
    pub async fn rotate(&self) -> Result<KeyTimes, AuthorityError> {
        let change = self.store.begin_key_change().await?;
        let (times, last) = (change.rows.times(), change.rows.last_generation);
        let step = rotation::rotate(&times, last, self.policy, self.clock.seconds())?;
        let waiting = match step {
            Some(step @ (KeyStep::Make(key) | KeyStep::Activate(key))) => {
                self.carry_out(&change, step).await?;
                Some(key)
            }
            _ => times.into_iter().max_by_key(|key| key.generation),
        };
        change.commit().await?;
        self.keys_have_changed().await?;
        waiting.ok_or(AuthorityError::NoSuchKey)
    }

    /// Takes a key out of use, with all that it has signed.
    ///
    /// # Errors
    /// See [`AuthorityError`].
    pub async fn revoke_key(&self, key_id: &KeyId) -> Result<(), AuthorityError> {
        let change = self.store.begin_key_change().await?;
        let now = self.clock.seconds();
        let mut generation = None;
        for row in &change.rows.keys {
            if self.read(row.clone())?.key.key_id() == key_id {
                generation = Some(row.times.generation);
            }
        }
        let generation = generation.ok_or(AuthorityError::NoSuchKey)?;
        let (times, last) = (change.rows.times(), change.rows.last_generation);
        if let Some(step) = rotation::replace(&times, generation, last, now) {
            self.carry_out(&change, step).await?;
        }
        let revocation =
            change.revoke(generation, self.revocation(Revoked::Key(key_id.clone()))).await?;
        change.commit().await?;
        self.has_been_revoked(revocation).await;
        self.keys_have_changed().await
    }

    /// Revokes all that a user or a terminal holds.
    ///
    /// # Errors
    /// See [`AuthorityError`].
    pub async fn revoke(&self, what: Revoked) -> Result<(), AuthorityError> {
        self.catch_up().await?;
        let revocation = self.store.revoke(self.revocation(what)).await?;
        self.has_been_revoked(revocation).await;
        Ok(())
    }

    /// A revocation that concerns whatever has been issued by now. What was issued just after an
    /// earlier revocation of the same user may have a time of issue that is still to come.
    pub fn revocation(&self, what: Revoked) -> NewRevocation {
        let now = self.clock.seconds();
        let at = match &what {
            Revoked::User(organisation, user_id) => {
                issue_time(now, self.trust.user_revoked_until(organisation, user_id))
            }
            _ => now,
        };
        NewRevocation { what, at, forget_at: revocation_end(at) }
    }

    /// Revokes something that holds until a known time.
    ///
    /// # Errors
    /// See [`AuthorityError`].
    pub async fn revoke_until(&self, what: Revoked, forget_at: u64) -> Result<(), AuthorityError> {
        let new = NewRevocation { what, at: self.clock.seconds(), forget_at };
        let revocation = self.store.revoke(new).await?;
        self.has_been_revoked(revocation).await;
        Ok(())
    }

    /// Believes a revocation that is in the database, and tells everybody.
    pub async fn has_been_revoked(&self, revocation: Revocation) {
        self.trust.put_revocation(revocation.clone());
        self.announcer.revoked(&revocation).await;
    }

    /// Removes what is of no use any more; says how many revocations are left.
    ///
    /// # Errors
    /// See [`AuthorityError`].
    pub async fn forget(&self) -> Result<usize, AuthorityError> {
        let now = self.clock.seconds();
        self.store.forget_revocations(now).await?;
        Ok(self.trust.forget(now))
    }

    async fn carry_out(&self, change: &KeyChange, step: KeyStep) -> Result<(), AuthorityError> {
        match step {
            KeyStep::Make(times) => {
                let key = SigningKey::generate()?;
                let private_key = self.sealer.close(times.generation, key.pkcs8())?;
                change.insert(KeyRow { times, private_key }).await?;
                let (generation, key_id) = (times.generation, key.key_id());
                tracing::info!(generation, %key_id, active_from = times.active_from,
                    "made a signing key");
            }
            KeyStep::Activate(times) => {
                change.activate(times).await?;
                tracing::info!(generation = times.generation, "a signing key signs at once");
            }
            KeyStep::Remove(generation) => {
                change.remove(generation).await?;
                tracing::info!(generation, "removed a signing key whose tokens are over");
            }
        }
        Ok(())
    }

    async fn seal_all(&self) -> Result<(), AuthorityError> {
        let change = self.store.begin_key_change().await?;
        for row in &change.rows.keys {
            if self.sealer.wants_sealed(&row.private_key) {
                let generation = row.times.generation;
                let sealed = self.sealer.close(generation, &row.private_key.bytes)?;
                change.reseal(generation, sealed).await?;
                tracing::info!(generation, "encrypted a signing key that was stored in the clear");
            }
        }
        change.commit().await?;
        Ok(())
    }

    async fn keys_have_changed(&self) -> Result<(), AuthorityError> {
        self.load_keys().await?;
        self.announcer.keys_changed().await;
        Ok(())
    }

    async fn load_keys(&self) -> Result<(), AuthorityError> {
        // Counted first: should they change in between, they are read once more.
        let changes = self.store.changes().await?.signing_keys;
        let rows = self.store.keys().await?;
        let keys =
            rows.keys.into_iter().map(|row| self.read(row)).collect::<Result<Vec<_>, _>>()?;
        self.trust.put_keys(keys, changes, self.clock.seconds());
        Ok(())
    }

    fn read(&self, row: KeyRow) -> Result<LoadedKey, AuthorityError> {
        let pkcs8 = self.sealer.open(row.times.generation, row.private_key)?;
        let key = SigningKey::from_pkcs8(&pkcs8)
            .map_err(|_| StoreError::MalformedRow { table: signing_key::TABLE })?;
        Ok(LoadedKey { times: row.times, key: Arc::new(key) })
    }
}
