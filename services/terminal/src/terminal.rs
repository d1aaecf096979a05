//! [`Terminal`]: what tests, the demo and the command line hold of a participant.

use std::{
    path::Path,
    sync::{Arc, Mutex, atomic::AtomicBool},
    time::{Duration, Instant},
};

use thiserror::Error;
use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tributary_audio::FileError;
use tributary_contracts::terminal::v1::RefusalCode;
use tributary_identifiers::{MeetingId, ParticipantId};
use tributary_rtc_session::DescriptionError;

use crate::{
    AudioSource, EndReason, Event, Hearing, Options, PacketRecord, Person, Snapshot,
    admission::Admission,
    attendance::{Attendance, Command, end_of_stay},
    hearing::Ear,
    media::{self, Desk, LinkState, lock},
    protocol::{ConnectError, RequestError},
    recording,
    source::Player,
};

/// Events that a slow reader may lag behind before it misses some.
const EVENTS_MAX: usize = 1_024;
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

/// A participant. Dropping it is as if its device lost power: nobody is told.
#[derive(Debug)]
pub struct Terminal {
    desk: Arc<Desk>,
    snapshot: watch::Receiver<Snapshot>,
    events: broadcast::Sender<Event>,
    commands: mpsc::Sender<Command>,
    meeting_id: MeetingId,
    /// Ends when dropped, and takes the connection, the audio and their sockets with it.
    _task: JoinSet<()>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Desk")
    }
}

impl Terminal {
    /// Joins a meeting; resolves when audio can flow both ways.
    pub async fn join(options: Options) -> Result<Self, JoinError> {
        let ear = Ear::new(&options.listen_for_hz, options.record, Instant::now());
        let desk = Arc::new(Desk {
            player: Mutex::new(Player::new(options.source, options.talk)),
            ear: Mutex::new(ear),
            packets: options.record_packets.then(Mutex::default),
            muted: AtomicBool::new(options.muted),
        });
        let (media, media_commands) = mpsc::channel(COMMANDS_MAX);
        let (link_state, link) = watch::channel(LinkState::None);
        media::start(Arc::clone(&desk), media_commands, link_state)
            .map_err(|error| JoinError::System(error.to_string()))?;
        let snapshot = watch::Sender::new(Snapshot { muted: options.muted, ..Snapshot::default() });
        let snapshots = snapshot.subscribe();
        let events = broadcast::Sender::new(EVENTS_MAX);
        let attendance = Attendance {
            relay_url: options.relay_url,
            local_address: options.local_address,
            join_time_max: options.join_time_max,
            admission: Admission::new(options.identity, options.meeting)?,
            desk: Arc::clone(&desk),
            media,
            link,
            snapshot,
            events: events.clone(),
        };
        let (commands, received) = mpsc::channel(COMMANDS_MAX);
        let (report, reported) = oneshot::channel();
        let mut task = JoinSet::new();
        task.spawn(attendance.run(received, report));
        let meeting_id = reported.await.map_err(|_| JoinError::TimedOut)??;
        Ok(Self { desk, snapshot: snapshots, events, commands, meeting_id, _task: task })
    }

    /// The meeting.
    pub fn meeting_id(&self) -> MeetingId {
        self.meeting_id
    }

    /// Who it is in the meeting.
    pub fn participant_id(&self) -> ParticipantId {
        // Known since it joined.
        self.snapshot.borrow().participant_id.unwrap_or(ParticipantId(0))
    }

    /// What it knows now.
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = self.snapshot.borrow().clone();
        snapshot.hearing = self.hearing();
        snapshot
    }

    /// Joined, and audio can flow.
    pub fn connected(&self) -> bool {
        self.snapshot.borrow().connected
    }

    /// Everybody who is in, by number.
    pub fn roster(&self) -> Vec<Person> {
        self.snapshot.borrow().roster.values().cloned().collect()
    }

    /// Who speaks, loudest first.
    pub fn speakers(&self) -> Vec<ParticipantId> {
        self.snapshot.borrow().speakers.clone()
    }

    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Waits for a condition on what the terminal knows and hears.
    pub async fn wait_until(
        &self,
        mut condition: impl FnMut(&Snapshot) -> bool,
        within: Duration,
    ) -> Result<Snapshot, Waited> {
        let deadline = Instant::now() + within;
        let mut changes = self.snapshot.clone();
        loop {
            let snapshot = self.snapshot();
            if condition(&snapshot) {
                return Ok(snapshot);
            }
            if Instant::now() >= deadline {
                return Err(Waited { within, last: Box::new(snapshot) });
            }
            tokio::select! {
                Ok(()) = changes.changed() => {}
                () = sleep(LOOK_INTERVAL) => {}
            }
        }
    }

    /// From now on the microphone hears this.
    pub fn set_source(&self, source: AudioSource) {
        lock(&self.desk.player).set_source(source);
    }

    /// Switches the microphone, here at once and for the meeting by an operation. While there is no
    /// connection the meeting is told when the terminal comes back.
    pub async fn set_muted(&self, muted: bool) -> Result<(), RequestError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::SetMuted(muted, reply);
        self.commands.send(command).await.map_err(|_| RequestError::Lost)?;
        answer.await.map_err(|_| RequestError::Lost)?
    }

    /// What was heard so far.
    pub fn hearing(&self) -> Hearing {
        lock(&self.desk.ear).hearing()
    }

    /// Starts counting anew. A recording goes on.
    pub fn reset_hearing(&self) {
        lock(&self.desk.ear).reset();
    }

    /// The last packets, oldest first; none without
    /// [`record_packets`](Options::record_packets).
    pub fn packets(&self) -> Vec<PacketRecord> {
        self.desk.packets.as_ref().map(|packets| lock(packets).records()).unwrap_or_default()
    }

    /// Forgets the packets so far.
    pub fn reset_packets(&self) {
        if let Some(packets) = &self.desk.packets {
            lock(packets).clear();
        }
    }

    /// Writes what was heard since joining to a WAV file; only with [`record`](Options::record).
    pub fn write_heard_to(&self, path: &Path) -> Result<(), FileError> {
        let recorded = lock(&self.desk.ear).recorded(Instant::now());
        recording::write_wav(path, &recorded.ok_or(FileError::Empty)?)
    }

    /// Leaves the meeting and says so.
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
