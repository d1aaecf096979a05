//! Relays in a chain: one on NATS and three below it, with people at each. Everybody must hear everybody
//! else and nobody themselves, and each relay may add little to the time that a voice takes.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::hearing::Voice;
use crate::{EdgeOptions, Options, Parent, RelayOptions, World, wait};

/// The edge relays, each below the one before it.
const EDGES: [&str; 3] = ["Office", "Floor", "Room"];
/// People at each of the four relays.
const AT_EACH: usize = 2;
const TONES: [f32; 8] = [440.0, 554.0, 659.0, 784.0, 932.0, 1109.0, 1245.0, 1397.0];
/// Who speaks at the same time, near and far from each other.
const TOGETHER: [&[usize]; 6] = [&[0, 7], &[2, 4], &[6, 7], &[1, 3, 5], &[0, 2, 6], &[4, 6, 7]];
/// How long a change may take to be heard by all.
const HEARD_DEADLINE: Duration = Duration::from_secs(10);
/// How long everybody is listened to then.
const WATCH: Duration = Duration::from_millis(700);
/// And who speaks alone, for the time that voices take.
const WATCH_ALONE: Duration = Duration::from_secs(2);
const HOP_MS_MAX: f64 = 5.0;

#[derive(Default)]
struct Found {
    cells: usize,
    wrong: BTreeSet<(String, usize, usize)>,
    self_heard: usize,
    /// By level of the speaker and of the listener: all delays, in ms.
    delays: Vec<((usize, usize), f64)>,
}

/// Runs everything and reports.
pub async fn run() -> Result<Value> {
    let begin = Instant::now();
    progress("starting the services and a chain of three edge relays; eight people join");
    let edges = EDGES.iter().enumerate().map(|(index, name)| {
        let parent = index.checked_sub(1).map_or(Parent::Relay(0), Parent::Edge);
        EdgeOptions::below(name, parent)
    });
    let options = Options {
        relays: vec![RelayOptions::named("Cloud")],
        edges: edges.collect(),
        ..Options::default()
    };
    let world = World::start(options).await?;
    let directory = world.directory()?;
    let organiser = directory.user("ada", "Ada", "a password for chains").await?;
    let meeting_id = directory.meeting(&organiser, "Chain", true).await?;
    let mut voices = Vec::new();
    for (index, hz) in TONES.into_iter().enumerate() {
        let url = match level(index) {
            0 => world.relay_url(0)?,
            edge => world.edge_url(edge - 1)?,
        };
        let name = format!("Level {} {hz} Hz", level(index));
        voices.push(Voice::join(&url, &meeting_id, &name, hz, &TONES).await?);
    }
    let mut found = Found::default();
    progress("each speaks alone");
    for speaker in 0..voices.len() {
        phase(&voices, &[speaker], WATCH_ALONE, &mut found).await?;
    }
    progress("several speak at once");
    for speakers in TOGETHER {
        phase(&voices, speakers, WATCH, &mut found).await?;
    }
    let depths = depths(&voices)?;
    for voice in voices {
        voice.leave().await?;
    }
    world.end().await?;
    progress(&format!("done in {:.0} s", begin.elapsed().as_secs_f32()));
    Ok(report(&found, depths))
}

/// How many relays lie between somebody's own and the core.
fn level(index: usize) -> usize {
    index / AT_EACH
}

async fn phase(
    voices: &[Voice],
    speakers: &[usize],
    watch: Duration,
    found: &mut Found,
) -> Result<()> {
    for (index, voice) in voices.iter().enumerate() {
        voice.speak(speakers.contains(&index));
        voice.listen_anew();
    }
    let what = format!("everybody to hear {speakers:?} and nobody else");
    let settled = wait::until(what, HEARD_DEADLINE, || async {
        // Everybody is asked each time: "now" is the time between two questions.
        let heard: Vec<_> = voices.iter().map(Voice::hears_now).collect();
        heard.iter().enumerate().all(|(listener, heard)| {
            let is_right = |(tone, heard): (usize, &Option<bool>)| {
                *heard == Some(speakers.contains(&tone) && tone != listener)
            };
            heard.iter().enumerate().all(is_right)
        })
    });
    if let Err(error) = settled.await {
        // What is wrong shows in the watch that follows.
        progress(&format!("{error:#}"));
    }
    for voice in voices {
        voice.forget();
    }
    tokio::time::sleep(watch).await;
    for (listener, voice) in voices.iter().enumerate() {
        for (tone, heard_ms) in voice.heard_since_forgotten().into_iter().enumerate() {
            found.cells += 1;
            let expected = speakers.contains(&tone) && tone != listener;
            let heard = Duration::from_millis(heard_ms);
            let right = if expected { heard >= watch / 2 } else { heard.is_zero() };
            if !right {
                progress(&format!("{listener} has heard {tone} for {heard_ms} ms of {watch:?}"));
                found.wrong.insert((format!("{speakers:?}"), tone, listener));
            }
            found.self_heard += usize::from(tone == listener && heard_ms > 0);
        }
    }
    if let [speaker] = speakers {
        let from = voices.get(*speaker).context("nobody of that number")?;
        for (listener, voice) in voices.iter().enumerate() {
            let delays = voice.delays_from(from).into_iter();
            let way = (level(*speaker), level(listener));
            found.delays.extend(delays.map(|delay| (way, delay.as_secs_f64() * 1_000.0)));
        }
    }
    for voice in voices {
        voice.speak(false);
        voice.forget_packets();
    }
    Ok(())
}

/// The depth of everybody's relay, as each one else sees it; true if all are right.
fn depths(voices: &[Voice]) -> Result<bool> {
    let mut right = true;
    for voice in voices {
        let roster = voice.terminal().roster();
        for (index, other) in voices.iter().enumerate() {
            let id = other.terminal().participant_id();
            let person = roster.iter().find(|person| person.participant_id == id);
            let person = person.context("somebody is not on the roster")?;
            let name = level(index).checked_sub(1).and_then(|edge| EDGES.get(edge));
            let is_right = person.relay_depth as usize == level(index)
                && person.relay_name == name.copied().unwrap_or("Cloud");
            right &= is_right;
        }
    }
    Ok(right)
}

fn report(found: &Found, depths: bool) -> Value {
    // Away from the core: who speaks is at the core relay. Towards it: who listens is.
    let down: Vec<_> = (0..=EDGES.len()).map(|to| median(found, (0, to))).collect();
    let up: Vec<_> = (0..=EDGES.len()).map(|from| median(found, (from, 0))).collect();
    let hops: Vec<Option<f64>> = [&down, &up].into_iter().flat_map(|way| steps(way)).collect();
    let levels = || 0..=EDGES.len();
    let row = |from| levels().map(|to| median(found, (from, to))).collect::<Vec<_>>();
    let all: Vec<_> = levels().map(row).collect();
    let is_quick = |hop: &Option<f64>| hop.is_some_and(|ms| ms <= HOP_MS_MAX);
    let ok = found.wrong.is_empty() && found.self_heard == 0 && depths && hops.iter().all(is_quick);
    let rounded = |ms: &Option<f64>| ms.map(|ms| (ms * 100.0).round() / 100.0);
    let list = |way: &[Option<f64>]| way.iter().map(rounded).collect::<Vec<_>>();
    json!({
        "relays": EDGES.len() + 1,
        "terminals": TONES.len(),
        "cells": found.cells,
        "cells_right": found.cells - found.wrong.len(),
        "self_heard": found.self_heard,
        "depths_right": depths,
        "hop_ms_p50": list(&hops),
        // Row by row the level of who speaks, in it that of who listens.
        "terminal_to_terminal_ms_p50": all.iter().map(|row| list(row)).collect::<Vec<_>>(),
        "ok": ok,
    })
}

fn steps(way: &[Option<f64>]) -> Vec<Option<f64>> {
    way.windows(2).map(|pair| Some((*pair.get(1)?)? - (*pair.first()?)?)).collect()
}

fn median(found: &Found, way: (usize, usize)) -> Option<f64> {
    let delays = found.delays.iter().filter(|(of, _)| *of == way);
    let mut delays: Vec<f64> = delays.map(|(_, ms)| *ms).collect();
    delays.sort_by(f64::total_cmp);
    delays.get(delays.len() / 2).copied()
}

fn progress(text: &str) {
    eprintln!("smoke-relays: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hop_is_what_the_median_grows_by() {
        let delays = [(0, 1.0), (0, 2.0), (0, 9.0), (1, 4.0), (1, 5.0), (1, 5.5)];
        let delays = delays.map(|(to, ms)| ((0, to), ms)).to_vec();
        let found = Found { delays, ..Found::default() };
        let way = [0, 1, 2].map(|to| median(&found, (0, to)));
        assert_eq!(way, [Some(2.0), Some(5.0), None]);
        assert_eq!(steps(&way), [Some(3.0), None]);
    }
}
