//! Which meetings this mixer owns: takes the lease of a meeting that relays need, renews it, and
//! gives it back when no relay needs the meeting any more.
//!
//! Taking and renewing happen in tasks of their own, so that a JetStream that does not answer never
//! holds up what relays say about running meetings.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tributary_contracts::relay::v1::RelayNeeds;
use tributary_identifiers::RelayId;
use tributary_message_bus::{Lease, Leases, RENEWAL_INTERVAL, Renewal, subjects::MeetingScope};

use crate::worker::{Command, WorkerHandle};

/// A relay that says nothing for so long has gone.
const RELAY_SILENCE_MAX: Duration = Duration::from_secs(5);
/// A meeting whose lease somebody else has is asked for again after this.
const ATTEMPT_INTERVAL: Duration = Duration::from_millis(500);
/// Meetings that one mixer looks at; more are left to others.
const MEETINGS_MAX: usize = 50_000;

struct Owned {
    worker: WorkerHandle,
    release: CancellationToken,
    relays: HashMap<RelayId, Instant>,
}

/// A meeting that this mixer tries to own, and what relays said about it meanwhile.
struct Attempt {
    at: Instant,
    needs: HashMap<RelayId, RelayNeeds>,
}

/// The meetings that this mixer owns or tries to own.
pub(crate) struct Ownership {
    leases: Leases,
    holder: String,
    workers: Vec<WorkerHandle>,
    owned: HashMap<MeetingScope, Owned>,
    attempts: HashMap<MeetingScope, Attempt>,
    acquiring: JoinSet<(MeetingScope, Option<Lease>)>,
    holding: TaskTracker,
    changes: mpsc::Sender<Progress>,
    changes_inbox: mpsc::Receiver<Progress>,
}

impl Ownership {
    pub(crate) fn new(leases: Leases, holder: String, workers: Vec<WorkerHandle>) -> Self {
        let (changes, changes_inbox) = mpsc::channel(64);
        Self {
            leases,
            holder,
            workers,
            owned: HashMap::new(),
            attempts: HashMap::new(),
            acquiring: JoinSet::new(),
            holding: TaskTracker::new(),
            changes,
            changes_inbox,
        }
    }

    /// A relay says who is behind it in a meeting.
    pub(crate) async fn handle_needs(
        &mut self,
        scope: MeetingScope,
        relay: RelayId,
        needs: RelayNeeds,
        now: Instant,
    ) {
        let empty = needs.participant_ids.is_empty();
        if let Some(owned) = self.owned.get_mut(&scope) {
            if empty {
                owned.relays.remove(&relay);
            } else {
                owned.relays.insert(relay, now);
            }
            owned.worker.send(Command::Needs { scope, needs }).await;
        } else if !empty {
            self.attempt(scope, relay, needs, now);
        }
    }

    fn attempt(&mut self, scope: MeetingScope, relay: RelayId, needs: RelayNeeds, now: Instant) {
        let full = self.owned.len() + self.attempts.len() >= MEETINGS_MAX;
        match self.attempts.get_mut(&scope) {
            Some(attempt) => {
                attempt.needs.insert(relay, needs);
                if now.saturating_duration_since(attempt.at) < ATTEMPT_INTERVAL {
                    return;
                }
                attempt.at = now;
            }
            None if full => return,
            None => {
                let needs = HashMap::from([(relay, needs)]);
                self.attempts.insert(scope.clone(), Attempt { at: now, needs });
            }
        }
        let (leases, holder) = (self.leases.clone(), self.holder.clone());
        self.acquiring.spawn(async move {
            let lease = match leases.acquire(&scope, &holder).await {
                Ok(lease) => lease,
                Err(error) => {
                    tracing::warn!(meeting = %scope.meeting, %error, "lease not taken; trying again");
                    None
                }
            };
            (scope, lease)
        });
    }

    /// What happens by itself: leases taken, leases lost.
    pub(crate) async fn progress(&mut self) -> Progress {
        tokio::select! {
            Some(acquired) = self.acquiring.join_next(), if !self.acquiring.is_empty() => {
                match acquired {
                    Ok((scope, Some(lease))) => Progress::Taken(scope, lease),
                    _ => Progress::Nothing,
                }
            }
            Some(progress) = self.changes_inbox.recv() => progress,
            else => std::future::pending().await,
        }
    }

    /// Carries out what [`Self::progress`] has found.
    pub(crate) async fn handle(&mut self, progress: Progress, now: Instant) {
        match progress {
            Progress::Nothing => {}
            Progress::Taken(scope, lease) => self.own(scope, lease, now).await,
            Progress::Retaken(scope, epoch) => {
                tracing::info!(meeting = %scope.meeting, epoch, "owns the meeting again");
                if let Some(owned) = self.owned.get(&scope) {
                    owned.worker.send(Command::Epoch { scope, epoch }).await;
                }
            }
            Progress::Lost(scope) => {
                tracing::warn!(meeting = %scope.meeting, "another mixer has the meeting now");
                metrics::counter!("tributary_mixer_leases_lost_total").increment(1);
                self.close(&scope).await;
            }
        }
    }

    async fn own(&mut self, scope: MeetingScope, lease: Lease, now: Instant) {
        let needs = self.attempts.remove(&scope).map(|attempt| attempt.needs).unwrap_or_default();
        let Some(worker) = self.worker_for(&scope) else { return };
        let epoch = lease.epoch;
        tracing::info!(meeting = %scope.meeting, epoch, "owns the meeting");
        worker.send(Command::Open { scope: scope.clone(), epoch }).await;
        let release = CancellationToken::new();
        self.holding.spawn(hold(self.leases.clone(), lease, release.clone(), self.changes.clone()));
        let relays = needs.keys().map(|relay| (relay.clone(), now)).collect();
        for needs in needs.into_values() {
            worker.send(Command::Needs { scope: scope.clone(), needs }).await;
        }
        self.owned.insert(scope, Owned { worker, release, relays });
        metrics::gauge!("tributary_mixer_meetings").set(self.owned.len() as f64);
    }

    fn worker_for(&self, scope: &MeetingScope) -> Option<WorkerHandle> {
        let index = usize::try_from(scope.meeting.to_u64()).ok()? % self.workers.len().max(1);
        self.workers.get(index).cloned()
    }

    async fn close(&mut self, scope: &MeetingScope) {
        if let Some(owned) = self.owned.remove(scope) {
            owned.release.cancel();
            owned.worker.send(Command::Close { scope: scope.clone() }).await;
        }
        metrics::gauge!("tributary_mixer_meetings").set(self.owned.len() as f64);
    }

    /// Gives back the meetings that no relay needs any more. Call about once a second.
    pub(crate) async fn keep_house(&mut self, now: Instant) {
        self.attempts
            .retain(|_, attempt| now.saturating_duration_since(attempt.at) < RELAY_SILENCE_MAX);
        let mut unneeded = Vec::new();
        for (scope, owned) in &mut self.owned {
            owned.relays.retain(|_, at| now.saturating_duration_since(*at) < RELAY_SILENCE_MAX);
            if owned.relays.is_empty() {
                unneeded.push(scope.clone());
            }
        }
        for scope in unneeded {
            tracing::info!(meeting = %scope.meeting, "nobody needs the meeting any more");
            self.close(&scope).await;
        }
    }

    /// Gives everything back, so that the next mixer need not wait.
    pub(crate) async fn release_all(mut self) {
        let scopes: Vec<MeetingScope> = self.owned.keys().cloned().collect();
        for scope in scopes {
            self.close(&scope).await;
        }
        self.holding.close();
        self.holding.wait().await;
    }
}

/// What has happened by itself.
pub(crate) enum Progress {
    /// Nothing of interest.
    Nothing,
    /// A lease was taken.
    Taken(MeetingScope, Lease),
    /// A lease that had run out was taken again, under this epoch.
    Retaken(MeetingScope, u64),
    /// A lease was lost to another mixer.
    Lost(MeetingScope),
}

/// Renews a lease until it is to be given back, or is lost.
async fn hold(
    leases: Leases,
    mut lease: Lease,
    release: CancellationToken,
    changes: mpsc::Sender<Progress>,
) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(RENEWAL_INTERVAL) => {}
            () = release.cancelled() => return leases.release(lease).await,
        }
        match leases.renew(&mut lease).await {
            Ok(Renewal::Held) => {}
            // The other side ends with the process.
            Ok(Renewal::Retaken) => {
                let _ = changes.send(Progress::Retaken(lease.scope.clone(), lease.epoch)).await;
            }
            Ok(Renewal::Lost) => {
                let _ = changes.send(Progress::Lost(lease.scope)).await;
                return;
            }
            // The meeting goes on: nobody else can have taken it while JetStream is away, and
            // relays drop the lower epoch if somebody does.
            Err(error) => {
                tracing::warn!(meeting = %lease.scope.meeting, %error, "lease not renewed")
            }
        }
    }
}
