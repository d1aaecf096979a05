//! The sessions of the relays that are attached: begun, taken up again, held for a while, ended.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::OwnedMutexGuard,
    time::{Instant, sleep_until},
};
use tonic::Status;
use tributary_contracts::relay::v1::RelaySettings;
use tributary_identifiers::RelayId;
use tributary_relay_uplink::Incoming;

use super::{
    backend::Backend,
    child::{Child, Reach},
    figures,
};
use crate::media::UplinkId;

/// After so long without a connection, the people behind a relay are shown as away.
pub(super) const AWAY_AFTER: Duration = Duration::from_secs(3);
/// Relays that are attached at a time.
const CHILDREN_MAX: usize = 4_096;

/// All sessions.
pub(super) struct Sessions<B> {
    backend: Arc<B>,
    hold: Duration,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    by_relay: HashMap<RelayId, Arc<Child>>,
    /// Sessions and connections that there were.
    count: u64,
}

/// A connection that speaks for a child, until a newer one does; dropped, it is lost.
pub(super) struct Claim {
    pub(super) child: Arc<Child>,
    /// Number of the connection.
    connection: u64,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.lose(Instant::now());
    }
}

/// A connection's hold on its session: while it has this, no other reads what the child says.
pub(super) struct Seat {
    pub(super) claim: Claim,
    pub(super) incoming: OwnedMutexGuard<Incoming>,
    pub(super) resumed: bool,
}

/// What a session is taken up again by.
pub(super) struct Resume<'a> {
    pub(super) token: &'a [u8],
    /// Number of the last message that the child has.
    pub(super) received: u64,
}

impl<B: Backend> Sessions<B> {
    pub(super) fn new(backend: Arc<B>, hold: Duration) -> Self {
        Self { backend, hold, table: Mutex::default() }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_number(&self) -> u64 {
        let mut table = self.table();
        table.count += 1;
        table.count
    }

    /// The session of this relay, if this token names it.
    pub(super) fn of(&self, relay: &RelayId, token: &[u8]) -> Option<Arc<Child>> {
        let child = self.table().by_relay.get(relay).cloned()?;
        (child.token.is(token) && !child.is_over()).then_some(child)
    }

    /// The session that this token names.
    pub(super) fn named(&self, token: &[u8]) -> Option<Arc<Child>> {
        let table = self.table();
        // All are looked at: how long it takes says nothing.
        let found = table.by_relay.values().filter(|child| child.token.is(token)).last();
        found.filter(|child| !child.is_over()).cloned()
    }

    pub(super) fn all(&self) -> Vec<Arc<Child>> {
        self.table().by_relay.values().cloned().collect()
    }

    /// Gives a verified relay its session: the one that it had, or a new one. Whoever else speaks for
    /// the relay is cut.
    ///
    /// # Errors
    /// The same relay attaches at the same moment by a newer connection, or there are too many.
    pub(super) async fn admit(
        self: &Arc<Self>,
        relay: &RelayId,
        settings: RelaySettings,
        resume: Resume<'_>,
    ) -> Result<Seat, Status> {
        if let Some(child) = self.of(relay, resume.token) {
            // The connection before sees this, and lets go.
            let claim = Claim::new(child.clone(), self.next_number());
            let incoming = child.incoming.clone().lock_owned().await;
            if !claim.holds() {
                return Err(replaced());
            }
            if !child.is_over() && child.queue.resume(resume.received).is_ok() {
                child.set_settings(relay, settings);
                return Ok(Seat { claim, incoming, resumed: true });
            }
        }
        self.begin(relay, settings)
    }

    fn begin(self: &Arc<Self>, relay: &RelayId, settings: RelaySettings) -> Result<Seat, Status> {
        let (number, connection) = (self.next_number(), self.next_number());
        let child = Child::new(UplinkId(number), relay.clone(), settings)
            .map_err(|_| Status::unavailable("no random bytes here now: try again"))?;
        let child = Arc::new(child);
        let claim = Claim::new(child.clone(), connection);
        let incoming = child.incoming.clone().try_lock_owned();
        let incoming = incoming.map_err(|_| replaced())?;
        {
            let mut table = self.table();
            if table.by_relay.len() >= CHILDREN_MAX && !table.by_relay.contains_key(relay) {
                let text = "as many relays as there may be are attached here: use another upstream";
                return Err(Status::resource_exhausted(text));
            }
            if let Some(earlier) = table.by_relay.insert(relay.clone(), child.clone()) {
                earlier.end(replaced());
            }
            // One step: of two sessions that begin at once, the one in the table is the newer one to
            // the backend, too.
            self.backend.began(&child);
        }
        tokio::spawn(self.clone().watch_over(child.clone()));
        tokio::spawn(figures::report(child.clone()));
        metrics::gauge!("tributary_relay_uplinks").set(self.table().by_relay.len() as f64);
        Ok(Seat { claim, incoming, resumed: false })
    }

    /// Holds a session while it has no connection, and brings it to its end.
    async fn watch_over(self: Arc<Self>, child: Arc<Child>) {
        let mut reach = child.reach.subscribe();
        let mut is_away = false;
        loop {
            let now = *reach.borrow_and_update();
            match now {
                Reach::Attached(_) => {
                    if std::mem::take(&mut is_away) {
                        self.backend.reachable(&child, true);
                    }
                    tokio::select! {
                        () = child.over() => break,
                        _ = reach.changed() => {}
                    }
                }
                Reach::Lost(since) => tokio::select! {
                    biased;
                    () = child.over() => break,
                    _ = reach.changed() => {}
                    () = sleep_until(since + self.hold) => {
                        let held = self.hold.as_secs();
                        let text = format!("the session was held for {held} s: begin a new one");
                        child.end(Status::unavailable(text));
                    }
                    () = sleep_until(since + AWAY_AFTER), if !is_away => {
                        is_away = true;
                        self.backend.reachable(&child, false);
                    }
                },
            }
        }
        let last_there = child.lost_since().unwrap_or_else(Instant::now);
        {
            let mut table = self.table();
            if table.by_relay.get(&child.relay).is_some_and(|known| Arc::ptr_eq(known, &child)) {
                table.by_relay.remove(&child.relay);
            }
            metrics::gauge!("tributary_relay_uplinks").set(table.by_relay.len() as f64);
        }
        tracing::info!(relay = %child.relay, why = child.why().message(), "uplink over");
        self.backend.ended(&child, last_there);
    }
}

impl Claim {
    fn new(child: Arc<Child>, connection: u64) -> Self {
        child.reach.send_replace(Reach::Attached(connection));
        Self { child, connection }
    }

    fn holds(&self) -> bool {
        *self.child.reach.borrow() == Reach::Attached(self.connection)
    }

    /// The connection is lost: the child was heard for the last time then.
    pub(super) fn lose(&self, last_heard: Instant) {
        self.child.reach.send_if_modified(|reach| {
            // A newer connection has it already.
            let is_own = *reach == Reach::Attached(self.connection);
            if is_own {
                *reach = Reach::Lost(last_heard);
            }
            is_own
        });
    }

    /// Resolves when a newer connection speaks for the child.
    pub(super) async fn superseded(&self) {
        let mut reach = self.child.reach.subscribe();
        let own = Reach::Attached(self.connection);
        // The sender lives as long as the child.
        let _ = reach.wait_for(|reach| *reach != own).await;
    }
}

/// To a connection that is not the newest.
pub(super) fn replaced() -> Status {
    Status::aborted("attached by a newer connection")
}
