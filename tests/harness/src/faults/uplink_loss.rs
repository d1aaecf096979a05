//! An office of a hundred on an uplink of 2 Mbit/s that loses one packet in a hundred: how much a simple
//! receiver would have to conceal.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::progress;
use crate::branch::Branch;

const TERMINALS: usize = 100;
const KBIT: u32 = 2_000;
const LOSS_ONE_IN: u32 = 100;
const HZ: [f32; 3] = [440.0, 554.0, 659.0];
/// The last one inside speaks too.
const HZ_INSIDE: f32 = 880.0;
const SCHEDULE: [&[usize]; 6] = [&[0], &[1], &[2], &[0, 1], &[1, 2], &[0, 1, 2]];
const TURN: Duration = Duration::from_secs(10);
const CONCEALED_MAX: f64 = 0.05;
/// Of the frames of 20 ms of the whole time, so many must have been expected: else the measure has missed
/// something.
const EXPECTED_MIN: f64 = 0.9;
const LISTENERS: usize = 4;

/// Runs everything and reports.
pub async fn run() -> Result<Value> {
    progress("starting the services and an edge relay in a network of its own; 103 people join");
    let branch = Branch::open().await?;
    let mut outside = Vec::new();
    for (hz, name) in HZ.iter().zip(["Olga", "Otto", "Oona"]) {
        let mut seat = branch.seat_outside(name, *hz)?;
        seat.listen_for = vec![HZ_INSIDE];
        outside.push(seat);
    }
    branch.outside.join(outside).await?;
    let mut inside = Vec::new();
    for index in 0..TERMINALS {
        let hz = if index + 1 == TERMINALS { HZ_INSIDE } else { 0.0 };
        let mut seat = branch.seat_inside(&format!("Inside {index}"), hz)?;
        if index < LISTENERS {
            seat.listen_for = HZ.to_vec();
        }
        inside.push(seat);
    }
    branch.inside.join(inside).await?;
    branch.outside.speak(&[0]).await?;
    branch.heard(0, &[0], &[]).await?;
    branch.outside.speak(&[]).await?;

    progress("1 % of the packets are lost, 2 Mbit/s");
    branch.namespace.limit(KBIT)?;
    branch.namespace.lose_one_in(LOSS_ONE_IN)?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    branch.forget().await?;
    for speakers in SCHEDULE {
        branch.outside.speak(speakers).await?;
        tokio::time::sleep(TURN).await;
    }
    branch.outside.speak(&[]).await?;
    let inside = branch.inside.look().await?;
    ensure!(inside.len() == TERMINALS, "{} are inside", inside.len());
    progress("somebody inside speaks");
    tokio::time::sleep(Duration::from_secs(2)).await;
    branch.forget().await?;
    branch.inside.speak(&[TERMINALS - 1]).await?;
    tokio::time::sleep(TURN).await;
    branch.inside.speak(&[]).await?;
    let outside = branch.outside.look().await?;
    let still_in = branch.inside.look().await?.iter().filter(|one| one.connected).count();
    branch.close().await?;

    let frames = |time: Duration| time.as_millis() as f64 / 20.0;
    let down = Share::of(&inside, frames(TURN * SCHEDULE.len() as u32));
    let up = Share::of(&outside, frames(TURN));
    let reconnections: u32 = inside.iter().map(|one| one.connections.saturating_sub(1)).sum();
    let ok = [&down, &up].iter().all(|share| {
        share.worst < CONCEALED_MAX && share.mean < CONCEALED_MAX && share.expected >= EXPECTED_MIN
    }) && still_in == TERMINALS;
    Ok(json!({
        "terminals": TERMINALS,
        "kbit": KBIT,
        "loss": 1.0 / f64::from(LOSS_ONE_IN),
        "concealed": rounded(down.mean),
        "concealed_worst": rounded(down.worst),
        "concealed_outside": rounded(up.mean),
        "frames_expected_of_sent": rounded(down.expected),
        "frames_expected_of_sent_outside": rounded(up.expected),
        "reconnections_of_terminals": reconnections,
        "ok": ok,
    }))
}

/// What was concealed of what was expected.
struct Share {
    mean: f64,
    worst: f64,
    /// The least that anybody expected, as a part of all frames of the time.
    expected: f64,
}

impl Share {
    fn of(seen: &[crate::office::Seen], frames: f64) -> Self {
        let ratio = |concealed: u64, expected: u64| concealed as f64 / expected.max(1) as f64;
        let (concealed, expected) =
            seen.iter().fold((0, 0), |sum, one| (sum.0 + one.concealed, sum.1 + one.expected));
        let worst = seen.iter().map(|one| ratio(one.concealed, one.expected));
        let least = seen.iter().map(|one| one.expected).min().unwrap_or_default();
        Self {
            mean: ratio(concealed, expected),
            worst: worst.fold(0.0, f64::max),
            expected: least as f64 / frames,
        }
    }
}

fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}
