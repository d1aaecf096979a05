//! A relay that has truly been enrolled and attaches to a core relay, and then lies: about who it is, who
//! is behind it, who speaks; replays, floods, says garbage and never reads. Whatever it gets that is not
//! its own is a success, and there must be none; and those in the meeting must hear each other without a
//! gap all the while.

mod child;
mod identities;
mod links;
mod stage;
mod voices;
mod waste;

use std::time::Instant;

use anyhow::Result;
use serde_json::Value;

use self::stage::Stage;
use super::progress;

/// Fewer attempts prove nothing.
const ATTEMPTS_MIN: usize = 500;

/// Runs everything and reports.
pub async fn run(seed: u64) -> Result<Value> {
    let begin = Instant::now();
    progress("starting the services and an honest edge relay; two meetings");
    let mut stage = Stage::set(seed).await?;
    progress("it is somebody else");
    identities::run(&mut stage).await?;
    progress("it opens links that it must not, and replays credentials and operations");
    links::run(&mut stage).await?;
    progress("it speaks for others and elsewhere");
    voices::run(&mut stage).await?;
    progress("it says garbage, floods and never reads");
    waste::run(&mut stage).await?;
    let quiet = stage.undisturbed().await?;
    let mut report = stage.attempts.report(seed, ATTEMPTS_MIN);
    stage.strike().await?;
    progress(&format!("done in {:.0} s", begin.elapsed().as_secs_f32()));
    report.insert("others".to_owned(), quiet.json());
    if !quiet.holds() {
        report.insert("ok".to_owned(), false.into());
    }
    Ok(report.into())
}
