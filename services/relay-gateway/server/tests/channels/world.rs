//! The media of a relay that is attached to nothing: channels need no more.

use std::time::Duration;

use tokio::sync::watch;
use tributary_identifiers::ParticipantId;
use tributary_message_bus::subjects::MeetingScope;
use tributary_relay_gateway_server::media::{
    Attach, ChildPort, DataLink, MediaConfig, MediaHandle, TerminalId,
};
use tributary_service_runtime::{Platform, PlatformConfig};
use tributary_speaker_selection::Config as SelectionConfig;

use crate::{
    peer::Peer,
    terminal::{Offering, Terminal},
};

/// Nothing here takes this long unless it does not happen at all.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct World {
    pub media: MediaHandle,
    pub platform: Platform,
    _parent: ChildPort,
}

impl Drop for World {
    fn drop(&mut self) {
        self.platform.shutdown.cancel();
    }
}

/// What does not happen within [`PATIENCE`] fails the test.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what}: never"))
}

impl World {
    pub async fn start() -> Self {
        let platform = Platform::new(PlatformConfig::default());
        let config = MediaConfig {
            relay: "office".parse().unwrap(),
            udp_listen: ([127, 0, 0, 1], 0).into(),
            udp_advertise: Vec::new(),
            selection: SelectionConfig::default(),
            room: false,
            catch_up: Duration::from_secs(2),
        };
        let (media, parent) = MediaHandle::start_edge(config, &platform).await.unwrap();
        Self { media, platform, _parent: parent }
    }

    /// A channel that is open on both sides.
    pub async fn channel(&self) -> (Terminal, DataLink) {
        let (offering, offer) = Offering::new().await;
        let (answer, mut link) = self.media.accept_channel(offer).await.unwrap();
        let terminal = offering.connect(&answer);
        assert!(soon("the opening", link.rx.opened()).await);
        (terminal, link)
    }

    /// A participant with a voice, whose peer connection is up.
    pub async fn voice(&self, number: u64) -> Peer {
        let terminal = TerminalId(number);
        let attach = Attach {
            terminal,
            scope: MeetingScope {
                organisation: "test".parse().unwrap(),
                meeting: (1 << 60 | 1_u64).to_string().parse().unwrap(),
            },
            participant: ParticipantId(u32::try_from(number).unwrap()),
            muted: false,
            held: false,
            carried: None,
            speakers: watch::channel(Vec::new()).0,
        };
        self.media.attach(attach).await.unwrap();
        let (peer, offer) = Peer::offering(1).await;
        let answer = self.media.offer(terminal, offer).await.unwrap();
        peer.connect(answer).await
    }
}
