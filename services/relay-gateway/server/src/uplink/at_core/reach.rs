//! Tells the registry whose relay can't be reached for now, so that they are shown as away.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tokio_util::task::AbortOnDropHandle;
use tonic::{Code, Status};
use tributary_contracts::registry::v1::SetReachableRequest;
use tributary_identifiers::ParticipantId;
use tributary_message_bus::subjects::MeetingScope;

use crate::{
    terminals::Shared,
    uplink::{Child, sessions::AWAY_AFTER},
};

/// Participants that one request names.
const PARTICIPANTS_MAX: usize = 4_096;
/// Between two changes that are told: what was changed back meanwhile is not told.
const CHANGES_INTERVAL: Duration = Duration::from_secs(1);
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_LONGEST: Duration = Duration::from_secs(5);

type Who = (MeetingScope, ParticipantId);

/// Keeps the registry with what is known about one uplink. Ends when dropped.
pub(super) struct Reachability {
    changed: Arc<Notify>,
    _task: AbortOnDropHandle<()>,
}

impl Reachability {
    pub(super) fn start(shared: Arc<Shared>, child: Arc<Child>) -> Self {
        let changed = Arc::new(Notify::new());
        let teller = Teller { shared, child, told: BTreeSet::new(), told_at: None };
        let task = tokio::spawn(teller.run(changed.clone()));
        Self { changed, _task: AbortOnDropHandle::new(task) }
    }

    /// Something has changed.
    pub(super) fn look(&self) {
        self.changed.notify_one();
    }
}

struct Teller {
    shared: Arc<Shared>,
    child: Arc<Child>,
    /// Who is away, as far as the registry has heard.
    told: BTreeSet<Who>,
    /// When it was told something last.
    told_at: Option<Instant>,
}

impl Teller {
    async fn run(mut self, changed: Arc<Notify>) {
        let mut pause = RETRY_FIRST;
        loop {
            if self.bring_up_to_date().await {
                pause = RETRY_FIRST;
                changed.notified().await;
                // The child says what it likes as often as it likes.
                if let Some(told_at) = self.told_at {
                    sleep_until(told_at + CHANGES_INTERVAL).await;
                }
            } else {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(RETRY_LONGEST);
            }
        }
    }

    /// True if the registry knows all.
    async fn bring_up_to_date(&mut self) -> bool {
        let (all, away) = self.look();
        // Who has come back elsewhere is not spoken for here any more.
        self.told.retain(|who| all.contains(who));
        let back: Vec<Who> = self.told.difference(&away).cloned().collect();
        let gone: Vec<Who> = away.difference(&self.told).cloned().collect();
        let is_told = self.tell(back, true).await;
        self.tell(gone, false).await && is_told
    }

    /// Everybody behind the uplink, and those who can't be reached.
    fn look(&self) -> (BTreeSet<Who>, BTreeSet<Who>) {
        let (open, reachable) = {
            let links = self.child.links();
            (links.open_links(), links.reachable())
        };
        let is_lost = self.child.lost_since().is_some_and(|since| since.elapsed() >= AWAY_AFTER);
        let reachable: HashSet<u32> = reachable.into_iter().collect();
        let away =
            open.iter().filter(|link| is_lost || !reachable.contains(link)).copied().collect();
        let all = open.into_iter().collect();
        (self.behind(&all), self.behind(&away))
    }

    fn behind(&self, links: &HashSet<u32>) -> BTreeSet<Who> {
        let behind = self.shared.attached.behind(self.child.uplink, links);
        let each = |(scope, participants): (MeetingScope, Vec<ParticipantId>)| {
            participants.into_iter().map(move |participant| (scope.clone(), participant))
        };
        behind.into_iter().flat_map(each).collect()
    }

    async fn tell(&mut self, who: Vec<Who>, reachable: bool) -> bool {
        let mut by_meeting = HashMap::<MeetingScope, Vec<ParticipantId>>::new();
        for (scope, participant) in who {
            by_meeting.entry(scope).or_default().push(participant);
        }
        let mut all_told = true;
        for (scope, participants) in by_meeting {
            for some in participants.chunks(PARTICIPANTS_MAX) {
                let request = SetReachableRequest {
                    organisation: scope.organisation.to_string(),
                    meeting_id: scope.meeting.to_string(),
                    participant_ids: some.iter().map(|participant| participant.0).collect(),
                    relay_session_id: self.shared.relay_session.to_string(),
                    reachable,
                };
                self.told_at = Some(Instant::now());
                let told = self.shared.upstream.set_reachable(request).await;
                if !is_heard(&told) {
                    all_told = false;
                    continue;
                }
                for participant in some {
                    let who = (scope.clone(), *participant);
                    if reachable {
                        self.told.remove(&who)
                    } else {
                        self.told.insert(who)
                    };
                }
            }
        }
        all_told
    }
}

/// Whether another try would change nothing.
fn is_heard(told: &Result<(), Status>) -> bool {
    match told {
        Ok(()) => true,
        Err(status) => {
            tracing::debug!(code = ?status.code(), "reachability not told");
            matches!(
                status.code(),
                Code::NotFound | Code::FailedPrecondition | Code::InvalidArgument
            )
        }
    }
}
