//! What a connection waits for.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::broadcast::error::RecvError,
    time::{Instant, sleep_until},
};
use tributary_contracts::terminal::v1::relay_message::Body;
use tributary_message_bus::subjects::MeetingScope;

use super::{
    connection::Connection,
    link::{Heard, LinkEnd},
    participations::News,
    session::{Listening, Pending, Session},
};
use crate::{notices::Told, operations::Stored, refusal::Refused, upstream::ACCESS};

/// Who is in a meeting pings every second; silent for so long, it is gone.
const SILENCE_MAX: Duration = Duration::from_secs(4);
/// Who is in none may be a page in the background, whose timers run late.
const SILENCE_OUTSIDE_MAX: Duration = Duration::from_secs(20);
/// Who has not joined and hears no notices must ask for something within this time.
const IDLE_MAX: Duration = Duration::from_secs(120);

pub(super) enum Wake {
    Heard(Result<Heard, LinkEnd>),
    News(MeetingScope, News),
    Told(Result<Arc<Told>, RecvError>),
    Shared(Box<Result<Body, Refused>>),
    Introduced(Box<Result<Body, Refused>>),
    Stored(Stored),
    /// A silence may be over.
    Lapse,
    NoticesEnd,
    Revoked,
    Silence,
    Idle,
    Shutdown,
}

impl Connection {
    pub(super) async fn wake(&mut self) -> Wake {
        let revoked = self.session.revoked();
        let is_in = !self.session.participations.is_empty();
        let silence_max = if is_in { SILENCE_MAX } else { SILENCE_OUTSIDE_MAX };
        let silent_at = self.silent_since + silence_max;
        let idle_at = self.asked_at + IDLE_MAX;
        let is_watched = !self.link.is_carried();
        let Self { link, shutdown, session, .. } = self;
        let Session { participations, listening, sharing, introducing, stored, .. } = session;
        let lapses_at = participations.lapses_at();
        let lapse = async {
            match lapses_at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let may_be_idle = !is_in && listening.is_none();
        let something = async {
            tokio::select! {
                (scope, news) = participations.news() => Wake::News(scope, news),
                wake = is_told(listening) => wake,
                answer = is_done(sharing, ACCESS) => Wake::Shared(Box::new(answer)),
                answer = is_done(introducing, "the other relay") => {
                    Wake::Introduced(Box::new(answer))
                }
                // This connection holds a sender itself.
                Some(stored) = stored.recv() => Wake::Stored(stored),
            }
        };
        tokio::select! {
            // Revocations before whatever else there is to do for this terminal; what it has said
            // before it is taken for silent.
            biased;
            () = revoked => Wake::Revoked,
            () = shutdown.cancelled() => Wake::Shutdown,
            heard = link.recv() => Wake::Heard(heard),
            // A relay watches over the terminals that are attached to it.
            () = sleep_until(silent_at), if is_watched => Wake::Silence,
            () = sleep_until(idle_at), if may_be_idle => Wake::Idle,
            () = lapse => Wake::Lapse,
            wake = something => wake,
        }
    }
}

async fn is_told(listening: &mut Option<Listening>) -> Wake {
    match listening {
        None => std::future::pending().await,
        Some(listening) => tokio::select! {
            biased;
            () = sleep_until(listening.ends_at) => Wake::NoticesEnd,
            told = listening.told.recv() => Wake::Told(told),
        },
    }
}

async fn is_done(pending: &mut Option<Pending>, service: &str) -> Result<Body, Refused> {
    match pending {
        None => std::future::pending().await,
        Some(pending) => (&mut pending.answer).await.unwrap_or_else(|error| {
            tracing::error!(%error, service, "a request was not carried out");
            Err(Refused::try_again(service))
        }),
    }
}

/// Since when a terminal is silent, as far as it was listened to.
pub(super) fn silent_since(since: Instant, began: Instant, heard: bool) -> Instant {
    // While something else is done, nobody listens.
    if heard { Instant::now() } else { since + began.elapsed() }
}
