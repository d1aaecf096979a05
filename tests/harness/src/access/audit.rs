//! Every decision is written down, with who, what and why, and no secret is anywhere.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use tributary_contracts::access::v1::{Action, Reason, Role};
use tributary_contracts::admin::v1::{AuditedDecision, ListDecisionsRequest};
use tributary_identifiers::MeetingId;
use tributary_terminal::{Account, Target};

use super::Measured;
use super::outsiders::ACCESSES;
use super::stage::{Stage, eventually};

/// Words that no log and no database may hold begin with this, if they are not random.
const CANARY: &str = "canary-";

/// A decision that must be in the log.
struct Expected {
    meeting: MeetingId,
    user_id: String,
    client_id: String,
    guest: bool,
    action: Action,
    role: Role,
    reason: Reason,
}

pub async fn every_decision_is_written_down_with_its_reason_and_no_secret_is_anywhere(
    stage: &mut Stage,
) -> Result<Measured> {
    let expected = decide(stage).await?;
    for expected in &expected {
        is_written_down(stage, expected).await?;
    }
    let everything = stage.directory.decisions(ListDecisionsRequest::default()).await?;
    let seconds = everything.iter().map(|decision| decision.at.map(|at| at.seconds));
    ensure!(seconds.rev().is_sorted(), "the newest decision is not the first");
    let only = ListDecisionsRequest { refused_only: true, ..Default::default() };
    let refused = stage.directory.decisions(only).await?;
    ensure!(refused.iter().all(|decision| !decision.allowed), "not only refusals are listed");

    let mut secrets = stage.secrets().to_vec();
    for account in [&stage.ada.terminal, &stage.grace.terminal, &stage.linus.terminal] {
        let identity = account.identity().context("nobody is logged in")?;
        secrets.extend(identity.identity_token.rsplit('.').next().map(str::to_owned));
    }
    secrets.push(stage.oidc.provider().client_secret);
    // What is planted with the canary's name is found by it.
    secrets.retain(|secret| !secret.starts_with(CANARY));
    secrets.push(CANARY.to_owned());
    let listed = format!("{everything:?}");
    ensure!(secrets.iter().all(|secret| !listed.contains(secret)), "a secret is in the audit log");
    let folders = [stage.world.folder(), stage.postgres.folder()];
    let files = files_below(&folders)?;
    let bytes = search(&files, &secrets)?;
    Ok(Measured::from_iter([
        ("secrets_looked_for".to_owned(), json!(secrets.len())),
        ("bytes_searched".to_owned(), json!(bytes)),
    ]))
}

/// Lets decisions be taken, for every reason that can be brought about at once.
async fn decide(stage: &mut Stage) -> Result<Vec<Expected>> {
    let guest = stage.guest(0).await?;
    let ada = stage.ada.terminal.clone();
    let mut expected = Vec::new();
    let mut expect = |who: &Account, meeting, role, reason| -> Result<()> {
        let identity = who.identity().context("nobody is logged in")?;
        expected.push(Expected {
            meeting,
            user_id: identity.user_id,
            client_id: who.key_thumbprint().to_string(),
            guest: identity.guest,
            action: Action::Read,
            role,
            reason,
        });
        Ok(())
    };
    let absent = stage.absent_meeting()?;
    let private = stage.meeting("Not shared").await?;
    let (shared, _, by_link) = stage.shared_meeting("Shared").await?;
    let (revoked, share, by_revoked_link) = stage.shared_meeting("Revoked").await?;
    ada.revoke_share(revoked, &share.share_id).await?;
    let (locked, _password) = stage.meeting_with_password("Password").await?;
    let (_, link) = stage.share(locked).await?;
    let wrong = Target::link(&link.url)?.with_password("canary-wrong-password");
    for (who, target, role, reason) in [
        (&ada, Target::new(private), Role::Organiser, Reason::Member),
        (&guest, Target::new(absent), Role::Outsider, Reason::Absent),
        (&guest, Target::new(private), Role::Outsider, Reason::NotShared),
        (&guest, by_link.clone(), Role::Outsider, Reason::Shared),
        (&guest, by_revoked_link, Role::Outsider, Reason::ShareRevoked),
        (&guest, wrong, Role::Outsider, Reason::WrongPassword),
    ] {
        // Allowed or refused: the log tells.
        let _ = who.read(target.clone()).await;
        expect(who, target.meeting_id, role, reason)?;
    }
    let over = stage.guest(0).await?;
    for _ in 0..=ACCESSES {
        let _ = over.read(by_link.clone()).await;
    }
    expect(&over, shared, Role::Outsider, Reason::OverCount)?;
    Ok(expected)
}

async fn is_written_down(stage: &Stage, expected: &Expected) -> Result<()> {
    let question = || ListDecisionsRequest {
        meeting_id: expected.meeting.to_string(),
        user_id: expected.user_id.clone(),
        ..Default::default()
    };
    let what = format!("the decision {:?} in the audit log", expected.reason);
    let decision: AuditedDecision = eventually(&what, || async {
        let decisions = stage.directory.decisions(question()).await.ok()?;
        decisions.into_iter().find(|decision| decision.reason() == expected.reason)
    })
    .await?;
    let allowed = matches!(expected.reason, Reason::Member | Reason::Shared);
    let found = (
        decision.client_id.as_str(),
        decision.guest,
        decision.action(),
        decision.role(),
        decision.allowed,
        decision.client_prefix.as_str(),
    );
    let wanted = (
        expected.client_id.as_str(),
        expected.guest,
        expected.action,
        expected.role,
        allowed,
        "127.0.0.1",
    );
    ensure!(found == wanted, "written down is {found:?} instead of {wanted:?}");
    ensure!(decision.at.is_some(), "the decision has no time");
    Ok(())
}

/// Everything that services have written; not what the harness wrote for them, which holds their own
/// secrets.
fn files_below(folders: &[&Path]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| folder.to_path_buf()).collect();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).context("list a folder")? {
            let path = entry?.path();
            if path.is_dir() {
                if !path.ends_with("config") {
                    open.push(path);
                }
            } else if path.is_file() {
                files.push(path);
            }
        }
    }
    Ok(files)
}

/// Fails if a file holds one of the words; returns how many bytes were searched.
fn search(files: &[PathBuf], words: &[String]) -> Result<usize> {
    let mut searched = 0;
    for file in files {
        // A file may have gone in the meantime.
        let Ok(bytes) = std::fs::read(file) else { continue };
        searched += bytes.len();
        let text = String::from_utf8_lossy(&bytes);
        if let Some(word) = words.iter().find(|word| text.contains(word.as_str())) {
            bail!("{} holds a secret, {word:?}", file.display());
        }
    }
    Ok(searched)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_between_other_bytes_and_not_in_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        for part in ["log", "config", "data/deep"] {
            std::fs::create_dir_all(folder.path().join(part)).unwrap();
        }
        std::fs::write(folder.path().join("config/a"), "canary-1").unwrap();
        std::fs::write(folder.path().join("log/a"), [0xff; 1000]).unwrap();
        let words = vec![CANARY.to_owned()];
        let search = || search(&files_below(&[folder.path()]).unwrap(), &words);
        assert_eq!(search().unwrap(), 1000);
        std::fs::write(folder.path().join("data/deep/a"), b"\xff\x00canary-2\xfe").unwrap();
        assert!(search().unwrap_err().to_string().contains("deep"));
    }
}
