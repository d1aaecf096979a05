//! What is told between replicas, and heard from the meeting registry, so that nothing old is
//! believed for longer than a message takes.

use std::{pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt as _;
use prost::Message as _;
use tokio::time::Instant;
use tributary_contracts::event::v1::{LeaveReason, MeetingEvent, meeting_event::Body};
use tributary_message_bus::{
    ControlBus, Subscriber,
    subjects::{self, MeetingScope},
};
use tributary_service_runtime::CancellationToken;

use crate::facts::Freshness;

/// So long does somebody wait for others to be told.
const TELLING: Duration = Duration::from_secs(1);
/// After so long a new connection is trusted: by then the server knows what is listened to.
const SETTLING: Duration = Duration::from_millis(500);

/// Tells other replicas what this one has changed. Clones share the connection.
#[derive(Clone)]
pub struct Teller {
    bus: ControlBus,
    freshness: Arc<Freshness>,
}

impl Teller {
    /// Over the control connection.
    pub const fn new(bus: ControlBus, freshness: Arc<Freshness>) -> Self {
        Self { bus, freshness }
    }

    /// A share of the meeting holds from now on.
    pub async fn widened(&self, scope: &MeetingScope) {
        self.freshness.changed(scope);
        self.tell(scope, subjects::WIDENED).await;
    }

    /// Shares of the meeting do not hold any more.
    pub async fn narrowed(&self, scope: &MeetingScope) {
        self.freshness.changed(scope);
        self.tell(scope, subjects::NARROWED).await;
    }

    /// Who may enter has changed: nobody believes what was known before. When NATS is away, other
    /// replicas know that they can't hear, and believe nothing for long.
    async fn tell(&self, scope: &MeetingScope, how: &'static [u8]) {
        let telling = self.bus.tell(scope.shares_changed(), Bytes::from_static(how));
        let error = match tokio::time::timeout(TELLING, telling).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("not sent within {TELLING:?}"),
        };
        tracing::warn!(error, meeting = %scope.meeting,
            "others were not told that it has changed who may enter a meeting");
    }
}

/// Hears what changes.
pub struct Listener {
    bus: ControlBus,
    teller: Teller,
    freshness: Arc<Freshness>,
}

impl Listener {
    /// Over the control connection.
    pub fn new(bus: ControlBus, teller: Teller) -> Self {
        let freshness = Arc::clone(&teller.freshness);
        Self { bus, teller, freshness }
    }

    /// Listens until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let events = self.bus.hear(subjects::all_events()).await;
        let shares = self.bus.hear(subjects::all_shares_changed()).await;
        if let (Some(events), Some(shares)) = (events, shares) {
            tokio::select! {
                () = self.listen(events, shares) => {}
                () = shutdown.cancelled() => {}
            }
        }
        self.freshness.set_linked(false);
        shutdown.cancelled().await;
        self.bus.drain().await;
    }

    async fn listen(&self, mut events: Subscriber, mut shares: Subscriber) {
        let mut link = self.bus.link();
        let mut times = 0;
        let mut settled = pin!(tokio::time::sleep(SETTLING));
        loop {
            let now = *link.borrow_and_update();
            if now.times != times {
                times = now.times;
                // What was told while there was no connection is missed for good.
                self.freshness.everything_changed();
                self.freshness.set_linked(false);
                settled.as_mut().reset(Instant::now() + SETTLING);
            } else if !now.up {
                self.freshness.set_linked(false);
            }
            let settling = now.up && !self.freshness.is_linked();
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => self.hear_event(&event.subject, event.payload),
                    None => return,
                },
                change = shares.next() => match change {
                    Some(change) => drop(self.hear_change(&change.subject)),
                    None => return,
                },
                changed = link.changed() => if changed.is_err() { return },
                () = &mut settled, if settling => {
                    self.freshness.everything_changed();
                    self.freshness.set_linked(true);
                }
            }
        }
    }

    /// Most events are about who is there, which decisions do not depend on.
    fn hear_event(&self, subject: &str, payload: Bytes) {
        let body = match MeetingEvent::decode(payload) {
            Ok(event) => event.body,
            Err(error) => {
                tracing::warn!(%error, subject, "an event can't be read");
                self.hear_change(subject);
                return;
            }
        };
        match body {
            Some(Body::MembersChanged(change)) => {
                let scope = self.hear_change(subject);
                if let Some(scope) = scope.filter(|_| change.removed > 0) {
                    self.tell_of_removal(scope);
                }
            }
            // They may not even be on the list, and yet fewer may read about the meeting now.
            Some(Body::Left(left)) if left.reason() == LeaveReason::Removed => {
                if let Some(scope) = self.hear_change(subject) {
                    self.tell_of_removal(scope);
                }
            }
            Some(Body::MeetingChanged(_) | Body::Ended(_)) => drop(self.hear_change(subject)),
            _ => {}
        }
    }

    /// Members were taken off the list, or somebody out: what they were let in by before is stale. Every replica
    /// tells it, after its own facts are forgotten, so that none lets in on old facts afterwards.
    /// It is told because of an event only: what is heard of shares is never told on.
    fn tell_of_removal(&self, scope: MeetingScope) {
        let teller = self.teller.clone();
        // Nothing must wait for it that is to be heard.
        tokio::spawn(async move { teller.tell(&scope, subjects::NARROWED).await });
    }

    fn hear_change(&self, subject: &str) -> Option<MeetingScope> {
        let scope = subjects::meeting_of(subject);
        match &scope {
            Some(scope) => self.freshness.changed(scope),
            None => tracing::warn!(subject, "heard of a change of no meeting"),
        }
        scope
    }
}
