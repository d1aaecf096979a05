//! A terminal's stay in its meetings: gets in, follows what happens, and comes back when the connection
//! is lost, until it leaves or is not let in any more.

mod attach;
mod backoff;
mod commands;
mod elsewhere;
mod ending;
mod media_link;
mod pace;
mod relays;
mod visit;

use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{sleep, timeout},
};
use tributary_identifiers::MeetingId;

use self::{backoff::Backoff, visit::Visit};
pub(crate) use self::{commands::Command, elsewhere::Found, ending::end_of_stay, relays::Relays};
use crate::{
    EndReason, JoinError,
    admission::{Admission, Ticket},
    board::Board,
    media::{self, LinkState},
    protocol::Connection,
};

/// How long one attempt to get in may take, without the peer connection.
const ATTEMPT_TIME_MAX: Duration = Duration::from_secs(25);
/// Commands that wait for a connection.
const DEFERRED_MAX: usize = 16;
/// Meetings that one can be in at a time.
const MEETINGS_MAX: usize = 2;

pub(crate) type JoinReport = oneshot::Sender<Result<MeetingId, JoinError>>;

pub(crate) struct Attendance {
    pub(crate) relays: Relays,
    pub(crate) join_time_max: Duration,
    pub(crate) admission: Admission,
    /// One for each meeting; the first is told from the others by not being held.
    pub(crate) tickets: Vec<Ticket>,
    pub(crate) board: Arc<Board>,
    /// `None`: neither speaks nor hears.
    pub(crate) media: Option<Media>,
    pub(crate) deferred: VecDeque<Command>,
    /// A connection that is there already, to be joined by next.
    pub(crate) found: Option<Found>,
    pub(crate) report: Option<JoinReport>,
}

/// The audio of the terminal.
pub(crate) struct Media {
    pub(crate) local_address: IpAddr,
    pub(crate) commands: mpsc::Sender<media::Command>,
    pub(crate) link: watch::Receiver<LinkState>,
}

/// How a connection ended.
enum Visited {
    /// It was lost; whether all was there before.
    Lost { had_arrived: bool },
    /// What was still to be done did not succeed.
    Failed(JoinError),
    /// The stay is over.
    Over(EndReason),
}

impl Attendance {
    /// Attends until the end; tells once how the first attempts went.
    pub(crate) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let deadline = Instant::now() + self.join_time_max;
        let mut backoff = Backoff::default();
        let end = loop {
            let began = Instant::now();
            let visited = match self.attach_unless_left(&mut commands).await {
                None => Visited::Over(EndReason::Left),
                Some(Ok((connection, joined))) => {
                    let visited =
                        Visit::new(&mut self, connection, joined).run(&mut commands).await;
                    let had_arrived = matches!(visited, Visited::Lost { had_arrived: true });
                    if had_arrived {
                        backoff = Backoff::default();
                        self.relays.succeeded();
                    } else {
                        self.relays.failed(began, Instant::now());
                    }
                    if !matches!(visited, Visited::Over(_)) {
                        self.board.lost(had_arrived);
                    }
                    visited
                }
                Some(Err(error)) => {
                    self.relays.failed(began, Instant::now());
                    Visited::Failed(error)
                }
            };
            match visited {
                Visited::Over(end) => break end,
                Visited::Lost { .. } => {}
                Visited::Failed(error) => {
                    tracing::debug!(%error, "not in yet");
                    let over = error.is_final_at_first() || Instant::now() >= deadline;
                    if over && let Some(report) = self.report.take() {
                        let _ = report.send(Err(error));
                        return;
                    }
                    if self.report.is_none()
                        && let Some(end) = error.end_of_stay()
                    {
                        break end;
                    }
                }
            }
            if self.found.is_some() {
                continue;
            }
            let wait = self.relays.shortened(backoff.next(), Instant::now());
            if self.meanwhile_left(&mut commands, sleep(wait)).await.is_none() {
                break EndReason::Left;
            }
        };
        if let Some(media) = &self.media {
            let _ = media.commands.send(media::Command::Close).await;
        }
        self.board.ended(end);
    }

    async fn attach_unless_left(
        &mut self,
        commands: &mut mpsc::Receiver<Command>,
    ) -> Option<Result<(Connection, Vec<MeetingId>), JoinError>> {
        let mut deferred = std::mem::take(&mut self.deferred);
        let attaching = timeout(ATTEMPT_TIME_MAX, self.attach());
        let attached = meanwhile(&mut deferred, commands, attaching).await;
        self.deferred = deferred;
        attached.map(|attached| attached.unwrap_or(Err(JoinError::TimedOut)))
    }

    async fn meanwhile_left<T>(
        &mut self,
        commands: &mut mpsc::Receiver<Command>,
        until: impl Future<Output = T>,
    ) -> Option<T> {
        meanwhile(&mut self.deferred, commands, until).await
    }
}

/// Waits for something while there is no connection, and keeps what is to be done later; a wish to leave
/// ends the waiting.
async fn meanwhile<T>(
    deferred: &mut VecDeque<Command>,
    commands: &mut mpsc::Receiver<Command>,
    until: impl Future<Output = T>,
) -> Option<T> {
    tokio::pin!(until);
    loop {
        tokio::select! {
            done = &mut until => return Some(done),
            command = commands.recv() => match command {
                Some(Command::Leave(reply)) => {
                    let _ = reply.send(());
                    return None;
                }
                // What is dropped is told so by the end of its answer.
                Some(command) if deferred.len() < DEFERRED_MAX => deferred.push_back(command),
                Some(_) => {}
                None => return None,
            },
        }
    }
}
