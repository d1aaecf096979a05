//! Where events and notices are told: JetStream, through the control bus.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use tributary_message_bus::{ControlBus, PublishError};

use crate::store::Address;

/// It is not known to be stored: tell it again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SinkError(pub String);

impl From<PublishError> for SinkError {
    fn from(error: PublishError) -> Self {
        Self(error.to_string())
    }
}

/// Somebody who is told what has happened.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Returns when it is stored. The same may come twice.
    ///
    /// # Errors
    /// It is not known to be stored.
    async fn publish(&self, to: &Address, payload: Bytes) -> Result<(), SinkError>;
}

/// The streams of the platform; each is made when it is first needed, and again if it was lost.
pub struct Streams {
    bus: ControlBus,
    events_ensured: AtomicBool,
    notices_ensured: AtomicBool,
}

impl Streams {
    /// Over the control connection.
    pub const fn new(bus: ControlBus) -> Self {
        let (events_ensured, notices_ensured) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { bus, events_ensured, notices_ensured }
    }

    async fn store(&self, to: &Address, payload: Bytes) -> Result<(), PublishError> {
        match to {
            Address::Meeting { meeting, number } => {
                self.bus.publish_event(meeting, *number, payload).await
            }
            Address::User { organisation, user, notice } => {
                self.bus.publish_notice(organisation, user, notice.as_str(), payload).await
            }
        }
    }
}

#[async_trait]
impl Sink for Streams {
    async fn publish(&self, to: &Address, payload: Bytes) -> Result<(), SinkError> {
        let ensured = match to {
            Address::Meeting { .. } => &self.events_ensured,
            Address::User { .. } => &self.notices_ensured,
        };
        if !ensured.load(Ordering::Relaxed) {
            match to {
                Address::Meeting { .. } => self.bus.ensure_event_stream().await?,
                Address::User { .. } => self.bus.ensure_notice_stream().await?,
            }
            ensured.store(true, Ordering::Relaxed);
        }
        let stored = self.store(to, payload).await;
        if stored.is_err() {
            ensured.store(false, Ordering::Relaxed);
        }
        Ok(stored?)
    }
}
