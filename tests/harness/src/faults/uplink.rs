//! The uplink of an office is cut for ten seconds, and then flaps: what people inside and outside hear
//! and do meanwhile, and what comes of it.

mod deeds;
mod sound;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use serde_json::{Value, json};

use self::deeds::Deeds;
use self::sound::Heard;
use super::progress;
use crate::branch::Branch;
use crate::office::Seat;

/// The tones of who speaks inside and of who speaks outside.
const HZ: [f32; 2] = [440.0, 659.0];
const INSIDE: usize = 0;
const OUTSIDE: usize = 1;
const CUT: Duration = Duration::from_secs(10);
const FLAP: Duration = Duration::from_secs(1);
const FLAP_EVERY: Duration = Duration::from_secs(5);
const FLAPS: usize = 24;
const FLAPS_SHORT: usize = 4;
/// For so long it is listened to what comes after the uplink is back.
const AFTERWARDS: Duration = Duration::from_secs(5);
/// How long operations may take until all have their results.
const RESULTS_DEADLINE: Duration = Duration::from_secs(30);
/// From the return of the uplink until both sides hear each other: an attempt to attach every 500 ms, and
/// what it takes.
const AUDIO_BACK_MS_MAX: u64 = 1_000;
/// From the cut until people inside hear each other again: the relay gives the uplink up after 2 s.
const LOCAL_AUDIO_MS_MAX: u64 = 3_000;
/// Of each two frames that were sent inside while the uplink was cut, one must have been heard inside.
const LOCAL_SHARE_MIN: f64 = 0.5;

/// Runs everything and reports.
pub async fn run(short: bool) -> Result<Value> {
    progress("starting the services and an edge relay in a network of its own; four people join");
    let branch = Branch::open().await?;
    for (office, who) in [(&branch.inside, INSIDE), (&branch.outside, OUTSIDE)] {
        let names = if who == INSIDE { ["Ina", "Ines"] } else { ["Olga", "Otto"] };
        let seats = names.map(|name| seat(&branch, name, who));
        office.join(seats.into_iter().collect::<Result<Vec<_>>>()?).await?;
    }
    branch.inside.speak(&[0]).await?;
    branch.outside.speak(&[0]).await?;
    branch.heard(OUTSIDE, &[0, 1], &[1]).await?;
    branch.heard(INSIDE, &[1], &[0, 1]).await?;
    let mut deeds = Deeds::default();

    progress("the uplink is cut for 10 s");
    branch.forget().await?;
    let cut = unix_us();
    branch.namespace.cut()?;
    deeds.be_busy(&branch, CUT).await?;
    branch.namespace.mend()?;
    let mended = unix_us();
    tokio::time::sleep(AFTERWARDS).await;
    let long = Heard::by(&branch).await?;
    let long_back = long.back_ms(mended);
    let local = long.local(cut, mended);

    let flaps = if short { FLAPS_SHORT } else { FLAPS };
    progress(&format!("it flaps: 1 s of every 5 s, {flaps} times"));
    let (mut flap_back, mut flap_stale, mut flap_oldest) = (Vec::new(), 0, 0);
    for _ in 0..flaps {
        branch.forget().await?;
        branch.namespace.cut()?;
        deeds.be_busy(&branch, FLAP).await?;
        branch.namespace.mend()?;
        let mended = unix_us();
        deeds.be_busy(&branch, FLAP_EVERY.saturating_sub(FLAP)).await?;
        let heard = Heard::by(&branch).await?;
        flap_back.push(heard.back_ms(mended));
        flap_stale += heard.stale_ms();
        flap_oldest = flap_oldest.max(heard.oldest_ms());
    }
    progress("waiting for the results of what was done");
    deeds.settle(&branch, RESULTS_DEADLINE).await?;
    let done = deeds.judge(&branch).await?;
    let stale = long.stale_ms() + flap_stale;
    branch.close().await?;

    let worst = |ways: &[[Option<u64>; 2]]| -> Option<u64> {
        ways.iter().flatten().copied().collect::<Option<Vec<u64>>>()?.into_iter().max()
    };
    let (long_worst, flap_worst) = (worst(&[long_back]), worst(&flap_back));
    let is_quick = |back: Option<u64>| back.is_some_and(|ms| ms <= AUDIO_BACK_MS_MAX);
    let ok = is_quick(long_worst)
        && is_quick(flap_worst)
        && stale == 0
        && local.after_ms.is_some_and(|ms| ms <= LOCAL_AUDIO_MS_MAX)
        && local.share >= LOCAL_SHARE_MIN
        && done.holds();
    let [down, up] = long_back;
    Ok(json!({
        "audio_back_ms": long_worst,
        "stale_ms_played": stale,
        "ops_lost": done.lost,
        "ops_doubled": done.doubled,
        "attendance_sessions": done.stays_max,
        "operations": done.operations,
        "reconnections_of_terminals": done.reconnections,
        "cut": {
            "seconds": CUT.as_secs(),
            "audio_back_down_ms": down,
            "audio_back_up_ms": up,
            "oldest_played_ms": long.oldest_ms(),
            "local_audio_after_ms": local.after_ms,
            "local_frames_heard": (local.share * 1_000.0).round() / 1_000.0,
        },
        "flapping": {
            "times": flaps,
            "audio_back_ms_max": flap_worst,
            "stale_ms_played": flap_stale,
            "oldest_played_ms": flap_oldest,
        },
        "ok": ok,
    }))
}

fn seat(branch: &Branch, name: &str, side: usize) -> Result<Seat> {
    let hz = if name.starts_with("Ina") { HZ[INSIDE] } else { HZ[OUTSIDE] };
    let mut seat = match side {
        INSIDE => branch.seat_inside(name, hz)?,
        _ => branch.seat_outside(name, hz)?,
    };
    seat.listen_for = HZ.to_vec();
    seat.packets = true;
    Ok(seat)
}

fn unix_us() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}
