//! Events are told: in order, in the end always, and nobody waits for it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use prost::Message as _;
use tokio::task::JoinHandle;
use tributary_contracts::event::v1::MeetingEvent;
use tributary_meeting_registry_server::{Address, Outbox, Publisher, Sink, SinkError, Store};
use tributary_message_bus::subjects::MeetingScope;
use tributary_service_runtime::CancellationToken;

use crate::{Base, DEADLINE, on_both, until};

on_both!(
    events_are_told_in_order_and_leave_the_outbox,
    joins_do_not_wait_for_the_bus_and_all_is_told_when_it_returns,
    an_event_without_acknowledgement_is_told_again_before_the_next,
    two_publishers_tell_everything,
    the_end_of_a_deleted_meeting_is_told,
    what_is_applied_just_before_the_shutdown_is_told,
);

/// Keeps what it is told.
#[derive(Default)]
struct Recorder {
    told: Mutex<BTreeMap<MeetingScope, Vec<u64>>>,
    down: AtomicBool,
    /// So many of the next are stored without being acknowledged.
    unacknowledged: AtomicUsize,
    refused: AtomicUsize,
}

impl Recorder {
    fn of(&self, meeting: &MeetingScope) -> Vec<u64> {
        self.told.lock().unwrap().get(meeting).cloned().unwrap_or_default()
    }
}

#[async_trait::async_trait]
impl Sink for Recorder {
    async fn publish(&self, to: &Address, payload: Bytes) -> Result<(), SinkError> {
        let Address::Meeting { meeting, number } = to else { panic!("not an event: {to:?}") };
        let number = *number;
        if self.down.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(SinkError("down".into()));
        }
        let event = MeetingEvent::decode(payload).unwrap();
        assert_eq!((event.number, event.meeting_id), (number, meeting.meeting.to_string()));
        self.told.lock().unwrap().entry(meeting.clone()).or_default().push(number);
        let lost = |left: usize| left.checked_sub(1);
        match self.unacknowledged.fetch_update(Ordering::SeqCst, Ordering::SeqCst, lost) {
            Ok(_) => Err(SinkError("no acknowledgement".into())),
            Err(_) => Ok(()),
        }
    }
}

struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn start(store: &Store, sink: &Arc<Recorder>) -> Self {
        let stop = CancellationToken::new();
        let publisher = Publisher::new(store.clone(), Outbox::Events, Arc::<Recorder>::clone(sink));
        Self { task: tokio::spawn(publisher.run(stop.clone())), stop }
    }

    async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(DEADLINE, self.task).await.unwrap().unwrap();
    }
}

async fn outbox_is_empty(store: &Store) {
    until("an empty outbox", || async {
        store.untold(Outbox::Events, 1).await.unwrap().is_empty()
    })
    .await;
}

async fn events_are_told_in_order_and_leave_the_outbox(base: Base) {
    let sink = Arc::new(Recorder::default());
    let running = Running::start(&base.store, &sink);
    let meetings = [base.meeting().await, base.meeting().await];
    for who in 0..20 {
        for meeting in &meetings {
            base.join(meeting, who, 1).await;
        }
    }
    outbox_is_empty(&base.store).await;
    running.stop().await;
    for meeting in &meetings {
        assert_eq!(sink.of(meeting), (1..=20).collect::<Vec<_>>());
    }
}

async fn joins_do_not_wait_for_the_bus_and_all_is_told_when_it_returns(base: Base) {
    let sink = Arc::new(Recorder::default());
    sink.down.store(true, Ordering::SeqCst);
    let running = Running::start(&base.store, &sink);
    let meeting = base.meeting().await;
    for who in 0..30 {
        base.join(&meeting, who, 1).await;
    }
    until("a try", || async { sink.refused.load(Ordering::SeqCst) > 1 }).await;
    assert_eq!(base.store.untold(Outbox::Events, 100).await.unwrap().len(), 30);
    assert_eq!(sink.of(&meeting), [0; 0]);
    sink.down.store(false, Ordering::SeqCst);
    outbox_is_empty(&base.store).await;
    running.stop().await;
    assert_eq!(sink.of(&meeting), (1..=30).collect::<Vec<_>>());
}

async fn an_event_without_acknowledgement_is_told_again_before_the_next(base: Base) {
    let sink = Arc::new(Recorder::default());
    sink.unacknowledged.store(2, Ordering::SeqCst);
    let meeting = base.meeting().await;
    for who in 0..3 {
        base.join(&meeting, who, 1).await;
    }
    let running = Running::start(&base.store, &sink);
    outbox_is_empty(&base.store).await;
    running.stop().await;
    assert_eq!(sink.of(&meeting), [1, 1, 1, 2, 3]);
}

async fn two_publishers_tell_everything(base: Base) {
    let sink = Arc::new(Recorder::default());
    let replica = base.another_replica().await;
    let running = [Running::start(&base.store, &sink), Running::start(&replica, &sink)];
    let meeting = base.meeting().await;
    for who in 0..40 {
        base.join(&meeting, who, 1).await;
    }
    outbox_is_empty(&base.store).await;
    for one in running {
        one.stop().await;
    }
    let mut told = sink.of(&meeting);
    told.sort_unstable();
    told.dedup();
    assert_eq!(told, (1..=40).collect::<Vec<_>>());
}

async fn the_end_of_a_deleted_meeting_is_told(base: Base) {
    let meeting = base.meeting().await;
    base.join(&meeting, 1, 1).await;
    base.registry.delete(&meeting).await.unwrap();
    let sink = Arc::new(Recorder::default());
    let running = Running::start(&base.store, &sink);
    outbox_is_empty(&base.store).await;
    running.stop().await;
    assert_eq!(sink.of(&meeting), [1, 2, 3]);
}

async fn what_is_applied_just_before_the_shutdown_is_told(base: Base) {
    let sink = Arc::new(Recorder::default());
    let meeting = base.meeting().await;
    base.join(&meeting, 1, 1).await;
    let running = Running::start(&base.store, &sink);
    running.stop().await;
    assert_eq!(sink.of(&meeting), [1]);
    assert_eq!(base.store.untold(Outbox::Events, 1).await.unwrap(), []);
}
