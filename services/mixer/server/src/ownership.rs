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
    acquisition: u64,
    worker: WorkerHandle,
    release: CancellationToken,
    relays: HashMap<RelayId, Instant>,
}

/// A meeting that this mixer tries to own, and what relays said about it meanwhile.
struct Attempt {
    at: Instant,
    /// A task is asking for the lease.
    pending: bool,
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
    /// Counts attempts, so that a lease and what is said of it belong to one of them.
    acquisitions: u64,
    holding: TaskTracker,
    changes: mpsc::Sender<Change>,
    changes_inbox: mpsc::Receiver<Change>,
}

/// What a task that holds a lease has found.
pub(crate) struct Change {
    scope: MeetingScope,
    acquisition: u64,
    /// The new epoch; none if the lease is lost.
    epoch: Option<u64>,
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
            acquisitions: 0,
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
            // Relays say it again each second: a worker that has no time now is told then.
            owned.worker.try_send(Command::Needs { scope, needs });
        } else if !empty {
            self.attempt(scope, relay, needs, now);
        } else if let Some(attempt) = self.attempts.get_mut(&scope) {
            attempt.needs.remove(&relay);
        }
    }

    fn attempt(&mut self, scope: MeetingScope, relay: RelayId, needs: RelayNeeds, now: Instant) {
        let full = self.owned.len() + self.attempts.len() >= MEETINGS_MAX;
        match self.attempts.get_mut(&scope) {
            Some(attempt) => {
                attempt.needs.insert(relay, needs);
                let early = now.saturating_duration_since(attempt.at) < ATTEMPT_INTERVAL;
                if attempt.pending || early {
                    return;
                }
                attempt.at = now;
                attempt.pending = true;
            }
            None if full => return,
            None => {
                let needs = HashMap::from([(relay, needs)]);
                self.attempts.insert(scope.clone(), Attempt { at: now, pending: true, needs });
            }
        }
        self.acquisitions += 1;
        let holder = format!("{}-{}", self.holder, self.acquisitions);
        let leases = self.leases.clone();
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
                    Ok((scope, None)) => Progress::NotTaken(scope),
                    Err(_) => Progress::Nothing,
                }
            }
            Some(change) = self.changes_inbox.recv() => Progress::Changed(change),
            else => std::future::pending().await,
        }
    }

    /// Carries out what [`Self::progress`] has found.
    pub(crate) async fn handle(&mut self, progress: Progress, now: Instant) {
        match progress {
            Progress::Nothing => {}
            Progress::Taken(scope, lease) => self.own(scope, lease, now).await,
            Progress::NotTaken(scope) => {
                if let Some(attempt) = self.attempts.get_mut(&scope) {
                    attempt.pending = false;
                }
            }
            Progress::Changed(change) => self.change(change).await,
        }
    }

    async fn change(&mut self, Change { scope, acquisition, epoch }: Change) {
        let owned = self.owned.get(&scope).filter(|owned| owned.acquisition == acquisition);
        // What is said of an ownership that has ended already is of no interest.
        let Some(owned) = owned else { return };
        if let Some(epoch) = epoch {
            tracing::info!(meeting = %scope.meeting, epoch, "owns the meeting again");
            owned.worker.send(Command::Epoch { scope, epoch }).await;
        } else {
            tracing::warn!(meeting = %scope.meeting, "another mixer has the meeting now");
            metrics::counter!("tributary_mixer_leases_lost_total").increment(1);
            self.close(&scope).await;
        }
    }

    async fn own(&mut self, scope: MeetingScope, lease: Lease, now: Instant) {
        let needs = self.attempts.remove(&scope).map(|attempt| attempt.needs).unwrap_or_default();
        // An earlier ownership that was lost without a word ends here.
        self.close(&scope).await;
        let Some(worker) = self.worker_for(&scope) else { return };
        let epoch = lease.epoch;
        tracing::info!(meeting = %scope.meeting, epoch, "owns the meeting");
        worker.send(Command::Open { scope: scope.clone(), epoch }).await;
        let release = CancellationToken::new();
        self.acquisitions += 1;
        let acquisition = self.acquisitions;
        let changes = self.changes.clone();
        self.holding.spawn(hold(self.leases.clone(), lease, acquisition, release.clone(), changes));
        let relays = needs.keys().map(|relay| (relay.clone(), now)).collect();
        for needs in needs.into_values() {
            worker.send(Command::Needs { scope: scope.clone(), needs }).await;
        }
        self.owned.insert(scope, Owned { acquisition, worker, release, relays });
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
        self.attempts.retain(|_, attempt| {
            attempt.pending || now.saturating_duration_since(attempt.at) < RELAY_SILENCE_MAX
        });
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
        // Nobody reads what the holders say any more: they must not wait for it.
        drop(self.changes_inbox);
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
    /// A lease was not to be had.
    NotTaken(MeetingScope),
    /// A lease that was held has changed.
    Changed(Change),
}

/// Renews a lease until it is to be given back, or is lost.
async fn hold(
    leases: Leases,
    mut lease: Lease,
    acquisition: u64,
    release: CancellationToken,
    changes: mpsc::Sender<Change>,
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
                let (scope, epoch) = (lease.scope.clone(), Some(lease.epoch));
                let _ = changes.send(Change { scope, acquisition, epoch }).await;
            }
            Ok(Renewal::Lost) => {
                let _ = changes.send(Change { scope: lease.scope, acquisition, epoch: None }).await;
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
