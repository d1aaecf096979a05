//! Who is who: log-in at a provider, keys and their rotation, revocation.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tributary_contracts::admin::v1::SigningKeyState;
use tributary_contracts::registry::v1::MemberRole;
use tributary_contracts::terminal::v1::RefusalCode;
use tributary_contracts::terminal::v1::terminal_message::Body as Ask;
use tributary_contracts::terminal::v1::{RefreshIdentity, RequestJoinCredential};
use tributary_join_credential::TerminalKey;
use tributary_terminal::{Account, EndReason, Notices, Target, Terminal};

use super::stage::{DEADLINE, Stage, at_once, eventually, join, refused, until_refused, visit};
use super::{Measured, nothing};
use crate::Service;
use crate::peers::query_value;

pub async fn somebody_logs_in_at_an_openid_provider(stage: &mut Stage) -> Result<Measured> {
    let page = format!("{}/", stage.world.relay_url(0)?);
    let options = stage.ada.terminal.log_in_options().await?;
    ensure!(
        options.oidc_providers.iter().any(|provider| provider.provider_id == "test"),
        "the provider is not offered: {options:?}"
    );
    let newcomer = Account::connect(&stage.world.relay_url(0)?).await?;
    let first = log_in_by_oidc(stage, &newcomer, &page).await?;
    ensure!(first.display_name == "Margaret Hamilton" && !first.guest, "{first:?}");
    newcomer.create_meeting(meeting_named("By a newcomer")).await.context("works as an account")?;
    // The same person again, from another device.
    let device = Account::connect(&stage.world.relay_url(1)?).await?;
    let again = log_in_by_oidc(stage, &device, &page).await?;
    ensure!(again.user_id == first.user_id, "the same person is two users");

    // What was begun with one key is not finished with another, and nothing is finished twice.
    let Way { issuer, state, code } = redirected(stage, &newcomer, &page).await?;
    let thief = Account::connect(&stage.world.relay_url(0)?).await?;
    refused(thief.finish_oidc_from(&issuer, &state, &code).await, RefusalCode::NotLoggedIn)
        .context("a thief")?;
    let Way { issuer, state, code } = redirected(stage, &newcomer, &page).await?;
    newcomer.finish_oidc_from(&issuer, &state, &code).await.context("finish")?;
    let again = newcomer.finish_oidc_from(&issuer, &state, &code).await;
    refused(again, RefusalCode::NotLoggedIn).context("a second time")?;
    nothing()
}

fn meeting_named(subject: &str) -> tributary_contracts::terminal::v1::CreateMeeting {
    tributary_contracts::terminal::v1::CreateMeeting {
        subject: subject.to_owned(),
        ..Default::default()
    }
}

async fn log_in_by_oidc(
    stage: &Stage,
    account: &Account,
    page: &str,
) -> Result<tributary_contracts::credential::v1::Identity> {
    let Way { issuer, state, code } = redirected(stage, account, page).await?;
    account.finish_oidc_from(&issuer, &state, &code).await.context("finish the log-in")
}

/// What the browser comes back with.
struct Way {
    issuer: String,
    state: String,
    code: String,
}

/// Goes to the provider and comes back.
async fn redirected(stage: &Stage, account: &Account, page: &str) -> Result<Way> {
    let begun = account.begin_oidc("test", page).await.context("begin the log-in")?;
    let back = stage.oidc.log_in(&begun.authorization_url, "margaret.hamilton").await?;
    ensure!(back.starts_with(page), "the provider sends the browser to {back}");
    let value = |name| query_value(&back, name).with_context(|| format!("no {name} in {back}"));
    ensure!(value("state")? == begun.state, "another state came back");
    Ok(Way { issuer: value("iss")?, state: value("state")?, code: value("code")? })
}

pub async fn an_identity_is_refreshed_by_its_own_key_only(stage: &mut Stage) -> Result<Measured> {
    let guest = stage.guest(0).await?;
    let old = guest.identity().context("nobody is logged in")?;
    let new = guest.refresh().await.context("refresh")?;
    ensure!(new.user_id == old.user_id && new.identity_token != old.identity_token, "{new:?}");

    // Who has taken the token has not the key.
    let thief = TerminalKey::generate()?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    let stranger = Account::connect(&stage.world.relay_url(1)?).await?;
    let refresh = Ask::RefreshIdentity(RefreshIdentity {
        identity_token: new.identity_token.clone(),
        public_key: thief.public_key().to_vec(),
        signed_at: now,
        proof: thief.sign_refresh_proof(now, &new.identity_token)?,
    });
    refused(stranger.request(refresh).await, RefusalCode::NotLoggedIn).context("refresh")?;
    let (meeting, _, _) = stage.shared_meeting("Stolen token").await?;
    let credential = Ask::RequestJoinCredential(RequestJoinCredential {
        identity_token: new.identity_token,
        meeting_id: meeting.to_string(),
        public_key: thief.public_key().to_vec(),
        ..Default::default()
    });
    let asked = stranger.request(credential).await;
    ensure!(asked.is_err(), "a stolen token was good for a join credential: {asked:?}");
    visit(&guest, Target::new(meeting)).await.context("the owner of the token")?;
    nothing()
}

/// The key that a token is signed with (`kid`).
fn key_of(token: &str) -> Result<String> {
    use base64::Engine as _;
    let header = token.split('.').next().context("a token has a header")?;
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(header)?;
    let header: serde_json::Value = serde_json::from_slice(&header)?;
    Ok(header.get("kid").and_then(|kid| kid.as_str()).context("no kid")?.to_owned())
}

async fn new_token_key(stage: &mut Stage) -> Result<String> {
    let guest = stage.guest(1).await?;
    key_of(&guest.identity().context("nobody is logged in")?.identity_token)
}

pub async fn when_the_signing_key_is_rotated_everybody_works_on(
    stage: &mut Stage,
) -> Result<Measured> {
    let (meeting, _, target) = stage.shared_meeting("Rotated").await?;
    let before = stage.guest(0).await?;
    let inside = join(&before, target.clone()).await?;
    let old_key = new_token_key(stage).await?;
    let new_key = stage.directory.rotate_signing_key().await?;
    ensure!(new_key != old_key, "the new key is the old one");
    ensure!(new_token_key(stage).await? == old_key, "the new key signs before it can be known");
    stage.world.ageing(Service::Credential).await?.next_key_signs().await?;
    let deadline = Instant::now() + DEADLINE;
    while new_token_key(stage).await? != new_key {
        ensure!(Instant::now() < deadline, "the new key does not sign after {DEADLINE:?}");
        // What the old one has signed holds all the time, at both relays.
        stage.ada.terminal.read(meeting).await.context("during the rotation")?;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let keys = stage.directory.signing_keys().await?;
    let state = |id: &str| keys.iter().find(|key| key.key_id == id).map(|key| key.state());
    ensure!(state(&new_key) == Some(SigningKeyState::Active), "{keys:?}");
    ensure!(state(&old_key) == Some(SigningKeyState::Retired), "{keys:?}");
    for relay in [0, 1] {
        let url = stage.world.relay_url(relay)?;
        let old = before.at(&url).await?;
        old.read(target.clone()).await.context("with a token of the old key")?;
        old.refresh().await.context("from the old key to the new one")?;
        let new = stage.guest(relay).await?;
        new.read(target.clone()).await.context("with a token of the new key")?;
        visit(&new, target.clone()).await.context("with a credential of the new key")?;
    }
    ensure!(inside.connected(), "who was in the meeting is not any more");
    inside.leave().await;
    nothing()
}

/// Somebody at one relay: asking, being told, and in a meeting.
struct Presence {
    account: Account,
    notices: Notices,
    terminal: Terminal,
}

pub async fn a_revoked_user_is_disconnected_and_refused_within_a_second_at_every_relay(
    stage: &mut Stage,
) -> Result<Measured> {
    let password = stage.ada.user.password.clone();
    let tove = stage.directory.user("tove", "Tove", &password).await?;
    let meeting = stage.meeting("Until revoked").await?;
    stage.ada.terminal.set_members(meeting, &[(&tove.user_id, MemberRole::Member)]).await?;
    let mut presences = Vec::new();
    for relay in [0, 1] {
        let account = stage.log_in(relay, &tove).await?;
        let notices = account.notices().await?;
        let terminal = join(&account, Target::new(meeting)).await?;
        presences.push(Presence { account, notices, terminal });
    }
    let begin = Instant::now();
    stage.directory.revoke_user(&tove.user_id).await?;
    let mut slowest = Duration::ZERO;
    for presence in &mut presences {
        is_thrown_out(presence).await?;
        slowest = slowest.max(begin.elapsed());
    }
    let target = Target::new(meeting);
    for presence in &presences {
        let asker = std::slice::from_ref(&presence.account);
        let took = until_refused(asker, &target, RefusalCode::NotLoggedIn, begin).await?;
        slowest = slowest.max(took);
    }
    let directory = &stage.directory;
    eventually("a revoked user to be out of the roster", || async {
        let roster = directory.roster(&meeting.to_string()).await.ok()?;
        roster.iter().all(|person| person.user_id != tove.user_id).then_some(())
    })
    .await?;
    // The account is still there: whoever knows the password comes in again.
    let world = &stage.world;
    eventually("a revoked user to log in again", || async {
        let account =
            Account::logged_in(&world.relay_url(0).ok()?, "tove", &password).await.ok()?;
        account.read(meeting).await.ok()
    })
    .await?;
    let took = at_once("throwing out a revoked user", slowest)?;
    Ok(Measured::from_iter([("user_revoked_within_ms".to_owned(), json!(took))]))
}

/// Waits until both connections of somebody have been ended, with the reason.
async fn is_thrown_out(presence: &mut Presence) -> Result<()> {
    let ending = async { while presence.notices.next().await.is_some() {} };
    tokio::time::timeout(DEADLINE, ending).await.context("notices are still being told")?;
    let refusal = presence.notices.refusal().context("the connection ended without a word")?;
    ensure!(refusal.code() == RefusalCode::NotLoggedIn, "{refusal:?}");
    let ended = presence.terminal.wait_until(|now| now.ended.is_some(), DEADLINE).await?;
    let expected = matches!(ended.ended, Some(EndReason::Refused(RefusalCode::NotLoggedIn, _)));
    ensure!(expected, "the terminal was told {:?}", ended.ended);
    Ok(())
}

pub async fn what_a_revoked_signing_key_has_signed_is_refused_within_a_second(
    stage: &mut Stage,
) -> Result<Measured> {
    let (_, _, target) = stage.shared_meeting("Key revoked").await?;
    let guests = [stage.guest(0).await?, stage.guest(1).await?];
    let key = key_of(&guests[0].identity().context("nobody is logged in")?.identity_token)?;
    let begin = Instant::now();
    stage.directory.revoke_signing_key(&key).await?;
    let mut slowest = Duration::ZERO;
    for guest in &guests {
        let asker = std::slice::from_ref(guest);
        let took = until_refused(asker, &target, RefusalCode::NotLoggedIn, begin).await?;
        slowest = slowest.max(took);
    }
    // Everybody logs in again, and what the next key signs is good at once.
    for person in [&stage.ada, &stage.grace, &stage.linus] {
        let user = &person.user;
        person.terminal.log_in(&user.user_name, &user.password).await.context("log in again")?;
    }
    for relay in [0, 1] {
        visit(&stage.guest(relay).await?, target.clone()).await.context("with the next key")?;
    }
    let took = at_once("revoking a signing key", slowest)?;
    Ok(Measured::from_iter([("key_revoked_within_ms".to_owned(), json!(took))]))
}
