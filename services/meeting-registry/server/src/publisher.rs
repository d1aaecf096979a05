//! Tells events that have been applied, until each is stored by JetStream.
//!
//! **Invariants:** the events of a meeting are told in the order of their numbers, one after the
//! other is acknowledged; an event leaves the outbox only then. It may be told twice, as by two
//! replicas at once or after a crash: its number makes it one.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use tracing::Instrument as _;
use tributary_message_bus::subjects::MeetingScope;
use tributary_service_runtime::{CancellationToken, propagation};

use crate::{
    bus::EventSink,
    metrics,
    store::{Store, StoreError, Untold},
};

/// Events read at once: some hundred kilobytes.
const BATCH: u64 = 256;
/// Meetings whose events are told at the same time: enough to hide the time of an acknowledgement.
const MEETINGS_AT_ONCE: usize = 16;
/// How long what another replica has left in the outbox may lie there.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// The first pause after a failure; each is twice the one before.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause: how long after its return the bus is noticed.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How long the last events may take at the end of the process. The others lie in the outbox until
/// the next start.
const FAREWELL: Duration = Duration::from_secs(2);

/// Takes events from the outbox to those who are told.
pub struct Publisher {
    store: Store,
    sink: Arc<dyn EventSink>,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    /// The outbox was empty.
    Nothing,
    /// All of it was told.
    Told,
    /// Some was not.
    Failed,
}

impl Publisher {
    /// Over a store and those who are told.
    #[must_use]
    pub fn new(store: Store, sink: Arc<dyn EventSink>) -> Self {
        Self { store, sink }
    }

    /// Works until `shutdown`, and a moment longer if there is something left to tell.
    pub async fn run(self, shutdown: CancellationToken) {
        let cut_short = async {
            shutdown.cancelled().await;
            tokio::time::sleep(FAREWELL).await;
        };
        tokio::select! {
            () = self.work(&shutdown) => {}
            () = cut_short => tracing::warn!("some events may wait for the next start"),
        }
    }

    /// Ends after `shutdown`, when all is told or something can't be told.
    async fn work(&self, shutdown: &CancellationToken) {
        let mut pause = PAUSE_MIN;
        loop {
            match self.round().await {
                Round::Told => pause = PAUSE_MIN,
                _ if shutdown.is_cancelled() => return,
                Round::Nothing => tokio::select! {
                    () = self.store.something_to_tell(LOOK_INTERVAL) => {}
                    () = shutdown.cancelled() => {}
                },
                Round::Failed => {
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = shutdown.cancelled() => {}
                    }
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
    }

    async fn round(&self) -> Round {
        let batch = match self.store.untold(BATCH).await {
            Ok(batch) => batch,
            Err(error) => {
                tracing::warn!(%error, "can't read the outbox");
                return Round::Failed;
            }
        };
        if batch.is_empty() {
            return Round::Nothing;
        }
        match self.tell(batch).await {
            Ok(true) => Round::Told,
            Ok(false) => Round::Failed,
            Err(error) => {
                tracing::warn!(%error, "can't clear the outbox; events will be told again");
                Round::Failed
            }
        }
    }

    /// True if all of the batch was told.
    async fn tell(&self, batch: Vec<Untold>) -> Result<bool, StoreError> {
        let mut meetings = BTreeMap::<MeetingScope, Vec<Untold>>::new();
        for event in batch {
            meetings.entry(event.meeting.clone()).or_default().push(event);
        }
        let failed = AtomicBool::new(false);
        let told: Vec<Vec<i64>> = stream::iter(meetings.into_values())
            .map(|events| self.tell_meeting(events, &failed))
            .buffer_unordered(MEETINGS_AT_ONCE)
            .collect()
            .await;
        self.store.told(&told.concat()).await?;
        Ok(!failed.into_inner())
    }

    /// Tells the events of one meeting up to the first that fails, here or in another meeting.
    async fn tell_meeting(&self, events: Vec<Untold>, failed: &AtomicBool) -> Vec<i64> {
        let mut told = Vec::with_capacity(events.len());
        for event in events {
            if failed.load(Ordering::Relaxed) {
                break;
            }
            let span = tracing::info_span!("publish event", otel.kind = "producer");
            propagation::adopt_trace_parent(&span, event.trace_parent.as_deref());
            let publish = self.sink.publish(&event.meeting, event.number, event.payload);
            if let Err(error) = publish.instrument(span).await {
                if !failed.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "events can't be published at the moment");
                }
                metrics::publish_failed();
                break;
            }
            let delay = self.store.clock().now().saturating_sub(event.at);
            metrics::published(Duration::from_millis(delay));
            told.push(event.id);
        }
        told
    }
}
