//! The smoke run: six terminals behind two relays, each with a tone of its own, speaking in turn, in
//! pairs and in threes; who hears whom, what the mixer encodes, how long voices take, and what twenty
//! listeners behind one relay cost.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::hearing::Voice;
use crate::metrics::Metrics;
use crate::{Options, Service, World, wait};

/// Tones of the terminals in Hz: none is a harmonic of another.
const TONES: [f32; 6] = [440.0, 554.0, 659.0, 784.0, 932.0, 1109.0];
/// The first three are behind the first relay, the others behind the second.
const BEHIND_FIRST: usize = 3;
/// Who speaks at the same time: within a group and across groups.
const PAIRS: [[usize; 2]; 5] = [[0, 3], [1, 4], [2, 5], [0, 1], [4, 5]];
const THREES: [[usize; 3]; 3] = [[0, 1, 2], [0, 3, 4], [1, 2, 5]];
/// Listeners behind the second relay when its bytes are measured.
const CROWD: usize = 20;
/// How long a change may take to be heard by all.
const HEARD_DEADLINE: Duration = Duration::from_secs(10);
/// How long the steady state of a phase is watched.
const WATCH: Duration = Duration::from_millis(700);
/// How long somebody speaks while bytes are measured.
const SPEECH: Duration = Duration::from_secs(3);

const LATENCY: &str = "tributary_relay_added_latency_seconds";
const LONE_P50_MS_MAX: f64 = 5.0;
const MIXED_P50_MS_MAX: f64 = 45.0;
const RATIO_TOLERANCE: f64 = 0.02;

/// What all phases with the same number of speakers have counted together.
#[derive(Default)]
struct Tally {
    encodes: f64,
    ticks: f64,
}

impl Tally {
    /// Encodes per tick of the mixer. With one speaker there are no mixing ticks: every encode counts.
    fn per_tick(&self) -> f64 {
        if self.ticks > 0.0 { self.encodes / self.ticks } else { self.encodes }
    }
}

struct Run {
    world: World,
    meeting_id: String,
    voices: Vec<Voice>,
    /// Ordered pairs that must be heard, as (speaker, listener), and were missed in a phase.
    missed: BTreeSet<(usize, usize)>,
    self_heard: usize,
    encodes: [Tally; 3],
}

/// Runs everything and reports.
pub async fn run() -> Result<Value> {
    let begin = Instant::now();
    progress("starting nats-server and six service processes");
    let world = World::start(Options::default()).await?;
    let directory = world.directory()?;
    let organiser = directory.user("smoke", "Smoke", "a password for the smoke run").await?;
    let meeting_id = directory.meeting(&organiser, "Smoke", true).await?;
    let mut run = Run {
        world,
        meeting_id,
        voices: Vec::new(),
        missed: BTreeSet::new(),
        self_heard: 0,
        encodes: Default::default(),
    };

    progress("one listener behind Office B: bytes of the common track");
    for index in 0..=BEHIND_FIRST {
        run.join(index).await?;
    }
    let bytes_for_one = run.bytes_per_frame().await?;
    progress("six terminals: speaking in turn");
    for index in BEHIND_FIRST + 1..TONES.len() {
        run.join(index).await?;
    }
    let before = run.relay_metrics().await?;
    for speaker in 0..TONES.len() {
        run.phase(&[speaker]).await?;
    }
    let after_lone = run.relay_metrics().await?;
    progress("in pairs");
    for pair in PAIRS {
        run.phase(&pair).await?;
    }
    let after_pairs = run.relay_metrics().await?;
    progress("in threes");
    for three in THREES {
        run.phase(&three).await?;
    }
    let outside = run.latency_seen_by_terminals();
    progress("twenty listeners behind Office B: bytes of the common track");
    let mut crowd = Vec::new();
    for index in TONES.len()..CROWD + BEHIND_FIRST {
        crowd.push(run.listener(index).await?);
    }
    let bytes_for_crowd = run.bytes_per_frame().await?;

    let report = run.report(
        Latency::between(&before, &after_lone, "lone"),
        Latency::between(&after_lone, &after_pairs, "mixed"),
        outside,
        bytes_for_crowd / bytes_for_one,
    );
    for voice in run.voices.drain(..).chain(crowd) {
        voice.leave().await?;
    }
    run.world.end().await?;
    progress(&format!("done in {:.0} s", begin.elapsed().as_secs_f32()));
    Ok(report)
}

impl Run {
    async fn join(&mut self, index: usize) -> Result<()> {
        let relay = usize::from(index >= BEHIND_FIRST);
        let tone = *TONES.get(index).context("no such tone")?;
        let url = self.world.relay_url(relay)?;
        let name = format!("{tone} Hz");
        self.voices.push(Voice::join(&url, &self.meeting_id, &name, tone, &TONES).await?);
        Ok(())
    }

    async fn listener(&self, index: usize) -> Result<Voice> {
        let url = self.world.relay_url(1)?;
        Voice::join(&url, &self.meeting_id, &format!("Listener {index}"), 0.0, &TONES).await
    }

    /// Lets `speakers` speak and nobody else, until everybody hears them and for a while longer.
    async fn phase(&mut self, speakers: &[usize]) -> Result<()> {
        self.speak(speakers).await;
        for voice in &self.voices {
            voice.forget();
        }
        let mixer_before = self.world.metrics(Service::Mixer).await?;
        tokio::time::sleep(WATCH).await;
        let mixer = self.world.metrics(Service::Mixer).await?;
        let since = |name| mixer.sum(name) - mixer_before.sum(name);
        if let Some(tally) = self.encodes.get_mut(speakers.len() - 1) {
            tally.encodes += since("tributary_mixer_encodes_total");
            tally.ticks += since("tributary_mixer_mixing_ticks_total");
        }
        for (listener, voice) in self.voices.iter().enumerate() {
            for (tone, heard_ms) in voice.heard_since_forgotten().into_iter().enumerate() {
                let expected = speakers.contains(&tone) && tone != listener;
                if expected && Duration::from_millis(heard_ms) < WATCH / 2 {
                    self.missed.insert((tone, listener));
                }
                if tone == listener && heard_ms > 0 {
                    self.self_heard += 1;
                }
            }
        }
        self.speak(&[]).await;
        Ok(())
    }

    /// Switches tones, then waits until everybody hears what they should; what is still missing after
    /// the deadline shows in the watch that follows.
    async fn speak(&self, speakers: &[usize]) {
        for (index, voice) in self.voices.iter().enumerate() {
            voice.speak(speakers.contains(&index));
            voice.listen_anew();
        }
        let what = format!("everybody to hear {speakers:?} and nobody else");
        let settled = wait::until(what, HEARD_DEADLINE, || async {
            // Everybody is asked each time: "now" is the time between two questions.
            let heard: Vec<_> = self.voices.iter().map(Voice::hears_now).collect();
            heard.iter().enumerate().all(|(listener, heard)| {
                heard.iter().enumerate().all(|(tone, heard)| {
                    *heard == Some(speakers.contains(&tone) && tone != listener)
                })
            })
        })
        .await;
        if let Err(error) = settled {
            progress(&format!("{error:#}"));
        }
    }

    /// Track bytes that the second relay receives per frame that the first terminal sends, over one
    /// speech from silence to silence.
    async fn bytes_per_frame(&self) -> Result<f64> {
        self.speak(&[]).await;
        let speaker = self.voices.first().context("nobody is in")?;
        let (before, frames_before) = (self.track_bytes().await?, speaker.voiced_frames_sent());
        self.speak(&[0]).await;
        tokio::time::sleep(SPEECH).await;
        self.speak(&[]).await;
        let frames = speaker.voiced_frames_sent() - frames_before;
        let mut bytes = self.track_bytes().await?;
        // Counters are handed over a few times a second: wait until they stand still.
        loop {
            tokio::time::sleep(WATCH).await;
            let now = self.track_bytes().await?;
            if now <= bytes {
                break;
            }
            bytes = now;
        }
        Ok((bytes - before) / frames as f64)
    }

    async fn track_bytes(&self) -> Result<f64> {
        let metrics = self.world.metrics(Service::Relay(1)).await?;
        Ok(metrics.sum("tributary_relay_track_bytes_total"))
    }

    async fn relay_metrics(&self) -> Result<Metrics> {
        let mut metrics = self.world.metrics(Service::Relay(0)).await?;
        metrics.merge(self.world.metrics(Service::Relay(1)).await?);
        Ok(metrics)
    }

    /// Median time in ms from a terminal's sending to another's receiving of the same bytes.
    fn latency_seen_by_terminals(&self) -> Option<f64> {
        let mut delays: Vec<Duration> = Vec::new();
        for speaker in &self.voices {
            for listener in &self.voices {
                delays.extend(listener.delays_from(speaker));
            }
        }
        delays.sort();
        delays.get(delays.len() / 2).map(|delay| delay.as_secs_f64() * 1000.0)
    }

    fn report(
        &self,
        lone: Option<Latency>,
        mixed: Option<Latency>,
        outside: Option<f64>,
        ratio: f64,
    ) -> Value {
        let pairs_expected = TONES.len() * (TONES.len() - 1);
        let pairs_heard = pairs_expected - self.missed.len();
        let [one, two, three] = &self.encodes;
        let encodes = [one.per_tick(), two.per_tick(), three.per_tick()];
        let ok = pairs_heard == pairs_expected
            && self.self_heard == 0
            && encodes.iter().zip([0.0, 1.0, 4.0]).all(|(found, want)| (found - want).abs() < 0.05)
            && lone.as_ref().is_some_and(|latency| latency.p50 <= LONE_P50_MS_MAX)
            && mixed.as_ref().is_some_and(|latency| latency.p50 <= MIXED_P50_MS_MAX)
            && (ratio - 1.0).abs() <= RATIO_TOLERANCE;
        json!({
            "ok": ok,
            "terminals": TONES.len(),
            "pairs_expected": pairs_expected,
            "pairs_heard": pairs_heard,
            "self_heard": self.self_heard,
            "added_latency_ms": {
                "lone": lone.map(|latency| latency.json()),
                "mixed": mixed.map(|latency| latency.json()),
            },
            "encodes_per_tick": {
                "one_speaking": number(encodes[0]),
                "two_speaking": number(encodes[1]),
                "three_speaking": number(encodes[2]),
            },
            "common_bytes_ratio_20_to_1": (ratio * 10_000.0).round() / 10_000.0,
            "terminal_to_terminal_ms_p50": outside.map(number),
        })
    }
}

/// Milliseconds from relay in to relay out.
struct Latency {
    p50: f64,
    p99: f64,
}

impl Latency {
    fn between(earlier: &Metrics, later: &Metrics, path: &str) -> Option<Self> {
        let labels = [("path", path)];
        let quantile = |q| later.quantile_since(earlier, LATENCY, &labels, q).map(|s| s * 1000.0);
        Some(Self { p50: quantile(0.5)?, p99: quantile(0.99)? })
    }

    fn json(&self) -> Value {
        json!({"p50": number(self.p50), "p99": number(self.p99)})
    }
}

/// Two decimals; without any if it is a whole number.
fn number(value: f64) -> Value {
    let rounded = (value * 100.0).round() / 100.0;
    if rounded.fract() == 0.0 { json!(rounded as i64) } else { json!(rounded) }
}

fn progress(text: &str) {
    eprintln!("smoke: {text}");
}
