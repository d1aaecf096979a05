//! Operations on their way from terminals to the registry: checked, then published one after the
//! other, each until it is stored.
//!
//! **Invariant:** what one participant does is published in the order in which it came, whatever
//! becomes of connections meanwhile: the next one goes only when the one before is stored.

mod check;
mod queue;
mod unanswered;

use bytes::Bytes;
pub(crate) use check::{Signer, check, read};
pub(crate) use queue::{Operations, Stored};
use tributary_identifiers::RelayId;
use tributary_message_bus::{ControlBus, subjects::MeetingScope};
pub(crate) use unanswered::Unanswered;

/// What brings operations to where they can't be lost.
pub(crate) trait Carrier: Clone + Send + Sync + 'static {
    /// Tries once; returns when it is stored, or why that is not known.
    fn carry(
        &self,
        scope: &MeetingScope,
        operation: Bytes,
    ) -> impl Future<Output = Result<(), String>> + Send;

    /// Returns when another try may do better than the one before.
    fn recovers(&self) -> impl Future<Output = ()> + Send;
}

/// JetStream.
#[derive(Clone)]
pub(crate) struct Stream {
    pub(crate) bus: ControlBus,
    pub(crate) relay: RelayId,
}

impl Carrier for Stream {
    async fn carry(&self, scope: &MeetingScope, operation: Bytes) -> Result<(), String> {
        let published = self.bus.publish_operation(scope, &self.relay, operation).await;
        published.map_err(|error| error.to_string())
    }

    async fn recovers(&self) {
        let mut link = self.bus.link();
        link.mark_unchanged();
        // The connection ends with the process.
        while link.changed().await.is_ok() {
            if link.borrow().up {
                return;
            }
        }
        std::future::pending().await
    }
}
