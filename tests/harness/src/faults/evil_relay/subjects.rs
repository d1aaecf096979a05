//! It publishes where it must not, what can't be read, and under message ids that belong to others.

use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::{FutureExt as _, StreamExt as _};
use prost::Message as _;
use tributary_contracts::event::v1::meeting_event::Body as Happened;
use tributary_contracts::event::v1::{ChatMessage, MeetingEnded, MeetingEvent, ParticipantLeft};
use tributary_contracts::operation::v1::{CheckIn, SendChat, SetHand};
use tributary_contracts::terminal::v1::{Operate, terminal_message::Body as Ask};
use tributary_terminal::{OperationBody, operations};

use super::bus::{Shot, message_id};
use super::ledger::{Fate, Signed};
use super::stage::{EVIL, HONEST, Stage};
use crate::Service;

/// How long a terminal may take to have its operation applied by an honest relay.
const APPLIED_DEADLINE: Duration = Duration::from_secs(20);

pub async fn run(stage: &mut Stage) -> Result<()> {
    malformed(stage).await?;
    forged_events(stage).await?;
    other_subjects(stage).await?;
    eavesdropping(stage).await?;
    poisoned_ids(stage).await?;
    headers(stage).await?;
    while_the_registry_is_away(stage).await
}

async fn malformed(stage: &mut Stage) -> Result<()> {
    for length in [0, 1, 2, 10, 100, 1_000, 12_000, 17_000, 200_000, 300_000] {
        let noise: Vec<u8> = (0..length).map(|_| stage.seeded.number() as u8).collect();
        for (name, byte) in [("noise", None), ("zeros", Some(0)), ("ones", Some(0xff))] {
            let bytes = byte.map_or_else(|| noise.clone(), |byte| vec![byte; length]);
            let shot = stage.shot(bytes).anonymous();
            let detail = format!("{length} bytes of {name}");
            stage.attempt("malformed", &detail, [shot]).await?;
        }
        // Truly signed by the accomplice, but it is no operation.
        let signed = operations::sign_bytes(&stage.accomplice.key, noise)?;
        let shot = stage.shot(signed.encode_to_vec());
        stage.attempt("malformed", &format!("{length} bytes, signed"), [shot]).await?;
    }
    let here = stage.meetings[0];
    let text = "x".repeat(13 * 1024);
    let long = OperationBody::SendChat(SendChat { text, ..SendChat::default() });
    let signed = stage.accomplice.sign(here, long)?;
    stage.accomplice.take_back(here);
    let shot = stage.carried(&signed);
    stage.attempt("malformed", "an envelope that is too long", [shot]).await
}

fn forged(stage: &Stage, number: u64, body: Happened) -> Vec<u8> {
    let (organisation, meeting_id) = ("default".to_owned(), stage.meetings[0].to_string());
    let at = Some(operations::time(std::time::SystemTime::now()));
    let body = Some(body);
    MeetingEvent { organisation, meeting_id, number, at, body, ..MeetingEvent::default() }
        .encode_to_vec()
}

async fn forged_events(stage: &mut Stage) -> Result<()> {
    let victim = stage.victim.participant(stage.meetings[0])?;
    let host = stage.host.participant(stage.meetings[0])?;
    let last = stage.events().last().map_or(0, |event| event.number);
    let text = "nobody has written this".to_owned();
    let said = ChatMessage { participant_id: victim, text, ..ChatMessage::default() };
    let left = ParticipantLeft { participant_id: host, ..ParticipantLeft::default() };
    for number in [last + 1, last + 2, last, 1, u64::MAX] {
        for body in [
            Happened::ChatMessage(said.clone()),
            Happened::Left(left),
            Happened::Ended(MeetingEnded {}),
        ] {
            let shot = Shot::at(stage.here().event(), forged(stage, number, body));
            let name = format!("number {number}");
            stage.attempt("forged event", &name, [shot]).await?;
        }
    }
    Ok(())
}

/// A truly signed operation, to be published where it does not belong.
fn withheld(stage: &mut Stage, raised: bool) -> Result<Signed> {
    let body = OperationBody::SetHand(SetHand { raised });
    let signed = stage.victim.sign(stage.meetings[0], body)?;
    stage.ledger.note(&signed, Fate::Applied);
    Ok(signed)
}

async fn other_subjects(stage: &mut Stage) -> Result<()> {
    let signed = withheld(stage, true)?;
    let (here, honest) = (stage.here(), stage.relays[HONEST].clone());
    let evil = &stage.relays[EVIL];
    let op = here.op(evil).to_string();
    let mut subjects: Vec<String> = vec![
        here.op(&honest).to_string(),
        here.up(&honest).to_string(),
        here.need(&honest).to_string(),
        here.plan(&honest).to_string(),
        here.plan(evil).to_string(),
        here.down_common().to_string(),
        here.down_relay(&honest).to_string(),
        here.down_relay(evil).to_string(),
        here.event().to_string(),
        op.replacen("default", "elsewhere", 1),
        op.replacen(&format!(".{}.", stage.meetings[0]), ".0.", 1),
        format!("{op}.more"),
        op.replace(".op.", ".op.more."),
        op.replace(evil.as_str(), "nobody"),
        tributary_message_bus::subjects::revoked().to_string(),
        tributary_message_bus::subjects::keys_changed().to_string(),
    ];
    for request in [
        "STREAM.PURGE.OPERATIONS",
        "STREAM.DELETE.OPERATIONS",
        "STREAM.UPDATE.OPERATIONS",
        "STREAM.MSG.DELETE.OPERATIONS",
        "STREAM.MSG.GET.OPERATIONS",
        "STREAM.PURGE.EVENTS",
        "STREAM.DELETE.EVENTS",
        "STREAM.SNAPSHOT.EVENTS",
        "CONSUMER.DELETE.OPERATIONS.registry",
        "CONSUMER.MSG.NEXT.OPERATIONS.registry",
        "CONSUMER.CREATE.OPERATIONS.evil",
        "CONSUMER.PAUSE.OPERATIONS.registry",
        "STREAM.CREATE.EVIL",
        "ACCOUNT.PURGE.$G",
    ] {
        subjects.push(format!("$JS.API.{request}"));
    }
    for sequence in 1..=5 {
        subjects.push(format!("$JS.ACK.OPERATIONS.registry.1.{sequence}.{sequence}.1.0"));
    }
    subjects.push("$KV.lease.default".to_owned());
    subjects.push("$SYS.REQ.SERVER.PING".to_owned());
    for subject in subjects {
        let shots = [Shot::at(subject.clone(), signed.bytes()), Shot::at(subject.clone(), "{}")];
        stage.attempt("another subject", &subject, shots).await?;
    }
    stage.deliver("another subject", &signed).await
}

async fn eavesdropping(stage: &mut Stage) -> Result<()> {
    let op = stage.here().op(&stage.relays[HONEST]).to_string();
    for subject in [
        op.as_str(),
        "trib.*.*.op.*",
        ">",
        "_INBOX.>",
        "_INBOX_meeting-registry.>",
        "$JS.>",
        "$JS.ACK.>",
    ] {
        let mut heard = stage.buses[EVIL].hears(subject).await?;
        stage.judge("eavesdropping", subject).await?;
        // The bystanders' operations have passed by now.
        if let Some(Some(message)) = heard.next().now_or_never() {
            let what = vec![format!("it has heard {}", message.subject)];
            stage.count("eavesdropping", subject, what);
        }
    }
    Ok(())
}

/// Garbage under the id of an operation that was held back; then its owner goes to an honest relay, or
/// sends it again by this one.
async fn poisoned_ids(stage: &mut Stage) -> Result<()> {
    let here = stage.meetings[0];
    for number in 0..12 {
        let raised = number % 2 == 1;
        let signed = withheld(stage, raised)?;
        let id = message_id(&signed.bytes());
        let garbage = match number % 3 {
            0 => Vec::new(),
            1 => b"garbage".to_vec(),
            _ => signed.bytes().into_iter().rev().collect(),
        };
        let poison = stage.shot(garbage).called(&id);
        stage.attempt("poisoned message id", "by the own relay", [poison]).await?;
        let operate = Ask::Operate(Operate { operation: Some(signed.signed.clone()) });
        let taken = stage.victim.terminal.request(operate).await;
        taken.context("the relay has not taken the true operation")?;
        stage.is_applied("poisoned message id", &signed).await;
    }
    for _ in 0..6 {
        let check_in = OperationBody::CheckIn(CheckIn {});
        let signed = stage.host.sign(here, check_in)?;
        stage.ledger.note(&signed, Fate::Applied);
        let poison = stage.shot(b"garbage".to_vec()).called(&message_id(&signed.bytes()));
        stage.attempt("poisoned message id", "of the honest relay", [poison]).await?;
        let operate = Ask::Operate(Operate { operation: Some(signed.signed.clone()) });
        let taken = stage.host.terminal.request(operate).await;
        taken.context("the relay has not taken the true operation")?;
        stage.is_applied("poisoned message id", &signed).await;
    }
    Ok(())
}

impl Stage {
    /// Counts a success if what was sent truly is not applied.
    async fn is_applied(&mut self, kind: &'static str, signed: &Signed) {
        let answered = self.answered(std::slice::from_ref(signed), APPLIED_DEADLINE).await;
        let wrong = match answered {
            Ok(wrong) => wrong,
            Err(error) => vec![format!("the true operation is lost: {error:#}")],
        };
        if !wrong.is_empty() {
            self.count(kind, "and then the true operation", wrong);
        }
    }
}

/// Headers by which JetStream could be told to drop or change what is stored.
async fn headers(stage: &mut Stage) -> Result<()> {
    for (name, value) in [
        ("Nats-Rollup", "all"),
        ("Nats-Rollup", "sub"),
        ("Nats-TTL", "1s"),
        ("Nats-Expected-Stream", "EVENTS"),
        ("Nats-Expected-Last-Sequence", "1"),
        ("Nats-Expected-Last-Msg-Id", "x"),
        ("Nats-Schedule", "@at 2030-01-01T00:00:00Z"),
        ("Nats-Incr", "1"),
        ("traceparent", "00-00000000000000000000000000000000-0000000000000000-00"),
    ] {
        let signed = withheld(stage, true)?;
        let garbage = stage.shot(b"garbage".to_vec()).anonymous().with(name, value);
        stage.attempt("header", name, [garbage]).await?;
        stage.deliver("header", &signed).await?;
    }
    Ok(())
}

/// What waits in the stream while nobody takes it is still there afterwards.
async fn while_the_registry_is_away(stage: &mut Stage) -> Result<()> {
    let mut waiting = Vec::new();
    stage.world.kill(Service::MeetingRegistry).await?;
    for raised in [true, false, true] {
        let signed = withheld(stage, raised)?;
        let shot = stage.carried(&signed);
        stage.buses[EVIL].fire(shot).await?;
        waiting.push(signed);
    }
    let op = stage.here().op(&stage.relays[EVIL]);
    for shot in [
        stage.shot(b"garbage".to_vec()).anonymous().with("Nats-Rollup", "all"),
        stage.shot(b"garbage".to_vec()).anonymous().with("Nats-Rollup", "sub"),
        Shot::at("$JS.API.STREAM.PURGE.OPERATIONS", "{}"),
        Shot::at("$JS.API.STREAM.DELETE.OPERATIONS", "{}"),
        Shot::at("$JS.API.CONSUMER.DELETE.OPERATIONS.registry", "{}"),
        Shot::at("$JS.API.CONSUMER.MSG.NEXT.OPERATIONS.registry", "100"),
        Shot::at("$JS.ACK.OPERATIONS.registry.1.1.1.1.0", "+ACK"),
        Shot::at(op, "").with("Nats-Rollup", "all"),
    ] {
        stage.buses[EVIL].fire(shot).await?;
        stage.count("while the registry is away", "", Vec::new());
    }
    stage.world.start_service(Service::MeetingRegistry).await?;
    for signed in &waiting {
        stage.is_applied("while the registry is away", signed).await;
    }
    stage.judge("while the registry is away", "afterwards").await
}
