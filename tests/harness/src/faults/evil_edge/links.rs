//! Links over ways that are none of its own, and what it might do over one that is: use what it has seen
//! of others.

use anyhow::{Context, Result};
use tributary_contracts::relay::v1::RelayHop;
use tributary_contracts::terminal::v1 as terminal;
use tributary_contracts::terminal::v1::relay_message::Body as Reply;
use tributary_contracts::terminal::v1::terminal_message::Body as Ask;
use tributary_join_credential::TerminalKey;

use super::child::Attachment;
use super::stage::Stage;

const TIMES: usize = 10;

pub async fn run(stage: &mut Stage) -> Result<()> {
    paths(stage).await?;
    credentials(stage).await?;
    operations(stage).await
}

fn hop(id: &str) -> RelayHop {
    RelayHop { relay_id: id.to_owned(), relay_name: id.to_owned() }
}

/// Loops, relays that were not verified by this way, and ways that do not begin here.
async fn paths(stage: &mut Stage) -> Result<()> {
    let own = stage.evil.hop();
    let (honest, core) = (stage.world.edge_id(0)?, stage.world.relay_id(0)?);
    let deep = std::iter::once(own.clone()).chain((0..12).map(|n| hop(&format!("deep-{n}"))));
    let ways: Vec<(&'static str, Vec<RelayHop>)> = vec![
        ("a loop", vec![own.clone(), own.clone()]),
        ("a loop", vec![own.clone(), hop(&core)]),
        ("a loop", vec![own.clone(), hop(&honest), own.clone()]),
        ("a loop", vec![hop(&core), own.clone()]),
        ("a way over a relay that is not there", vec![own.clone(), hop(&honest)]),
        ("a way over a relay that is not there", vec![own.clone(), hop("moriarty")]),
        ("a way over a relay that is not there", vec![own.clone(), hop("")]),
        ("a way over a relay that is not there", vec![own.clone(), hop(&"x".repeat(5_000))]),
        ("a way that begins elsewhere", vec![hop(&honest)]),
        ("a way that begins elsewhere", vec![hop("moriarty")]),
        ("a way that begins elsewhere", Vec::new()),
        ("a way that is too long", deep.collect()),
    ];
    for (kind, way) in ways {
        let hello = stage.evil.hello().await?;
        let mut attachment = stage.evil.attach(hello).await?;
        let opened = attachment.welcome(1, way).await.is_ok();
        stage.tried(kind, opened);
    }
    Ok(())
}

/// A link of its own, as it should be.
async fn link(stage: &Stage) -> Result<(Attachment, Vec<u8>)> {
    let hello = stage.evil.hello().await?;
    let mut attachment = stage.evil.attach(hello).await?;
    let nonce = attachment.welcome(1, vec![stage.evil.hop()]).await?;
    Ok((attachment, nonce))
}

/// The join credentials of honest people, by its own link.
async fn credentials(stage: &mut Stage) -> Result<()> {
    let key = TerminalKey::generate()?;
    let meeting = stage.meeting_id.parse()?;
    let stolen = stage.voices.iter().filter_map(|one| one.terminal().join_credential(meeting));
    let stolen: Vec<String> = stolen.collect();
    let honest: Vec<Vec<u8>> =
        stage.voices.iter().map(|one| one.terminal().key().public_key().to_vec()).collect();
    for _ in 0..TIMES {
        for (credential, public_key) in stolen.iter().zip(&honest) {
            let (mut attachment, nonce) =
                link(stage).await.context("open a link for a credential")?;
            let proof = key.sign_join_proof(&nonce, credential)?;
            for (id, public_key) in [(1, key.public_key().to_vec()), (2, public_key.clone())] {
                let join = terminal::Join {
                    join_credential: credential.clone(),
                    public_key,
                    proof: proof.clone(),
                    meeting_id: stage.meeting_id.clone(),
                    session_id: "0b5d0f46-3a4e-4c0f-9d0a-0123456789ab".to_owned(),
                    ..terminal::Join::default()
                };
                let answer = attachment.answered(1, id, Ask::Join(join)).await;
                stage.tried("another's credential", matches!(answer, Ok(Reply::Joined(_))));
            }
        }
    }
    Ok(())
}

/// An operation that somebody honest has signed, once more.
async fn operations(stage: &mut Stage) -> Result<()> {
    stage.writer.chat("written once", &[]).await?;
    let signed = stage.writer.signed_operations().pop().context("nothing was signed")?;
    let (mut attachment, nonce) = link(stage).await?;
    enter(stage, &mut attachment, &nonce, &stage.meeting_id.clone(), false).await?;
    for id in 0..TIMES as u64 {
        let operate = terminal::Operate { operation: Some(signed.clone()) };
        let answer = attachment.answered(1, 100 + id, Ask::Operate(operate)).await;
        stage.tried("another's operation", matches!(answer, Ok(Reply::OperationReceived(_))));
    }
    let others = terminal::Leave { meeting_id: stage.other_meeting_id.clone() };
    let left = attachment.answered(1, 200, Ask::Leave(others)).await;
    stage.tried("a meeting left that it is not in", matches!(left, Ok(Reply::Left(_))));
    let log = stage.directory.log(&stage.meeting_id).await?;
    let written = log.iter().filter(|event| format!("{event:?}").contains("written once")).count();
    stage.tried("another's operation, done twice", written != 1);
    Ok(())
}

/// Enters a meeting truly, by the first link; returns who it is there.
pub async fn enter(
    stage: &Stage,
    attachment: &mut Attachment,
    nonce: &[u8],
    meeting_id: &str,
    muted: bool,
) -> Result<u32> {
    let key = TerminalKey::generate()?;
    let public_key = key.public_key().to_vec();
    let guest = terminal::EnterAsGuest {
        display_name: "Mallory".to_owned(),
        public_key: public_key.clone(),
    };
    let identity = match attachment.answered(1, 11, Ask::EnterAsGuest(guest)).await? {
        Reply::Identity(identity) => identity.identity_token,
        other => anyhow::bail!("{other:?} instead of an identity, for {}", stage.evil.id),
    };
    let request = terminal::RequestJoinCredential {
        identity_token: identity,
        meeting_id: meeting_id.to_owned(),
        public_key: public_key.clone(),
        ..terminal::RequestJoinCredential::default()
    };
    let credential = match attachment.answered(1, 12, Ask::RequestJoinCredential(request)).await? {
        Reply::JoinCredential(credential) => credential.join_credential,
        other => anyhow::bail!("{other:?} instead of a credential"),
    };
    let join = terminal::Join {
        proof: key.sign_join_proof(nonce, &credential)?,
        join_credential: credential,
        public_key,
        muted,
        meeting_id: meeting_id.to_owned(),
        session_id: tributary_terminal::operations::new_id().to_string(),
        ..terminal::Join::default()
    };
    match attachment.answered(1, 13, Ask::Join(join)).await? {
        Reply::Joined(joined) => Ok(joined.participant_id),
        other => anyhow::bail!("{other:?} instead of being in"),
    }
}
