//! The media loop: datagrams in, tracks from the bus out, timers, commands.
//!
//! **Invariants:** nothing here waits but the one `select!`; nothing is logged, locked or labelled
//! per frame; what can't be sent at once is dropped.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use prost::Message as _;
use tokio::{
    net::UdpSocket,
    sync::{mpsc, oneshot},
};
use tributary_contracts::{media::v1 as media, relay::v1 as relay};
use tributary_message_bus::{Delivery, MediaBus, MediaInbox};
use tributary_relay_gateway_core::{SendFrame, TrackFrame};
use tributary_rtc_session::{
    Certificate, Event, IncomingAudio, OutgoingAudio, Output, PAYLOAD_BYTES_MAX, Session,
    install_crypto,
};
use tributary_service_runtime::Platform;

use super::{
    Attach, Command, MediaConfig, MediaError, TerminalId,
    latency::{Latencies, unix_us},
    meetings::{MeetingKey, Meetings, Topic},
    terminals::Terminals,
    wire,
};
use crate::metrics::MediaCounters;

/// A datagram on an Ethernet path; longer ones are not media.
const DATAGRAM_BYTES_MAX: usize = 2_048;
/// What the runtime's timers can tell apart.
const TIMER_STEP: Duration = Duration::from_millis(1);
/// Datagrams taken in a row before the other sources get their turn.
const DATAGRAMS_PER_TURN: usize = 64;
/// Bus messages taken in a row.
const MESSAGES_PER_TURN: usize = 64;
/// Counters are handed over, and needs looked at, this often.
const HOUSEKEEPING: Duration = Duration::from_millis(250);
/// Frames that entered a relay longer ago are not worth hearing.
const FRAME_AGE_MAX_US: u64 = 1_000_000;
/// Of a terminal that does not say how loud it is: heard when there is room, never before others.
const LEVEL_UNKNOWN: u8 = 49;
/// Socket buffers: 100 ms of 1,000 terminals.
const SOCKET_BUFFER_BYTES: usize = 4 << 20;

struct Worker {
    socket: UdpSocket,
    local: SocketAddr,
    candidates: Vec<SocketAddr>,
    certificate: Certificate,
    meetings: Meetings,
    terminals: Terminals,
    inbox: MediaInbox<Topic>,
    heard: Vec<(TerminalId, IncomingAudio)>,
    touched: Vec<MeetingKey>,
    counters: MediaCounters,
    lone: Latencies,
    mixed: Latencies,
}

/// Starts the thread; returns when its port is bound.
pub(super) async fn start(
    config: MediaConfig,
    platform: Platform,
    commands: mpsc::Receiver<Command>,
) -> Result<(), MediaError> {
    install_crypto();
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
                match Worker::open(&config, &platform).await {
                    Ok(worker) => {
                        if ready.send(Ok(())).is_ok() {
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
    async fn open(config: &MediaConfig, platform: &Platform) -> Result<Self, MediaError> {
        let (socket, local) = listen(config.udp_listen)
            .map_err(|source| MediaError::Listen { address: config.udp_listen, source })?;
        let candidates = if config.udp_advertise.is_empty() {
            vec![local]
        } else {
            config.udp_advertise.clone()
        };
        let dependency = platform.readiness.dependency("nats-media");
        let name = format!("relay {}", config.relay);
        let bus = MediaBus::connect(&platform.config.nats, &name, &dependency).await?;
        let inbox = MediaInbox::default();
        Ok(Self {
            socket,
            local,
            candidates,
            certificate: Certificate::generate().ok_or(MediaError::Certificate)?,
            meetings: Meetings::new(config.relay.clone(), bus, inbox.clone(), config.selection),
            terminals: Terminals::default(),
            inbox,
            heard: Vec::new(),
            touched: Vec::new(),
            counters: MediaCounters::default(),
            lone: Latencies::new("lone"),
            mixed: Latencies::new("mixed"),
        })
    }

    async fn run(mut self, mut commands: mpsc::Receiver<Command>, platform: &Platform) {
        tracing::info!(address = %self.local, candidates = ?self.candidates, "listening for media");
        let inbox = self.inbox.clone();
        let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
        let mut datagram = [0; DATAGRAM_BYTES_MAX];
        loop {
            let timer = self.terminals.next_timer();
            tokio::select! {
                () = platform.shutdown.cancelled() => break,
                readable = self.socket.readable() => {
                    if readable.is_ok() {
                        self.take_datagrams(&mut datagram);
                    }
                }
                () = inbox.arrived() => self.take_messages(),
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
                self.counters.datagrams_unknown += 1;
                continue;
            };
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
        let Self { terminals, socket, heard, counters, .. } = self;
        drive(id, terminals, socket, heard, counters);
    }

    fn take_timers(&mut self) {
        let now = Instant::now();
        while let Some(id) = self.terminals.pop_due(now) {
            if let Some(session) = self.session(id) {
                session.handle_timeout(now);
                self.drive(id);
            }
        }
    }

    /// Takes in the voices heard since the last call, and sends up what is selected, at once.
    fn take_heard(&mut self) {
        if self.heard.is_empty() {
            return;
        }
        let (now, now_us) = (Instant::now(), unix_us());
        for (id, audio) in self.heard.drain(..) {
            let Some(terminal) = self.terminals.get_mut(id) else { continue };
            let Some(meeting) = self.meetings.get_mut(terminal.meeting) else { continue };
            let frame = SendFrame {
                participant: terminal.participant,
                sequence: audio.sequence,
                media_time: audio.media_time,
                level: audio.level.unwrap_or(LEVEL_UNKNOWN),
                ingress_us: now_us,
                payload: audio.payload,
            };
            self.counters.frames_in += 1;
            if frame.payload.len() > PAYLOAD_BYTES_MAX {
                self.counters.frames_refused += 1;
                continue;
            }
            if meeting.handle_audio(frame, now).is_err() {
                self.counters.frames_refused += 1;
            } else if !self.touched.contains(&terminal.meeting) {
                self.touched.push(terminal.meeting);
            }
        }
        for key in self.touched.drain(..) {
            self.meetings.publish_up(key);
        }
    }

    fn take_messages(&mut self) {
        for _ in 0..MESSAGES_PER_TURN {
            let Some(Delivery { tag, message }) = self.inbox.pop() else { return };
            let now = Instant::now();
            match tag {
                Topic::Common(key) | Topic::Own(key) => {
                    self.counters.track_bytes += message.payload.len() as u64;
                    match media::TrackBatch::decode(message.payload) {
                        Ok(batch) => self.take_tracks(tag, key, batch, now),
                        Err(_) => self.counters.messages_malformed += 1,
                    }
                }
                Topic::Plan(key) => match relay::RoutePlan::decode(message.payload) {
                    Ok(plan) => self.take_plan(key, plan, now),
                    Err(_) => self.counters.messages_malformed += 1,
                },
            }
        }
        // More is waiting, but datagrams come first.
        self.inbox.arrive();
    }

    fn take_tracks(
        &mut self,
        topic: Topic,
        key: MeetingKey,
        batch: media::TrackBatch,
        now: Instant,
    ) {
        let Some(meeting) = self.meetings.get_mut(key) else { return };
        if !meeting.core.admit_epoch(batch.epoch, now) {
            self.counters.frames_stale_epoch += batch.frames.len() as u64;
            return;
        }
        let gaps = match topic {
            Topic::Own(_) => &mut meeting.own_gaps,
            _ => &mut meeting.common_gaps,
        };
        self.counters.track_batches_lost += gaps.missing_before(batch.epoch, batch.sequence);
        for frame in batch.frames {
            let ingress_us = frame.ingress_us;
            let now_us = unix_us();
            self.counters.track_frames += 1;
            if ingress_us.saturating_add(FRAME_AGE_MAX_US) < now_us {
                self.counters.frames_too_old += 1;
                continue;
            }
            match wire::track_frame(frame) {
                Some(frame) => self.fan_out(key, &frame, now, ingress_us),
                None => self.counters.messages_malformed += 1,
            }
        }
    }

    fn fan_out(&mut self, key: MeetingKey, frame: &TrackFrame, now: Instant, ingress_us: u64) {
        let Self { meetings, terminals, socket, heard, counters, .. } = self;
        let Some(meeting) = meetings.get_mut(key) else { return };
        let mut delivered = false;
        meeting.core.handle_track(frame, now, &mut |id, delivery| {
            let Some(session) = terminals.get_mut(id).and_then(|t| t.session.as_mut()) else {
                return;
            };
            let audio = OutgoingAudio {
                media_time: delivery.placement.media_time,
                payload: frame.payload.clone(),
                level: Some(frame.level),
                talkspurt_start: delivery.placement.talkspurt_start,
            };
            // Refused while the connection is still coming up, mostly: there is nobody to hear it.
            if session.send_audio(&audio, now).is_ok() {
                counters.frames_out += 1;
                delivered = true;
            } else {
                counters.frames_undeliverable += 1;
            }
            drive(id, terminals, socket, heard, counters);
        });
        if delivered {
            let path = if frame.sources.len() == 1 { &mut self.lone } else { &mut self.mixed };
            path.record(ingress_us, unix_us());
        }
    }

    fn take_plan(&mut self, key: MeetingKey, plan: relay::RoutePlan, now: Instant) {
        let Some(meeting) = self.meetings.get_mut(key) else { return };
        if meeting.core.handle_plan(wire::route_plan(plan), now) {
            meeting.speakers.send_replace(meeting.core.speakers().to_vec());
        }
    }

    fn take_command(&mut self, command: Command) {
        match command {
            Command::Attach(attach) => self.attach(attach),
            Command::Offer { terminal, sdp, reply } => {
                // Nobody waits for it any more: the connection is gone.
                let _ = reply.send(self.answer(terminal, &sdp));
            }
            Command::SetMuted { terminal, muted } => self.set_muted(terminal, muted),
            Command::Detach { terminal } => self.detach(terminal),
        }
    }

    fn attach(&mut self, attach: Attach) {
        let key = self.meetings.open(&attach.scope, attach.speakers);
        self.terminals.insert(attach.terminal, key, attach.participant);
        if let Some(meeting) = self.meetings.get_mut(key) {
            meeting.core.attach(attach.participant, attach.terminal, attach.muted);
        }
        self.say_needs(key);
    }

    fn say_needs(&mut self, key: MeetingKey) {
        let now = Instant::now();
        self.meetings.needs_changed(key, now);
        self.meetings.publish_needs(now);
    }

    fn answer(&mut self, id: TerminalId, sdp: &str) -> Result<String, MediaError> {
        let terminal = self.terminals.get_mut(id).ok_or(MediaError::NotAttached)?;
        let (meeting, participant) = (terminal.meeting, terminal.participant);
        let now = Instant::now();
        let (session, answer) = Session::answer(sdp, &self.candidates, &self.certificate, now)?;
        self.terminals.set_session(id, Some(session));
        if let Some(meeting) = self.meetings.get_mut(meeting) {
            meeting.core.restart_timelines(participant);
        }
        self.drive(id);
        Ok(answer)
    }

    fn set_muted(&mut self, id: TerminalId, muted: bool) {
        let Some(terminal) = self.terminals.get_mut(id) else { return };
        if let Some(meeting) = self.meetings.get_mut(terminal.meeting) {
            meeting.core.set_muted(terminal.participant, muted);
        }
    }

    fn detach(&mut self, id: TerminalId) {
        let Some(terminal) = self.terminals.remove(id) else { return };
        if let Some(meeting) = self.meetings.get_mut(terminal.meeting) {
            meeting.core.detach(terminal.participant, id);
        }
        self.say_needs(terminal.meeting);
        self.meetings.close_if_empty(terminal.meeting);
    }

    fn keep_house(&mut self) {
        self.meetings.publish_needs(Instant::now());
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
            Output::Event(Event::Connected) => counters.connected += 1,
            Output::Event(Event::Disconnected) => {
                counters.disconnected += 1;
                return terminals.set_session(id, None);
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

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
