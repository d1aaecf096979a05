//! Who hears whom when people talk to some only, sit in one room, or are in two meetings: eight
//! terminals with a tone each behind three relays, one of which stands in a room. What each of them hears
//! must be what the rules say, cell by cell; nobody may hear one packet of a whisper that is not for
//! them; and who switches meetings may miss no more than a moment.

mod cast;
mod matrix;
mod repetitions;
mod switching;

use std::time::Instant;

use anyhow::Result;
use serde_json::{Value, json};

use self::cast::Cast;

/// Longest gap when the meeting is switched that 99 of 100 may have, in ms.
const SWITCH_GAP_MS_MAX: f64 = 300.0;

/// Runs everything and reports.
pub async fn run(repetitions: usize, switches: usize) -> Result<Value> {
    let begin = Instant::now();
    progress("starting nats-server and seven service processes; eight terminals join");
    let cast = Cast::assemble().await?;
    progress("who hears whom");
    let cells = matrix::run(&cast).await?;
    progress(&format!("{repetitions} whispers"));
    let whispers = repetitions::run(&cast, repetitions).await?;
    progress(&format!("{switches} switches between two meetings"));
    let mut gaps = switching::run(&cast, switches).await?;
    gaps.sort_by(f64::total_cmp);
    let (p50, p99) = (quantile(&gaps, 0.5), quantile(&gaps, 0.99));
    cast.dismiss().await?;
    progress(&format!("done in {:.0} s", begin.elapsed().as_secs_f32()));
    let ok = cells.right == cells.all
        && whispers.leaks == 0
        && whispers.missed == 0
        && whispers.encodes == 0.0
        && gaps.len() == 2 * switches
        && p99.is_some_and(|p99| p99 <= SWITCH_GAP_MS_MAX);
    Ok(json!({
        "cells_right": cells.right,
        "cells": cells.all,
        "whispers": repetitions,
        "whispers_not_heard": whispers.missed,
        "leaks": whispers.leaks,
        "encodes_by_whispers": whispers.encodes,
        "switches": switches,
        "switch_gap_ms": {"p50": p50, "p99": p99, "max": gaps.last()},
        "ok": ok,
    }))
}

/// The value below which this part of sorted ones lies, by nearest rank.
fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).map(|value| (value * 10.0).round() / 10.0)
}

fn progress(text: &str) {
    eprintln!("smoke-talk: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!((quantile(&values, 0.5), quantile(&values, 0.99)), (Some(50.0), Some(99.0)));
        assert_eq!((quantile(&[7.0], 0.99), quantile(&[], 0.5)), (Some(7.0), None));
    }
}
