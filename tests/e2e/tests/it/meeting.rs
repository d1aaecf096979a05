//! A running meeting for tests: a world, and terminals in it, each with a tone of its own.

use std::time::Duration;

use tributary_harness::directory::Directory;
use tributary_harness::hearing::Voice;
use tributary_harness::{Options, Service, World, wait};

/// Tones of the speakers in Hz.
pub const TONES: [f32; 4] = [440.0, 554.0, 659.0, 784.0];
/// How long a change may take to be heard by all when nothing is wrong.
const HEARD_DEADLINE: Duration = Duration::from_secs(10);

/// A world with a meeting and some terminals in it.
pub struct Meeting {
    pub world: World,
    pub directory: Directory,
    pub id: String,
    /// The first ones have a tone each, as in [`TONES`]; the others only listen.
    pub voices: Vec<Voice>,
}

impl Meeting {
    /// Two relays, and terminals behind them: one per entry of `relays`, which names its relay.
    pub async fn start(relays: &[usize]) -> Self {
        Self::start_with(Options::default(), relays).await
    }

    pub async fn start_with(options: Options, relays: &[usize]) -> Self {
        let world = World::start(options).await.unwrap();
        let directory = world.directory().unwrap();
        let organiser = directory.user("ada", "Ada", "a password for tests").await.unwrap();
        let id = directory.meeting(&organiser, "Test", true).await.unwrap();
        let mut meeting = Self { world, directory, id, voices: Vec::new() };
        for relay in relays {
            meeting.join(*relay).await;
        }
        meeting
    }

    /// Brings in one more terminal.
    pub async fn join(&mut self, relay: usize) {
        let url = self.world.relay_url(relay).unwrap();
        self.join_by(&url).await;
    }

    /// The same by the relay at this address.
    pub async fn join_by(&mut self, url: &str) {
        let index = self.voices.len();
        let tone = TONES.get(index).copied().unwrap_or_default();
        let name = format!("Terminal {index}");
        self.voices.push(Voice::join(url, &self.id, &name, tone, &TONES).await.unwrap());
    }

    /// Switches tones on and off; does not wait.
    pub fn set_speakers(&self, speakers: &[usize]) {
        for (index, voice) in self.voices.iter().enumerate() {
            voice.speak(speakers.contains(&index));
        }
    }

    /// Lets `speakers` speak and nobody else, and waits until everybody hears exactly the others.
    pub async fn speak(&self, speakers: &[usize]) {
        self.set_speakers(speakers);
        self.hears(speakers, HEARD_DEADLINE).await;
    }

    /// Waits until everybody hears exactly `speakers`, without themselves.
    pub async fn hears(&self, speakers: &[usize], deadline: Duration) {
        for voice in &self.voices {
            voice.listen_anew();
        }
        let what = format!("everybody to hear {speakers:?}, nobody else and not themselves");
        let heard = wait::until(what, deadline, || async { self.all_hear(speakers) }).await;
        if let Err(error) = heard {
            let now: Vec<_> = self.voices.iter().map(Voice::hears_now).collect();
            panic!("{error:#}; now: {now:?}");
        }
    }

    /// True if everybody hears exactly `speakers`, without themselves, at this moment.
    pub fn all_hear(&self, speakers: &[usize]) -> bool {
        // Everybody is asked each time: "now" is the time between two questions.
        let heard: Vec<_> = self.voices.iter().map(Voice::hears_now).collect();
        heard.iter().enumerate().all(|(listener, heard)| {
            heard
                .iter()
                .enumerate()
                .all(|(tone, heard)| *heard == Some(speakers.contains(&tone) && tone != listener))
        })
    }

    /// What the mixer has encoded, and in how many mixing ticks.
    pub async fn encodes_and_ticks(&self) -> (f64, f64) {
        let metrics = self.world.metrics(Service::Mixer).await.unwrap();
        let encodes = metrics.sum("tributary_mixer_encodes_total");
        (encodes, metrics.sum("tributary_mixer_mixing_ticks_total"))
    }

    /// Fails unless everybody is in the roster, once.
    pub async fn everybody_is_in_once(&self) {
        let roster = self.directory.roster(&self.id).await.unwrap();
        let mut names: Vec<_> = roster.iter().map(|person| person.display_name.clone()).collect();
        names.sort();
        let mut expected: Vec<_> =
            (0..self.voices.len()).map(|index| format!("Terminal {index}")).collect();
        expected.sort();
        assert_eq!(names, expected);
    }
}
