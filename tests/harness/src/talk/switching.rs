//! Switching between two meetings while somebody speaks in each, and the one who switches speaks too:
//! how long nothing is heard, of the meeting by them, and of them by the meeting.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tributary_terminal::Direction;

use super::cast::{COMMUTER, Cast, Meeting};
use crate::hearing::Voice;
use crate::wait;

/// Who speaks in each meeting.
const SPEAKERS: [usize; 2] = [1, 6];
/// How long a switch may take to be heard, at the very worst.
const HEARD_DEADLINE: Duration = Duration::from_secs(5);
/// Packets in a row after which it is taken to be heard.
const PACKETS: usize = 10;

/// Switches so often; two gaps in ms each: of what is heard and of what is said.
pub async fn run(cast: &Cast, switches: usize) -> Result<Vec<f64>> {
    cast.commute(Meeting::One).await?;
    cast.speak(&[COMMUTER, SPEAKERS[0], SPEAKERS[1]]);
    let [one, two] = [cast.voice(SPEAKERS[0])?, cast.voice(SPEAKERS[1])?];
    let commuter = cast.voice(COMMUTER)?;
    let mut gaps = Vec::new();
    for number in 0..switches {
        let (to, from, towards) = match number % 2 {
            0 => (Meeting::Two, one, two),
            _ => (Meeting::One, two, one),
        };
        for voice in [one, two, commuter] {
            voice.terminal().reset_packets();
        }
        both_hear(commuter, from, Instant::now()).await.context("before a switch")?;
        let begin = Instant::now();
        cast.commute(to).await?;
        both_hear(commuter, towards, begin).await.with_context(|| format!("switch {number}"))?;
        let last = |listener: &Voice, speaker: &Voice| {
            times(listener, speaker).into_iter().max().context("nothing was heard before")
        };
        let first = |listener: &Voice, speaker: &Voice| {
            let times = times(listener, speaker).into_iter().filter(|at| *at >= begin).min();
            times.context("nothing was heard after")
        };
        let heard = first(commuter, towards)?.saturating_duration_since(last(commuter, from)?);
        let said = first(towards, commuter)?.saturating_duration_since(last(from, commuter)?);
        gaps.extend([heard, said].map(|gap| gap.as_secs_f64() * 1000.0));
    }
    cast.speak(&[]);
    cast.commute(Meeting::One).await?;
    Ok(gaps)
}

/// When a listener got packets that this speaker has sent.
fn times(listener: &Voice, speaker: &Voice) -> Vec<Instant> {
    let sent: HashSet<u64> = speaker.sent().into_iter().map(|packet| packet.digest).collect();
    let packets = listener.terminal().packets();
    let received = packets
        .iter()
        .filter(|packet| packet.direction == Direction::Received && sent.contains(&packet.digest));
    received.map(|packet| packet.at).collect()
}

/// Waits until each has got some packets of the other.
async fn both_hear(one: &Voice, other: &Voice, since: Instant) -> Result<()> {
    wait::until("both to hear each other", HEARD_DEADLINE, || async {
        let heard = |listener, speaker| {
            times(listener, speaker).into_iter().filter(|at| *at >= since).count() >= PACKETS
        };
        heard(one, other) && heard(other, one)
    })
    .await
}
