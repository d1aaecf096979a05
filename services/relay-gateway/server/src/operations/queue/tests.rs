//! The queue keeps order, its bounds, and what it has taken.

use std::sync::atomic::{AtomicUsize, Ordering};

use tributary_identifiers::{MeetingId, OrganisationId};

use super::*;

/// Stores what it is given, as long as it is up.
#[derive(Clone, Default)]
struct Store(Arc<StoreInner>);

#[derive(Default)]
struct StoreInner {
    stored: Mutex<Vec<Bytes>>,
    tries: AtomicUsize,
    is_down: std::sync::atomic::AtomicBool,
    is_up_again: tokio::sync::Notify,
}

impl Carrier for Store {
    async fn carry(&self, _: &MeetingScope, operation: Bytes) -> Result<(), String> {
        self.0.tries.fetch_add(1, Ordering::SeqCst);
        if self.0.is_down.load(Ordering::SeqCst) {
            return Err("down".to_owned());
        }
        self.0.stored.lock().unwrap().push(operation);
        Ok(())
    }

    async fn recovers(&self) {
        self.0.is_up_again.notified().await;
    }
}

impl Store {
    fn set_down(&self, is_down: bool) {
        self.0.is_down.store(is_down, Ordering::SeqCst);
    }

    fn stored(&self) -> Vec<String> {
        let stored = self.0.stored.lock().unwrap();
        stored.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
    }
}

fn scope() -> MeetingScope {
    let meeting = MeetingId::try_from(1 << 60).unwrap();
    MeetingScope { organisation: OrganisationId::default(), meeting }
}

struct Bench {
    store: Store,
    operations: Operations<Store>,
    shutdown: CancellationToken,
}

impl Bench {
    fn new() -> Self {
        let (store, shutdown) = (Store::default(), CancellationToken::new());
        let operations = Operations::new(store.clone(), shutdown.clone());
        Self { store, operations, shutdown }
    }

    fn push(
        &self,
        participant: u32,
        text: &str,
        request_id: u64,
        waits: &mpsc::Sender<Stored>,
    ) -> Option<RefusalCode> {
        let stored = Stored { request_id, operation: text.parse().unwrap() };
        let payload = Bytes::copy_from_slice(text.as_bytes());
        let id = ParticipantId(participant);
        let pushed = self.operations.push(&scope(), id, payload, stored, waits.clone());
        pushed.err().map(|refused| refused.code)
    }

    /// Queues end when there is nothing in them.
    async fn settled(&self) {
        while !self.operations.0.queues().by_key.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

fn connection() -> (mpsc::Sender<Stored>, mpsc::Receiver<Stored>) {
    mpsc::channel(64)
}

#[tokio::test(start_paused = true)]
async fn what_comes_in_an_order_is_stored_in_it_also_when_nothing_can_be_for_a_while() {
    let bench = Bench::new();
    let (waits, mut told) = connection();
    bench.store.set_down(true);
    for number in 0..UNRESOLVED_MAX {
        assert_eq!(bench.push(1, &number.to_string(), number as u64, &waits), None);
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(bench.store.stored().is_empty() && told.try_recv().is_err());
    // Back-off: far fewer tries than a fixed short interval would make.
    let tries = bench.store.0.tries.load(Ordering::SeqCst);
    assert!((10..40).contains(&tries), "{tries}");
    bench.store.set_down(false);
    bench.settled().await;
    let expected: Vec<_> = (0..UNRESOLVED_MAX).map(|number| number.to_string()).collect();
    assert_eq!(bench.store.stored(), expected);
    for number in 0..UNRESOLVED_MAX as u64 {
        assert_eq!(told.recv().await.unwrap().request_id, number);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_comes_back_is_used_without_waiting_for_the_next_try() {
    let bench = Bench::new();
    let (waits, mut told) = connection();
    bench.store.set_down(true);
    bench.push(1, "a", 1, &waits);
    tokio::time::sleep(Duration::from_secs(60)).await;
    bench.store.set_down(false);
    let begin = Instant::now();
    bench.store.0.is_up_again.notify_waiters();
    assert_eq!(told.recv().await.unwrap().request_id, 1);
    assert!(begin.elapsed() <= RETRY_FIRST, "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn one_participant_has_some_places_and_another_its_own() {
    let bench = Bench::new();
    let (waits, _told) = connection();
    bench.store.set_down(true);
    for number in 0..UNRESOLVED_MAX {
        assert_eq!(bench.push(1, &number.to_string(), 1, &waits), None);
    }
    assert_eq!(bench.push(1, "more", 2, &waits), Some(RefusalCode::Limit));
    assert_eq!(bench.push(2, "more", 2, &waits), None);
    // What waits already takes no second place.
    assert_eq!(bench.push(1, "31", 3, &waits), None);
    bench.store.set_down(false);
    bench.settled().await;
    assert_eq!(bench.operations.0.queues().bytes, 0);
    assert_eq!(bench.store.stored().len(), UNRESOLVED_MAX + 1);
    assert_eq!(bench.push(1, "more", 4, &waits), None);
}

#[tokio::test(start_paused = true)]
async fn a_queue_outlives_its_connection_and_tells_the_one_that_comes_back() {
    let bench = Bench::new();
    let (waits, told) = connection();
    bench.store.set_down(true);
    bench.push(1, "a", 1, &waits);
    bench.push(1, "b", 2, &waits);
    drop((waits, told));
    let (waits, mut told) = connection();
    bench.push(1, "a", 7, &waits);
    bench.push(1, "c", 8, &waits);
    bench.store.set_down(false);
    bench.settled().await;
    assert_eq!(bench.store.stored(), ["a", "b", "c"]);
    assert_eq!(told.recv().await.unwrap().request_id, 7);
    assert_eq!(told.recv().await.unwrap().request_id, 8);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_waits_for_is_given_up_in_the_end() {
    let bench = Bench::new();
    let (waits, told) = connection();
    bench.store.set_down(true);
    bench.push(1, "a", 1, &waits);
    let (others, _others_told) = connection();
    bench.push(2, "b", 1, &others);
    drop((waits, told));
    tokio::time::sleep(2 * ABANDONED_AFTER).await;
    assert_eq!(bench.operations.0.queues().by_key.len(), 1);
    bench.store.set_down(false);
    bench.settled().await;
    assert_eq!(bench.store.stored(), ["b"]);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_relay_does_not_wait_for_what_can_not_be_stored() {
    let bench = Bench::new();
    let (waits, mut told) = connection();
    bench.store.set_down(true);
    bench.push(1, "a", 1, &waits);
    bench.shutdown.cancel();
    bench.operations.drain().await;
    assert_eq!(bench.push(1, "b", 2, &waits), Some(RefusalCode::TryAgain));
    assert!(told.try_recv().is_err() && bench.store.stored().is_empty());
}

#[tokio::test(start_paused = true)]
async fn all_together_are_bounded_in_bytes() {
    let bench = Bench::new();
    let (waits, _told) = connection();
    bench.store.set_down(true);
    let large = |number: u32| {
        let stored = Stored { request_id: 1, operation: "large".parse().unwrap() };
        let mut payload = vec![0; BYTES_MAX / 4];
        payload[0] = number as u8;
        let id = ParticipantId(number);
        let pushed = bench.operations.push(&scope(), id, payload.into(), stored, waits.clone());
        pushed.err().map(|refused| refused.code)
    };
    let codes: Vec<_> = (0..5).map(large).collect();
    assert_eq!(codes, [None, None, None, None, Some(RefusalCode::TryAgain)]);
    bench.store.set_down(false);
    bench.settled().await;
    assert_eq!(large(5), None);
}
