//! Tells every verifier what has changed, on NATS, and hears what other replicas tell.
//!
//! It is the fast way. Whoever misses something finds it by asking
//! (`CredentialService.GetKeys`, `ListRevocations`, `RelayIdentityService.GetRelay`), so a bus that is down delays and loses nothing.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use prost::Message as _;
use tokio::time::timeout;
use tributary_identifiers::{OrganisationId, RelayId};
use tributary_join_credential::Revocation;
use tributary_message_bus::{ControlBus, Subject, subjects};

use crate::{grpc::revocation_to_proto, metrics};

/// The longest that somebody who revokes waits for the bus.
const TELLING_TIME: Duration = Duration::from_secs(1);

/// The most relays that are remembered to be told of later.
const UNTOLD_MAX: usize = 1000;

type ChangedRelay = (OrganisationId, RelayId);

/// Tells. Clones share the connection.
#[derive(Clone)]
pub struct Announcer {
    bus: ControlBus,
    /// Relays whose change could not be told.
    untold: Arc<Mutex<BTreeSet<ChangedRelay>>>,
}

impl Announcer {
    /// On this connection.
    pub fn new(bus: ControlBus) -> Self {
        Self { bus, untold: Arc::default() }
    }

    /// Something was revoked.
    pub async fn revoked(&self, revocation: &Revocation) {
        let payload = revocation_to_proto(revocation).encode_to_vec();
        self.tell(subjects::revoked(), payload).await;
    }

    /// The signing keys have changed.
    pub async fn keys_changed(&self) {
        self.tell(subjects::keys_changed(), Vec::new()).await;
    }

    /// What is set for a relay, its key or its right to attach has changed. What can't be told now
    /// is told when NATS is back; core relays ask besides.
    pub async fn relay_changed(&self, organisation: &OrganisationId, relay: &RelayId) {
        if !self.tell(subjects::relay_changed(organisation, relay), Vec::new()).await {
            self.remember((organisation.clone(), relay.clone()));
        }
    }

    /// Tells what could not be told before.
    pub async fn tell_again(&self) {
        let untold = std::mem::take(&mut *self.untold());
        let mut failed = false;
        for relay in untold {
            // Without a connection each would only be in vain.
            failed =
                failed || !self.tell(subjects::relay_changed(&relay.0, &relay.1), Vec::new()).await;
            if failed {
                self.remember(relay);
            }
        }
    }

    fn remember(&self, relay: ChangedRelay) {
        let mut untold = self.untold();
        if untold.len() < UNTOLD_MAX {
            untold.insert(relay);
        }
    }

    fn untold(&self) -> MutexGuard<'_, BTreeSet<ChangedRelay>> {
        // A set is never half changed.
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it was handed over.
    async fn tell(&self, subject: Subject, payload: Vec<u8>) -> bool {
        let told = timeout(TELLING_TIME, self.bus.tell(subject, payload.into())).await;
        match told {
            Ok(Ok(())) => {
                metrics::told("told");
                return true;
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "verifiers are not told at once; they find it by asking");
            }
            Err(_) => {
                tracing::warn!("NATS does not take messages; verifiers find changes by asking");
            }
        }
        metrics::told("failed");
        false
    }
}
