//! Who is attached: a participant outlives its connection for a while, so that a terminal can come
//! back without anybody noticing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::oneshot;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tributary_contracts::{event::v1::LeaveReason, terminal::v1::RefusalCode};
use tributary_identifiers::{ParticipantId, RelaySessionId};
use tributary_message_bus::subjects::MeetingScope;

use crate::{
    media::{MediaHandle, TerminalId},
    meetings::Hub,
    trust::Hold,
    upstream::Upstream,
};

/// How soon the registry is told again that somebody left, and how long that may grow.
const LEAVE_RETRY_FIRST: Duration = Duration::from_secs(1);
const LEAVE_RETRY_LONGEST: Duration = Duration::from_secs(15);

type Key = (MeetingScope, ParticipantId);

struct Entry {
    terminal: TerminalId,
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
    pub(crate) terminal: TerminalId,
    generation: u64,
    /// Resolves when the terminal has come back by another connection.
    pub(crate) replaced: oneshot::Receiver<()>,
}

/// All participants attached to this relay.
pub(crate) struct Attached {
    entries: Mutex<Entries>,
    media: MediaHandle,
    upstream: Upstream,
    relay_session: RelaySessionId,
    grace: Duration,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl Attached {
    pub(crate) fn new(
        media: MediaHandle,
        upstream: Upstream,
        relay_session: RelaySessionId,
        grace: Duration,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            entries: Mutex::default(),
            media,
            upstream,
            relay_session,
            grace,
            tasks: TaskTracker::new(),
            shutdown,
        }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A participant has joined by a connection. An earlier connection of the same participant is
    /// told that it was replaced; the terminal's place in the media thread stays.
    pub(crate) fn enter(&self, hub: &Arc<Hub>, participant: ParticipantId) -> Attachment {
        let mut entries = self.entries();
        entries.next += 1;
        let generation = entries.next;
        let (replace, replaced) = oneshot::channel();
        let key = (hub.scope.clone(), participant);
        let terminal = match entries.by_key.get_mut(&key) {
            Some(entry) => {
                entry.generation = generation;
                if let Some(earlier) = entry.replaced.replace(replace) {
                    // It may be gone already.
                    let _ = earlier.send(());
                }
                entry.terminal
            }
            None => {
                let terminal = TerminalId(generation);
                let entry =
                    Entry { terminal, generation, replaced: Some(replace), _hub: hub.clone() };
                entries.by_key.insert(key, entry);
                terminal
            }
        };
        metrics::gauge!("tributary_relay_terminals").set(entries.by_key.len() as f64);
        Attachment { hub: hub.clone(), participant, terminal, generation, replaced }
    }

    /// Forgets a participant unless it has come back meanwhile; true if it was forgotten.
    async fn forget(&self, key: &Key, generation: u64) -> bool {
        let terminal = {
            let mut entries = self.entries();
            match entries.by_key.get(key) {
                Some(entry) if entry.generation == generation => {}
                _ => return false,
            }
            let entry = entries.by_key.remove(key);
            metrics::gauge!("tributary_relay_terminals").set(entries.by_key.len() as f64);
            entry.map(|entry| entry.terminal)
        };
        if let Some(terminal) = terminal {
            // The thread only ends with the process.
            let _ = self.media.detach(terminal).await;
        }
        true
    }

    /// The participant leaves by choice, or has been taken out: at once.
    pub(crate) async fn leave(self: &Arc<Self>, attachment: Attachment, tell: Option<LeaveReason>) {
        let key = (attachment.hub.scope.clone(), attachment.participant);
        if self.forget(&key, attachment.generation).await
            && let Some(reason) = tell
        {
            self.tell_registry(key, reason).await;
        }
    }

    /// The connection is lost: the participant stays for a while, then leaves; at once if what it
    /// joined by is revoked.
    pub(crate) fn lose(self: &Arc<Self>, attachment: Attachment, joined_by: Option<Hold>) {
        let attached = self.clone();
        self.tasks.spawn(async move {
            let key = (attachment.hub.scope.clone(), attachment.participant);
            let revoked = async {
                match &joined_by {
                    Some(hold) => hold.revoked().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = tokio::time::sleep(attached.grace) => {}
                () = revoked => {}
                // The relay goes: the participant may come back elsewhere, or here after a restart.
                () = attached.shutdown.cancelled() => return,
            }
            if attached.forget(&key, attachment.generation).await {
                attached.tell_registry(key, LeaveReason::TerminalLost).await;
            }
        });
    }

    /// Until the registry has heard it, the participant has come back, or this relay ends (then the
    /// registry finds out itself).
    async fn tell_registry(&self, key: Key, reason: LeaveReason) {
        let (scope, participant) = &key;
        let mut pause = LEAVE_RETRY_FIRST;
        while !self.entries().by_key.contains_key(&key) {
            let told = self.upstream.leave(scope, *participant, &self.relay_session, reason).await;
            match told {
                Ok(()) => return,
                // There is no such participant or meeting any more.
                Err(refused)
                    if matches!(
                        refused.code,
                        RefusalCode::NotAdmitted | RefusalCode::MeetingEnded
                    ) =>
                {
                    return;
                }
                Err(_) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.shutdown.cancelled() => return,
            }
            pause = (pause * 2).min(LEAVE_RETRY_LONGEST);
        }
    }

    /// Waits for what is still being told. Call after shutdown.
    pub(crate) async fn drain(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}
