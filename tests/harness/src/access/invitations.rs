//! Members are invited, each once, and come in without typing anything.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use tributary_contracts::notice::v1::{InvitationOccasion, Notice, notice::Kind};
use tributary_contracts::registry::v1::MemberRole;
use tributary_contracts::terminal::v1::CreateMeeting;
use tributary_terminal::Target;

use super::stage::{Stage, join, kind_of, told_of};
use super::{Measured, nothing};
use crate::Service;

/// How far ahead the scheduled meeting is: long enough for a restart of the registry before it.
const AHEAD: Duration = Duration::from_secs(4);
/// A second invitation would come within this: the registry has then looked at its schedule and its
/// outbox several times.
const SECOND_INVITATION: Duration = Duration::from_secs(3);

fn occasion(notice: &Notice) -> Result<InvitationOccasion> {
    match kind_of(notice)? {
        Kind::Invitation(invitation) => Ok(invitation.occasion()),
        other => anyhow::bail!("an invitation was expected: {other:?}"),
    }
}

pub async fn a_member_joins_by_invitation_and_types_nothing(stage: &mut Stage) -> Result<Measured> {
    let mut notices = stage.grace.terminal.notices().await.context("receive notices")?;
    let (meeting, _password) = stage.meeting_with_password("Invited").await?;
    let grace = stage.grace.user.user_id.clone();
    stage.ada.terminal.set_members(meeting, &[(&grace, MemberRole::Member)]).await?;
    let notice = told_of(&mut notices, meeting).await?;
    ensure!(occasion(&notice)? == InvitationOccasion::Added, "{notice:?}");
    ensure!(notice.subject == "Invited", "the subject is {:?}", notice.subject);
    ensure!(notice.from_user_id == stage.ada.user.user_id, "it is from {:?}", notice.from_user_id);
    ensure!(notice.from_display_name == "Ada", "it is from {:?}", notice.from_display_name);

    // One tap: the notice is all that the terminal has.
    let target = Target::new(notice.meeting_id.parse()?);
    let terminal = join(&stage.grace.terminal, target).await?;
    let roster = stage.directory.roster(&meeting.to_string()).await?;
    ensure!(roster.iter().any(|person| person.user_id == grace), "she is not in the roster");
    terminal.leave().await;
    stage.grace.terminal.dismiss(&notice.notice_id).await.context("dismiss")?;
    let again = stage.grace.terminal.notices().await.context("receive notices again")?;
    ensure!(
        again.listed().iter().all(|other| other.notice_id != notice.notice_id),
        "a dismissed notice is still there"
    );
    nothing()
}

pub async fn a_scheduled_meeting_invites_once_across_a_restart_of_the_registry(
    stage: &mut Stage,
) -> Result<Measured> {
    let starts_at = SystemTime::now() + AHEAD;
    let meeting = stage
        .create(CreateMeeting {
            subject: "Scheduled".to_owned(),
            member_user_ids: vec![stage.grace.user.user_id.clone()],
            starts_at: Some(starts_at.into()),
            ..Default::default()
        })
        .await?;
    stage.world.kill(Service::MeetingRegistry).await?;
    stage.world.start_service(Service::MeetingRegistry).await?;
    let mut notices = stage.grace.terminal.notices().await.context("receive notices")?;
    let id = meeting.to_string();
    ensure!(
        SystemTime::now() >= starts_at || notices.listed().iter().all(|n| n.meeting_id != id),
        "it invites before it begins"
    );
    let notice = told_of(&mut notices, meeting).await?;
    ensure!(SystemTime::now() >= starts_at, "it has invited before it begins");
    ensure!(occasion(&notice)? == InvitationOccasion::Begins, "{notice:?}");
    ensure!(notice.subject == "Scheduled", "the subject is {:?}", notice.subject);

    // Once, also when the registry starts again.
    stage.world.kill(Service::MeetingRegistry).await?;
    stage.world.start_service(Service::MeetingRegistry).await?;
    let second = tokio::time::timeout(SECOND_INVITATION, async {
        loop {
            match notices.next().await {
                // The same notice may arrive twice; another one about the same meeting may not.
                Some(other) if other.meeting_id == id && other.notice_id != notice.notice_id => {
                    return Some(other);
                }
                Some(_) => {}
                None => return None,
            }
        }
    });
    if let Ok(Some(second)) = second.await {
        anyhow::bail!("invited a second time: {second:?}");
    }
    let listed = stage.grace.terminal.notices().await.context("receive notices again")?;
    let invitations = listed.listed().iter().filter(|notice| notice.meeting_id == id).count();
    ensure!(invitations == 1, "{invitations} invitations are listed");
    nothing()
}
