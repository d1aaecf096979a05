//! Who owns a meeting: a key in a JetStream bucket whose entries expire, with a fencing epoch.
//!
//! The epoch is the bucket's revision at which ownership was taken: it only grows. A holder that
//! can't reach JetStream keeps its lease until it learns that somebody else has it, because media
//! must not stop with JetStream; receivers drop the lower epoch, so two holders are never heard.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_nats::jetstream::{
    self,
    kv::{CreateErrorKind, Operation, Store, UpdateErrorKind},
};
use bytes::Bytes;

use crate::{ControlBus, subjects::MeetingScope};

/// An entry that was not renewed for so long is gone.
pub const LEASE_LIFETIME: Duration = Duration::from_secs(3);
/// How often a holder renews.
pub const RENEWAL_INTERVAL: Duration = Duration::from_secs(1);

pub(crate) const BUCKET: &str = "lease";

/// JetStream did not answer as it should; nothing is known about the lease.
#[derive(Debug, thiserror::Error)]
#[error("the lease bucket can't be used: {0}")]
pub struct LeaseError(String);

/// The bucket of leases.
#[derive(Clone)]
pub struct Leases {
    bus: ControlBus,
    known: Arc<Mutex<Option<Store>>>,
}

/// Ownership of a meeting.
#[derive(Clone, Debug)]
pub struct Lease {
    /// What is owned.
    pub scope: MeetingScope,
    /// Fencing number, higher than that of every earlier holder.
    pub epoch: u64,
    revision: u64,
    holder: Bytes,
}

/// What a renewal found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// Still ours.
    Held,
    /// It had run out while JetStream was away, nobody had it, and it is ours again under a higher
    /// epoch.
    Retaken,
    /// Somebody else has it, or had it: stop.
    Lost,
}

impl Leases {
    /// The leases on this connection. The bucket is made when first used.
    #[must_use]
    pub fn new(bus: &ControlBus) -> Self {
        Self { bus: bus.clone(), known: Arc::default() }
    }

    async fn store(&self) -> Result<Store, LeaseError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(store) = known {
            return Ok(store);
        }
        let store = self.open().await?;
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(store.clone());
        Ok(store)
    }

    /// The bucket has answered oddly: it may be gone, and is looked for anew the next time.
    fn failed(&self, error: &impl ToString) -> LeaseError {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
        LeaseError(error.to_string())
    }

    async fn open(&self) -> Result<Store, LeaseError> {
        let jetstream = self.bus.jetstream();
        if let Ok(store) = jetstream.get_key_value(BUCKET).await {
            return Ok(store);
        }
        jetstream
            .create_key_value(jetstream::kv::Config {
                bucket: BUCKET.to_owned(),
                description: "which mixer owns a meeting".to_owned(),
                max_age: LEASE_LIFETIME,
                history: 1,
                ..Default::default()
            })
            .await
            .map_err(|error| LeaseError(error.to_string()))
    }

    /// Takes a free lease; `None` if somebody has it.
    ///
    /// # Errors
    /// JetStream can't be reached.
    pub async fn acquire(
        &self,
        scope: &MeetingScope,
        holder: &str,
    ) -> Result<Option<Lease>, LeaseError> {
        let holder = Bytes::copy_from_slice(holder.as_bytes());
        match self.store().await?.create(scope.lease_key(), holder.clone()).await {
            Ok(revision) => {
                Ok(Some(Lease { scope: scope.clone(), epoch: revision, revision, holder }))
            }
            Err(error) if error.kind() == CreateErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Renews a lease. Its bucket's age limit counts anew.
    ///
    /// # Errors
    /// JetStream can't be reached: the lease is neither renewed nor known to be lost.
    pub async fn renew(&self, lease: &mut Lease) -> Result<Renewal, LeaseError> {
        let store = self.store().await?;
        let key = lease.scope.lease_key();
        match store.update(key, lease.holder.clone(), lease.revision).await {
            Ok(revision) => {
                lease.revision = revision;
                Ok(Renewal::Held)
            }
            Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => {
                self.reacquire(&store, lease).await
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// The entry is not as it was left: somebody else has it, or a renewal's answer was lost, or it
    /// ran out during an outage of JetStream. Then it is taken again, under a higher epoch, because
    /// somebody may have had it in between.
    async fn reacquire(&self, store: &Store, lease: &mut Lease) -> Result<Renewal, LeaseError> {
        let entry =
            store.entry(lease.scope.lease_key()).await.map_err(|error| self.failed(&error))?;
        match entry {
            Some(entry) if entry.value == lease.holder && entry.revision > lease.revision => {
                lease.revision = entry.revision;
                Ok(Renewal::Held)
            }
            Some(entry) if entry.operation == Operation::Put => Ok(Renewal::Lost),
            _ => match store.create(lease.scope.lease_key(), lease.holder.clone()).await {
                Ok(revision) => {
                    lease.epoch = revision.max(lease.epoch + 1);
                    lease.revision = revision;
                    Ok(Renewal::Retaken)
                }
                Err(error) if error.kind() == CreateErrorKind::AlreadyExists => Ok(Renewal::Lost),
                Err(error) => Err(self.failed(&error)),
            },
        }
    }

    /// Gives a lease back, so that the next mixer need not wait. Failing is harmless: it expires.
    pub async fn release(&self, lease: Lease) {
        let Ok(store) = self.store().await else { return };
        let key = lease.scope.lease_key();
        if let Err(error) = store.delete_expect_revision(key, Some(lease.revision)).await {
            tracing::debug!(%error, "lease not released; it expires by itself");
        }
    }
}
