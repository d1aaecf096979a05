//! The matrix: in every scene, who hears which tone.

use std::time::Duration;

use anyhow::{Context, Result};

use super::cast::{Cast, Meeting, Scene, TONES};
use super::progress;
use crate::hearing::Voice;
use crate::wait;

/// How long a change may take to be heard by all.
const HEARD_DEADLINE: Duration = Duration::from_secs(8);
/// How long a scene is watched when it is as it should be.
const WATCH: Duration = Duration::from_millis(700);

/// A cell is a speaker and a listener in a scene.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cells {
    /// As they should be.
    pub right: usize,
    /// All.
    pub all: usize,
}

/// All scenes, by name.
fn scenes() -> Vec<(&'static str, Scene)> {
    let scene = |speaking: &[usize], talks: &[(usize, &[usize])], commuter| Scene {
        speaking: speaking.to_vec(),
        talks: talks.iter().map(|(talker, to)| (*talker, to.to_vec())).collect(),
        commuter,
    };
    let one =
        |speaking: &[usize], talks: &[(usize, &[usize])]| scene(speaking, talks, Meeting::One);
    let two = |speaking: &[usize]| scene(speaking, &[], Meeting::Two);
    vec![
        ("nobody speaks", one(&[], &[])),
        ("one behind Office A speaks", one(&[1], &[])),
        ("one behind Office B speaks", one(&[2], &[])),
        ("one in the room speaks", one(&[4], &[])),
        ("both in the room speak", one(&[4, 5], &[])),
        ("one in the room and one outside speak", one(&[0, 4], &[])),
        ("both in the room and one outside speak", one(&[2, 4, 5], &[])),
        ("three speak, one of them in the room", one(&[1, 3, 5], &[])),
        ("whisper to one behind the same relay", one(&[0], &[(0, &[1])])),
        ("whisper to one behind another relay", one(&[0], &[(0, &[2])])),
        ("whisper to one in the room", one(&[0], &[(0, &[4])])),
        ("whisper to three behind three relays", one(&[0], &[(0, &[1, 2, 4])])),
        ("whisper to all but one", one(&[3], &[(3, &[0, 1, 2, 4])])),
        ("whisper from the room", one(&[4], &[(4, &[0, 3])])),
        ("whisper while another speaks", one(&[0, 3], &[(0, &[2])])),
        ("whisper to a speaker while two speak", one(&[0, 1, 2], &[(0, &[1])])),
        ("whisper while three speak", one(&[0, 1, 3, 4], &[(0, &[2, 5])])),
        ("two whisper to each other", one(&[0, 2], &[(0, &[2]), (2, &[0])])),
        ("two whisper to the same", one(&[0, 3], &[(0, &[2]), (3, &[1, 2])])),
        ("two whisper while another speaks", one(&[0, 3, 5], &[(0, &[1]), (3, &[4])])),
        ("somebody in the other meeting speaks", one(&[6], &[])),
        ("one in each meeting speaks", one(&[0, 7], &[])),
        ("in the other meeting: the commuter speaks", two(&[0])),
        ("in the other meeting: one in each speaks", two(&[1, 6])),
        ("in the other meeting: the commuter and one in each speak", two(&[0, 2, 7])),
        ("back again: the commuter speaks", one(&[0], &[])),
        ("back again: one in each speaks", one(&[3, 6], &[])),
    ]
}

/// Plays every scene.
pub async fn run(cast: &Cast) -> Result<Cells> {
    let mut cells = Cells::default();
    for (name, scene) in scenes() {
        let found = play(cast, &scene).await.context(name)?;
        let wrong = found.all - found.right;
        progress(&format!("{name}: {wrong} of {} cells are wrong", found.all));
        cells.right += found.right;
        cells.all += found.all;
    }
    Ok(cells)
}

async fn play(cast: &Cast, scene: &Scene) -> Result<Cells> {
    cast.speak(&[]);
    cast.commute(scene.commuter).await?;
    for (talker, targets) in &scene.talks {
        cast.talk_to(*talker, targets).await?;
    }
    cast.speak(&scene.speaking);
    settle(cast, scene).await;
    for voice in &cast.voices {
        voice.forget();
    }
    tokio::time::sleep(WATCH).await;
    let mut cells = Cells::default();
    for (listener, voice) in cast.voices.iter().enumerate() {
        for (speaker, heard_ms) in voice.heard_since_forgotten().into_iter().enumerate() {
            cells.all += 1;
            let heard = Duration::from_millis(heard_ms);
            let right = match scene.is_heard(speaker, listener) {
                true => heard >= WATCH / 2,
                false => heard.is_zero(),
            };
            cells.right += usize::from(right);
            if !right {
                progress(&format!("{listener} has heard {speaker} for {heard_ms} ms"));
            }
        }
    }
    cast.speak(&[]);
    for (talker, _) in &scene.talks {
        cast.talk_to(*talker, &[]).await?;
    }
    Ok(cells)
}

/// Waits until everybody hears what they should; what is still wrong then shows in the watch that
/// follows.
async fn settle(cast: &Cast, scene: &Scene) {
    for voice in &cast.voices {
        voice.listen_anew();
    }
    let settled = wait::until("all to hear what they should", HEARD_DEADLINE, || async {
        // Everybody is asked each time: "now" is the time between two questions.
        let heard: Vec<_> = cast.voices.iter().map(Voice::hears_now).collect();
        heard.iter().enumerate().all(|(listener, heard)| {
            (0..TONES.len())
                .zip(heard)
                .all(|(speaker, heard)| *heard == Some(scene.is_heard(speaker, listener)))
        })
    });
    if let Err(error) = settled.await {
        progress(&format!("{error:#}"));
    }
}
