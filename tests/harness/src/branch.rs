//! A branch office: an edge relay in a network of its own, people behind it, and people outside.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::directory::{Directory, User};
use crate::netns::{Namespace, SocketBytes};
use crate::office::{Office, Seat, Seen};
use crate::{EdgeOptions, Options, Parent, RelayOptions, World, wait};

/// How long it may take until everybody hears who speaks.
const HEARD_DEADLINE: Duration = Duration::from_secs(15);

/// A world with a branch office.
pub struct Branch {
    /// What is inside goes first.
    pub inside: Office,
    /// Those who are attached to the core relay.
    pub outside: Office,
    /// The services.
    pub world: World,
    /// Users and meetings.
    pub directory: Directory,
    /// Who has made the meeting.
    pub organiser: User,
    /// The meeting.
    pub meeting_id: String,
    /// The branch's network.
    pub namespace: Arc<Namespace>,
}

impl Branch {
    /// Opens one; nobody is there yet.
    pub async fn open() -> Result<Self> {
        let namespace = Arc::new(Namespace::make()?);
        let options = Options {
            relays: vec![RelayOptions::named("Cloud").listening(namespace.host())],
            edges: vec![EdgeOptions::below("Office A", Parent::Relay(0)).inside(&namespace)],
            ..Options::default()
        };
        let world = World::start(options).await?;
        let directory = world.directory()?;
        let organiser = directory.user("ada", "Ada", "a password for branches").await?;
        let meeting_id = directory.meeting(&organiser, "Branch", true).await?;
        Ok(Self {
            inside: Office::open(Some(&namespace))?,
            outside: Office::open(None)?,
            world,
            directory,
            organiser,
            meeting_id,
            namespace,
        })
    }

    /// A seat behind the edge relay.
    pub fn seat_inside(&self, name: &str, hz: f32) -> Result<Seat> {
        self.seat(name, hz, self.world.edge_url(0)?)
    }

    /// A seat at the core relay.
    pub fn seat_outside(&self, name: &str, hz: f32) -> Result<Seat> {
        self.seat(name, hz, self.world.relay_url(0)?)
    }

    fn seat(&self, name: &str, hz: f32, relay_url: String) -> Result<Seat> {
        Ok(Seat {
            name: name.to_owned(),
            relay_urls: vec![relay_url],
            meeting_id: self.meeting_id.clone(),
            hz,
            listen_for: Vec::new(),
            packets: false,
        })
    }

    /// The edge relay's connection to its parent, as the kernel counts it.
    pub fn uplink(&self) -> Result<SocketBytes> {
        let port = self.world.uplink_address(Parent::Relay(0))?.port();
        let sockets = self.namespace.socket_bytes(port)?;
        ensure!(sockets.len() == 1, "the edge relay has {} connections", sockets.len());
        sockets.first().copied().context("the edge relay has no connection")
    }

    /// Waits until all who are there have heard at least that much of a tone, by its place in what they
    /// listen for, since the last `forget`.
    pub async fn heard(&self, tone: usize, inside: &[usize], outside: &[usize]) -> Result<()> {
        const ENOUGH_MS: u64 = 300;
        let has = |seen: &[Seen], who: &[usize]| {
            who.iter().all(|one| {
                let heard = seen.get(*one).and_then(|seen| seen.heard_ms.get(tone));
                heard.is_some_and(|ms| *ms >= ENOUGH_MS)
            })
        };
        let what = format!("{inside:?} inside and {outside:?} outside to hear tone {tone}");
        wait::until(what, HEARD_DEADLINE, || async {
            let seen = (self.inside.look().await, self.outside.look().await);
            matches!(seen, (Ok(inner), Ok(outer)) if has(&inner, inside) && has(&outer, outside))
        })
        .await
    }

    /// Everybody counts anew.
    pub async fn forget(&self) -> Result<()> {
        self.inside.forget().await?;
        self.outside.forget().await
    }

    /// Everybody leaves, and all ends.
    pub async fn close(self) -> Result<()> {
        self.inside.leave().await?;
        self.outside.leave().await?;
        drop((self.inside, self.outside));
        self.world.end().await
    }
}
