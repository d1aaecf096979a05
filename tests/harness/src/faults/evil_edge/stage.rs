//! Who is there, and what counts.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tributary_contracts::admin::v1 as admin;
use tributary_terminal::{
    IdentitySource, MeetingTarget, Options as TerminalOptions, Target, Terminal,
};

use super::child::Relay;
use crate::directory::{Directory, ORGANISATION};
use crate::faults::attempts::Attempts;
use crate::hearing::Voice;
use crate::seeded::Seeded;
use crate::{EdgeOptions, Options, Parent, RelayOptions, Service, World, wait};

/// What is spoken in the meeting and in the other one, and what the evil relay would like to be heard.
pub const TONES: [f32; 3] = [440.0, 660.0, 1500.0];
/// Which of them is the evil relay's.
const EVIL: usize = 2;
/// The longest time without a packet that goes unnoticed, and the part of frames that may be concealed.
const STALL_MAX: Duration = Duration::from_millis(400);
const CONCEALED_MAX: f64 = 0.02;
const HEARD_DEADLINE: Duration = Duration::from_secs(10);

/// A world, honest people in two meetings, and two evil relays.
pub struct Stage {
    /// The services.
    pub world: World,
    /// Users and meetings.
    pub directory: Directory,
    /// The meeting.
    pub meeting_id: String,
    /// One in which nobody behind an evil relay is.
    pub other_meeting_id: String,
    /// Two at the core relay and two behind the honest edge relay; the first one speaks all the time.
    pub voices: Vec<Voice>,
    /// Two in the other meeting; the first one speaks all the time.
    pub elsewhere: Vec<Voice>,
    /// Behind the honest edge relay, without sound; keeps what it has signed.
    pub writer: Terminal,
    /// The evil relay, and its accomplice.
    pub evil: Relay,
    /// See there.
    pub second: Relay,
    /// The token by which the evil one was enrolled.
    pub used_token: String,
    /// Choices.
    pub seeded: Seeded,
    /// What was tried, and what has come of it.
    pub attempts: Attempts,
}

impl Stage {
    /// Sets everything up.
    pub async fn set(seed: u64) -> Result<Self> {
        let world = World::start(Options {
            relays: vec![RelayOptions::named("Cloud")],
            edges: vec![EdgeOptions::below("Office A", Parent::Relay(0))],
            ..Options::default()
        })
        .await?;
        let directory = world.directory()?;
        let organiser = directory.user("ada", "Ada", "a password for honest people").await?;
        let meeting_id = directory.meeting(&organiser, "Honest", true).await?;
        let other_meeting_id = directory.meeting(&organiser, "Elsewhere", true).await?;
        let (core, edge) = (world.relay_url(0)?, world.edge_url(0)?);
        let mut voices = Vec::new();
        for (index, url) in [&core, &core, &edge, &edge].into_iter().enumerate() {
            let name = format!("Honest {index}");
            voices.push(Voice::join(url, &meeting_id, &name, TONES[0], &TONES).await?);
        }
        let mut elsewhere = Vec::new();
        for (index, url) in [&core, &edge].into_iter().enumerate() {
            let name = format!("Elsewhere {index}");
            elsewhere.push(Voice::join(url, &other_meeting_id, &name, TONES[1], &TONES).await?);
        }
        let who = IdentitySource::Guest { display_name: "Writer".to_owned() };
        let target = MeetingTarget::Existing(Target::new(meeting_id.parse()?));
        let options = TerminalOptions::new(&edge, who, target);
        let writer = TerminalOptions { media: false, record_events: true, ..options };
        let writer = Terminal::join(writer).await.context("bring the writer in")?;
        let parent = world.uplink_address(Parent::Relay(0))?;
        let token = directory.enrolment(relay("mallory")).await?;
        let evil = Relay::enrol(parent, &token).await?;
        let second = directory.enrolment(relay("moriarty")).await?;
        let second = Relay::enrol(parent, &second).await?;
        let stage = Self {
            world,
            directory,
            meeting_id,
            other_meeting_id,
            voices,
            elsewhere,
            writer,
            evil,
            second,
            used_token: token,
            seeded: Seeded::new(seed),
            attempts: Attempts::default(),
        };
        stage.let_them_speak().await?;
        Ok(stage)
    }

    async fn let_them_speak(&self) -> Result<()> {
        for voices in [&self.voices, &self.elsewhere] {
            voices.first().context("nobody is there")?.speak(true);
        }
        for (voices, tone) in [(&self.voices, 0), (&self.elsewhere, 1)] {
            for voice in voices.iter().skip(1) {
                let what = "everybody to hear who speaks";
                wait::until(what, HEARD_DEADLINE, || async {
                    voice.heard_since_forgotten().get(tone).is_some_and(|ms| *ms > 500)
                })
                .await?;
            }
        }
        for voice in self.everybody() {
            voice.terminal().reset_hearing();
        }
        Ok(())
    }

    /// All honest people with a voice.
    pub fn everybody(&self) -> impl Iterator<Item = &Voice> {
        self.voices.iter().chain(&self.elsewhere)
    }

    /// Counts an attempt.
    pub fn tried(&mut self, kind: &'static str, success: bool) {
        self.tried_often(kind, 1, usize::from(success));
    }

    /// Counts many.
    pub fn tried_often(&mut self, kind: &'static str, attempts: usize, successes: usize) {
        self.attempts.count(kind, attempts, successes);
    }

    /// True if anybody has heard what the evil relay says, so far.
    pub fn is_evil_heard(&self) -> bool {
        let heard = |voice: &Voice| voice.terminal().hearing().heard_ms(TONES[EVIL]);
        self.everybody().any(|voice| heard(voice) > 0)
    }

    /// How those fared who have nothing to do with it.
    pub async fn undisturbed(&mut self) -> Result<Quiet> {
        let ended = self.world.any_ended();
        let listeners = self.voices.iter().skip(1).chain(self.elsewhere.iter().skip(1));
        let hearing: Vec<_> = listeners.map(|voice| voice.terminal().hearing()).collect();
        ensure!(hearing.iter().all(|one| one.packets > 500), "they have hardly heard anything");
        let connections = self.everybody().map(|voice| voice.terminal().snapshot().connections);
        Ok(Quiet {
            stall_max: hearing.iter().map(|one| one.stall_max).max().unwrap_or_default(),
            concealed: hearing.iter().map(|one| one.concealment.ratio()).fold(0.0, f64::max),
            reconnections: connections.map(|times| times.saturating_sub(1)).sum(),
            evil_heard: self.is_evil_heard(),
            ended,
        })
    }

    /// Everybody leaves, and all ends.
    pub async fn strike(self) -> Result<()> {
        self.writer.leave().await;
        for voice in self.voices.into_iter().chain(self.elsewhere) {
            voice.leave().await?;
        }
        self.world.end().await
    }
}

/// What was heard by those who should notice nothing.
pub struct Quiet {
    stall_max: Duration,
    concealed: f64,
    reconnections: u32,
    evil_heard: bool,
    ended: Option<Service>,
}

impl Quiet {
    /// They have noticed nothing.
    pub fn holds(&self) -> bool {
        self.stall_max <= STALL_MAX
            && self.concealed <= CONCEALED_MAX
            && self.reconnections == 0
            && !self.evil_heard
            && self.ended.is_none()
    }

    /// For the report.
    pub fn json(&self) -> Value {
        json!({
            "stall_max_ms": self.stall_max.as_millis(),
            "concealed": (self.concealed * 10_000.0).round() / 10_000.0,
            "reconnections": self.reconnections,
            "evil_heard": self.evil_heard,
            "ended": self.ended.map(|service| format!("{service:?}")),
        })
    }
}

fn relay(id: &str) -> admin::Relay {
    admin::Relay {
        organisation: ORGANISATION.to_owned(),
        relay_id: id.to_owned(),
        name: id.to_owned(),
        ..Default::default()
    }
}
