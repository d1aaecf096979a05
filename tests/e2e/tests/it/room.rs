//! A meeting for tests of what people do in it: a world, its organiser, and guests, all without sound.

use std::time::Duration;

use tributary_contracts::admin::v1::CreateMeetingRequest;
use tributary_contracts::event::v1::MeetingEvent;
use tributary_harness::directory::{Directory, ORGANISATION, User};
use tributary_harness::{Options, World};
use tributary_identifiers::MeetingId;
use tributary_terminal::{
    IdentitySource, JoinError, MeetingTarget, Options as TerminalOptions, Snapshot, Target,
    Terminal,
};

/// How long it may take until everybody knows.
pub const DEADLINE: Duration = Duration::from_secs(15);

/// A world with a meeting that anybody may join.
pub struct Room {
    pub world: World,
    pub directory: Directory,
    pub organiser: User,
    pub id: MeetingId,
}

impl Room {
    /// With two relays.
    pub async fn open() -> Self {
        Self::open_with(false).await
    }

    /// The same; outsiders may have to wait in the lobby.
    pub async fn open_with(lobby: bool) -> Self {
        Self::open_as(Options::default(), lobby).await
    }

    /// In a world that is made so.
    pub async fn open_in(options: Options) -> Self {
        Self::open_as(options, false).await
    }

    async fn open_as(options: Options, lobby: bool) -> Self {
        let world = World::start(options).await.unwrap();
        let directory = world.directory().unwrap();
        let organiser = directory.user("ada", "Ada", "a password for tests").await.unwrap();
        let meeting = CreateMeetingRequest {
            organisation: ORGANISATION.to_owned(),
            subject: "Room".to_owned(),
            organiser_user_id: organiser.user_id.clone(),
            lobby,
            ..Default::default()
        };
        let id = directory.create_meeting(meeting).await.unwrap();
        directory.share_link(&organiser, &id).await.unwrap();
        Self { world, directory, organiser, id: id.parse().unwrap() }
    }

    fn options(&self, relay: usize, who: IdentitySource) -> TerminalOptions {
        let url = self.world.relay_url(relay).unwrap();
        let target = MeetingTarget::Existing(Target::new(self.id));
        let record_events = true;
        TerminalOptions { media: false, record_events, ..TerminalOptions::new(url, who, target) }
    }

    /// A guest, by the relay with this index.
    pub async fn try_guest(&self, relay: usize, name: &str) -> Result<Terminal, JoinError> {
        let who = IdentitySource::Guest { display_name: name.to_owned() };
        Terminal::join(self.options(relay, who)).await
    }

    pub async fn guest(&self, relay: usize, name: &str) -> Terminal {
        self.try_guest(relay, name).await.unwrap()
    }

    /// Somebody with an account.
    pub async fn user(&self, relay: usize, user: &User) -> Result<Terminal, JoinError> {
        let (user_name, password) = (user.user_name.clone(), user.password.clone());
        let who = IdentitySource::LogIn { user_name, password };
        Terminal::join(self.options(relay, who)).await
    }

    /// The organiser.
    pub async fn host(&self, relay: usize) -> Terminal {
        self.user(relay, &self.organiser).await.unwrap()
    }

    /// What has happened, as the database has it.
    pub async fn log(&self) -> Vec<MeetingEvent> {
        self.directory.log(&self.id.to_string()).await.unwrap()
    }
}

/// Waits until a terminal knows something.
pub async fn knows(terminal: &Terminal, what: impl FnMut(&Snapshot) -> bool) -> Snapshot {
    terminal.wait_until(what, DEADLINE).await.unwrap()
}
