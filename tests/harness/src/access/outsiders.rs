//! What outsiders may, and what they may not: shares, passwords, counts.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tributary_contracts::terminal::v1::relay_message::Body as Said;
use tributary_contracts::terminal::v1::terminal_message::Body as Ask;
use tributary_contracts::terminal::v1::{JoinCredential, RefusalCode, RequestJoinCredential};
use tributary_terminal::{Account, Target};

use super::stage::{Stage, is_not_admitted, refused, visit};
use super::{Measured, nothing};
use crate::Service;

/// Accesses of a client in 24 hours, by default.
pub const ACCESSES: usize = 50;
/// Unknown ids that a client may ask for in 24 hours, by default.
pub const MISSES: usize = 10;
/// Wrong passwords at one meeting in an hour, by default.
const WRONG_PASSWORDS: usize = 20;
/// A day longer than outsiders may read about what has ended.
const LONG_AGO: Duration = Duration::from_secs(8 * 24 * 3600);

pub async fn who_knows_the_id_of_a_meeting_that_is_not_shared_is_refused(
    stage: &mut Stage,
) -> Result<Measured> {
    let target = Target::new(stage.meeting("Not shared").await?);
    let guest = stage.guest(0).await?;
    is_not_admitted(&guest, &target).await.context("a guest")?;
    is_not_admitted(&stage.linus.terminal, &target).await.context("a user of the organisation")?;
    let guess = target.with_share_secret("AAAAAAAAAAAAAAAAAAAAAA");
    is_not_admitted(&guest, &guess).await.context("a guest with a secret that he made up")?;
    nothing()
}

pub async fn who_has_the_link_of_a_shared_meeting_is_let_in(stage: &mut Stage) -> Result<Measured> {
    let (_, _, target) = stage.shared_meeting("Shared").await?;
    for relay in [0, 1] {
        let guest = stage.guest(relay).await?;
        let details = guest.read(target.clone()).await.context("read")?;
        ensure!(details.members.is_empty(), "an outsider is told who the members are");
        visit(&guest, target.clone()).await?;
    }
    nothing()
}

pub async fn the_id_is_enough_once_a_meeting_is_shared(stage: &mut Stage) -> Result<Measured> {
    let meeting = stage.meeting("Shared later").await?;
    is_not_admitted(&stage.guest(1).await?, &Target::new(meeting)).await.context("before")?;
    stage.share(meeting).await?;
    let guest = stage.guest(1).await?;
    guest.read(meeting).await.context("read")?;
    visit(&guest, Target::new(meeting)).await?;
    nothing()
}

pub async fn a_wrong_password_is_told_to_who_has_the_link_and_not_to_who_typed_the_id(
    stage: &mut Stage,
) -> Result<Measured> {
    let (meeting, password) = stage.meeting_with_password("Password").await?;
    let (_, link) = stage.share(meeting).await?;
    let by_link = Target::link(&link.url)?;
    let wrong = "canary-wrong-password";
    stage.keep_secret(wrong);

    let guest = stage.guest(0).await?;
    let asked = guest.read(by_link.clone().with_password(wrong)).await;
    refused(asked, RefusalCode::WrongPassword).context("read by the link")?;
    let asked = guest.join_credential(by_link.clone().with_password(wrong)).await;
    refused(asked, RefusalCode::WrongPassword).context("join by the link")?;
    visit(&guest, by_link.with_password(&password)).await.context("with the right one")?;

    let guest = stage.guest(1).await?;
    let by_id = Target::new(meeting);
    let told = guest.read(by_id.clone().with_password(wrong)).await;
    let told = refused(told, RefusalCode::NotAdmitted).context("read by the id")?;
    let absent = guest.read(Target::new(stage.absent_meeting()?).with_password(wrong)).await;
    let absent = refused(absent, RefusalCode::NotAdmitted)?;
    ensure!(told == absent, "{told:?} for a wrong password, {absent:?} for an unknown id");
    visit(&guest, by_id.with_password(&password)).await.context("with the right one")?;
    nothing()
}

pub async fn too_many_wrong_passwords_lock_out_the_right_one(
    stage: &mut Stage,
) -> Result<Measured> {
    let (meeting, password) = stage.meeting_with_password("Locked").await?;
    let (_, link) = stage.share(meeting).await?;
    let by_link = Target::link(&link.url)?;
    let early = stage.guest(0).await?;
    early.read(by_link.clone().with_password(&password)).await.context("before")?;
    // The budget is the meeting's: it does not help to come as somebody else.
    for asker in stage.guests(0, WRONG_PASSWORDS).await? {
        let asked = asker.read(by_link.clone().with_password("canary-wrong-password")).await;
        refused(asked, RefusalCode::WrongPassword)?;
    }
    let late = stage.guest(1).await?;
    let asked = late.read(by_link.with_password(&password)).await;
    refused(asked, RefusalCode::Limit).context("the right one, by the link")?;
    let asked = stage.guest(1).await?.read(Target::new(meeting).with_password(&password)).await;
    refused(asked, RefusalCode::NotAdmitted).context("the right one, by the id")?;
    stage.ada.terminal.read(meeting).await.context("a member needs none")?;
    nothing()
}

pub async fn who_is_over_the_count_is_refused_for_valid_ids_too(
    stage: &mut Stage,
) -> Result<Measured> {
    let (_, _, counted_by_link) = stage.shared_meeting("Counted").await?;
    let (_, _, by_link) = stage.shared_meeting("Never asked for").await?;
    let (counted, other) =
        (Target::new(counted_by_link.meeting_id), Target::new(by_link.meeting_id));
    let guest = stage.guest(0).await?;
    for number in 1..=ACCESSES {
        guest.read(counted.clone()).await.with_context(|| format!("access number {number}"))?;
    }
    is_not_admitted(&guest, &counted).await.context("once more")?;
    is_not_admitted(&guest, &other).await.context("another valid id")?;
    // Who has the link knows already that there is a meeting, and is told when to come back.
    refused(guest.read(by_link).await, RefusalCode::Limit).context("by the link")?;
    let elsewhere = guest.at(&stage.world.relay_url(1)?).await?;
    is_not_admitted(&elsewhere, &other).await.context("at the other relay")?;
    stage.guest(0).await?.read(counted).await.context("somebody else")?;
    nothing()
}

pub async fn who_has_asked_for_too_many_unknown_ids_is_refused_for_valid_ids_too(
    stage: &mut Stage,
) -> Result<Measured> {
    let valid = Target::new(stage.shared_meeting("Found by luck").await?.0);
    let guest = stage.guest(0).await?;
    for number in 1..MISSES {
        let absent = stage.absent_meeting()?;
        // The same unknown id twice is one.
        for _ in 0..2 {
            refused(guest.read(absent).await, RefusalCode::NotAdmitted)?;
        }
        guest.read(valid.clone()).await.with_context(|| format!("after {number} unknown ids"))?;
    }
    refused(guest.read(stage.absent_meeting()?).await, RefusalCode::NotAdmitted)?;
    is_not_admitted(&guest, &valid).await?;
    stage.guest(0).await?.read(valid).await.context("somebody else")?;
    nothing()
}

pub async fn coming_back_is_not_counted(stage: &mut Stage) -> Result<Measured> {
    let (meeting, _, target) = stage.shared_meeting("Coming back").await?;
    let guest = stage.guest(0).await?;
    let mut credential = guest.join_credential(target.clone()).await.context("join")?;
    for number in 0..ACCESSES {
        let relay = number % 2;
        let at = guest.at(&stage.world.relay_url(relay)?).await?;
        credential = come_back(&at, &target, credential).await?;
    }
    // One access was counted so far: the first.
    for number in 2..=ACCESSES {
        guest.read(meeting).await.with_context(|| format!("access number {number}"))?;
    }
    is_not_admitted(&guest, &Target::new(meeting)).await.context("over the count")?;
    nothing()
}

async fn come_back(
    guest: &Account,
    target: &Target,
    previous: JoinCredential,
) -> Result<JoinCredential> {
    let identity = guest.identity().context("nobody is logged in")?;
    let ask = Ask::RequestJoinCredential(RequestJoinCredential {
        identity_token: identity.identity_token,
        meeting_id: target.meeting_id.to_string(),
        share_secret: target.share_secret.clone(),
        public_key: guest.public_key(),
        previous_join_credential: previous.join_credential,
        ..Default::default()
    });
    match guest.request(ask).await.context("come back")? {
        Said::JoinCredential(credential) => Ok(credential),
        other => bail!("a join credential was expected: {other:?}"),
    }
}

pub async fn what_ended_eight_days_ago_is_refused_to_outsiders_and_read_by_members(
    stage: &mut Stage,
) -> Result<Measured> {
    let (recent, _, by_recent_link) = stage.shared_meeting("Ended just now").await?;
    let (old, _, by_old_link) = stage.shared_meeting("Ended long ago").await?;
    for meeting in [recent, old] {
        stage.directory.end_meeting(&meeting.to_string()).await?;
    }
    let registry = stage.world.ageing(Service::MeetingRegistry).await?;
    registry.ended_earlier(&old.to_string(), LONG_AGO).await?;

    let guest = stage.guest(0).await?;
    guest.read(by_recent_link.clone()).await.context("an outsider reads what has just ended")?;
    let joined = guest.join_credential(by_recent_link).await;
    refused(joined, RefusalCode::NotAdmitted).context("an outsider joins what has ended")?;
    is_not_admitted(&guest, &by_old_link).await.context("what ended long ago")?;
    stage.ada.terminal.read(old).await.context("a member reads what ended long ago")?;
    let joined = stage.ada.terminal.join_credential(old).await;
    refused(joined, RefusalCode::MeetingEnded).context("a member joins what has ended")?;
    nothing()
}
