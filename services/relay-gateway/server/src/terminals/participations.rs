//! The meetings that a connection has joined: up to two, live in one of them.

use std::time::Duration;

use tokio::{sync::watch, time::Instant};
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;
use tributary_contracts::{event::v1::MeetingEvent, terminal::v1::RefusalCode};
use tributary_identifiers::{MeetingId, OperationId, ParticipantId};
use tributary_message_bus::subjects::MeetingScope;

use super::{attached::Attachment, standing::any_revoked};
use crate::{
    meetings::{Seen, Sound},
    operations::{Signer, Unanswered},
    refusal::Refused,
    trust::Hold,
    upstream::Upstream,
};

/// Meetings of one connection.
const PARTICIPATIONS_MAX: usize = 2;
/// After the registry could not be asked for events.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// One meeting that a terminal has joined.
pub(super) struct Participation {
    pub(super) attachment: Attachment,
    pub(super) signer: Signer,
    pub(super) hold: Hold,
    pub(super) newest: watch::Receiver<Option<u64>>,
    pub(super) speakers: watch::Receiver<Vec<ParticipantId>>,
    /// Number of the last event that the terminal has, or that is not for it.
    pub(super) cursor: u64,
    /// Events up to this one were before the joining, and say nothing about what becomes of it.
    pub(super) joined_at: u64,
    /// In the lobby, as far as the terminal knows: it has no roster, and no place in the media thread.
    pub(super) waiting: bool,
    pub(super) host: bool,
    /// To be sent when the terminal has all events up to its number.
    pub(super) roster: Option<Seen>,
    /// What the media thread was told last; `None` while it is not attached there.
    pub(super) sound: Option<Sound>,
    pub(super) unanswered: Unanswered,
    /// Events that are being read from the registry.
    pub(super) page: Option<Page>,
}

pub(super) type Page = AbortOnDropHandle<Result<Vec<MeetingEvent>, Status>>;

/// What a participation has for its connection.
pub(super) enum News {
    Events,
    Page(Result<Vec<MeetingEvent>, Status>),
    Speakers,
    Replaced,
}

impl Participation {
    pub(super) fn scope(&self) -> &MeetingScope {
        &self.attachment.hub.scope
    }

    pub(super) fn meeting_id(&self) -> String {
        self.scope().meeting.to_string()
    }

    /// Begins to read what the hub does not have any more.
    pub(super) fn begin_page(&mut self, upstream: &Upstream, after_pause: bool) {
        let (upstream, scope, cursor) = (upstream.clone(), self.scope().clone(), self.cursor);
        self.page = Some(AbortOnDropHandle::new(tokio::spawn(async move {
            if after_pause {
                tokio::time::sleep(RETRY_PAUSE).await;
            }
            upstream.events_after(&scope, cursor).await
        })));
    }

    async fn news(&mut self, is_live: bool) -> News {
        let Self { attachment, newest, speakers, cursor, page, .. } = self;
        let events = async {
            match page {
                Some(page) => News::Page(match page.await {
                    Ok(read) => read,
                    Err(error) => Err(Status::internal(error.to_string())),
                }),
                // The sender lives as long as the hub that the attachment holds.
                None => {
                    let _ = newest.wait_for(|newest| newest.is_some_and(|n| n > *cursor)).await;
                    News::Events
                }
            }
        };
        tokio::select! {
            biased;
            _ = &mut attachment.replaced => News::Replaced,
            news = events => news,
            _ = speakers.changed(), if is_live => News::Speakers,
        }
    }
}

/// All of a connection.
#[derive(Default)]
pub(super) struct Participations {
    all: Vec<Participation>,
    /// Where the microphone is.
    live: Option<MeetingScope>,
}

impl Participations {
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether one more meeting can be joined like this.
    pub(super) fn admit(&self, scope: &MeetingScope, held: bool) -> Result<(), Refused> {
        let text = if self.get(scope).is_some() {
            "this connection has joined this meeting already: leave first, or open another one"
        } else if self.all.len() >= PARTICIPATIONS_MAX {
            "this connection is in two meetings already: leave one of them first"
        } else if !held && self.live.is_some() {
            "this connection is live in another meeting: join this one with `held`, then switch"
        } else {
            return Ok(());
        };
        Err(Refused::new(RefusalCode::OutOfOrder, text))
    }

    pub(super) fn add(&mut self, participation: Participation, held: bool) {
        if !held {
            self.live = Some(participation.scope().clone());
        }
        self.all.push(participation);
    }

    pub(super) fn get(&self, scope: &MeetingScope) -> Option<&Participation> {
        self.all.iter().find(|participation| participation.scope() == scope)
    }

    pub(super) fn get_mut(&mut self, scope: &MeetingScope) -> Option<&mut Participation> {
        self.all.iter_mut().find(|participation| participation.scope() == scope)
    }

    pub(super) fn is_live(&self, scope: &MeetingScope) -> bool {
        self.live.as_ref() == Some(scope)
    }

    pub(super) fn live(&self) -> Option<&Participation> {
        self.get(self.live.as_ref()?)
    }

    pub(super) fn live_mut(&mut self) -> Option<&mut Participation> {
        let live = self.live.clone()?;
        self.get_mut(&live)
    }

    pub(super) fn set_live(&mut self, scope: &MeetingScope) {
        self.live = Some(scope.clone());
    }

    /// The one that a request names; without a name the live one.
    pub(super) fn named(&self, meeting_id: &str) -> Result<&Participation, Refused> {
        let text = "join a meeting first: send `join`";
        let none = || Refused::new(RefusalCode::OutOfOrder, text);
        if meeting_id.is_empty() {
            return self.live().or_else(|| self.all.first()).ok_or_else(none);
        }
        let meeting: MeetingId = meeting_id.parse().map_err(|_| none())?;
        self.all.iter().find(|other| other.scope().meeting == meeting).ok_or_else(none)
    }

    /// An operation in one of them can't be lost any more.
    pub(super) fn note_stored(&mut self, operation: &OperationId, now: Instant) {
        for participation in &mut self.all {
            participation.unanswered.stored(operation.as_str(), now);
        }
    }

    /// When the next operation silences no longer, if nobody answers it.
    pub(super) fn lapses_at(&self) -> Option<Instant> {
        self.all.iter().filter_map(|participation| participation.unanswered.lapses_at()).min()
    }

    /// Operations whose time is over silence no longer; says where there may be such.
    pub(super) fn lapse(&mut self, now: Instant) -> Vec<MeetingScope> {
        self.all.iter_mut().for_each(|participation| participation.unanswered.lapse(now));
        self.all.iter().map(|participation| participation.scope().clone()).collect()
    }

    /// Takes one out.
    pub(super) fn take(&mut self, scope: &MeetingScope) -> Option<Participation> {
        let position = self.all.iter().position(|other| other.scope() == scope)?;
        if self.is_live(scope) {
            self.live = None;
        }
        Some(self.all.remove(position))
    }

    pub(super) fn take_all(&mut self) -> Vec<Participation> {
        self.live = None;
        std::mem::take(&mut self.all)
    }

    /// The next news of any of them; never, if there is none.
    pub(super) async fn news(&mut self) -> (MeetingScope, News) {
        let live = self.live.as_ref();
        let is_live = |participation: &Participation| live == Some(participation.scope());
        match self.all.as_mut_slice() {
            [] => std::future::pending().await,
            [one] => {
                let is_live = is_live(one);
                let news = one.news(is_live).await;
                (one.scope().clone(), news)
            }
            [one, other, ..] => {
                let (one_live, other_live) = (is_live(one), is_live(other));
                let (is_one, news) = tokio::select! {
                    news = one.news(one_live) => (true, news),
                    news = other.news(other_live) => (false, news),
                };
                let scope = if is_one { one.scope() } else { other.scope() };
                (scope.clone(), news)
            }
        }
    }

    /// Resolves when a credential that a meeting was joined with is revoked.
    pub(super) fn revoked(&self) -> impl Future<Output = ()> + use<> {
        let hold = |position: usize| self.all.get(position).map(|other| &other.hold);
        any_revoked([hold(0), hold(1)])
    }
}

/// What of a meeting's hub goes to a terminal as a roster.
pub(super) fn roster(seen: Seen) -> tributary_contracts::terminal::v1::Roster {
    let Seen { participants, state, talks, event_number } = seen;
    tributary_contracts::terminal::v1::Roster { participants, event_number, state, talks }
}
