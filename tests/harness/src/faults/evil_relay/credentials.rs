//! It uses join credentials that terminals have shown it: for another meeting, another participant,
//! later, with other proofs or none. And it says to the registry what only a relay may say.

use std::sync::Arc;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tributary_contracts::event::v1::LeaveReason;
use tributary_contracts::registry::v1::registry_service_client::RegistryServiceClient;
use tributary_contracts::registry::v1::{JoinRequest, LeaveRequest};
use tributary_contracts::terminal::v1::{Join, Joined, RefusalCode};
use tributary_join_credential::TerminalKey;
use tributary_terminal::operations;
use tributary_terminal::protocol::{self, Connection, RequestError};

use super::stage::Stage;
use crate::directory::ORGANISATION;

pub async fn run(stage: &mut Stage) -> Result<()> {
    joining(stage).await?;
    later(stage).await?;
    by_the_service_token(stage).await
}

type Change = Box<dyn Fn(&mut Join) + Send>;

fn change(
    name: &'static str,
    change: impl Fn(&mut Join) + Send + 'static,
) -> (&'static str, Change) {
    (name, Box::new(change))
}

/// A credential with another text in its middle part, under the old signature.
fn altered(credential: &str, from: &str, to: &str) -> Result<String> {
    let parts: Vec<&str> = credential.split('.').collect();
    let [head, middle, signature] = parts.as_slice() else {
        anyhow::bail!("a credential has three parts");
    };
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(middle)?)?.replace(from, to);
    Ok(format!("{head}.{}.{signature}", URL_SAFE_NO_PAD.encode(text)))
}

/// The accomplice's key opens nothing that was made for the victim's.
async fn joining(stage: &mut Stage) -> Result<()> {
    let [here, there] = stage.meetings;
    let credential = stage.victim.terminal.join_credential(here).context("a credential")?;
    let elsewhere = altered(&credential, &here.to_string(), &there.to_string())?;
    let victim = stage.victim.key.public_key().to_vec();
    // What the victim has shown on another connection, with that one's nonce.
    let shown = stage.victim.key.sign_join_proof(&[7; 32], &credential)?;
    let attempts = [
        change("with the own key", |_| {}),
        change("with the victim's key and the own proof", {
            let victim = victim.clone();
            move |join| join.public_key.clone_from(&victim)
        }),
        change("with the victim's key and a proof for another connection", {
            let (victim, shown) = (victim.clone(), shown.clone());
            move |join| {
                join.public_key.clone_from(&victim);
                join.proof.clone_from(&shown);
            }
        }),
        change("with the victim's key and no proof", {
            let victim = victim.clone();
            move |join| {
                join.public_key.clone_from(&victim);
                join.proof.clear();
            }
        }),
        change("without key and proof", |join| {
            join.public_key.clear();
            join.proof.clear();
        }),
        change("for the other meeting", {
            let meeting = there.to_string();
            move |join| join.meeting_id.clone_from(&meeting)
        }),
        change("rewritten for the other meeting", {
            let (meeting, elsewhere) = (there.to_string(), elsewhere.clone());
            move |join| {
                join.meeting_id.clone_from(&meeting);
                join.join_credential.clone_from(&elsewhere);
            }
        }),
        change("held", |join| join.held = true),
        change("as if it came back", |join| join.cursor = 1),
    ];
    for page in [stage.honest_page()?, stage.world.relay_url(super::stage::EVIL)?] {
        for (name, change) in &attempts {
            for key in [Arc::new(TerminalKey::generate()?), Arc::clone(&stage.accomplice.key)] {
                let connection = Connection::connect(&page).await.context("connect")?;
                let joined = protocol::join(&connection, &key, &credential, |join| {
                    join.session_id = operations::new_id().to_string();
                    change(join);
                });
                let wrong = let_in(joined.await)?;
                stage.count("credential of another", name, wrong);
            }
            stage.judge("credential of another", name).await?;
        }
    }
    Ok(())
}

/// What is wrong with the answer to somebody who must not come in. It must be the credential for which
/// they are refused, or the attempt says nothing.
fn let_in(answer: Result<Joined, RequestError>) -> Result<Vec<String>> {
    match answer {
        Ok(joined) => Ok(vec![format!("it was let in as {}", joined.participant_id)]),
        Err(RequestError::Refused { code: RefusalCode::BadCredential, .. }) => Ok(Vec::new()),
        Err(other) => Err(other).context("it was refused for another reason"),
    }
}

/// What was shown once is of no use when its owner is gone.
async fn later(stage: &mut Stage) -> Result<()> {
    let here = stage.meetings[0];
    let person = stage.enter("passer-by", None).await?;
    let credential = person.terminal.join_credential(here).context("a credential")?;
    let public_key = person.key.public_key().to_vec();
    person.terminal.leave().await;
    stage.let_pass().await?;
    for name in ["with the own key", "with the key of who has left"] {
        let connection = Connection::connect(&stage.honest_page()?).await.context("connect")?;
        let joined = protocol::join(&connection, &stage.accomplice.key, &credential, |join| {
            join.session_id = operations::new_id().to_string();
            if name != "with the own key" {
                join.public_key.clone_from(&public_key);
            }
        });
        let wrong = let_in(joined.await)?;
        stage.count("credential of who has left", name, wrong);
        stage.judge("credential of who has left", name).await?;
    }
    Ok(())
}

/// The registry takes a relay's word for who is attached to it, and to nobody else.
async fn by_the_service_token(stage: &mut Stage) -> Result<()> {
    let here = stage.meetings[0];
    let mut client = RegistryServiceClient::new(stage.directory.meeting_registry.clone());
    let host = stage.host.participant(here)?;
    for (name, session) in [("an own session", "evil-session"), ("no session", "")] {
        let request = stage.directory.as_service(LeaveRequest {
            organisation: ORGANISATION.to_owned(),
            meeting_id: here.to_string(),
            participant_id: host,
            relay_session_id: session.to_owned(),
            reason: LeaveReason::TerminalLost.into(),
            silent_ms: 0,
        })?;
        // Refused or ignored: the log tells.
        let _ = client.leave(request).await;
        stage.judge("says that somebody else's terminal is lost", name).await?;
    }
    let request = stage.directory.as_service(JoinRequest {
        organisation: ORGANISATION.to_owned(),
        meeting_id: "0".to_owned(),
        user_id: "nobody".to_owned(),
        ..JoinRequest::default()
    })?;
    let joined = client.join(request).await;
    let let_in = joined.is_ok().then(|| "somebody is in no meeting".to_owned());
    stage.count("says who is in a meeting that is none", "", let_in.into_iter().collect());
    stage.judge("says who is in a meeting that is none", "").await
}
