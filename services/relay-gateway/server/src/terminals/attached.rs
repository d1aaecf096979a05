//! Who is attached: a participant outlives its connection for a while, so that a terminal can come
//! back without anybody noticing.
//!
//! **Invariant:** the registry hears of a participant's joining and leaving in the order in which they
//! happen: each takes its turn, and a leave that has waited for its turn is not told when the
//! participant has come back.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::oneshot, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tributary_contracts::{
    event::v1::LeaveReason, registry::v1::LeaveRequest, terminal::v1::RefusalCode,
};
use tributary_identifiers::{ParticipantId, RelayId, RelaySessionId};
use tributary_message_bus::subjects::MeetingScope;

use super::{
    link::Origin,
    seat::Seat,
    turns::{Turn, Turns, Who},
};
use crate::{
    media::{MediaHandle, TerminalId, UplinkId},
    meetings::Hub,
    trust::Hold,
    upstream::Upstream,
};

/// How soon the registry is told again that somebody left, and how long that may grow.
const LEAVE_RETRY_FIRST: Duration = Duration::from_millis(500);
const LEAVE_RETRY_LONGEST: Duration = Duration::from_secs(5);
/// How long a terminal that leaves waits until the registry has heard it.
const LEAVE_WAIT: Duration = Duration::from_secs(3);

type Key = (MeetingScope, ParticipantId);

struct Entry {
    seat: Seat,
    generation: u64,
    replaced: Option<oneshot::Sender<()>>,
    // Keeps the meeting's hub alive while the participant may come back.
    _hub: Arc<Hub>,
}

#[derive(Default)]
struct Entries {
    by_key: HashMap<Key, Entry>,
    next: u64,
}

/// A connection's hold on a participant.
pub(crate) struct Attachment {
    pub(crate) hub: Arc<Hub>,
    pub(crate) participant: ParticipantId,
    pub(crate) seat: Seat,
    who: Who,
    generation: u64,
    /// Resolves when the terminal has come back by another connection.
    pub(crate) replaced: oneshot::Receiver<()>,
}

impl Attachment {
    fn key(&self) -> Key {
        (self.hub.scope.clone(), self.participant)
    }
}

/// Whether it is known here that a participant was in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WasIn {
    Yes,
    /// Its joining may not have come here yet.
    Perhaps,
}

/// Somebody is out, and since when.
struct Departure {
    reason: LeaveReason,
    last_there: Instant,
}

/// All participants attached to this relay.
pub(crate) struct Attached {
    entries: Mutex<Entries>,
    turns: Turns,
    media: MediaHandle,
    upstream: Upstream,
    relay: RelayId,
    relay_session: RelaySessionId,
    grace: Duration,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl Attached {
    pub(crate) fn new(
        media: MediaHandle,
        upstream: Upstream,
        (relay, relay_session): (RelayId, RelaySessionId),
        grace: Duration,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            entries: Mutex::default(),
            turns: Turns::default(),
            media,
            upstream,
            relay,
            relay_session,
            grace,
            tasks: TaskTracker::new(),
            shutdown,
        }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nothing else about this participant is being told to the registry.
    pub(crate) async fn turn(&self, who: &Who) -> Turn {
        self.turns.take(who).await
    }

    /// A participant has joined by a connection, whose turn it is. An earlier connection of the same
    /// participant is told that it was replaced; the terminal's place in the media thread stays, and
    /// goes where the terminal is now.
    pub(crate) fn enter(
        &self,
        hub: &Arc<Hub>,
        participant: ParticipantId,
        who: Who,
        origin: &Origin,
        _turn: &Turn,
    ) -> Attachment {
        let mut entries = self.entries();
        entries.next += 1;
        let generation = entries.next;
        let (replace, replaced) = oneshot::channel();
        let key = (hub.scope.clone(), participant);
        let carriage = origin.carriage.clone();
        let seat = match entries.by_key.get_mut(&key) {
            Some(entry) => {
                entry.generation = generation;
                if let Some(earlier) = entry.replaced.replace(replace) {
                    // It may be gone already.
                    let _ = earlier.send(());
                }
                let seat = Seat { terminal: entry.seat.terminal, carriage };
                let earlier = std::mem::replace(&mut entry.seat, seat.clone());
                if earlier.uplink() != seat.uplink() {
                    earlier.leave_uplink();
                }
                seat
            }
            None => {
                let seat = Seat { terminal: TerminalId(generation), carriage };
                let (replaced, seat_here) = (Some(replace), seat.clone());
                let entry = Entry { seat: seat_here, generation, replaced, _hub: hub.clone() };
                entries.by_key.insert(key, entry);
                seat
            }
        };
        metrics::gauge!("tributary_relay_terminals").set(entries.by_key.len() as f64);
        Attachment { hub: hub.clone(), participant, seat, who, generation, replaced }
    }

    /// Who is behind an uplink, of these links, by meeting.
    pub(crate) fn behind(
        &self,
        uplink: UplinkId,
        links: &HashSet<u32>,
    ) -> HashMap<MeetingScope, Vec<ParticipantId>> {
        let mut behind = HashMap::<_, Vec<_>>::new();
        for ((scope, participant), entry) in &self.entries().by_key {
            let is_behind = entry.seat.carriage.as_ref();
            if is_behind.is_some_and(|way| way.uplink() == uplink && links.contains(&way.link)) {
                behind.entry(scope.clone()).or_default().push(*participant);
            }
        }
        behind
    }

    /// Forgets a participant unless it has come back meanwhile; true if it was forgotten.
    async fn forget(&self, key: &Key, generation: u64) -> bool {
        let seat = {
            let mut entries = self.entries();
            match entries.by_key.get(key) {
                Some(entry) if entry.generation == generation => {}
                _ => return false,
            }
            let entry = entries.by_key.remove(key);
            metrics::gauge!("tributary_relay_terminals").set(entries.by_key.len() as f64);
            entry.map(|entry| entry.seat)
        };
        if let Some(seat) = seat {
            seat.detach(&self.media).await;
        }
        true
    }

    /// The participant is out already, and the registry knows.
    pub(crate) async fn drop_out(&self, attachment: &Attachment) {
        self.forget(&attachment.key(), attachment.generation).await;
    }

    /// The participant leaves by choice or must go, at once. Returns when the registry has heard it,
    /// or after a while; then it is told on.
    pub(crate) async fn leave(self: &Arc<Self>, attachment: Attachment, reason: LeaveReason) {
        if !self.forget(&attachment.key(), attachment.generation).await {
            return;
        }
        let departure = Departure { reason, last_there: Instant::now() };
        let attached = self.clone();
        let telling =
            self.tasks.spawn(async move { attached.tell_registry(attachment, departure).await });
        let _ = tokio::time::timeout(LEAVE_WAIT, telling).await;
    }

    /// The connection is lost: the participant stays for a while, then leaves; at once if what it
    /// joined by is revoked. Its peer connection may be there still: what the meeting decides about it
    /// holds all the same.
    pub(crate) fn lose(
        self: &Arc<Self>,
        mut attachment: Attachment,
        hold: Hold,
        last_there: Instant,
        was_in: WasIn,
    ) {
        let attached = self.clone();
        self.tasks.spawn(async move {
            let replaced = std::mem::replace(&mut attachment.replaced, oneshot::channel().1);
            tokio::select! {
                biased;
                // It is another connection's from now on.
                Ok(()) = replaced => return,
                // The relay goes: the participant may come back elsewhere, or here after a restart.
                () = attached.shutdown.cancelled() => return,
                () = hold.revoked() => {}
                () = tokio::time::sleep(attached.grace) => {}
                () = attached.watch_over(&attachment, was_in) => {
                    return attached.drop_out(&attachment).await;
                }
            }
            if attached.forget(&attachment.key(), attachment.generation).await {
                let departure = Departure { reason: LeaveReason::TerminalLost, last_there };
                attached.tell_registry(attachment, departure).await;
            }
        });
    }

    /// Keeps a participant that nobody follows muted if it is muted; ends when it is out, or behind
    /// another core relay, which speaks for it from then on.
    async fn watch_over(&self, attachment: &Attachment, was_in: WasIn) {
        let Attachment { hub, participant, seat, .. } = attachment;
        let mut newest = hub.newest();
        let mut was_in = was_in == WasIn::Yes;
        let mut last = None;
        loop {
            newest.borrow_and_update();
            let is_here = hub.is_carried_by(*participant, &self.relay);
            let sound = hub.sound_of(*participant).filter(|_| is_here);
            if was_in && sound.is_none() {
                return;
            }
            was_in |= sound.is_some();
            if let Some(sound) = &sound
                && sound.muted
                && last.as_ref() != Some(sound)
            {
                // The thread only ends with the process.
                let _ = seat.set_muted(&self.media, true, &sound.talk).await;
            }
            last = sound;
            // The sender lives as long as the hub.
            if newest.changed().await.is_err() {
                return;
            }
        }
    }

    /// Until the registry has heard it, the participant has come back, or this relay ends (then the
    /// registry finds out itself).
    async fn tell_registry(&self, attachment: Attachment, departure: Departure) {
        let key = attachment.key();
        let who = attachment.who.clone();
        // Nobody here follows the meeting for this participant any more.
        drop(attachment);
        let mut pause = LEAVE_RETRY_FIRST;
        loop {
            {
                let _turn = self.turns.take(&who).await;
                if self.entries().by_key.contains_key(&key) || self.has_told(&key, &departure).await
                {
                    return;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.shutdown.cancelled() => return,
            }
            pause = (pause * 2).min(LEAVE_RETRY_LONGEST);
        }
    }

    /// One try; true if there is no need for another.
    async fn has_told(&self, (scope, participant): &Key, departure: &Departure) -> bool {
        let silent = departure.last_there.elapsed().as_millis();
        let request = LeaveRequest {
            organisation: scope.organisation.to_string(),
            meeting_id: scope.meeting.to_string(),
            participant_id: participant.0,
            relay_session_id: self.relay_session.to_string(),
            reason: departure.reason.into(),
            silent_ms: u64::try_from(silent).unwrap_or(u64::MAX),
        };
        match self.upstream.leave(request).await {
            Ok(()) => true,
            // There is no such participant or meeting any more.
            Err(refused) => {
                matches!(refused.code, RefusalCode::NotAdmitted | RefusalCode::MeetingEnded)
            }
        }
    }

    /// Waits for what is still being told. Call after shutdown.
    pub(crate) async fn drain(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}
