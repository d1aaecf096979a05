//! Shares in every form, taken back, and expired.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tributary_contracts::access::v1::share_form::Form;
use tributary_contracts::access::v1::{LinkForm, ShareForm};
use tributary_contracts::notice::v1::notice::Kind;
use tributary_contracts::terminal::v1::{RefusalCode, ShareMeeting};
use tributary_terminal::Target;

use super::stage::{
    Stage, at_once, is_not_admitted, kind_of, refused, told_of, until_refused, visit,
};
use super::{Measured, nothing};
use crate::peers::MailServer;

/// How long the share that expires holds.
const SHORT: Duration = Duration::from_secs(2);
/// Guests who ask in turn until they are refused: each stays far below the count.
const ASKERS: usize = 20;

pub async fn a_named_user_is_told_and_comes_in(stage: &mut Stage) -> Result<Measured> {
    let mut notices = stage.linus.terminal.notices().await.context("receive notices")?;
    let (meeting, password) = stage.meeting_with_password("For Linus").await?;
    let linus = stage.linus.user.user_id.clone();
    is_not_admitted(&stage.linus.terminal, &Target::new(meeting)).await.context("before")?;
    stage.ada.terminal.share_with_users(meeting, &[&linus]).await.context("share")?;
    let notice = told_of(&mut notices, meeting).await?;
    ensure!(matches!(kind_of(&notice)?, Kind::Shared(_)), "{notice:?}");
    ensure!(notice.subject == "For Linus", "the subject is {:?}", notice.subject);
    ensure!(notice.from_display_name == "Ada", "it is from {:?}", notice.from_display_name);

    // Who is named holds the secret, so he is told what is wrong.
    let target = Target::new(notice.meeting_id.parse()?);
    let asked = stage.linus.terminal.read(target.clone().with_password("canary-wrong-password"));
    refused(asked.await, RefusalCode::WrongPassword).context("with a wrong password")?;
    visit(&stage.linus.terminal, target.with_password(&password)).await?;
    nothing()
}

pub async fn the_link_in_an_email_works(stage: &mut Stage) -> Result<Measured> {
    let address = "grace.hopper@example.com";
    let (meeting, password) = stage.meeting_with_password("By mail").await?;
    stage.ada.terminal.share_by_email(meeting, &[address]).await.context("share")?;
    let message = stage.mail.message_to(address).await?;
    let text = MailServer::plain_text(&message).context("the mail has no plain text")?;
    let raw = message.get("raw").and_then(Value::as_str).unwrap_or_default();
    ensure!(!raw.contains(&password) && !text.contains(&password), "the password is in the mail");
    let page = stage.world.relay_url(0)?;
    let link = text
        .split_whitespace()
        .find(|word| word.starts_with(&page))
        .with_context(|| format!("there is no link to {page} in the mail"))?;
    let target = Target::link(link).context("read the link")?;
    stage.keep_secret(&target.share_secret);
    ensure!(target.meeting_id == meeting, "the link is for {}", target.meeting_id);
    let guest = stage.guest(1).await?;
    visit(&guest, target.with_password(&password)).await?;
    nothing()
}

pub async fn the_qr_code_is_the_link(stage: &mut Stage) -> Result<Measured> {
    let meeting = stage.meeting("QR code").await?;
    let (_, link) = stage.share(meeting).await?;
    let read = decode(&link.qr_png).context("read the QR code")?;
    ensure!(read == link.url, "the QR code says something else than the link");
    ensure!(link.qr_svg.contains("<svg"), "the other QR code is no SVG");
    visit(&stage.guest(1).await?, Target::link(&read)?).await?;
    nothing()
}

/// What a QR code says that is alone on a PNG.
fn decode(png: &[u8]) -> Result<String> {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info()?;
    let mut pixels = vec![0; reader.output_buffer_size().context("a small image")?];
    let frame = reader.next_frame(&mut pixels)?;
    let samples = frame.color_type.samples();
    let (width, height) = (frame.width as usize, frame.height as usize);
    let grey =
        |x: usize, y: usize| pixels.get((y * width + x) * samples).copied().unwrap_or_default();
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, grey);
    let codes = image.detect_grids();
    let [code] = codes.as_slice() else {
        anyhow::bail!("there are {} QR codes on it", codes.len());
    };
    Ok(code.decode()?.1)
}

pub async fn a_revoked_share_is_refused_within_a_second_at_the_other_relay(
    stage: &mut Stage,
) -> Result<Measured> {
    let (meeting, share, target) = stage.shared_meeting("Revoked").await?;
    let askers = stage.guests(1, ASKERS).await?;
    for asker in &askers {
        asker.read(target.clone()).await.context("before")?;
    }
    let begin = Instant::now();
    stage.ada.terminal.revoke_share(meeting, &share.share_id).await.context("revoke")?;
    let took = until_refused(&askers, &target, RefusalCode::NotAdmitted, begin).await?;
    is_not_admitted(&stage.guest(0).await?, &target).await.context("at the same relay")?;
    is_not_admitted(&stage.guest(1).await?, &target).await.context("at the other relay")?;
    let shares = stage.ada.terminal.shares(meeting).await?;
    ensure!(shares.iter().all(|share| share.revoked_at.is_some()), "{shares:?}");
    let took = at_once("revoking a share", took)?;
    Ok(Measured::from_iter([("revoked_within_ms".to_owned(), json!(took))]))
}

pub async fn an_expired_share_is_refused(stage: &mut Stage) -> Result<Measured> {
    let meeting = stage.meeting("Expires").await?;
    let expires_at = SystemTime::now() + SHORT;
    let shared = stage
        .ada
        .terminal
        .share(ShareMeeting {
            meeting_id: meeting.to_string(),
            form: Some(ShareForm { form: Some(Form::Link(LinkForm {})) }),
            expires_at: Some(expires_at.into()),
            ..Default::default()
        })
        .await
        .context("share")?;
    let target = Target::link(&shared.link.context("no link in the answer")?.url)?;
    stage.guest(0).await?.read(target.clone()).await.context("before")?;
    let askers = stage.guests(0, ASKERS).await?;
    let begin = Instant::now();
    until_refused(&askers, &target, RefusalCode::NotAdmitted, begin).await?;
    ensure!(SystemTime::now() >= expires_at, "it has expired too early");
    is_not_admitted(&stage.guest(1).await?, &target).await.context("at the other relay")?;
    nothing()
}
