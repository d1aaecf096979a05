//! Tells what waits in an outbox, events or notices, until each is stored by JetStream.
//!
//! **Invariants:** the events of a meeting are told in the order of their numbers, the notices of a
//! user in the order they were made, one after the other is acknowledged; each leaves the outbox only
//! then. It may be told twice, as by two replicas at once or after a crash: its number or id makes it
//! one.

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
use tributary_service_runtime::{CancellationToken, propagation};

use crate::{
    bus::Sink,
    metrics,
    store::{Line, Outbox, Store, StoreError, Untold},
};

/// Read at once: some hundred kilobytes.
const BATCH: u64 = 256;
/// Meetings or users who are told at the same time: enough to hide the time of an acknowledgement.
const LINES_AT_ONCE: usize = 16;
/// How long what another replica has left in the outbox may lie there.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// The first pause after a failure; each is twice the one before.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause: how long after its return the bus is noticed.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How long the last of it may take at the end of the process. The rest lies in the outbox until the
/// next start.
const FAREWELL: Duration = Duration::from_secs(2);

/// Takes what waits in one outbox to those who are told.
pub struct Publisher {
    store: Store,
    outbox: Outbox,
    sink: Arc<dyn Sink>,
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
    /// Over an outbox of a store and those who are told.
    #[must_use]
    pub fn new(store: Store, outbox: Outbox, sink: Arc<dyn Sink>) -> Self {
        Self { store, outbox, sink }
    }

    /// Works until `shutdown`, and a moment longer if there is something left to tell.
    pub async fn run(self, shutdown: CancellationToken) {
        let cut_short = async {
            shutdown.cancelled().await;
            tokio::time::sleep(FAREWELL).await;
        };
        tokio::select! {
            () = self.work(&shutdown) => {}
            () = cut_short => {
                tracing::warn!(outbox = ?self.outbox, "something may wait for the next start");
            }
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
                    () = self.store.something_to_tell(self.outbox, LOOK_INTERVAL) => {}
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
        let batch = match self.store.untold(self.outbox, BATCH).await {
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
                tracing::warn!(%error, "can't clear the outbox; it will be told again");
                Round::Failed
            }
        }
    }

    /// True if all of the batch was told.
    async fn tell(&self, batch: Vec<Untold>) -> Result<bool, StoreError> {
        let mut lines = BTreeMap::<Line, Vec<Untold>>::new();
        for one in batch {
            lines.entry(one.address.line()).or_default().push(one);
        }
        let failed = AtomicBool::new(false);
        let told: Vec<Vec<i64>> = stream::iter(lines.into_values())
            .map(|line| self.tell_line(line, &failed))
            .buffer_unordered(LINES_AT_ONCE)
            .collect()
            .await;
        self.store.told(self.outbox, &told.concat()).await?;
        Ok(!failed.into_inner())
    }

    /// Tells a line up to the first that fails, here or in another line.
    async fn tell_line(&self, line: Vec<Untold>, failed: &AtomicBool) -> Vec<i64> {
        let mut told = Vec::with_capacity(line.len());
        for one in line {
            if failed.load(Ordering::Relaxed) {
                break;
            }
            let span = tracing::info_span!("publish", otel.kind = "producer");
            propagation::adopt_trace_parent(&span, one.trace_parent.as_deref());
            let publish = self.sink.publish(&one.address, one.payload);
            if let Err(error) = publish.instrument(span).await {
                if !failed.swap(true, Ordering::Relaxed) {
                    let outbox = self.outbox;
                    tracing::warn!(%error, ?outbox, "can't be published at the moment");
                }
                metrics::publish_failed(self.outbox);
                break;
            }
            let delay = self.store.clock().now().saturating_sub(one.at);
            metrics::published(self.outbox, Duration::from_millis(delay));
            told.push(one.id);
        }
        told
    }
}
