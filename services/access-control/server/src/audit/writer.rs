//! Takes decisions from the queue to the database, many at once.

use std::time::Duration;

use ::metrics::Gauge;
use tokio::sync::mpsc;
use tributary_service_runtime::CancellationToken;

use super::Record;
use crate::{
    metrics,
    store::{DecisionRow, Store},
};

/// Decisions taken at once: 11 parameters each are far below what a statement can have.
const BATCH: usize = 1024;
/// How long the first of a batch waits for others, so that few transactions are needed.
const GATHERING: Duration = Duration::from_millis(100);
/// The first pause after a failure; each is twice the one before.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How long the last decisions may take at the end of the process.
const FAREWELL: Duration = Duration::from_secs(3);

/// Writes.
pub struct AuditWriter {
    queue: mpsc::Receiver<Record>,
    store: Store,
    length: Gauge,
}

impl AuditWriter {
    /// From this end of the queue into this store.
    pub fn new(queue: mpsc::Receiver<Record>, store: Store) -> Self {
        Self { queue, store, length: metrics::audit_queue() }
    }

    /// Writes until `shutdown`; then nothing is taken in any more, and what waits is written.
    pub async fn run(mut self, shutdown: CancellationToken) {
        while let Some(rows) = self.gather(&shutdown).await {
            let mut rest = rows.as_slice();
            // By powers of two, so that the database sees few different statements, all prepared.
            while let Some(power) = rest.len().checked_ilog2() {
                let (now, later) = rest.split_at(1 << power);
                self.write(now, &shutdown).await;
                rest = later;
            }
        }
        let left = self.queue.len();
        if left > 0 {
            tracing::error!(left, "decisions were not written down before the end");
        }
    }

    /// The next batch; none when there is nothing left after the shutdown.
    async fn gather(&mut self, shutdown: &CancellationToken) -> Option<Vec<DecisionRow>> {
        let mut records = Vec::with_capacity(BATCH);
        if !shutdown.is_cancelled() {
            tokio::select! {
                _ = self.queue.recv_many(&mut records, BATCH) => {}
                () = shutdown.cancelled() => {}
            }
            if records.len() < BATCH {
                tokio::select! {
                    () = tokio::time::sleep(GATHERING) => {}
                    () = shutdown.cancelled() => {}
                }
            }
        }
        if shutdown.is_cancelled() {
            self.queue.close();
        }
        while records.len() < BATCH
            && let Ok(record) = self.queue.try_recv()
        {
            records.push(record);
        }
        self.length.set(self.queue.len() as f64);
        let ended = shutdown.is_cancelled() && records.is_empty();
        (!ended).then(|| records.iter().map(Record::row).collect())
    }

    /// Tries until it is written, or the process has to end.
    async fn write(&mut self, rows: &[DecisionRow], shutdown: &CancellationToken) {
        let mut pause = PAUSE_MIN;
        let cut_short = async {
            shutdown.cancelled().await;
            tokio::time::sleep(FAREWELL).await;
        };
        tokio::pin!(cut_short);
        loop {
            let written = tokio::select! {
                written = self.store.write_decisions(rows) => written,
                () = &mut cut_short => break,
            };
            let Err(error) = written else { return };
            tracing::warn!(%error, "decisions can't be written down at the moment");
            self.length.set((self.queue.len() + rows.len()) as f64);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = &mut cut_short => break,
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
        tracing::error!(lost = rows.len(), "decisions were not written down before the end");
    }
}
