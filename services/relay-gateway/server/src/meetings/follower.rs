//! The task that brings a meeting's events to its hub.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use prost::Message as _;
use tokio::time::MissedTickBehavior;
use tonic::Code;
use tributary_contracts::event::v1::{MeetingEnded, MeetingEvent, meeting_event::Body};
use tributary_message_bus::{ControlBus, EventMessage, EventSubscription, subjects::MeetingScope};

use super::{
    hub::Hub,
    roster::{Applied, Roster},
};
use crate::upstream::Upstream;

/// How often the registry is asked for what the bus may not have brought.
const CATCH_UP_INTERVAL: Duration = Duration::from_secs(5);
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

pub(super) struct Follower {
    hub: Weak<Hub>,
    upstream: Upstream,
    bus: ControlBus,
}

impl Follower {
    pub(super) fn new(hub: &Arc<Hub>, upstream: Upstream, bus: ControlBus) -> Self {
        Self { hub: Arc::downgrade(hub), upstream, bus }
    }

    pub(super) async fn run(self, scope: MeetingScope) {
        let mut link = self.bus.link();
        // Subscribed before the roster is read: nothing falls between the two.
        let Some(mut events) = self.bus.subscribe_events(&scope).await else { return };
        self.read_roster(&scope).await;
        link.mark_unchanged();
        let mut catch_up = tokio::time::interval(CATCH_UP_INTERVAL);
        catch_up.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let behind = tokio::select! {
                message = next(&mut events) => self.hear(&message) == Applied::Gap,
                _ = catch_up.tick() => true,
                // Somebody may have published something while the connection was down.
                Ok(()) = link.changed() => link.borrow().up,
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
                        let state = answer.state.unwrap_or_default();
                        let (participants, talks) = (answer.participants, answer.talks);
                        hub.replace(Roster::new(participants, state, talks, answer.event_number));
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
            body: Some(Body::Ended(MeetingEnded {})),
            ..MeetingEvent::default()
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
