//! A thread that carries the media of some meetings: frames in, tracks and plans out, ticks.
//!
//! It has a NATS connection of its own. A lone speaker's frames go out in the turn in which they
//! came in; mixing happens on 20 ms ticks, and only while some meeting mixes.

mod meeting;

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use prost::Message as _;
use tokio::sync::{mpsc, oneshot};
use tokio_util::time::DelayQueue;
use tributary_contracts::{media::v1 as media, relay::v1::RelayNeeds};
use tributary_message_bus::{
    ConnectError, Delivery, MediaBus, MediaInbox,
    subjects::{self, MeetingScope},
};
use tributary_mixer_core::{Config as MeetingConfig, SOURCES_MAX};
use tributary_service_runtime::Platform;
use tributary_speaker_selection::Config as SelectionConfig;

use crate::Config;
use meeting::OwnedMeeting;

/// Commands that wait for a worker; more mean that it is stuck.
const COMMANDS_MAX: usize = 4096;
/// Bus messages taken in a row before ticks get their turn.
const MESSAGES_PER_TURN: usize = 64;
/// Commands taken in a row.
const COMMANDS_PER_TURN: usize = 64;
const TICK: Duration = Duration::from_millis(20);
/// A tick that is so late starts a new rhythm instead of being made up for.
const TICK_LATENESS_MAX: Duration = Duration::from_millis(60);
const FLUSH_INTERVAL: Duration = Duration::from_millis(250);

/// Names a meeting in a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct MeetingKey(u64);

/// To a worker.
pub(crate) enum Command {
    /// Carry this meeting from now on.
    Open { scope: MeetingScope, epoch: u64 },
    /// A relay says who is behind it.
    Needs { scope: MeetingScope, needs: RelayNeeds },
    /// It is owned under this epoch from now on.
    Epoch { scope: MeetingScope, epoch: u64 },
    /// Carry it no longer.
    Close { scope: MeetingScope },
}

/// The control side's end of a worker.
#[derive(Clone)]
pub(crate) struct WorkerHandle {
    commands: mpsc::Sender<Command>,
}

impl WorkerHandle {
    /// Starts a thread; it ends with the platform's shutdown.
    pub(crate) async fn start(
        index: usize,
        config: Config,
        platform: Platform,
    ) -> Result<Self, StartError> {
        let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
        let (ready, started) = oneshot::channel();
        std::thread::Builder::new()
            .name(format!("mixer-{index}"))
            .spawn(move || run(index, &config, &platform, inbox, ready))
            .map_err(StartError::Thread)?;
        started.await.map_err(|_| StartError::Gone)??;
        Ok(Self { commands })
    }

    /// Sends what will be said again, unless the worker is busy.
    pub(crate) fn try_send(&self, command: Command) {
        // Said again soon.
        let _ = self.commands.try_send(command);
    }

    pub(crate) async fn send(&self, command: Command) {
        // A worker only ends with the process.
        let _ = self.commands.send(command).await;
    }
}

/// A worker can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The system gives no thread or no runtime.
    #[error("can't start a mixer thread: {0}")]
    Thread(#[source] std::io::Error),
    /// The NATS configuration can't be used.
    #[error(transparent)]
    Bus(#[from] ConnectError),
    /// It ended at once.
    #[error("a mixer thread ended while starting")]
    Gone,
}

fn run(
    index: usize,
    config: &Config,
    platform: &Platform,
    commands: mpsc::Receiver<Command>,
    ready: oneshot::Sender<Result<(), StartError>>,
) {
    // Without a worker its meetings would be owned and silent: the process ends, and others take over.
    let _ends_the_process = platform.shutdown.clone().drop_guard();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(ready.send(Err(StartError::Thread(error)))),
    };
    runtime.block_on(async {
        match Worker::open(index, config, platform).await {
            Ok(worker) => {
                if ready.send(Ok(())).is_ok() {
                    worker.run(commands, platform).await;
                }
            }
            Err(error) => drop(ready.send(Err(error.into()))),
        }
    });
}

struct Worker {
    bus: MediaBus,
    inbox: MediaInbox<MeetingKey>,
    selection: SelectionConfig,
    bitrate: i32,
    by_scope: HashMap<MeetingScope, MeetingKey>,
    meetings: HashMap<MeetingKey, OwnedMeeting>,
    timeouts: DelayQueue<MeetingKey>,
    next_key: u64,
    next_tick: Option<Instant>,
    malformed: u64,
    lost: u64,
    ticks_late: u64,
}

impl Worker {
    async fn open(
        index: usize,
        config: &Config,
        platform: &Platform,
    ) -> Result<Self, ConnectError> {
        let dependency = platform.readiness.dependency("nats-media");
        let name = format!("mixer {index}");
        Ok(Self {
            bus: MediaBus::connect(&platform.config.nats, &name, &dependency).await?,
            inbox: MediaInbox::default(),
            selection: SelectionConfig {
                voices_max: config.voices_max.min(SOURCES_MAX),
                ..SelectionConfig::default()
            },
            bitrate: config.bitrate,
            by_scope: HashMap::new(),
            meetings: HashMap::new(),
            timeouts: DelayQueue::new(),
            next_key: 0,
            next_tick: None,
            malformed: 0,
            lost: 0,
            ticks_late: 0,
        })
    }

    async fn run(mut self, mut commands: mpsc::Receiver<Command>, platform: &Platform) {
        let inbox = self.inbox.clone();
        let mut flush = tokio::time::interval(FLUSH_INTERVAL);
        loop {
            let next_tick = self.next_tick;
            let timeouts = &mut self.timeouts;
            tokio::select! {
                () = platform.shutdown.cancelled() => break,
                () = inbox.arrived() => self.take_messages(),
                () = sleep_until(next_tick) => self.tick(),
                Some(expired) = std::future::poll_fn(|context| timeouts.poll_expired(context)),
                    if !timeouts.is_empty() => self.time_out(expired.into_inner()),
                command = commands.recv() => match command {
                    Some(command) => {
                        self.take_command(command);
                        for _ in 1..COMMANDS_PER_TURN {
                            let Ok(command) = commands.try_recv() else { break };
                            self.take_command(command);
                        }
                    }
                    None => break,
                },
                _ = flush.tick() => self.flush(),
            }
        }
        self.flush();
    }

    fn take_command(&mut self, command: Command) {
        match command {
            Command::Open { scope, epoch } => self.open_meeting(scope, epoch),
            Command::Needs { scope, needs } => {
                let Some(key) = self.by_scope.get(&scope).copied() else { return };
                let read = self
                    .meetings
                    .get_mut(&key)
                    .is_some_and(|meeting| meeting.handle_needs(&needs, Instant::now()));
                self.malformed += u64::from(!read);
                self.settle(key);
            }
            Command::Epoch { scope, epoch } => {
                let Some(key) = self.by_scope.get(&scope).copied() else { return };
                if let Some(meeting) = self.meetings.get_mut(&key) {
                    meeting.handle_epoch(epoch);
                }
                self.settle(key);
            }
            Command::Close { scope } => {
                if let Some(meeting) =
                    self.by_scope.remove(&scope).and_then(|key| self.meetings.remove(&key))
                {
                    self.forget_timeout(&meeting);
                    meeting.count();
                }
            }
        }
    }

    fn open_meeting(&mut self, scope: MeetingScope, epoch: u64) {
        let key = MeetingKey(self.next_key);
        self.next_key += 1;
        let config = MeetingConfig {
            selection: self.selection,
            bitrate: self.bitrate,
            ..MeetingConfig::for_epoch(epoch)
        };
        let meeting =
            OwnedMeeting::open(&scope, key, config, &self.bus, &self.inbox, Instant::now());
        if let Some(earlier) =
            self.by_scope.insert(scope, key).and_then(|k| self.meetings.remove(&k))
        {
            self.forget_timeout(&earlier);
            earlier.count();
        }
        self.meetings.insert(key, meeting);
    }

    fn forget_timeout(&mut self, meeting: &OwnedMeeting) {
        if let Some((_, timeout)) = &meeting.timeout {
            self.timeouts.try_remove(timeout);
        }
    }

    fn take_messages(&mut self) {
        for _ in 0..MESSAGES_PER_TURN {
            let Some(Delivery { tag: key, message }) = self.inbox.pop() else { return };
            let Some((_, relay)) = subjects::meeting_and_relay(&message.subject) else { continue };
            let Ok(batch) = media::SendBatch::decode(message.payload) else {
                self.malformed += 1;
                continue;
            };
            let Some(meeting) = self.meetings.get_mut(&key) else { continue };
            self.lost += meeting.handle_frames(&relay, batch, Instant::now());
            self.settle(key);
        }
        // More is waiting, but ticks come first.
        self.inbox.arrive();
    }

    fn tick(&mut self) {
        let now = Instant::now();
        let Some(due) = self.next_tick else { return };
        let lateness = now.saturating_duration_since(due);
        self.ticks_late += u64::from(lateness > TICK);
        let ticking: Vec<MeetingKey> = self
            .meetings
            .iter()
            .filter(|(_, meeting)| meeting.core.ticking())
            .map(|(key, _)| *key)
            .collect();
        self.next_tick = (!ticking.is_empty())
            .then(|| if lateness > TICK_LATENESS_MAX { now + TICK } else { due + TICK });
        for key in ticking {
            if let Some(meeting) = self.meetings.get_mut(&key) {
                meeting.core.handle_tick(now);
            }
            self.settle(key);
        }
    }

    fn time_out(&mut self, key: MeetingKey) {
        if let Some(meeting) = self.meetings.get_mut(&key) {
            meeting.timeout = None;
            meeting.core.handle_timeout(Instant::now());
        }
        self.settle(key);
    }

    /// Sends what a meeting has decided, and sees to its next tick and timeout.
    fn settle(&mut self, key: MeetingKey) {
        let Some(meeting) = self.meetings.get_mut(&key) else { return };
        meeting.send(&self.bus);
        if meeting.core.ticking() && self.next_tick.is_none() {
            self.next_tick = Some(Instant::now() + TICK);
        }
        let Some((at, _)) = meeting.core.poll_timeout() else { return };
        match &meeting.timeout {
            // It fires early at worst, and is set again then.
            Some((scheduled, _)) if *scheduled <= at => {}
            Some((_, timeout)) => {
                self.timeouts.reset_at(timeout, at.into());
                let timeout = *timeout;
                meeting.timeout = Some((at, timeout));
            }
            None => meeting.timeout = Some((at, self.timeouts.insert_at(key, at.into()))),
        }
    }

    fn flush(&mut self) {
        for meeting in self.meetings.values_mut() {
            meeting.flush_counters();
        }
        for (count, name) in [
            (&mut self.malformed, "tributary_mixer_messages_malformed_total"),
            (&mut self.lost, "tributary_mixer_batches_lost_total"),
            (&mut self.ticks_late, "tributary_mixer_ticks_late_total"),
        ] {
            metrics::counter!(name).increment(std::mem::take(count));
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
