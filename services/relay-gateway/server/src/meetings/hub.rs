//! Follows one meeting: hears its events, fills gaps from the registry, and keeps both for the
//! terminals' connections, which read at their own pace.
//!
//! Events are a matter of convenience here: when the bus does not bring them, the registry is asked
//! every few seconds, so that a roster is right without JetStream too.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, task::AbortHandle};
use tonic::Status;
use tributary_contracts::event::v1::MeetingEvent;
use tributary_identifiers::{ParticipantId, RelayId};
use tributary_message_bus::{ControlBus, subjects::MeetingScope};

use super::{
    follower::Follower,
    log::{After, Happening, Log},
    roster::{Applied, Roster, Seen, Standing, is_carried_by},
};
use crate::upstream::Upstream;

/// How long somebody who joins waits for the first roster.
const FIRST_ROSTER_WAIT: Duration = Duration::from_secs(5);
/// Events that a connection takes at a time.
const EVENTS_AT_ONCE: usize = 64;

/// One meeting's roster, events and active speakers.
pub(crate) struct Hub {
    pub(crate) scope: MeetingScope,
    pub(crate) speakers: watch::Sender<Vec<ParticipantId>>,
    known: Mutex<Option<Known>>,
    /// Number of the last event that is known; none until a roster is.
    newest: watch::Sender<Option<u64>>,
    task: Mutex<Option<AbortHandle>>,
}

struct Known {
    roster: Roster,
    log: Log,
}

/// A participant and its meeting, up to an event.
pub(crate) struct Look {
    pub(crate) standing: Standing,
    pub(crate) seen: Option<Seen>,
    pub(crate) number: u64,
}

/// What of a participant concerns its media.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sound {
    pub(crate) muted: bool,
    /// To whom alone it talks; empty: to everybody.
    pub(crate) talk: Vec<ParticipantId>,
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
            known: Mutex::default(),
            newest: watch::Sender::default(),
            task: Mutex::default(),
        });
        // The task must not keep the hub alive.
        let follower = Follower::new(&hub, upstream, bus);
        let task = tokio::spawn(follower.run(hub.scope.clone()));
        *hub.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task.abort_handle());
        hub
    }

    fn known(&self) -> MutexGuard<'_, Option<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the roster is known and has everything that the registry had when this was called;
    /// then tells the number of the last event, now and from then on. `None`: the registry could not
    /// be asked in time.
    pub(crate) async fn follow(&self, upstream: &Upstream) -> Option<watch::Receiver<Option<u64>>> {
        let mut newest = self.newest.subscribe();
        let known = tokio::time::timeout(FIRST_ROSTER_WAIT, newest.wait_for(Option::is_some));
        known.await.ok()?.ok()?;
        self.catch_up(upstream).await.ok()?;
        Some(newest)
    }

    /// The number of the last event that is known, now and from now on.
    pub(crate) fn newest(&self) -> watch::Receiver<Option<u64>> {
        self.newest.subscribe()
    }

    /// What comes after a cursor, up to a bounded number.
    pub(crate) fn after(&self, cursor: u64) -> After {
        let known = self.known();
        known.as_ref().map_or(After::TooOld, |known| known.log.after(cursor, EVENTS_AT_ONCE))
    }

    /// How a participant stands now; `None` if it is not in.
    pub(crate) fn standing(&self, id: ParticipantId) -> Option<Standing> {
        self.known().as_ref()?.roster.standing(id)
    }

    /// What a participant sees now; `None` if it is not in.
    pub(crate) fn seen_by(&self, id: ParticipantId) -> Option<Seen> {
        let known = self.known();
        let roster = &known.as_ref()?.roster;
        Some(roster.seen_by(roster.standing(id)?))
    }

    /// How a participant stands now and, if asked for, what it sees, both up to the same event; `None`
    /// if it is not in.
    pub(crate) fn look(&self, id: ParticipantId, with_roster: bool) -> Option<Look> {
        let known = self.known();
        let roster = &known.as_ref()?.roster;
        let standing = roster.standing(id)?;
        let seen = with_roster.then(|| roster.seen_by(standing));
        Some(Look { standing, seen, number: roster.event_number })
    }

    /// Whether a participant is in, and behind this core relay.
    pub(crate) fn is_carried_by(&self, id: ParticipantId, core: &RelayId) -> bool {
        let known = self.known();
        let participant = known.as_ref().and_then(|known| known.roster.participant(id));
        participant.is_some_and(|participant| is_carried_by(participant, core))
    }

    /// What of a participant concerns its media now; `None` if it is not in.
    pub(crate) fn sound_of(&self, id: ParticipantId) -> Option<Sound> {
        let known = self.known();
        let roster = &known.as_ref()?.roster;
        let muted = roster.participant(id)?.muted;
        let talk = roster.talk_of(id).iter().map(|target| ParticipantId(*target)).collect();
        Some(Sound { muted, talk })
    }

    /// Applies what the registry has and the bus has not brought yet.
    pub(super) async fn catch_up(&self, upstream: &Upstream) -> Result<(), Status> {
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

    pub(super) fn replace(&self, roster: Roster) {
        let number = roster.event_number;
        *self.known() = Some(Known { roster, log: Log::starting_after(number) });
        self.newest.send_replace(Some(number));
    }

    /// Applies an event and keeps it if it was the next one.
    pub(super) fn apply(&self, event: MeetingEvent) -> Applied {
        let mut known = self.known();
        let Some(Known { roster, log }) = known.as_mut() else { return Applied::Known };
        let applied = roster.apply(&event);
        if applied == Applied::Next {
            log.push(Happening::new(event));
            // While it is locked: numbers are told in order.
            self.newest.send_replace(Some(roster.event_number));
        }
        applied
    }

    pub(super) fn event_number(&self) -> u64 {
        self.known().as_ref().map_or(0, |known| known.roster.event_number)
    }
}
