//! A whisper, again and again: begun while the tone is on, to ever other people. Everybody else listens
//! for the tone, and looks at every packet that comes.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tributary_terminal::PacketRecord;

use super::cast::{COMMUTER, Cast, TONES};
use super::progress;
use crate::seeded::Seeded;
use crate::{Service, wait};

/// Who whispers.
const TALKER: usize = COMMUTER;
/// Who is in the same meeting.
const OTHERS: [usize; 5] = [1, 2, 3, 4, 5];
/// How long it may take until all targets hear it.
const HEARD_DEADLINE: Duration = Duration::from_secs(5);
/// How long packets may be on their way when it is over.
const AFTERWARDS: Duration = Duration::from_millis(100);
/// Every so many whispers go from some to others without a break.
const CHANGE: usize = 5;

/// What was found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Whispers {
    /// Whispers that somebody heard whom they were not for, counted once for each who did.
    pub leaks: usize,
    /// Whispers that somebody did not hear whom they were for.
    pub missed: usize,
    /// What the mixer has encoded meanwhile.
    pub encodes: f64,
}

/// Whispers so often. In the first half the floor is muted and the tone is always on: nobody else may ever
/// hear it. In the second half the tone begins with the whisper, as a voice does, and ends with it.
pub async fn run(cast: &Cast, times: usize) -> Result<Whispers> {
    let talker = cast.voice(TALKER)?;
    let mut seeded = Seeded::new(times as u64);
    let mut found = Whispers::default();
    let encodes = || async {
        let metrics = cast.world.metrics(Service::Mixer).await?;
        anyhow::Ok(metrics.sum("tributary_mixer_encodes_total"))
    };
    let before = encodes().await?;
    talker.terminal().set_muted(true).await.context("mute the floor")?;
    talker.speak(true);
    for number in 0..times / 2 {
        whisper(cast, number, &mut seeded, false, &mut found).await?;
    }
    talker.speak(false);
    // What is left of the tone in the terminal must not be heard on the floor.
    tokio::time::sleep(AFTERWARDS).await;
    talker.terminal().set_muted(false).await.context("open the floor")?;
    for number in times / 2..times {
        whisper(cast, number, &mut seeded, true, &mut found).await?;
    }
    found.encodes = encodes().await? - before;
    Ok(found)
}

fn some_of(seeded: &mut Seeded, number: usize) -> Vec<usize> {
    let mut others = OTHERS;
    seeded.shuffle(&mut others);
    others.into_iter().take(1 + number % 3).collect()
}

/// One whisper; every few go on to others.
async fn whisper(
    cast: &Cast,
    number: usize,
    seeded: &mut Seeded,
    tone_with_it: bool,
    found: &mut Whispers,
) -> Result<()> {
    let talker = cast.voice(TALKER)?;
    rest(cast).await;
    for voice in &cast.voices {
        voice.forget();
        voice.terminal().reset_packets();
    }
    let targets = some_of(seeded, number);
    let mut parts = vec![(Instant::now(), targets.clone())];
    if tone_with_it {
        let (talking, ()) = tokio::join!(cast.talk_to(TALKER, &targets), async {
            // Whoever presses the key speaks at once.
            talker.speak(true);
        });
        talking?;
    } else {
        cast.talk_to(TALKER, &targets).await?;
    }
    let mut heard = all_hear(cast, &targets).await;
    if number.is_multiple_of(CHANGE) {
        let others = some_of(seeded, number + 1);
        // What is said while it is being changed may still be for the first ones, or already for the
        // others; the terminal knows which only when it is told.
        parts.push((Instant::now(), [targets.clone(), others.clone()].concat()));
        cast.talk_to(TALKER, &others).await?;
        parts.push((Instant::now(), others.clone()));
        let before = heard_so_far(cast);
        heard &= all_hear_more(cast, &others, &before).await;
    }
    if tone_with_it {
        talker.speak(false);
        // The last frames of the tone still belong to the whisper.
        tokio::time::sleep(AFTERWARDS).await;
    }
    cast.talk_to(TALKER, &[]).await?;
    tokio::time::sleep(AFTERWARDS).await;
    found.missed += usize::from(!heard);
    let leaks = leaks(cast, &parts)?;
    for (listener, why) in &leaks {
        progress(&format!("LEAK: whisper {number} to {targets:?}: {listener} {why}"));
    }
    found.leaks += leaks.len();
    Ok(())
}

/// Waits until nobody hears anything more of the whisper before: on a busy machine packets are late.
async fn rest(cast: &Cast) {
    let mut before = heard_so_far(cast);
    loop {
        tokio::time::sleep(2 * AFTERWARDS).await;
        let now = heard_so_far(cast);
        if now == before {
            return;
        }
        before = now;
    }
}

fn heard_so_far(cast: &Cast) -> Vec<u64> {
    let heard = cast
        .voices
        .iter()
        .map(|voice| voice.heard_since_forgotten().get(TALKER).copied().unwrap_or_default());
    heard.collect()
}

async fn all_hear(cast: &Cast, targets: &[usize]) -> bool {
    all_hear_more(cast, targets, &[0; TONES.len()]).await
}

async fn all_hear_more(cast: &Cast, targets: &[usize], before: &[u64]) -> bool {
    let heard = wait::until("the targets to hear the whisper", HEARD_DEADLINE, || async {
        let now = heard_so_far(cast);
        targets.iter().all(|target| now.get(*target) > before.get(*target))
    });
    match heard.await {
        Ok(()) => true,
        Err(error) => {
            progress(&format!("{error:#}: {targets:?}"));
            false
        }
    }
}

/// Who has heard what was not for them. Each part of a whisper began at a time, for some.
fn leaks(cast: &Cast, parts: &[(Instant, Vec<usize>)]) -> Result<Vec<(usize, String)>> {
    let sent = cast.voice(TALKER)?.voiced_since_forgotten();
    let mut leaks = Vec::new();
    for (listener, voice) in cast.voices.iter().enumerate().filter(|(who, _)| *who != TALKER) {
        let ever = parts.iter().any(|(_, targets)| targets.contains(&listener));
        let heard_ms = voice.heard_since_forgotten().get(TALKER).copied().unwrap_or_default();
        if !ever && heard_ms > 0 {
            leaks.push((listener, format!("has heard the tone for {heard_ms} ms")));
            continue;
        }
        let not_for_it: HashSet<u64> = sent
            .iter()
            .filter(|packet| !part_of(packet, parts).contains(&listener))
            .map(|packet| packet.digest)
            .collect();
        let received = voice.received_since_forgotten();
        let foreign = received.iter().filter(|packet| not_for_it.contains(&packet.digest)).count();
        if foreign > 0 {
            leaks.push((listener, format!("got {foreign} packets that were not for it")));
        }
    }
    Ok(leaks)
}

/// For whom a packet was.
fn part_of<'a>(packet: &PacketRecord, parts: &'a [(Instant, Vec<usize>)]) -> &'a [usize] {
    let part = parts.iter().rev().find(|(begin, _)| *begin <= packet.at);
    part.map(|(_, targets)| targets.as_slice()).unwrap_or_default()
}
