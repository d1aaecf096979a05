//! The audio of all terminals of the process: one thread that encodes and sends every 20 ms by absolute
//! deadlines, and receives and listens at once. A microphone that hears nothing or is off goes on sending
//! silence, as a browser's does; one that is given to nobody sends nothing.

use std::{
    io,
    net::{SocketAddr, UdpSocket as StdUdpSocket},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use tokio::{
    net::UdpSocket,
    runtime::Handle,
    sync::{mpsc, watch},
};
use tributary_audio::{
    CodecError, Encoder, FRAME_SAMPLES, LEVEL_SILENCE, PACKET_BYTES_MAX, level_dbov,
};
use tributary_rtc_session::{Event, OutgoingAudio, Output, Session};

use crate::{
    Section,
    hearing::Ear,
    packets::{Direction, PacketLog, PacketRecord},
    source::Player,
};

const FRAME: Duration = Duration::from_millis(20);
/// A sender that is later than this skips frames instead of sending a burst.
const BEHIND_MAX: Duration = Duration::from_millis(100);
const BITS_PER_SECOND: i32 = 32_000;
/// Silent frames that are encoded before the same packet is sent again and again: the encoder has
/// forgotten the sound by then.
const SILENT_FRAMES_ENCODED: u32 = 10;
const DATAGRAM_BYTES_MAX: usize = 2_048;
/// Datagrams taken at once before it is somebody else's turn.
const DATAGRAMS_AT_ONCE: usize = 32;

/// How the peer connection of a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkState {
    None,
    Connecting(u64),
    Connected(u64),
    Gone(u64),
}

pub(crate) enum Command {
    /// From now on this peer connection; the one before is forgotten.
    Use(Box<NewLink>),
    /// Say goodbye and end.
    Close,
}

pub(crate) struct NewLink {
    pub(crate) number: u64,
    pub(crate) socket: StdUdpSocket,
    pub(crate) local: SocketAddr,
    pub(crate) session: Session,
}

/// Whom the microphone is given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voice {
    Nobody,
    Meeting,
    Private,
}

impl Voice {
    fn section(self) -> Option<Section> {
        match self {
            Self::Nobody => None,
            Self::Meeting => Some(Section::Meeting),
            Self::Private => Some(Section::FirstPrivate),
        }
    }
}

/// What the audio thread and the rest share.
pub(crate) struct Desk {
    pub(crate) player: Mutex<Player>,
    pub(crate) ear: Mutex<Ear>,
    pub(crate) packets: Option<Mutex<PacketLog>>,
    /// The microphone is off for the meeting; private talk goes on.
    pub(crate) muted: AtomicBool,
    voice: AtomicU8,
}

impl Desk {
    pub(crate) fn new(
        player: Player,
        ear: Ear,
        packets: Option<Mutex<PacketLog>>,
        muted: bool,
    ) -> Self {
        Self {
            player: Mutex::new(player),
            ear: Mutex::new(ear),
            packets,
            muted: AtomicBool::new(muted),
            voice: AtomicU8::new(Voice::Meeting as u8),
        }
    }

    /// From the next frame on the microphone is given to these, and to nobody else.
    pub(crate) fn speak_to(&self, voice: Voice) {
        self.voice.store(voice as u8, Ordering::SeqCst);
    }

    fn voice(&self) -> Voice {
        let voice = self.voice.load(Ordering::SeqCst);
        let all = [Voice::Nobody, Voice::Meeting, Voice::Private];
        all.into_iter().find(|known| *known as u8 == voice).unwrap_or(Voice::Nobody)
    }

    fn log(
        &self,
        (direction, section): (Direction, usize),
        payload: &[u8],
        media_time: u32,
        level: Option<u8>,
        at: Instant,
    ) {
        if let (Some(packets), Some(section)) = (&self.packets, Section::of(section)) {
            let (digest, bytes) = (0, 0);
            let record = PacketRecord { at, direction, section, digest, bytes, media_time, level };
            lock(packets).push(payload, record);
        }
    }
}

/// A panic elsewhere leaves nothing half-done here.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The audio thread of the process, started on first use.
fn audio_thread() -> io::Result<Handle> {
    static THREAD: Mutex<Option<Handle>> = Mutex::new(None);
    let mut started = lock(&THREAD);
    if let Some(handle) = &*started {
        return Ok(handle.clone());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new()
        .name("terminal-audio".into())
        .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
    *started = Some(handle.clone());
    Ok(handle)
}

/// Starts a terminal's audio. It ends when the commands do.
pub(crate) fn start(
    desk: Arc<Desk>,
    commands: mpsc::Receiver<Command>,
    state: watch::Sender<LinkState>,
) -> io::Result<()> {
    let mut random = [0; 4];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let encoder = Encoder::voice(BITS_PER_SECOND).map_err(io::Error::other)?;
    let silence = silence_packet().map_err(io::Error::other)?;
    let audio = Audio {
        desk,
        state,
        link: None,
        encoder,
        silence,
        silent_frames: 0,
        media_time: u32::from_ne_bytes(random),
        next_frame: Instant::now(),
        talkspurt_start: true,
        voice: Voice::Meeting,
    };
    audio_thread()?.spawn(audio.run(commands));
    Ok(())
}

fn silence_packet() -> Result<Bytes, CodecError> {
    let mut encoder = Encoder::voice(BITS_PER_SECOND)?;
    let mut packet = [0; PACKET_BYTES_MAX];
    let mut length = 0;
    for _ in 0..SILENT_FRAMES_ENCODED {
        length = encoder.encode(&[0.0; FRAME_SAMPLES], &mut packet)?;
    }
    Ok(Bytes::copy_from_slice(packet.get(..length).unwrap_or_default()))
}

struct Link {
    number: u64,
    socket: UdpSocket,
    local: SocketAddr,
    session: Session,
    due: Instant,
}

struct Audio {
    desk: Arc<Desk>,
    state: watch::Sender<LinkState>,
    link: Option<Link>,
    encoder: Encoder,
    silence: Bytes,
    silent_frames: u32,
    media_time: u32,
    next_frame: Instant,
    talkspurt_start: bool,
    /// To whom the last frame was given.
    voice: Voice,
}

impl Audio {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
        loop {
            let due = self.link.as_ref().map_or(self.next_frame, |link| link.due);
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(Command::Use(link)) => self.use_link(*link),
                    Some(Command::Close) => return self.close(),
                    None => return,
                },
                () = tokio::time::sleep_until(self.next_frame.min(due).into()) => {}
                () = readable(self.link.as_ref()) => self.receive(&mut datagram),
            }
            let now = Instant::now();
            if now >= self.next_frame {
                self.send_frame(now);
            }
            if let Some(link) = &mut self.link
                && now >= link.due
            {
                link.session.handle_timeout(now);
            }
            self.drain();
        }
    }

    fn use_link(&mut self, new: NewLink) {
        let NewLink { number, socket, local, mut session } = new;
        let socket = socket.set_nonblocking(true).and_then(|()| UdpSocket::from_std(socket));
        match socket {
            Ok(socket) => {
                let now = Instant::now();
                session.handle_timeout(now);
                self.link = Some(Link { number, socket, local, session, due: now });
                self.state.send_replace(LinkState::Connecting(number));
                self.talkspurt_start = true;
                lock(&self.desk.ear).start_stream();
            }
            Err(error) => {
                tracing::warn!(%error, "no media socket");
                self.state.send_replace(LinkState::Gone(number));
            }
        }
    }

    fn close(mut self) {
        if let Some(link) = &mut self.link {
            link.session.close();
        }
        self.drain();
    }

    fn receive(&mut self, datagram: &mut [u8]) {
        let Some(link) = &mut self.link else { return };
        for _ in 0..DATAGRAMS_AT_ONCE {
            // An error is that of an earlier datagram that nobody took; ICE notices by itself.
            let Ok((length, source)) = link.socket.try_recv_from(datagram) else { return };
            let bytes = datagram.get(..length).unwrap_or_default();
            link.session.receive(source, link.local, bytes, Instant::now());
        }
    }

    /// Sends the next 20 ms.
    fn send_frame(&mut self, now: Instant) {
        let behind = now.saturating_duration_since(self.next_frame);
        if behind > BEHIND_MAX {
            let skipped = (behind.as_millis() / FRAME.as_millis()) as u32;
            self.next_frame += FRAME * skipped;
            self.media_time = self.media_time.wrapping_add(skipped * FRAME_SAMPLES as u32);
        }
        self.next_frame += FRAME;
        self.media_time = self.media_time.wrapping_add(FRAME_SAMPLES as u32);
        let mut samples = [0.0; FRAME_SAMPLES];
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let section = self.turn_to(self.desk.voice());
        let muted = match section {
            Some(Section::Meeting) => self.desk.muted.load(Ordering::Relaxed),
            Some(_) => false,
            None => true,
        };
        lock(&self.desk.player).fill(&mut samples, muted, unix);
        let Some(section) = section else { return };
        if !self.link.as_ref().is_some_and(|link| link.session.is_connected()) {
            return;
        }
        let level = level_dbov(&samples);
        let Some(payload) = self.encode(&samples, level) else { return };
        let Some(link) = &mut self.link else { return };
        let section = section.index();
        let frame = OutgoingAudio {
            section,
            media_time: self.media_time,
            payload,
            level: Some(level),
            talkspurt_start: std::mem::take(&mut self.talkspurt_start),
        };
        let now = Instant::now();
        match link.session.send_audio(&frame, now) {
            Ok(()) => {
                let (payload, time, level) = (&frame.payload, frame.media_time, frame.level);
                self.desk.log((Direction::Sent, section), payload, time, level, now);
            }
            Err(error) => tracing::debug!(%error, "audio not sent"),
        }
    }

    /// Notes whom the next frame is given to. The encoder remembers the end of the last one: with others
    /// it begins anew, so that nothing of what these have heard comes to those.
    fn turn_to(&mut self, voice: Voice) -> Option<Section> {
        if std::mem::replace(&mut self.voice, voice) != voice {
            self.talkspurt_start = true;
            self.silent_frames = 0;
            if let Err(error) = self.encoder.reset() {
                tracing::warn!(%error, "the encoder can't begin anew");
                self.voice = Voice::Nobody;
                return None;
            }
        }
        voice.section()
    }

    fn encode(&mut self, samples: &[f32], level: u8) -> Option<Bytes> {
        if level == LEVEL_SILENCE {
            self.silent_frames = self.silent_frames.saturating_add(1);
            if self.silent_frames > SILENT_FRAMES_ENCODED {
                return Some(self.silence.clone());
            }
        } else {
            if self.silent_frames > SILENT_FRAMES_ENCODED {
                // It has not encoded the silence that the other side decoded since.
                self.encoder.reset().ok()?;
            }
            self.silent_frames = 0;
        }
        let mut packet = [0; PACKET_BYTES_MAX];
        let length = self.encoder.encode(samples, &mut packet).ok()?;
        packet.get(..length).map(Bytes::copy_from_slice)
    }

    /// Does what the session wants done.
    fn drain(&mut self) {
        let Some(link) = &mut self.link else { return };
        loop {
            match link.session.poll() {
                Output::Timeout(due) => {
                    link.due = due;
                    return;
                }
                Output::Transmit { destination, contents } => {
                    // What the kernel does not take is lost, as on any network.
                    let _ = link.socket.try_send_to(&contents, destination);
                }
                Output::Event(Event::Connected) => {
                    self.state.send_replace(LinkState::Connected(link.number));
                }
                Output::Event(Event::Disconnected) => {
                    self.state.send_replace(LinkState::Gone(link.number));
                }
                Output::Event(Event::Audio(audio)) => {
                    let now = Instant::now();
                    let (time, level) = (audio.media_time, audio.level);
                    let way = (Direction::Received, audio.section);
                    self.desk.log(way, &audio.payload, time, level, now);
                    lock(&self.desk.ear).push(&audio, now);
                }
            }
        }
    }
}

async fn readable(link: Option<&Link>) {
    match link {
        // An error comes out of the read that follows.
        Some(link) => drop(link.socket.readable().await),
        None => std::future::pending().await,
    }
}
