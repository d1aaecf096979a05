//! The media loop: datagrams in, tracks from the bus or the parent out, what other relays say, timers,
//! commands.
//!
//! **Invariants:** nothing here waits but the one `select!`; nothing is logged, locked or labelled
//! per frame; what can't be sent at once is dropped.

mod carried;
mod catching_up;
mod commands;
mod early_plans;
mod tracks;
mod waiting;

use std::{
    io,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    net::UdpSocket,
    sync::{Notify, mpsc, oneshot},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tributary_message_bus::{MediaBus, MediaInbox};
use tributary_relay_gateway_core::{PRIVATE, Voice};
use tributary_rtc_session::{
    Certificate, Event, IncomingAudio, Output, PAYLOAD_BYTES_MAX, Session, install_crypto,
};
use tributary_service_runtime::Platform;

use super::{
    Channels, Command, MediaConfig, MediaError, TerminalId,
    catch_up::CatchUp,
    figures::{self, Board, FRAME_OVERHEAD_BYTES, Figures},
    latency::{Latencies, unix_us},
    meetings::{MeetingKey, Meetings, Topic, Way},
    ports::{Arrivals, ChildLanes},
    terminals::Terminals,
    uplinks::Uplinks,
};
use crate::metrics::MediaCounters;
use commands::Pending;
use early_plans::EarlyPlans;
use waiting::{over, sleep_until, something_from};

/// A datagram on an Ethernet path; longer ones are not media.
const DATAGRAM_BYTES_MAX: usize = 2_048;
/// What the runtime's timers can tell apart.
const TIMER_STEP: Duration = Duration::from_millis(1);
/// Datagrams taken in a row before the other sources get their turn.
const DATAGRAMS_PER_TURN: usize = 64;
/// Counters are handed over, and needs looked at, this often.
const HOUSEKEEPING: Duration = Duration::from_millis(250);
/// Of a terminal that does not say how loud it is: heard when there is room, never before others.
const LEVEL_UNKNOWN: u8 = 49;
/// Socket buffers: 100 ms of 1,000 terminals.
const SOCKET_BUFFER_BYTES: usize = 4 << 20;

/// What the thread and the control side's handles both see.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) figures: Board,
    /// Something has come from another relay.
    pub(super) arrivals: Arrivals,
    /// Everybody has been told that the relay goes.
    pub(super) end: CancellationToken,
}

struct Worker {
    socket: Arc<UdpSocket>,
    channels: Channels,
    _ends_channels: DropGuard,
    local: SocketAddr,
    candidates: Vec<SocketAddr>,
    certificate: Certificate,
    catch_up: CatchUp,
    meetings: Meetings,
    terminals: Terminals,
    uplinks: Uplinks,
    /// None at a core relay.
    parent: Option<Arc<ChildLanes>>,
    /// None at an edge relay.
    inbox: Option<MediaInbox<Topic>>,
    arrivals: Arc<Notify>,
    heard: Vec<(TerminalId, IncomingAudio)>,
    touched: Vec<MeetingKey>,
    /// Of meetings that are not open here yet, by number.
    early_plans: EarlyPlans,
    pending: Pending,
    counters: MediaCounters,
    figures: Figures,
    shared: Arc<Shared>,
    lone: Latencies,
    mixed: Latencies,
}

/// Starts the thread; returns when its port is bound.
pub(super) async fn start(
    config: MediaConfig,
    platform: Platform,
    parent: Option<Arc<ChildLanes>>,
    shared: Arc<Shared>,
    commands: mpsc::Receiver<Command>,
) -> Result<Channels, MediaError> {
    install_crypto();
    figures::describe();
    let control = tokio::runtime::Handle::current();
    let (ready, started) = oneshot::channel();
    std::thread::Builder::new()
        .name("relay-media".to_owned())
        .spawn(move || {
            // Without media the relay is of no use: the process ends, and terminals go elsewhere.
            let _ends_the_process = platform.shutdown.clone().drop_guard();
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(ready.send(Err(MediaError::Thread(error)))),
            };
            runtime.block_on(async {
                match Worker::open(&config, &platform, &control, parent, shared).await {
                    Ok(worker) => {
                        if ready.send(Ok(worker.channels.clone())).is_ok() {
                            worker.run(commands, &platform).await;
                        }
                    }
                    Err(error) => drop(ready.send(Err(error))),
                }
            });
        })
        .map_err(MediaError::Thread)?;
    started.await.map_err(|_| MediaError::Gone)?
}

impl Worker {
    async fn open(
        config: &MediaConfig,
        platform: &Platform,
        control: &tokio::runtime::Handle,
        parent: Option<Arc<ChildLanes>>,
        shared: Arc<Shared>,
    ) -> Result<Self, MediaError> {
        let (socket, local) = listen(config.udp_listen)
            .map_err(|source| MediaError::Listen { address: config.udp_listen, source })?;
        let candidates = if config.udp_advertise.is_empty() {
            vec![local]
        } else {
            config.udp_advertise.clone()
        };
        let (way, inbox) = match &parent {
            Some(lanes) => (Way::Parent(lanes.clone()), None),
            None => {
                let dependency = platform.readiness.dependency("nats-media");
                let name = format!("relay {}", config.relay);
                let bus = MediaBus::connect(&platform.config.nats, &name, &dependency).await?;
                let inbox = MediaInbox::default();
                (Way::Bus(bus, inbox.clone()), Some(inbox))
            }
        };
        let socket = Arc::new(socket);
        let certificate = Certificate::generate().ok_or(MediaError::Certificate)?;
        let end_of_channels = CancellationToken::new();
        let channels = Channels::start(
            control,
            socket.clone(),
            candidates.clone(),
            certificate.clone(),
            end_of_channels.clone(),
        );
        Ok(Self {
            socket,
            channels,
            _ends_channels: end_of_channels.drop_guard(),
            local,
            candidates,
            certificate,
            catch_up: CatchUp::new(config.catch_up),
            meetings: Meetings::new(config, way),
            terminals: Terminals::default(),
            uplinks: Uplinks::default(),
            parent,
            inbox,
            arrivals: shared.arrivals.clone(),
            heard: Vec::new(),
            touched: Vec::new(),
            early_plans: EarlyPlans::default(),
            pending: Pending::default(),
            counters: MediaCounters::default(),
            figures: Figures::default(),
            shared,
            lone: Latencies::new("lone"),
            mixed: Latencies::new("mixed"),
        })
    }

    async fn run(mut self, mut commands: mpsc::Receiver<Command>, platform: &Platform) {
        tracing::info!(address = %self.local, candidates = ?self.candidates, "listening for media");
        let (inbox, arrivals) = (self.inbox.clone(), self.arrivals.clone());
        let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
        let mut datagram = [0; DATAGRAM_BYTES_MAX];
        let end = self.shared.end.clone();
        let mut over = pin!(over(&platform.shutdown, &end));
        loop {
            let timers = [self.terminals.next_timer(), self.pending.next(), self.catch_up.next()];
            let timer = timers.into_iter().flatten().min();
            tokio::select! {
                () = &mut over => break,
                readable = self.socket.readable() => {
                    if readable.is_ok() {
                        self.take_datagrams(&mut datagram);
                    }
                }
                () = something_from(inbox.as_ref()) => self.take_messages(),
                () = arrivals.notified() => self.take_relays(),
                () = sleep_until(timer) => self.take_timers(),
                command = commands.recv() => match command {
                    Some(command) => self.take_command(command),
                    None => break,
                },
                _ = housekeeping.tick() => self.keep_house(),
            }
            self.take_heard();
        }
        self.keep_house();
    }

    fn take_datagrams(&mut self, buffer: &mut [u8]) {
        let now = Instant::now();
        for _ in 0..DATAGRAMS_PER_TURN {
            let Ok((length, source)) = self.socket.try_recv_from(buffer) else { return };
            let Some(datagram) = buffer.get(..length) else { continue };
            self.counters.datagrams_in += 1;
            let destination = self.destination_for(source);
            let owner = self.terminals.owner_of(source, destination, datagram, now);
            let Some(id) = owner else {
                if self.channels.push(source, destination, datagram) {
                    continue;
                }
                self.counters.datagrams_unknown += 1;
                continue;
            };
            self.terminals.note_heard(id, now);
            if let Some(session) = self.session(id) {
                session.receive(source, destination, datagram, now);
                self.drive(id);
            }
        }
    }

    /// The candidate that a datagram was sent to: one port, so the address family decides.
    fn destination_for(&self, source: SocketAddr) -> SocketAddr {
        self.candidates
            .iter()
            .find(|candidate| candidate.is_ipv4() == source.is_ipv4())
            .copied()
            .unwrap_or(self.local)
    }

    fn session(&mut self, id: TerminalId) -> Option<&mut Session> {
        self.terminals.get_mut(id)?.session.as_mut()
    }

    /// Does what a session wants after it was changed: sends, collects what it heard, and sets its
    /// timer.
    fn drive(&mut self, id: TerminalId) {
        let Self { terminals, socket, heard, counters, catch_up, .. } = self;
        drive(id, terminals, socket, heard, counters, catch_up);
    }

    fn take_timers(&mut self) {
        let now = Instant::now();
        self.pending.release(now);
        self.catch_up(now);
        while let Some(id) = self.terminals.pop_due(now) {
            if let Some(session) = self.session(id) {
                session.handle_timeout(now);
                self.drive(id);
            }
        }
    }

    /// Takes in the voices heard since the last call, and sends up what is selected, at once.
    fn take_heard(&mut self) {
        if self.heard.is_empty() && self.touched.is_empty() {
            return;
        }
        let (now, now_us) = (Instant::now(), unix_us());
        for (id, audio) in self.heard.drain(..) {
            let Some(terminal) = self.terminals.get_mut(id) else { continue };
            terminal.absence.note_spoken(now);
            self.figures.heard_bytes += audio.payload.len() as u64 + FRAME_OVERHEAD_BYTES;
            let Some(meeting) = self.meetings.get_mut(terminal.meeting) else { continue };
            let voice = Voice {
                participant: terminal.participant,
                sequence: audio.sequence,
                media_time: audio.media_time,
                level: audio.level.unwrap_or(LEVEL_UNKNOWN),
                ingress_us: now_us,
                payload: audio.payload,
            };
            self.counters.frames_in += 1;
            if voice.payload.len() > PAYLOAD_BYTES_MAX
                || meeting.handle_audio(audio.section, voice, now).is_err()
            {
                self.counters.frames_refused += 1;
                continue;
            }
            self.counters.frames_private_in += u64::from(audio.section == PRIVATE);
            if !self.touched.contains(&terminal.meeting) {
                self.touched.push(terminal.meeting);
            }
        }
        self.send_up(now);
    }

    fn keep_house(&mut self) {
        let now = Instant::now();
        self.meetings.publish_needs(now);
        self.look_who_speaks(now);
        self.look_who_is_away(now);
        self.uplinks.keep_house(&mut self.figures);
        self.keep_figures();
        self.counters.flush();
        self.lone.flush();
        self.mixed.flush();
    }
}

fn drive(
    id: TerminalId,
    terminals: &mut Terminals,
    socket: &UdpSocket,
    heard: &mut Vec<(TerminalId, IncomingAudio)>,
    counters: &mut MediaCounters,
    catch_up: &mut CatchUp,
) {
    let Some(session) = terminals.get_mut(id).and_then(|terminal| terminal.session.as_mut()) else {
        return;
    };
    loop {
        match session.poll() {
            Output::Transmit { destination, contents } => {
                match socket.try_send_to(&contents, destination) {
                    Ok(_) => counters.datagrams_out += 1,
                    Err(_) => counters.datagrams_unsent += 1,
                }
            }
            Output::Event(Event::Audio(audio)) => heard.push((id, audio)),
            Output::Event(Event::Connected) => {
                counters.connected += 1;
                catch_up.begin(id, Instant::now());
            }
            Output::Event(Event::Disconnected) => {
                counters.disconnected += 1;
                terminals.set_session(id, None);
                return catch_up.keep_for(id, terminals);
            }
            // Never at once: a session can't keep the thread to itself.
            Output::Timeout(at) => {
                return terminals.schedule(id, at.max(Instant::now() + TIMER_STEP));
            }
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<(UdpSocket, SocketAddr)> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, Some(socket2::Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // The system may give less; that is no error.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
    socket.bind(&address.into())?;
    let socket = UdpSocket::from_std(socket.into())?;
    let local = socket.local_addr()?;
    Ok((socket, local))
}
