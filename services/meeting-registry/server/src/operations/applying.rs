//! What becomes of one operation.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, UNIX_EPOCH},
};

use tokio::time::timeout;
use tracing::Instrument as _;
use tributary_meeting_registry_core::{Event, Happening, Operation, Patience};
use tributary_message_bus::{ReceivedOperation, subjects::MeetingScope};
use tributary_service_runtime::CancellationToken;

use super::{
    metrics::{self, Answer},
    patience::{Place, Waiting},
    reading::{self, Dropped},
};
use crate::store::{Operated, Outbox, Received, Store, StoreError};

/// The first pause after the database did not answer; each is twice the one before.
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(50);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(1);
/// How long the database is tried again for one operation before it is given back: another replica
/// may have a database that answers.
const RETRY_MAX: Duration = Duration::from_secs(10);
/// How long one attempt may take. A database that says nothing at all, as behind a network that loses
/// everything, must not keep an operation from a replica that is better off.
const ATTEMPT_MAX: Duration = Duration::from_secs(10);
/// How long an operation that was given back so stays in the stream.
const GIVEN_BACK: Duration = Duration::from_millis(500);
/// How often it is looked whether the database is back, and how long a look may take.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const LOOK_MAX: Duration = Duration::from_secs(1);
/// How long one stays there whose meeting can't be read from the database: until somebody has
/// repaired that.
const SET_ASIDE: Duration = Duration::from_secs(30);

/// Applies operations.
pub struct Applier {
    store: Store,
    waiting: Mutex<Waiting>,
    /// True while the database has been away for longer than an operation is tried again.
    away: AtomicBool,
}

/// What is to be said to the stream.
enum Fate {
    /// It has been answered.
    Answered(Answer),
    /// There is nobody to answer.
    Dropped(Dropped),
    /// It is to come again.
    Later(Duration, &'static str),
}

impl Applier {
    pub fn new(store: Store) -> Self {
        Self { store, waiting: Mutex::default(), away: AtomicBool::new(false) }
    }

    /// Returns when it makes sense to take another operation: at once, or when the database is back.
    pub async fn able(&self) {
        while self.away.load(Ordering::Relaxed) {
            let look = self.store.untold(Outbox::Events, 1);
            if matches!(timeout(LOOK_MAX, look).await, Ok(Ok(_))) {
                tracing::info!("the database answers again; operations are applied");
                self.away.store(false, Ordering::Relaxed);
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// How many operations wait for the one before them.
    pub fn waiting(&self) -> usize {
        self.with_waiting(|waiting| waiting.tidy(Instant::now()))
    }

    /// A meeting has more to do than is held here: one of its operations goes back to the stream.
    pub fn crowded(&self, scope: &MeetingScope) {
        metrics::put_off("crowded");
        self.with_waiting(|waiting| waiting.crowded(scope, Instant::now()));
    }

    /// Sees to an operation, and answers the stream.
    pub async fn work(&self, delivery: &ReceivedOperation, shutdown: &CancellationToken) {
        let span = tracing::info_span!("operation", otel.kind = "consumer");
        delivery.adopt_trace(&span);
        match self.fate(delivery, shutdown).instrument(span).await {
            Fate::Answered(answer) => {
                metrics::answered(answer, self.age(delivery));
                done(delivery).await;
            }
            Fate::Dropped(why) => {
                metrics::dropped(why);
                let (meeting, relay, why) = (delivery.scope.meeting, &delivery.relay, why.as_str());
                tracing::debug!(%meeting, %relay, why, "an operation is dropped");
                done(delivery).await;
            }
            Fate::Later(pause, why) => {
                metrics::put_off(why);
                delivery.later(pause).await;
            }
        }
    }

    async fn fate(&self, delivery: &ReceivedOperation, shutdown: &CancellationToken) -> Fate {
        let received = match reading::read(&delivery.payload, &delivery.scope) {
            Ok(received) => received,
            Err(why) => return Fate::Dropped(why),
        };
        let not_after = self.store.clock().from_wall(received.operation.not_after);
        let operation = Operation { not_after, ..received.operation };
        self.apply(delivery, &Received { operation, ..received }, shutdown).await
    }

    /// Tries until the database has said something, but not for ever.
    async fn apply(
        &self,
        delivery: &ReceivedOperation,
        received: &Received,
        shutdown: &CancellationToken,
    ) -> Fate {
        let begin = Instant::now();
        let mut pause = RETRY_PAUSE_MIN;
        loop {
            if self.away.load(Ordering::Relaxed) {
                return Fate::Later(GIVEN_BACK, "database");
            }
            let Ok(outcome) = timeout(ATTEMPT_MAX, self.operate(delivery, received)).await else {
                metrics::failed();
                return self.give_up("it said nothing");
            };
            let error = match outcome {
                Ok(operated) => return self.judge(delivery, received, operated),
                Err(StoreError::NoSuchMeeting) => return Fate::Dropped(Dropped::NoSuchMeeting),
                Err(error) => error,
            };
            metrics::failed();
            let meeting = delivery.scope.meeting;
            if !matches!(error, StoreError::Database(_)) {
                tracing::error!(%error, %meeting, "an operation can't be applied for now");
                return Fate::Later(SET_ASIDE, "unreadable");
            }
            tracing::debug!(%error, %meeting, "an operation is tried again");
            if shutdown.is_cancelled() {
                return Fate::Later(Duration::ZERO, "shutdown");
            }
            if begin.elapsed() >= RETRY_MAX {
                return self.give_up(&error.to_string());
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = shutdown.cancelled() => {}
            }
            pause = (pause * 2).min(RETRY_PAUSE_MAX);
        }
    }

    /// The database is away: what is held is given back, and no more is taken until it is back.
    fn give_up(&self, error: &str) -> Fate {
        if !self.away.swap(true, Ordering::Relaxed) {
            tracing::warn!(error, "the database is away; operations stay in the stream");
        }
        Fate::Later(GIVEN_BACK, "database")
    }

    async fn operate(
        &self,
        delivery: &ReceivedOperation,
        received: &Received,
    ) -> Result<Operated, StoreError> {
        let (scope, place) = (&delivery.scope, place(delivery, received));
        let (patience, waits) = self.with_waiting(|waiting| {
            (waiting.patience(&place, Instant::now()), waiting.contains(&place))
        });
        // Nobody else's writing is held up to see that it waits still.
        if waits && patience == Patience::Wait && self.store.waits_still(scope, received).await? {
            return Ok(Operated::Wait);
        }
        self.store.operate(scope, received, patience, self.store.clock().now()).await
    }

    fn judge(&self, delivery: &ReceivedOperation, received: &Received, operated: Operated) -> Fate {
        let place = place(delivery, received);
        let fate = match operated {
            Operated::Wait => {
                let pause = self.with_waiting(|waiting| waiting.waits(place, Instant::now()));
                return Fate::Later(pause, "order");
            }
            Operated::Answered(events) if is_refusal(&events) => Fate::Answered(Answer::Refused),
            Operated::Answered(_) => Fate::Answered(Answer::Applied),
            Operated::Known => Fate::Answered(Answer::Repeated),
            Operated::NotTheirs => Fate::Dropped(Dropped::NotTheirs),
        };
        self.with_waiting(|waiting| match fate {
            Fate::Answered(Answer::Applied) => waiting.applied(&place),
            _ => waiting.forget(&place),
        });
        fate
    }

    fn with_waiting<T>(&self, what: impl FnOnce(&mut Waiting) -> T) -> T {
        what(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How long ago it was stored in the stream, by the two machines' clocks.
    fn age(&self, delivery: &ReceivedOperation) -> Duration {
        let published = delivery.published_at.duration_since(UNIX_EPOCH).unwrap_or_default();
        Duration::from_millis(self.store.clock().wall()).saturating_sub(published)
    }
}

fn place(delivery: &ReceivedOperation, received: &Received) -> Place {
    let Operation { participant, sequence, .. } = received.operation;
    let whose = (delivery.scope.clone(), participant);
    Place { whose, which: (sequence, received.hash) }
}

fn is_refusal(events: &[Event]) -> bool {
    matches!(events, [Event { what: Happening::OperationRefused { .. }, .. }])
}

/// What is not known to be off the stream comes again, and is known then.
async fn done(delivery: &ReceivedOperation) {
    if let Err(error) = delivery.done().await {
        tracing::debug!(%error, "an operation may come again");
    }
}
