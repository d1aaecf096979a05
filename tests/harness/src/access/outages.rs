//! Access-control crashes, and its database: what was counted, shared and revoked still is.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tributary_contracts::terminal::v1::RefusalCode;
use tributary_terminal::Target;

use super::outsiders::{ACCESSES, MISSES};
use super::stage::{DEADLINE, Stage, eventually, is_not_admitted, refused};
use super::{Measured, nothing};
use crate::Service;

pub async fn counts_shares_and_revocations_survive_a_crash_of_access_control(
    stage: &mut Stage,
) -> Result<Measured> {
    let live = Target::new(stage.shared_meeting("Survives").await?.0);
    let (meeting, share, revoked) = stage.shared_meeting("Stays revoked").await?;
    stage.ada.terminal.revoke_share(meeting, &share.share_id).await?;
    let [nearly, over, prying] =
        [stage.guest(0).await?, stage.guest(0).await?, stage.guest(0).await?];
    for _ in 1..ACCESSES {
        nearly.read(live.clone()).await.context("nearly over the count")?;
        over.read(live.clone()).await?;
    }
    over.read(live.clone()).await?;
    for _ in 0..MISSES {
        refused(prying.read(stage.absent_meeting()?).await, RefusalCode::NotAdmitted)?;
    }

    stage.world.kill(Service::AccessControl).await?;
    stage.postgres.stop().await?;
    stage.postgres.start_again().await?;
    stage.world.start_service(Service::AccessControl).await?;

    let fresh = stage.guest(1).await?;
    let (fresh, live_again) = (&fresh, &live);
    eventually("access-control to answer again", || async {
        fresh.read(live_again.clone()).await.ok()
    })
    .await
    .context("a share that held")?;
    is_not_admitted(fresh, &revoked).await.context("a share that was revoked")?;
    is_not_admitted(&over, &live).await.context("who was over the count")?;
    is_not_admitted(&prying, &live).await.context("who has asked for too many unknown ids")?;
    nearly.read(live.clone()).await.context("the last access that was left")?;
    is_not_admitted(&nearly, &live).await.context("one more")?;
    nothing()
}

pub async fn without_its_database_cached_allows_hold_and_everything_else_says_try_again(
    stage: &mut Stage,
) -> Result<Measured> {
    let (meeting, _, target) = stage.shared_meeting("Outage").await?;
    let other = stage.meeting("Another").await?;
    stage.share(other).await?;
    let [known, stranger] = [stage.guest(0).await?, stage.guest(1).await?];
    stage.ada.terminal.read(meeting).await?;
    known.read(target.clone()).await.context("before the outage")?;
    stage.postgres.stop().await?;
    let begin = Instant::now();
    known.read(target.clone()).await.context("who was let in just now")?;
    let took = begin.elapsed().as_millis();
    stage.ada.terminal.read(meeting).await.context("a member")?;
    let absent = stage.absent_meeting()?;
    let (strange, elsewhere, unknown, share) = tokio::join!(
        stranger.read(target.clone()),
        known.read(Target::new(other)),
        stranger.read(absent),
        stage.ada.terminal.share_link(other),
    );
    refused(strange, RefusalCode::TryAgain).context("a stranger")?;
    refused(elsewhere, RefusalCode::TryAgain).context("another meeting")?;
    refused(unknown, RefusalCode::TryAgain).context("no meeting at all")?;
    refused(share, RefusalCode::TryAgain).context("a new share")?;

    stage.postgres.start_again().await?;
    let back = Instant::now();
    let stranger = &stranger;
    eventually("access-control to use its database again", || async {
        stranger.read(target.clone()).await.ok()
    })
    .await?;
    ensure!(back.elapsed() < DEADLINE);
    nothing().map(|mut measured| {
        measured.insert("cached_allow_without_database_ms".to_owned(), json!(took as u64));
        measured
    })
}
