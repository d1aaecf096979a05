//! Operations: taken off the stream, proven to be their participant's, applied, and only then off
//! the stream for good.
//!
//! **Invariants:** operations of one meeting are applied one after the other, those of some meetings
//! at the same time; nothing is acknowledged that is not committed, dropped for a counted reason, or
//! known from before; while the database is away nothing is lost and nothing is given up. What is
//! held here is bounded, in all and for each meeting: the rest stays in the stream. What is given
//! back so may be overtaken in the stream, but not in its session: there operations wait for the one
//! before them, and that waiting does not count while its meeting is crowded.

mod applying;
mod lanes;
mod metrics;
mod patience;
mod reading;

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{MissedTickBehavior, interval, timeout},
};
use tributary_message_bus::{ControlBus, ReceivedOperation};
use tributary_service_runtime::CancellationToken;

use crate::store::Store;
use applying::Applier;
use lanes::Lanes;
pub use metrics::describe;

/// Operations that are held here at once, in work or in a queue.
const HELD_MAX: usize = 128;
/// Meetings whose operations are applied at the same time.
const MEETINGS_AT_ONCE: usize = 16;
/// How long an operation stays in the stream for which its meeting has no room here.
const CROWDED: Duration = Duration::from_millis(200);
/// How often the stream is told that what is held here is being worked on: several times in the five
/// seconds after which it would be delivered again.
const PROGRESS_EVERY: Duration = Duration::from_millis(1500);
/// How long what is in work may take at the end of the process.
const FAREWELL: Duration = Duration::from_secs(2);

/// Applies what participants do.
pub struct OperationConsumer {
    bus: ControlBus,
    applier: Applier,
}

/// An operation that is held, and its place among the held.
struct Held {
    operation: ReceivedOperation,
    _slot: OwnedSemaphorePermit,
}

impl OperationConsumer {
    /// Between a connection and a store.
    #[must_use]
    pub fn new(bus: ControlBus, store: Store) -> Self {
        Self { bus, applier: Applier::new(store) }
    }

    /// Works until `shutdown`; what is in work then is finished, and the rest given back. Without
    /// NATS it waits for it.
    pub async fn run(self, shutdown: CancellationToken) {
        let (sender, arrivals) = mpsc::channel(1);
        tokio::join!(self.take_off(sender, &shutdown), self.apply_all(arrivals, &shutdown));
    }

    /// Takes operations off the stream while there is room for them, and a database.
    async fn take_off(&self, to: mpsc::Sender<Held>, shutdown: &CancellationToken) {
        let slots = Arc::new(Semaphore::new(HELD_MAX));
        let mut operations = self.bus.operations();
        let taking = async {
            // The semaphore is never closed.
            while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
                self.applier.able().await;
                let operation = operations.next().await;
                metrics::received();
                if to.send(Held { operation, _slot: slot }).await.is_err() {
                    break;
                }
            }
        };
        tokio::select! {
            () = taking => {}
            () = shutdown.cancelled() => {}
        }
    }

    /// Ends after the last arrival.
    async fn apply_all(&self, mut arrivals: mpsc::Receiver<Held>, shutdown: &CancellationToken) {
        let mut lanes = Lanes::<Arc<Held>>::new(MEETINGS_AT_ONCE);
        let mut running = FuturesUnordered::new();
        let mut progress = interval(PROGRESS_EVERY);
        progress.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            while let Some(held) = lanes.begin() {
                running.push(async move {
                    self.applier.work(&held.operation, shutdown).await;
                    held.operation.scope.clone()
                });
            }
            tokio::select! {
                arrival = arrivals.recv() => match arrival {
                    Some(held) if lanes.has_room(&held.operation.scope) => {
                        lanes.push(held.operation.scope.clone(), Arc::new(held));
                    }
                    Some(held) => {
                        self.applier.crowded(&held.operation.scope);
                        held.operation.later(CROWDED).await;
                    }
                    None => break,
                },
                Some(scope) = running.next() => lanes.finished(&scope),
                _ = progress.tick() => {
                    metrics::held(self.applier.waiting(), lanes.all().count());
                    for held in lanes.all() {
                        held.operation.in_progress().await;
                    }
                }
            }
        }
        let finish = async { while running.next().await.is_some() {} };
        if timeout(FAREWELL, finish).await.is_err() {
            tracing::warn!("operations are left in the stream for the next start");
        }
        for held in lanes.queued() {
            held.operation.later(Duration::ZERO).await;
        }
    }
}
