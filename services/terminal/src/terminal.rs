//! [`Terminal`]: what tests, the demo and the command line hold of a participant.

mod audio;
mod meetings;
mod operating;
mod raw;

use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use thiserror::Error;
use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tributary_contracts::terminal::v1::RefusalCode;
use tributary_identifiers::{MeetingId, ParticipantId};
use tributary_rtc_session::DescriptionError;

use crate::{
    EndReason, Event, Options, Person, Section, Snapshot,
    admission::{Admission, Ticket},
    attendance::{Attendance, Command, Media, Relays, end_of_stay},
    board::{Board, Known},
    hearing::Ear,
    media::{self, Desk, LinkState, lock},
    protocol::{ConnectError, RequestError},
    source::Player,
};

const COMMANDS_MAX: usize = 16;
const LEAVE_TIME_MAX: Duration = Duration::from_secs(5);
/// How often a waiting test looks, besides whenever something happens.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Why a terminal did not get in.
#[derive(Debug, Error)]
pub enum JoinError {
    /// No connection to the relay.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The relay refused, or the connection was lost on the way.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The relay's session description is of no use.
    #[error(transparent)]
    Description(#[from] DescriptionError),
    /// Joined, but no peer connection came about.
    #[error("no audio connection to the relay came about")]
    NoAudio,
    /// All of it took too long.
    #[error("joining took too long")]
    TimedOut,
    /// The own system did not give what was needed.
    #[error("{0}")]
    System(String),
}

impl JoinError {
    /// The relay's reason, if it refused.
    pub fn refusal(&self) -> Option<RefusalCode> {
        match self {
            Self::Request(RequestError::Refused { code, .. }) => Some(*code),
            _ => None,
        }
    }

    /// Trying again would not help somebody who was never in.
    pub(crate) fn is_final_at_first(&self) -> bool {
        match self {
            Self::Connect(ConnectError::BadUrl(_) | ConnectError::Tls) | Self::System(_) => true,
            Self::Request(RequestError::Refused { code, message }) => {
                *code == RefusalCode::BadCredential || end_of_stay(*code, message.clone()).is_some()
            }
            _ => false,
        }
    }

    /// What it means for somebody who was in; `None`: trying again may help.
    pub(crate) fn end_of_stay(&self) -> Option<EndReason> {
        match self {
            Self::Request(RequestError::Refused { code, message }) => {
                end_of_stay(*code, message.clone())
            }
            _ => None,
        }
    }
}

/// A condition did not come true in time.
#[derive(Debug, Error)]
#[error("the condition did not come true in {within:?}; the last snapshot: {last:#?}")]
pub struct Waited {
    /// How long it was waited for.
    pub within: Duration,
    /// What it was at the end.
    pub last: Box<Snapshot>,
}

/// Somebody in one meeting, or in two. Dropping it is as if its device lost power: nobody is told.
#[derive(Debug)]
pub struct Terminal {
    board: Arc<Board>,
    known: watch::Receiver<Known>,
    commands: mpsc::Sender<Command>,
    first_meeting: MeetingId,
    /// Ends when dropped, and takes the connection, the audio and their sockets with it.
    _task: JoinSet<()>,
}

impl std::fmt::Debug for Board {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Board")
    }
}

/// Joining, knowing, leaving.
impl Terminal {
    /// Joins a meeting; resolves when audio can flow both ways, or when it waits in the lobby.
    pub async fn join(options: Options) -> Result<Self, JoinError> {
        let ear = Ear::new(&options.listen_for_hz, options.record, Instant::now());
        let player = Player::new(options.source, options.talk);
        let packets = options.record_packets.then(Mutex::default);
        let desk = Arc::new(Desk::new(player, ear, packets, options.muted));
        let admission = Admission::new(options.identity, options.key)?;
        let key = Arc::clone(admission.holder().key());
        let media = match options.media {
            true => Some(start_media(&desk, options.local_address)?),
            false => None,
        };
        let board = Arc::new(Board::new(desk, key, options.record_events));
        let (report, reported) = oneshot::channel();
        let attendance = Attendance {
            relays: Relays::new(options.relay_url, options.other_relay_urls),
            join_time_max: options.join_time_max,
            admission,
            tickets: vec![Ticket::new(options.meeting, options.session_id, false)],
            board: Arc::clone(&board),
            media,
            deferred: VecDeque::new(),
            found: None,
            report: Some(report),
        };
        let (commands, received) = mpsc::channel(COMMANDS_MAX);
        let mut task = JoinSet::new();
        task.spawn(attendance.run(received));
        let first_meeting = reported.await.map_err(|_| JoinError::TimedOut)??;
        let known = board.known();
        Ok(Self { board, known, commands, first_meeting, _task: task })
    }

    /// The meeting it is live in, or was last.
    pub fn meeting_id(&self) -> MeetingId {
        self.of_front(|meeting| meeting.meeting_id).unwrap_or(self.first_meeting)
    }

    /// The meetings it is in, at most two.
    pub fn meetings(&self) -> Vec<MeetingId> {
        self.known.borrow().meetings()
    }

    /// Who it is in the live meeting.
    pub fn participant_id(&self) -> ParticipantId {
        // Known since it joined.
        self.of_front(|meeting| meeting.participant_id).unwrap_or(ParticipantId(0))
    }

    /// Who it is in one of its meetings.
    pub fn participant_in(&self, meeting_id: MeetingId) -> Option<ParticipantId> {
        self.known.borrow().of(meeting_id)?.participant_id
    }

    fn of_front<T: Default>(&self, what: impl FnOnce(&Snapshot) -> T) -> T {
        self.known.borrow().front().map(what).unwrap_or_default()
    }

    /// What it knows now of the live meeting.
    pub fn snapshot(&self) -> Snapshot {
        let snapshot = self.of_front(Clone::clone);
        self.with_hearing(snapshot)
    }

    /// What it knows now of one of its meetings; also of one that it has left.
    pub fn snapshot_of(&self, meeting_id: MeetingId) -> Option<Snapshot> {
        let snapshot = self.known.borrow().of(meeting_id).cloned()?;
        Some(self.with_hearing(snapshot))
    }

    fn with_hearing(&self, mut snapshot: Snapshot) -> Snapshot {
        let ear = lock(&self.board.desk.ear);
        snapshot.hearing = ear.hearing();
        snapshot.heard = Section::ALL.map(|section| ear.hearing_on(section));
        snapshot
    }

    /// Joined, and audio can flow.
    pub fn connected(&self) -> bool {
        self.of_front(|meeting| meeting.connected)
    }

    /// Everybody who is in, by number.
    pub fn roster(&self) -> Vec<Person> {
        self.of_front(|meeting| meeting.roster.values().cloned().collect())
    }

    /// Who speaks, loudest first.
    pub fn speakers(&self) -> Vec<ParticipantId> {
        self.of_front(|meeting| meeting.speakers.clone())
    }

    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.board.events()
    }

    /// Waits for a condition on what the terminal knows of the live meeting and hears.
    pub async fn wait_until(
        &self,
        condition: impl FnMut(&Snapshot) -> bool,
        within: Duration,
    ) -> Result<Snapshot, Waited> {
        self.wait_for(|| self.snapshot(), condition, within).await
    }

    /// The same of one of its meetings.
    pub async fn wait_until_in(
        &self,
        meeting_id: MeetingId,
        condition: impl FnMut(&Snapshot) -> bool,
        within: Duration,
    ) -> Result<Snapshot, Waited> {
        let look = || self.snapshot_of(meeting_id).unwrap_or_default();
        self.wait_for(look, condition, within).await
    }

    async fn wait_for(
        &self,
        look: impl Fn() -> Snapshot,
        mut condition: impl FnMut(&Snapshot) -> bool,
        within: Duration,
    ) -> Result<Snapshot, Waited> {
        let deadline = Instant::now().checked_add(within);
        let mut changes = self.known.clone();
        loop {
            changes.mark_unchanged();
            let snapshot = look();
            if condition(&snapshot) {
                return Ok(snapshot);
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(Waited { within, last: Box::new(snapshot) });
            }
            tokio::select! {
                Ok(()) = changes.changed() => {}
                () = sleep(LOOK_INTERVAL) => {}
            }
        }
    }

    /// Leaves all meetings and says so.
    pub async fn leave(self) {
        let (reply, left) = oneshot::channel();
        if self.commands.send(Command::Leave(reply)).await.is_ok() {
            // A relay that does not answer is left all the same.
            let _ = timeout(LEAVE_TIME_MAX, left).await;
        }
    }

    /// Is gone without a word, as if its device lost power.
    pub fn kill(self) {}
}

fn start_media(desk: &Arc<Desk>, local_address: IpAddr) -> Result<Media, JoinError> {
    let (commands, received) = mpsc::channel(COMMANDS_MAX);
    let (state, link) = watch::channel(LinkState::None);
    media::start(Arc::clone(desk), received, state)
        .map_err(|error| JoinError::System(error.to_string()))?;
    Ok(Media { local_address, commands, link })
}
