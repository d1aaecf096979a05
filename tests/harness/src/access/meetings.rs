//! What members read, and when they are members no more.

use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use tributary_contracts::access::v1::Role;
use tributary_contracts::registry::v1::MemberRole;
use tributary_contracts::terminal::v1::{RefusalCode, UpdateMeeting};
use tributary_terminal::{HttpError, Target};

use super::stage::{Stage, at_once, is_not_admitted, until_refused};
use super::{Measured, nothing};

pub async fn a_member_reads_details(stage: &mut Stage) -> Result<Measured> {
    let (meeting, _password) = stage.meeting_with_password("Details").await?;
    let (ada, grace) = (stage.ada.user.user_id.clone(), stage.grace.user.user_id.clone());
    stage.ada.terminal.set_members(meeting, &[(&grace, MemberRole::Host)]).await?;
    let details = stage.grace.terminal.read(meeting).await.context("read as a host")?;
    ensure!(details.role() == Role::Host, "she is {:?}", details.role());
    let about = details.meeting.context("details are about a meeting")?;
    ensure!(about.subject == "Details" && about.has_password, "{about:?}");
    ensure!(about.organiser_user_id == ada, "organised by {:?}", about.organiser_user_id);
    let roles: Vec<_> =
        details.members.iter().map(|member| (member.user_id.clone(), member.role())).collect();
    for expected in [(ada, MemberRole::Organiser), (grace, MemberRole::Host)] {
        ensure!(roles.contains(&expected), "{expected:?} is not in {roles:?}");
    }

    // Hosts run the meeting too, and everybody reads what they have made of it.
    let change = UpdateMeeting {
        meeting_id: meeting.to_string(),
        subject: Some("Other details".to_owned()),
        ..Default::default()
    };
    stage.grace.terminal.update_meeting(change).await.context("a host changes the subject")?;
    let again = stage.ada.terminal.read(meeting).await.context("read as the organiser")?;
    ensure!(again.role() == Role::Organiser, "she is {:?}", again.role());
    let subject = again.meeting.map(|meeting| meeting.subject);
    ensure!(subject.as_deref() == Some("Other details"), "the subject is {subject:?}");
    let mine = stage.grace.terminal.meetings().await.context("her meetings")?;
    ensure!(mine.iter().any(|one| one.meeting_id == meeting.to_string()), "it is not among hers");
    nothing()
}

pub async fn a_removed_member_is_refused_within_a_second(stage: &mut Stage) -> Result<Measured> {
    let meeting = stage.meeting("Removed").await?;
    let grace = stage.grace.user.clone();
    stage.ada.terminal.set_members(meeting, &[(&grace.user_id, MemberRole::Member)]).await?;
    let elsewhere = stage.log_in(1, &grace).await?;
    elsewhere.read(meeting).await.context("read as a member at the other relay")?;
    let begin = Instant::now();
    stage.ada.terminal.remove_members(meeting, &[&grace.user_id]).await?;
    let target = Target::new(meeting);
    let asker = std::slice::from_ref(&elsewhere);
    let took = until_refused(asker, &target, RefusalCode::NotAdmitted, begin).await?;
    is_not_admitted(&elsewhere, &target).await?;
    let took = at_once("removing a member", took)?;
    Ok(Measured::from_iter([("member_removed_within_ms".to_owned(), json!(took))]))
}

pub async fn attachments_are_read_through_an_access_decision(
    stage: &mut Stage,
) -> Result<Measured> {
    let meeting = stage.meeting("Attachments").await?;
    let content: Vec<u8> = (0..300_000_u32).map(|at| (at * 31 % 251) as u8).collect();
    let attached = stage
        .ada
        .terminal
        .attach(meeting, "plan of the year.pdf", "application/pdf", content.clone())
        .await
        .context("attach")?;
    ensure!(attached.size == content.len() as u64, "{attached:?}");
    let id = attached.attachment_id;

    let grace = stage.grace.user.user_id.clone();
    stage.ada.terminal.set_members(meeting, &[(&grace, MemberRole::Member)]).await?;
    let details = stage.grace.terminal.read(meeting).await.context("read")?;
    let listed: Vec<_> = details.attachments.iter().map(|file| file.file_name.as_str()).collect();
    ensure!(listed == ["plan of the year.pdf"], "{listed:?} is listed");
    let got = stage.grace.terminal.attachment(meeting, &id).await.context("read as a member")?;
    ensure!(got.data.as_ref() == content.as_slice(), "{} other bytes came", got.data.len());

    let outsider = stage.guest(1).await?;
    let refused = status(outsider.attachment(meeting, &id).await.err())?;
    let absent = status(outsider.attachment(stage.absent_meeting()?, &id).await.err())?;
    ensure!(refused == absent, "{refused:?} for one that is there, {absent:?} for one that is not");
    let refused = status(outsider.attach(meeting, "x.txt", "text/plain", "x").await.err())?;
    ensure!((400..500).contains(&refused.0), "an outsider attached something: {refused:?}");

    let (_, link) = stage.share(meeting).await?;
    let target = Target::link(&link.url)?;
    let guest = stage.guest(1).await?;
    let got = guest.attachment(target.clone(), &id).await.context("read by the link")?;
    ensure!(got.data.as_ref() == content.as_slice(), "{} other bytes came", got.data.len());

    stage.ada.terminal.delete_attachment(meeting, &id).await.context("take it away")?;
    let gone = status(stage.grace.terminal.attachment(meeting, &id).await.err())?;
    ensure!(gone.0 == 404, "what was taken away is answered {gone:?}");
    nothing()
}

/// What a refused request by HTTP was told.
fn status(error: Option<HttpError>) -> Result<(u16, String, Vec<u8>)> {
    match error {
        Some(HttpError::Refused { status, code, body, .. }) => Ok((status, code, body.to_vec())),
        Some(other) => bail!("a refusal was expected: {other}"),
        None => bail!("a refusal was expected, and it was allowed"),
    }
}
