//! A relay that wants what it must not. It has a real relay's name and password at nats-server, the
//! service token, an accomplice who is truly in the meeting, and every envelope that terminals have sent
//! by it; it does not have their keys. Whatever comes of its attempts that nobody has signed, or that
//! comes true a second time, is a success, and there must be none.

mod bus;
mod credentials;
mod edits;
mod inventions;
mod ledger;
mod people;
mod replays;
mod signatures;
mod stage;
mod subjects;

use std::time::Instant;

use anyhow::Result;
use serde_json::Value;

use self::stage::Stage;
use super::progress;

/// Fewer attempts prove nothing.
const ATTEMPTS_MIN: usize = 300;

/// Runs everything and reports.
pub async fn run(seed: u64) -> Result<Value> {
    let begin = Instant::now();
    progress("starting nats-server and six service processes");
    let mut stage = Stage::set(seed).await?;
    progress("it replays");
    replays::run(&mut stage).await?;
    progress("it edits");
    edits::run(&mut stage).await?;
    progress("it invents");
    inventions::run(&mut stage).await?;
    progress("it uses credentials of others");
    credentials::run(&mut stage).await?;
    progress("it poisons, floods and goes where it must not");
    subjects::run(&mut stage).await?;
    progress("waiting for what may come late");
    stage.drained().await?;
    let report = stage.attempts.report(seed, ATTEMPTS_MIN);
    stage.strike().await?;
    progress(&format!("done in {:.0} s", begin.elapsed().as_secs_f32()));
    Ok(report.into())
}
