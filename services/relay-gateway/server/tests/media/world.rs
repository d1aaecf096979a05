//! A nats-server, the media thread, and the mixer's side of the bus.

use std::{
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use prost::Message as _;
use tokio::sync::watch;
use tributary_contracts::{
    media::v1::{self as media, TrackRole},
    relay::v1::{RelayNeeds, RoutePlan},
};
use tributary_identifiers::{ParticipantId, RelayId};
use tributary_message_bus::{
    MediaBus, MediaInbox, MediaSubscription,
    subjects::{self, MeetingScope},
};
use tributary_relay_gateway_server::media::{
    Attach, CarriedBy, MediaConfig, MediaHandle, TerminalId,
};
use tributary_service_runtime::{NatsConfig, Platform, PlatformConfig};
use tributary_speaker_selection::Config as SelectionConfig;

use crate::peer::Peer;

/// Nothing here takes this long unless it does not happen at all.
pub const PATIENCE: Duration = Duration::from_secs(20);
pub const FRAME: Duration = Duration::from_millis(20);
const EPOCH: u64 = 7;

struct Nats(Child, u16);

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Nats {
    fn start() -> Self {
        let program = std::env::var("NATS_SERVER")
            .expect("NATS_SERVER must name the nats-server program: run `just test`");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(program)
            .args(["-a", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let nats = Self(process, port);
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "nats-server did not start");
            std::thread::yield_now();
        }
        nats
    }
}

/// A terminal's peer connection with a relay, when it is up.
pub async fn connect(media: &MediaHandle, terminal: TerminalId, sections: usize) -> Peer {
    let (peer, offer) = Peer::offering(sections).await;
    let answer = media.offer(terminal, offer).await.unwrap();
    peer.connect(answer).await
}

/// What comes to the mixer.
#[derive(Clone, Debug)]
pub enum Heard {
    Frames(MeetingScope, media::SendBatch),
    Needs(MeetingScope, RelayNeeds),
}

#[derive(Clone, Copy)]
enum Tag {
    Up,
    Need,
}

pub struct World {
    pub media: MediaHandle,
    relay: RelayId,
    mixer: MediaBus,
    inbox: MediaInbox<Tag>,
    sequence: u64,
    platform: Platform,
    _subscriptions: [MediaSubscription; 3],
    _nats: Nats,
}

impl Drop for World {
    fn drop(&mut self) {
        self.platform.shutdown.cancel();
    }
}

/// Meetings 1 and 2 are heard by the mixer.
pub fn scope(number: u64) -> MeetingScope {
    MeetingScope {
        organisation: "test".parse().unwrap(),
        meeting: (1 << 60 | number).to_string().parse().unwrap(),
    }
}

pub fn unix_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64
}

pub fn frame(
    role: media::TrackRole,
    who: u32,
    sources: &[u32],
    targets: &[u32],
) -> media::TrackFrame {
    media::TrackFrame {
        track: Some(media::Track { role: role.into(), participant_id: who, room_id: 0 }),
        stream: 1,
        source_ids: sources.to_vec(),
        target_ids: targets.to_vec(),
        level: 20,
        payload: Bytes::from(vec![who as u8 + 1; 60]),
        ..media::TrackFrame::default()
    }
}

/// A participant with an open microphone.
pub fn attaching(
    terminal: TerminalId,
    number: u64,
    participant: u32,
    carried: Option<CarriedBy>,
) -> Attach {
    Attach {
        terminal,
        scope: scope(number),
        participant: ParticipantId(participant),
        muted: false,
        held: false,
        carried,
        speakers: watch::channel(Vec::new()).0,
    }
}

impl World {
    pub async fn start(room: bool) -> Self {
        let nats = Nats::start();
        let nats_config =
            NatsConfig { url: format!("nats://127.0.0.1:{}", nats.1), ..NatsConfig::default() };
        let platform =
            Platform::new(PlatformConfig { nats: nats_config.clone(), ..<_>::default() });
        let relay: RelayId = "office".parse().unwrap();
        let config = MediaConfig {
            relay: relay.clone(),
            udp_listen: ([127, 0, 0, 1], 0).into(),
            udp_advertise: Vec::new(),
            selection: SelectionConfig::default(),
            room,
            catch_up: Duration::from_secs(2),
        };
        let media = MediaHandle::start(config, &platform).await.unwrap();
        let dependency = platform.readiness.dependency("mixer");
        let mixer = MediaBus::connect(&nats_config, "mixer", &dependency).await.unwrap();
        let inbox = MediaInbox::default();
        let subscriptions = [
            mixer.subscribe(scope(1).up_all(), Tag::Up, &inbox).await.unwrap(),
            mixer.subscribe(scope(2).up_all(), Tag::Up, &inbox).await.unwrap(),
            mixer.subscribe(subjects::all_needs(), Tag::Need, &inbox).await.unwrap(),
        ];
        let world = Self {
            media,
            relay,
            mixer,
            inbox,
            sequence: 0,
            platform,
            _subscriptions: subscriptions,
            _nats: nats,
        };
        while !world.platform.readiness.is_ready() {
            tokio::task::yield_now().await;
        }
        world
    }

    pub async fn attach(
        &self,
        terminal: u64,
        number: u64,
        participant: u32,
        held: bool,
    ) -> TerminalId {
        let terminal = TerminalId(terminal);
        let attach = Attach { held, ..attaching(terminal, number, participant, None) };
        self.media.attach(attach).await.unwrap();
        terminal
    }

    /// A terminal's peer connection, when it is up.
    pub async fn connect(&self, terminal: TerminalId, sections: usize) -> Peer {
        connect(&self.media, terminal, sections).await
    }

    /// The next thing that comes to the mixer.
    pub async fn heard(&self) -> Heard {
        let next = async {
            loop {
                if let Some(delivery) = self.inbox.pop() {
                    let (subject, payload) = (&delivery.message.subject, delivery.message.payload);
                    let (scope, _) = subjects::meeting_and_relay(subject).unwrap();
                    return match delivery.tag {
                        Tag::Up => Heard::Frames(scope, media::SendBatch::decode(payload).unwrap()),
                        Tag::Need => Heard::Needs(scope, RelayNeeds::decode(payload).unwrap()),
                    };
                }
                self.inbox.arrived().await;
            }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("nothing came to the mixer")
    }

    /// The next frames that come to the mixer, whatever is needed.
    pub async fn frames(&self) -> (MeetingScope, Vec<media::SendFrame>) {
        let frames = async {
            loop {
                if let Heard::Frames(scope, batch) = self.heard().await {
                    return (scope, batch.frames);
                }
            }
        };
        tokio::time::timeout(PATIENCE, frames).await.expect("no frames came to the mixer")
    }

    /// The next needs of a meeting that are not these.
    pub async fn needs_other_than(&self, number: u64, participants: &[u32]) -> RelayNeeds {
        let needs = async {
            loop {
                if let Heard::Needs(of, needs) = self.heard().await
                    && of == scope(number)
                    && needs.participant_ids != participants
                {
                    return needs;
                }
            }
        };
        tokio::time::timeout(PATIENCE, needs).await.expect("no other needs came to the mixer")
    }

    /// Sends what comes up in a meeting down again, as a mixer does that hears one voice.
    pub async fn mix_one(&mut self, number: u64) -> media::SendFrame {
        self.mix_some(number).await[0].clone()
    }

    /// The same; all that has come up at once.
    pub async fn mix_some(&mut self, number: u64) -> Vec<media::SendFrame> {
        let (of, frames) = self.frames().await;
        assert_eq!(of, scope(number));
        for voice in &frames {
            let who = voice.participant_id;
            let role =
                if voice.target_ids.is_empty() { TrackRole::Common } else { TrackRole::Private };
            let frame = media::TrackFrame {
                payload: voice.payload.clone(),
                ..frame(role, who, &[who], &voice.target_ids)
            };
            self.send(number, frame);
        }
        frames
    }

    /// Says who gets what.
    pub fn plan(&self, number: u64, plan: RoutePlan) {
        let plan = RoutePlan { epoch: EPOCH, ..plan };
        assert!(self.mixer.publish(&scope(number).plan(&self.relay), plan.encode_to_vec().into()));
    }

    /// Sends a frame down as the mixer does.
    pub fn send(&mut self, number: u64, frame: media::TrackFrame) {
        self.sequence += 1;
        let scope = scope(number);
        let common = frame.track.unwrap().role() == media::TrackRole::Common;
        let subject = if common { scope.down_common() } else { scope.down_relay(&self.relay) };
        let frame = media::TrackFrame {
            media_time: self.sequence as u32 * 960,
            ingress_us: unix_us(),
            ..frame
        };
        let batch =
            media::TrackBatch { epoch: EPOCH, sequence: self.sequence, frames: vec![frame] };
        assert!(self.mixer.publish(&subject, batch.encode_to_vec().into()));
    }

    /// Sends a frame down again and again until the peer hears something, and says what.
    pub async fn send_until_heard(
        &mut self,
        number: u64,
        frame: &media::TrackFrame,
        peer: &mut Peer,
    ) -> tributary_rtc_session::IncomingAudio {
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "the peer hears nothing");
            self.send(number, frame.clone());
            if let Ok(audio) = tokio::time::timeout(FRAME, peer.heard()).await {
                return audio;
            }
        }
    }
}
