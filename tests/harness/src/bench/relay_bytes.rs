//! What an office behind an edge relay costs its network: bytes on the uplink, with 1 to 100 terminals, as
//! the kernel counts them at the relay's socket and on the cable; and the same meeting with everybody
//! attached directly.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{progress, rounded};
use crate::branch::Branch;
use crate::netns::{CableBytes, SocketBytes};
use crate::office::Seat;

const TERMINALS: [usize; 4] = [1, 10, 50, 100];
/// Those outside, whose tones these are, speak in turns and together.
const OUTSIDE_HZ: [f32; 3] = [440.0, 554.0, 659.0];
const SCHEDULE: [&[usize]; 5] = [&[0], &[1], &[2], &[0, 1], &[0, 1, 2]];
const TURN: Duration = Duration::from_secs(4);
/// Of the 100, so many speak.
const SPEAKERS_INSIDE: usize = 10;
const TURN_INSIDE: Duration = Duration::from_secs(2);
/// Of those inside, so many listen for tones; the others only count what they get.
const LISTENERS: usize = 4;
/// Frames of 20 ms that must have come of each that was sent.
const RECEIVED_MIN: f64 = 0.9;
const RATIO_MAX: f64 = 1.10;
/// The loudest that go up (K), the services' default.
const VOICES_MAX: f64 = 3.0;
/// What counting voices by bytes may be off.
const VOICES_TOLERANCE: f64 = 0.25;

/// What a time has cost.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    socket_down: u64,
    socket_up: u64,
    wire_down: u64,
    wire_up: u64,
}

struct Counted {
    socket: Option<SocketBytes>,
    cable: CableBytes,
}

impl Counted {
    fn relay(branch: &Branch) -> Result<Self> {
        let (socket, cable) = (Some(branch.uplink()?), branch.namespace.cable_bytes()?);
        Ok(Self { socket, cable })
    }

    fn cable(branch: &Branch) -> Result<Self> {
        Ok(Self { socket: None, cable: branch.namespace.cable_bytes()? })
    }

    fn until(&self, later: &Self) -> Result<Cost> {
        let (socket_down, socket_up) = match (self.socket, later.socket) {
            (Some(before), Some(after)) => {
                ensure!(before.port == after.port, "the uplink was lost while it was measured");
                (after.down - before.down, after.up - before.up)
            }
            _ => (0, 0),
        };
        let wire_down = later.cable.down - self.cable.down;
        let wire_up = later.cable.up - self.cable.up;
        Ok(Cost { socket_down, socket_up, wire_down, wire_up })
    }
}

/// Runs everything and reports.
pub async fn run() -> Result<Value> {
    progress(
        "starting the services, an edge relay in a network of its own, three speakers outside",
    );
    let branch = Branch::open().await?;
    let outside = OUTSIDE_HZ.iter().zip(["Olga", "Otto", "Oona"]);
    let outside = outside.map(|(hz, name)| branch.seat_outside(name, *hz));
    branch.outside.join(outside.collect::<Result<Vec<_>>>()?).await?;

    let (mut steady, mut joins, mut here) = (Vec::new(), Vec::new(), 0);
    for terminals in TERMINALS {
        progress(&format!("{terminals} terminals behind the relay"));
        let before = Counted::relay(&branch)?;
        let seats = (here..terminals).map(|index| seat(&branch, index, None));
        branch.inside.join(seats.collect::<Result<Vec<_>>>()?).await?;
        here = terminals;
        settle(&branch).await?;
        joins.push(before.until(&Counted::relay(&branch)?)?);
        let before = Counted::relay(&branch)?;
        let played = play(&branch).await?;
        steady.push(before.until(&Counted::relay(&branch)?)?);
        ensure_heard(&branch, terminals, played).await?;
    }
    let up = upward(&branch).await?;
    progress("the same 100 attached directly");
    branch.inside.leave().await?;
    let before = Counted::cable(&branch)?;
    let url = branch.world.relay_url(0)?;
    let seats = (0..here).map(|index| seat(&branch, index, Some(&url)));
    branch.inside.join(seats.collect::<Result<Vec<_>>>()?).await?;
    settle(&branch).await?;
    let direct_joins = before.until(&Counted::cable(&branch)?)?;
    let before = Counted::cable(&branch)?;
    let played = play(&branch).await?;
    let direct = before.until(&Counted::cable(&branch)?)?;
    ensure_heard(&branch, here, played).await?;
    branch.close().await?;
    report(&steady, &joins, &up, direct, direct_joins)
}

fn seat(branch: &Branch, index: usize, directly_by: Option<&str>) -> Result<Seat> {
    let mut seat = branch.seat_inside(&format!("Inside {index}"), 800.0 + 80.0 * index as f32)?;
    if index < LISTENERS {
        seat.listen_for = OUTSIDE_HZ.to_vec();
    }
    if let Some(url) = directly_by {
        seat.relay_urls = vec![url.to_owned()];
    }
    Ok(seat)
}

/// Waits until what joining brings about is over: everybody who listens has heard a voice, and it is
/// quiet again.
async fn settle(branch: &Branch) -> Result<()> {
    branch.forget().await?;
    branch.outside.speak(&[0]).await?;
    branch.heard(0, &[0], &[]).await?;
    branch.outside.speak(&[]).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    branch.forget().await
}

/// Those outside speak in turns and together; returns for how long.
async fn play(branch: &Branch) -> Result<Duration> {
    for speakers in SCHEDULE {
        branch.outside.speak(speakers).await?;
        tokio::time::sleep(TURN).await;
    }
    branch.outside.speak(&[]).await?;
    Ok(TURN * SCHEDULE.len() as u32)
}

/// What was measured was sound: everybody has got it, and those who listen have heard each voice.
async fn ensure_heard(branch: &Branch, terminals: usize, played: Duration) -> Result<()> {
    let seen = branch.inside.look().await?;
    ensure!(seen.len() == terminals, "{} are inside, not {terminals}", seen.len());
    let frames = played.as_millis() as f64 / 20.0;
    for (index, one) in seen.iter().enumerate() {
        ensure!(one.connected && !one.ended, "{index} is not in any more");
        let enough = one.packets as f64 >= RECEIVED_MIN * frames;
        ensure!(enough, "{index} has got {} of {frames} frames", one.packets);
        for (hz, ms) in OUTSIDE_HZ.iter().zip(&one.heard_ms) {
            ensure!(*ms >= TURN.as_millis() as u64, "{index} has heard {hz} Hz for {ms} ms only");
        }
    }
    Ok(())
}

/// Bytes a second upward.
struct Upward {
    /// Nobody speaks.
    idle: f64,
    /// One speaks all the time.
    one: f64,
    /// Ten speak one after the other.
    in_turns: f64,
    /// And all at once.
    at_once: f64,
}

impl Upward {
    /// How many voices that is, by what one costs.
    fn voices(&self, rate: f64) -> f64 {
        (rate - self.idle) / (self.one - self.idle).max(1.0)
    }
}

async fn upward(branch: &Branch) -> Result<Upward> {
    progress("ten of the 100 speak");
    let all: Vec<usize> = (0..SPEAKERS_INSIDE).collect();
    let turns: Vec<&[usize]> = all.chunks(1).collect();
    let lone: Vec<&[usize]> = vec![&[0]; SPEAKERS_INSIDE];
    Ok(Upward {
        idle: up_rate(branch, &[&[][..]; SPEAKERS_INSIDE / 2]).await?,
        one: up_rate(branch, &lone).await?,
        in_turns: up_rate(branch, &turns).await?,
        at_once: up_rate(branch, &[all.as_slice(); SPEAKERS_INSIDE / 2]).await?,
    })
}

async fn up_rate(branch: &Branch, turns: &[&[usize]]) -> Result<f64> {
    branch.inside.speak(turns.first().context("nobody speaks")?).await?;
    // Who spoke before goes on for a moment.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (before, begin) = (Counted::relay(branch)?, tokio::time::Instant::now());
    for speakers in turns {
        branch.inside.speak(speakers).await?;
        tokio::time::sleep(TURN_INSIDE).await;
    }
    let cost = before.until(&Counted::relay(branch)?)?;
    let rate = cost.socket_up as f64 / begin.elapsed().as_secs_f64();
    branch.inside.speak(&[]).await?;
    Ok(rate)
}

fn report(
    steady: &[Cost],
    joins: &[Cost],
    up: &Upward,
    direct: Cost,
    direct_joins: Cost,
) -> Result<Value> {
    let (one, all) = (steady.first().context("no 1")?, steady.last().context("no 100")?);
    let ratio = |of: fn(&Cost) -> u64| of(all) as f64 / of(one) as f64;
    let down_ratio = ratio(|cost| cost.socket_down);
    let total_ratio = ratio(|cost| cost.socket_down + cost.socket_up);
    let (in_turns, at_once) = (up.voices(up.in_turns), up.voices(up.at_once));
    let list = |costs: &[Cost], of: fn(&Cost) -> u64| costs.iter().map(of).collect::<Vec<_>>();
    let ok = down_ratio <= RATIO_MAX
        && total_ratio <= RATIO_MAX
        && in_turns <= VOICES_MAX
        && at_once <= VOICES_MAX + VOICES_TOLERANCE
        && at_once > 1.0;
    Ok(json!({
        "terminals": TERMINALS,
        "down_bytes": list(steady, |cost| cost.socket_down),
        "up_bytes": list(steady, |cost| cost.socket_up),
        "ratio_100_to_1": rounded(down_ratio),
        "ratio_100_to_1_both_ways": rounded(total_ratio),
        "direct_over_relay": rounded(direct.wire_down as f64 / all.wire_down as f64),
        "seconds": (TURN * SCHEDULE.len() as u32).as_secs(),
        "on_the_cable": {
            "down_bytes": list(steady, |cost| cost.wire_down),
            "up_bytes": list(steady, |cost| cost.wire_up),
            "direct_down_bytes": direct.wire_down,
            "direct_up_bytes": direct.wire_up,
        },
        "while_joining": {
            "down_bytes": list(joins, |cost| cost.socket_down),
            "up_bytes": list(joins, |cost| cost.socket_up),
            "direct_down_bytes_on_the_cable": direct_joins.wire_down,
        },
        "up_bytes_a_second": {
            "nobody_speaks": rounded(up.idle),
            "one_speaks": rounded(up.one),
            "ten_in_turns": rounded(up.in_turns),
            "ten_at_once": rounded(up.at_once),
        },
        "voices_up": {"ten_in_turns": rounded(in_turns), "ten_at_once": rounded(at_once)},
        "voices_max": VOICES_MAX,
        "ok": ok,
    }))
}
