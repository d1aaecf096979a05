//! It edits what it carries: every field, every byte, every part of the wrapping. Each time the true
//! operation is carried afterwards, and must be applied as if nothing had been.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use prost::Message as _;
use tributary_contracts::operation::v1::{
    CheckIn, End, LowerHand, Operation, RemoveParticipant, SendChat, SetHost, SetMuted,
    SignedOperation,
};
use tributary_terminal::{OperationBody, operations};

use super::bus::Shot;
use super::ledger::{Fate, Signed};
use super::replays::rewrapped;
use super::signatures;
use super::stage::{EVIL, Stage};

/// Of the envelope, one byte in so many is changed.
const ENVELOPE_STEP: usize = 2;

pub async fn run(stage: &mut Stage) -> Result<()> {
    fields(stage).await?;
    envelope_bytes(stage).await?;
    signature(stage).await?;
    public_key(stage).await?;
    truncated(stage).await
}

/// Something of the victim's that the relay holds back.
async fn withheld(stage: &mut Stage, text: &str) -> Result<Signed> {
    let to_participant_ids = vec![stage.host.participant(stage.meetings[0])?];
    let chat = SendChat { text: text.to_owned(), to_participant_ids };
    let signed = stage.victim.sign(stage.meetings[0], OperationBody::SendChat(chat))?;
    stage.ledger.note(&signed, Fate::Applied);
    Ok(signed)
}

type Edit = (&'static str, Box<dyn Fn(&mut Operation) + Send>);

fn edit(name: &'static str, change: impl Fn(&mut Operation) + Send + 'static) -> Edit {
    (name, Box::new(change))
}

/// Every field, in several ways.
fn edits(stage: &Stage) -> Result<Vec<Edit>> {
    let [here, there] = stage.meetings;
    let other_meeting = there.to_string();
    let (host, accomplice) = (stage.host.participant(here)?, stage.accomplice.participant(here)?);
    let in_an_hour = operations::time(SystemTime::now() + Duration::from_secs(3_600));
    let body = |body: OperationBody| move |o: &mut Operation| o.body = Some(body.clone());
    let said = |text: &str, to: Vec<u32>| {
        OperationBody::SendChat(SendChat { text: text.to_owned(), to_participant_ids: to })
    };
    let removal = RemoveParticipant { participant_id: host };
    Ok(vec![
        edit("another id", |o| o.operation_id = operations::new_id().to_string()),
        edit("no id", |o| o.operation_id.clear()),
        edit("a later place", |o| o.client_sequence += 1),
        edit("the first place", |o| o.client_sequence = 1),
        edit("the last place", |o| o.client_sequence = u64::MAX),
        edit("no place", |o| o.client_sequence = 0),
        edit("another organisation", |o| o.organisation = "elsewhere".to_owned()),
        edit("no organisation", |o| o.organisation.clear()),
        edit("another meeting", move |o| o.meeting_id.clone_from(&other_meeting)),
        edit("no meeting", |o| o.meeting_id.clear()),
        edit("by a host", move |o| o.participant_id = host),
        edit("by the accomplice", move |o| o.participant_id = accomplice),
        edit("by nobody", |o| o.participant_id = 0),
        edit("by somebody absent", |o| o.participant_id = u32::MAX),
        edit("another session", |o| o.session_id = operations::new_id().to_string()),
        edit("no session", |o| o.session_id.clear()),
        edit("a longer life", move |o| o.not_after = Some(in_an_hour)),
        edit("no end", |o| o.not_after = None),
        edit("another text", body(said("something else", vec![host]))),
        edit("to everybody", body(said("withheld", Vec::new()))),
        edit("to another", body(said("withheld", vec![accomplice]))),
        edit("another deed", body(OperationBody::CheckIn(CheckIn {}))),
        edit("muted", body(OperationBody::SetMuted(SetMuted { muted: true }))),
        edit("the end", body(OperationBody::End(End {}))),
        edit("a removal", body(OperationBody::RemoveParticipant(removal))),
        edit("all hands down", body(OperationBody::LowerHand(LowerHand { participant_id: 0 }))),
        edit(
            "a new host",
            body(OperationBody::SetHost(SetHost { participant_id: accomplice, host: true })),
        ),
        edit("no deed", |o| o.body = None),
    ])
}

async fn fields(stage: &mut Stage) -> Result<()> {
    for (name, change) in edits(stage)? {
        let signed = withheld(stage, "withheld").await?;
        let mut operation = signed.operation.clone();
        change(&mut operation);
        let edited = rewrapped(&signed, |w| w.envelope = operation.encode_to_vec());
        let shots = [
            stage.shot(edited.clone()),
            Shot::operation(&stage.there(), &stage.relays[EVIL], edited).anonymous(),
        ];
        stage.attempt("edited field", name, shots).await?;
        // A change that is written behind the true bytes, where readers take the last one.
        let added = Operation { body: None, ..operation.clone() };
        let behind = [signed.signed.envelope.clone(), added.encode_to_vec()].concat();
        let behind = rewrapped(&signed, |w| w.envelope = behind);
        let shot = stage.shot(behind);
        stage.attempt("field added behind", name, [shot]).await?;
        stage.deliver("edited field", &signed).await?;
    }
    Ok(())
}

/// Changes one bit of a byte.
fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << (at % 8);
    }
    bytes
}

async fn envelope_bytes(stage: &mut Stage) -> Result<()> {
    let signed = withheld(stage, "bit by bit").await?;
    for at in (0..signed.signed.envelope.len()).step_by(ENVELOPE_STEP) {
        let edited = rewrapped(&signed, |w| w.envelope = flipped(&w.envelope, at));
        let shot = stage.shot(edited);
        stage.attempt("edited envelope", &format!("byte {at}"), [shot]).await?;
    }
    stage.deliver("edited envelope", &signed).await
}

async fn signature(stage: &mut Stage) -> Result<()> {
    let signed = withheld(stage, "under another signature").await?;
    let earlier = stage.victim.sign(stage.meetings[1], OperationBody::CheckIn(CheckIn {}))?;
    let proof = stage.victim.key.sign_join_proof(&[7; 32], "a credential")?;
    let right = signed.signed.signature.clone();
    let mut others = vec![
        ("none", Vec::new()),
        ("zeros", vec![0; 64]),
        ("ones", vec![0xff; 64]),
        ("of another operation", earlier.signed.signature),
        ("a proof of joining", proof),
        ("as DER", signatures::der(&right)),
        ("one byte short", right.get(..63).context("a signature has 64 bytes")?.to_vec()),
        ("half of it", right.get(..32).context("a signature has 64 bytes")?.to_vec()),
        ("one byte long", [right.clone(), vec![0]].concat()),
        ("twice", right.repeat(2)),
        ("halves exchanged", right.iter().skip(32).chain(right.iter().take(32)).copied().collect()),
        ("r of zero", [vec![0; 32], right.iter().skip(32).copied().collect()].concat()),
        ("s of zero", [right.iter().take(32).copied().collect(), vec![0; 32]].concat()),
    ];
    others.extend((0..right.len()).map(|at| ("one bit", flipped(&right, at))));
    for (name, signature) in others {
        let edited = rewrapped(&signed, |w| w.signature = signature);
        let shot = stage.shot(edited);
        stage.attempt("edited signature", name, [shot]).await?;
    }
    stage.deliver("edited signature", &signed).await
}

async fn public_key(stage: &mut Stage) -> Result<()> {
    let signed = withheld(stage, "under another key").await?;
    let right = signed.signed.public_key.clone();
    let first = |byte: u8, length: usize| {
        let mut key: Vec<u8> = right.iter().take(length).copied().collect();
        if let Some(first) = key.first_mut() {
            *first = byte;
        }
        key
    };
    let mut others = vec![
        ("the accomplice's", stage.accomplice.key.public_key().to_vec()),
        ("the host's", stage.host.key.public_key().to_vec()),
        ("none", Vec::new()),
        ("the point at infinity", vec![0]),
        ("not on the curve", first(4, 1).into_iter().chain([1; 64]).collect()),
        ("compressed, even", first(2, 33)),
        ("compressed, odd", first(3, 33)),
        ("hybrid", first(6, 65)),
        ("without its first byte", right.iter().skip(1).copied().collect()),
        ("one byte long", [right.clone(), vec![0]].concat()),
    ];
    others.extend((0..right.len()).step_by(8).map(|at| ("one bit", flipped(&right, at))));
    for (name, public_key) in others {
        let edited = rewrapped(&signed, |w| w.public_key = public_key);
        let shot = stage.shot(edited);
        stage.attempt("edited key", name, [shot]).await?;
    }
    stage.deliver("edited key", &signed).await
}

async fn truncated(stage: &mut Stage) -> Result<()> {
    let signed = withheld(stage, "cut off").await?;
    let whole = signed.bytes();
    for length in (0..whole.len()).step_by(whole.len() / 12) {
        let cut = whole.get(..length).unwrap_or_default().to_vec();
        let shot = stage.shot(cut);
        stage.attempt("truncated", &format!("{length} bytes"), [shot]).await?;
    }
    for length in (0..signed.signed.envelope.len()).step_by(signed.signed.envelope.len() / 8) {
        let edited = rewrapped(&signed, |w| w.envelope.truncate(length));
        let shot = stage.shot(edited);
        stage.attempt("truncated envelope", &format!("{length} bytes"), [shot]).await?;
    }
    let other = SignedOperation { envelope: b"\x08\x01".to_vec(), ..SignedOperation::default() };
    let shot = stage.shot([whole, other.encode_to_vec()].concat());
    stage.attempt("truncated", "another envelope behind", [shot]).await?;
    stage.deliver("truncated", &signed).await
}
