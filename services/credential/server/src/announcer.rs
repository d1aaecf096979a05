//! Tells every verifier what has changed, on NATS, and hears what other replicas tell.
//!
//! It is the fast way. Whoever misses something finds it by asking
//! (`CredentialService.GetKeys`, `ListRevocations`), so a bus that is down delays and loses nothing.

use std::time::Duration;

use prost::Message as _;
use tokio::time::timeout;
use tributary_join_credential::Revocation;
use tributary_message_bus::{ControlBus, Subject, subjects};

use crate::{grpc::revocation_to_proto, metrics};

/// The longest that somebody who revokes waits for the bus.
const TELLING_TIME: Duration = Duration::from_secs(1);

/// Tells. Clones share the connection.
#[derive(Clone)]
pub struct Announcer {
    bus: ControlBus,
}

impl Announcer {
    /// On this connection.
    pub const fn new(bus: ControlBus) -> Self {
        Self { bus }
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

    async fn tell(&self, subject: Subject, payload: Vec<u8>) {
        let told = timeout(TELLING_TIME, self.bus.tell(subject, payload.into())).await;
        match told {
            Ok(Ok(())) => metrics::told("told"),
            Ok(Err(error)) => {
                metrics::told("failed");
                tracing::warn!(%error, "verifiers are not told at once; they find it by asking");
            }
            Err(_) => {
                metrics::told("failed");
                tracing::warn!("NATS does not take messages; verifiers find changes by asking");
            }
        }
    }
}
