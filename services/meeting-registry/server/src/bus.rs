//! Where events are told: JetStream, through the control bus.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use tributary_message_bus::{ControlBus, subjects::MeetingScope};

/// The event is not known to be stored: tell it again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SinkError(pub String);

/// Somebody who is told events.
#[async_trait]
pub trait EventSink: Send + Sync {
    /// Returns when the event is stored. The same number of a meeting may come twice.
    ///
    /// # Errors
    /// The event is not known to be stored.
    async fn publish(
        &self,
        meeting: &MeetingScope,
        number: u64,
        payload: Bytes,
    ) -> Result<(), SinkError>;
}

/// The event stream of the platform; made when it is first needed, and again if it was lost.
pub struct EventStream {
    bus: ControlBus,
    ensured: AtomicBool,
}

impl EventStream {
    /// Over the control connection.
    pub const fn new(bus: ControlBus) -> Self {
        Self { bus, ensured: AtomicBool::new(false) }
    }

    /// Sends what is buffered and closes.
    pub async fn drain(&self) {
        self.bus.drain().await;
    }
}

#[async_trait]
impl EventSink for EventStream {
    async fn publish(
        &self,
        meeting: &MeetingScope,
        number: u64,
        payload: Bytes,
    ) -> Result<(), SinkError> {
        if !self.ensured.load(Ordering::Relaxed) {
            self.bus.ensure_event_stream().await.map_err(|error| SinkError(error.to_string()))?;
            self.ensured.store(true, Ordering::Relaxed);
        }
        self.bus.publish_event(meeting, number, payload).await.map_err(|error| {
            self.ensured.store(false, Ordering::Relaxed);
            SinkError(error.to_string())
        })
    }
}
