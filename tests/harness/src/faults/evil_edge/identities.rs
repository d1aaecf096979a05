//! Being somebody else: replayed and invented greetings, tokens that were used or were others', sessions
//! of others.

use std::time::Duration;

use anyhow::Result;
use tributary_contracts::relay::v1 as relay;
use tributary_contracts::relay::v1::attach_request::Body as Say;
use tributary_identifiers::RelayId;

use super::child::{carry, with_session};
use super::stage::Stage;

const TIMES: usize = 20;
/// For so long a stream that is refused may stay open.
const REFUSED_WITHIN: Duration = Duration::from_secs(2);

pub async fn run(stage: &mut Stage) -> Result<()> {
    greetings(stage).await?;
    openings(stage).await?;
    resumptions(stage).await?;
    enrolments(stage).await?;
    sessions(stage).await
}

async fn greetings(stage: &mut Stage) -> Result<()> {
    let hello = stage.evil.hello().await?;
    drop(stage.evil.attach(hello.clone()).await?);
    for _ in 0..TIMES {
        let again = stage.evil.attach(hello.clone()).await.is_ok();
        stage.tried("a greeting replayed", again);
    }
    let others = [stage.world.edge_id(0)?, stage.world.relay_id(0)?, "moriarty".to_owned()];
    for id in others.iter().chain(&["nobody".to_owned(), String::new()]) {
        for _ in 0..TIMES / 4 {
            let challenge = stage.evil.challenge().await?;
            let named = id.parse::<RelayId>().unwrap_or_else(|_| stage.evil.id.clone());
            let proof = stage.evil.sign(&challenge, &named)?;
            let hello = stage.evil.hello().await?;
            let lie = relay::Hello { relay_id: id.clone(), challenge, proof, ..hello };
            let taken = stage.evil.attach(lie).await.is_ok();
            stage.tried("another relay's name", taken);
        }
    }
    for attempt in 0..TIMES {
        let mut hello = stage.evil.hello().await?;
        match attempt % 4 {
            0 => {
                hello.challenge = (0..32).map(|_| stage.seeded.number() as u8).collect();
                hello.proof = stage.evil.sign(&hello.challenge, &stage.evil.id)?;
            }
            1 => {
                let at = stage.seeded.below(hello.proof.len());
                if let Some(byte) = hello.proof.get_mut(at) {
                    *byte ^= 1;
                }
            }
            2 => hello.proof.clear(),
            _ => hello.challenge.truncate(31),
        }
        let taken = stage.evil.attach(hello).await.is_ok();
        stage.tried("a greeting with a wrong proof", taken);
    }
    Ok(())
}

/// Something else than a greeting comes first.
async fn openings(stage: &mut Stage) -> Result<()> {
    let open = relay::OpenLink { link_id: 1, path: vec![stage.evil.hop()], ..Default::default() };
    for first in [
        Say::Heartbeat(relay::Heartbeat::default()),
        Say::OpenLink(open),
        Say::LinkMessage(relay::LinkMessage { link_id: 1, message: vec![1, 2, 3].into() }),
        Say::Hello(relay::Hello::default()),
    ] {
        for _ in 0..TIMES / 4 {
            let taken = stage.evil.attach_saying(first.clone()).await.is_ok();
            stage.tried("no greeting", taken);
        }
    }
    Ok(())
}

async fn resumptions(stage: &mut Stage) -> Result<()> {
    let hello = stage.evil.hello().await?;
    let attachment = stage.evil.attach(hello).await?;
    let token = attachment.attached.session_token.clone();
    for _ in 0..TIMES / 4 {
        let hello = stage.second.hello().await?;
        let stolen = relay::Hello { resume: token.clone(), ..hello };
        let resumed = stage.second.attach(stolen).await.is_ok_and(|one| one.attached.resumed);
        stage.tried("another relay's session resumed", resumed);
    }
    let random: Vec<u8> = (0..32).map(|_| stage.seeded.number() as u8).collect();
    for resume in [random, vec![0; 32], vec![7; 3], vec![1; 4_096]] {
        let hello = stage.second.hello().await?;
        let invented = relay::Hello { resume, received: 5, ..hello };
        let resumed = stage.second.attach(invented).await.is_ok_and(|one| one.attached.resumed);
        stage.tried("an invented session resumed", resumed);
    }
    Ok(())
}

async fn enrolments(stage: &mut Stage) -> Result<()> {
    let parent = stage.world.uplink_address(crate::Parent::Relay(0))?;
    let used = stage.used_token.clone();
    for attempt in 0..TIMES {
        let token = match attempt % 4 {
            0 | 1 => used.clone(),
            2 => format!("{:032x}", u128::from(stage.seeded.number())),
            _ => String::new(),
        };
        let enrolled = super::child::Relay::enrol(parent, &token).await.is_ok();
        stage.tried("a token that was used or invented", enrolled);
    }
    Ok(())
}

/// Calls that need a session, with one that is not its own.
async fn sessions(stage: &mut Stage) -> Result<()> {
    let random = format!("{:032x}{:032x}", stage.seeded.number(), stage.seeded.number());
    for token in [random.as_str(), "", "zz", &"00".repeat(32)] {
        for _ in 0..TIMES / 4 {
            // Who names wrong ones again and again is not answered any more on that connection.
            stage.evil.reconnect().await?;
            let carrying = carry(&stage.evil, token).await;
            let mut taken = false;
            if let Ok(mut carrying) = carrying {
                // It may be told by the stream's end.
                let end = tokio::time::timeout(REFUSED_WITHIN, carrying.down.message()).await;
                taken = end.is_err();
            }
            stage.tried("media with a foreign session", taken);
            let hello = stage.evil.hello().await?;
            let verify = relay::VerifyRelayRequest { hello: Some(hello) };
            let verify = with_session(verify, token)?;
            let verified = stage.evil.client().verify_relay(verify).await.is_ok();
            stage.tried("a relay vouched for in a foreign session", verified);
            let rotate = relay::RotateKeyRequest {
                relay_id: stage.world.edge_id(0)?,
                public_key: vec![4; 65],
                challenge: stage.evil.challenge().await?,
                proof: vec![0; 64],
                next_proof: vec![0; 64],
            };
            let rotated = stage.evil.client().rotate_key(with_session(rotate, token)?).await;
            stage.tried("another relay's key replaced", rotated.is_ok());
        }
    }
    Ok(())
}
