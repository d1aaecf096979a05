//! Follows one meeting: hears its events, fills gaps from the registry, and hands both to the
//! terminals' connections.
//!
//! Events are a matter of convenience here: when the bus does not bring them, the registry is asked
//! every few seconds, so that a roster is right without JetStream too.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use prost::Message as _;
use tokio::{
    sync::{broadcast, watch},
    task::AbortHandle,
    time::MissedTickBehavior,
};
use tonic::{Code, Status};
use tributary_contracts::{
    event::v1::{MeetingEnded, MeetingEvent, Participant, meeting_event::Body as EventBody},
    terminal::v1::{RelayMessage, relay_message::Body},
};
use tributary_identifiers::ParticipantId;
use tributary_message_bus::{ControlBus, EventMessage, EventSubscription, subjects::MeetingScope};

use super::roster::{Applied, Roster};
use crate::upstream::Upstream;

/// Events a slow connection can be behind before it gets the whole roster instead.
const EVENTS_BEHIND_MAX: usize = 256;
/// How often the registry is asked for what the bus may not have brought.
const CATCH_UP_INTERVAL: Duration = Duration::from_secs(5);
const RETRY_INTERVAL: Duration = Duration::from_millis(500);
/// How long somebody who joins waits for the first roster.
const FIRST_ROSTER_WAIT: Duration = Duration::from_secs(5);

/// An event, and how it goes over a WebSocket: encoded once for all terminals.
#[derive(Debug)]
pub(crate) struct Happening {
    pub(crate) event: MeetingEvent,
    pub(crate) encoded: Bytes,
}

/// Who is in, and up to which event that is true.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) participants: Vec<Participant>,
    pub(crate) event_number: u64,
}

/// One meeting's roster, events and active speakers.
pub(crate) struct Hub {
    pub(crate) scope: MeetingScope,
    pub(crate) speakers: watch::Sender<Vec<ParticipantId>>,
    roster: Mutex<Option<Roster>>,
    synced: watch::Sender<bool>,
    happenings: broadcast::Sender<Arc<Happening>>,
    task: Mutex<Option<AbortHandle>>,
}

impl Drop for Hub {
    fn drop(&mut self) {
        let task = self.task.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task.take() {
            task.abort();
        }
    }
}

impl Hub {
    pub(super) fn start(scope: MeetingScope, upstream: Upstream, bus: ControlBus) -> Arc<Self> {
        let hub = Arc::new(Self {
            scope,
            speakers: watch::Sender::default(),
            roster: Mutex::default(),
            synced: watch::Sender::new(false),
            happenings: broadcast::Sender::new(EVENTS_BEHIND_MAX),
            task: Mutex::default(),
        });
        // The task must not keep the hub alive.
        let follower = Follower { hub: Arc::downgrade(&hub), upstream, bus };
        let task = tokio::spawn(follower.run(hub.scope.clone()));
        *hub.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task.abort_handle());
        hub
    }

    /// Waits until the roster is known and has everything that the registry had when this was
    /// called, then returns it and what happens from then on. `None`: the registry could not be
    /// asked in time.
    pub(crate) async fn follow(
        &self,
        upstream: &Upstream,
    ) -> Option<(Snapshot, broadcast::Receiver<Arc<Happening>>)> {
        let mut synced = self.synced.subscribe();
        let known = tokio::time::timeout(FIRST_ROSTER_WAIT, synced.wait_for(|synced| *synced));
        known.await.ok()?.ok()?;
        self.catch_up(upstream).await.ok()?;
        // Subscribed first: nothing falls between the two.
        let happenings = self.happenings.subscribe();
        Some((self.snapshot()?, happenings))
    }

    /// Who is in now; `None` while that is not known.
    pub(crate) fn snapshot(&self) -> Option<Snapshot> {
        let roster = self.roster.lock().unwrap_or_else(PoisonError::into_inner);
        roster.as_ref().map(|roster| Snapshot {
            participants: roster.participants.values().cloned().collect(),
            event_number: roster.event_number,
        })
    }

    /// Applies what the registry has and the bus has not brought yet.
    async fn catch_up(&self, upstream: &Upstream) -> Result<(), Status> {
        loop {
            let events = upstream.events_after(&self.scope, self.event_number()).await?;
            if events.is_empty() {
                return Ok(());
            }
            for event in events {
                if self.apply(event) == Applied::Gap {
                    return Ok(());
                }
            }
            // Connections get their turn to pass on a page before the next one comes.
            tokio::task::yield_now().await;
        }
    }

    fn replace(&self, roster: Roster) {
        *self.roster.lock().unwrap_or_else(PoisonError::into_inner) = Some(roster);
        self.synced.send_replace(true);
    }

    /// Applies an event and passes it on if it was the next one.
    fn apply(&self, event: MeetingEvent) -> Applied {
        let mut roster = self.roster.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = roster.as_mut() else { return Applied::Known };
        let applied = known.apply(&event);
        if applied == Applied::Next {
            let body = Some(Body::Event(event.clone()));
            let encoded = RelayMessage { in_reply_to: 0, body }.encode_to_vec().into();
            // Nobody listens: then nobody misses it.
            let _ = self.happenings.send(Arc::new(Happening { event, encoded }));
        }
        applied
    }

    fn event_number(&self) -> u64 {
        let roster = self.roster.lock().unwrap_or_else(PoisonError::into_inner);
        roster.as_ref().map_or(0, |roster| roster.event_number)
    }
}

struct Follower {
    hub: std::sync::Weak<Hub>,
    upstream: Upstream,
    bus: ControlBus,
}

impl Follower {
    async fn run(self, scope: MeetingScope) {
        // Subscribed before the roster is read: nothing falls between the two.
        let Some(mut events) = self.bus.subscribe_events(&scope).await else { return };
        self.read_roster(&scope).await;
        let mut catch_up = tokio::time::interval(CATCH_UP_INTERVAL);
        catch_up.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let behind = tokio::select! {
                message = next(&mut events) => self.hear(&message) == Applied::Gap,
                _ = catch_up.tick() => true,
            };
            if behind {
                self.fill_gap(&scope).await;
            }
        }
    }

    async fn read_roster(&self, scope: &MeetingScope) {
        loop {
            match self.upstream.roster(scope).await {
                Ok(answer) => {
                    if let Some(hub) = self.hub.upgrade() {
                        hub.replace(Roster::new(answer.participants, answer.event_number));
                    }
                    return;
                }
                Err(status) => {
                    tracing::debug!(code = ?status.code(), "roster not read; trying again");
                    tokio::time::sleep(RETRY_INTERVAL).await;
                }
            }
        }
    }

    fn hear(&self, message: &EventMessage) -> Applied {
        // What can't be read leaves a gap, which the registry fills.
        let Ok(event) = MeetingEvent::decode(message.payload.clone()) else { return Applied::Gap };
        let span = tracing::info_span!("process event", otel.kind = "consumer");
        message.adopt_trace(&span);
        span.in_scope(|| self.apply(event))
    }

    fn apply(&self, event: MeetingEvent) -> Applied {
        self.hub.upgrade().map_or(Applied::Known, |hub| hub.apply(event))
    }

    async fn fill_gap(&self, scope: &MeetingScope) {
        let Some(hub) = self.hub.upgrade() else { return };
        match hub.catch_up(&self.upstream).await {
            Ok(()) => {}
            Err(status) if status.code() == Code::NotFound => {
                self.end(scope, hub.event_number());
            }
            Err(status) => tracing::debug!(code = ?status.code(), "events not read"),
        }
    }

    /// The meeting was deleted, log and all, before its end was heard here.
    fn end(&self, scope: &MeetingScope, after: u64) {
        self.apply(MeetingEvent {
            organisation: scope.organisation.to_string(),
            meeting_id: scope.meeting.to_string(),
            number: after + 1,
            at: None,
            body: Some(EventBody::Ended(MeetingEnded {})),
        });
    }
}

/// The next event; never, when there are no more: then only the registry is asked.
async fn next(events: &mut EventSubscription) -> EventMessage {
    match events.next().await {
        Some(message) => message,
        None => std::future::pending().await,
    }
}
