//! It invents: operations that nobody has signed, or that somebody else has; and its accomplice does
//! what only others may.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use prost::Message as _;
use tributary_contracts::operation::v1::{
    AnswerLobby, AskToUnmute, CheckIn, End, LowerHand, MuteParticipant, Operation,
    RemoveParticipant, SendChat, SetHost, SetLocked, SetSpotlight, SignedOperation,
};
use tributary_contracts::terminal::v1::{Operate, terminal_message::Body as Ask};
use tributary_join_credential::TerminalKey;
use tributary_terminal::{OperationBody, operations};

use super::bus::Shot;
use super::ledger::{Fate, Signed};
use super::replays::{acts, rewrapped};
use super::stage::{EVIL, Stage};

type Change = Box<dyn Fn(&mut Operation) + Send>;

pub async fn run(stage: &mut Stage) -> Result<()> {
    in_the_name_of_others(stage).await?;
    what_only_hosts_may(stage).await?;
    by_the_accomplice(stage).await?;
    with_an_id_of_others(stage).await?;
    by_its_own_connection(stage).await
}

fn of_hosts(whom: u32) -> Vec<OperationBody> {
    vec![
        OperationBody::MuteParticipant(MuteParticipant { participant_id: whom }),
        OperationBody::AskToUnmute(AskToUnmute { participant_id: whom }),
        OperationBody::RemoveParticipant(RemoveParticipant { participant_id: whom }),
        OperationBody::SetLocked(SetLocked { locked: true }),
        OperationBody::AnswerLobby(AnswerLobby { participant_id: whom, admitted: false }),
        OperationBody::SetHost(SetHost { participant_id: whom, host: true }),
        OperationBody::SetSpotlight(SetSpotlight { participant_id: whom }),
        OperationBody::LowerHand(LowerHand { participant_id: 0 }),
        OperationBody::End(End {}),
    ]
}

/// What somebody would do next, as it is before it is signed. Their place is not used up.
fn draft(stage: &mut Stage, of_host: bool, body: OperationBody) -> Result<Operation> {
    let person = if of_host { &mut stage.host } else { &mut stage.victim };
    let signed = person.sign(stage.meetings[0], body)?;
    person.take_back(stage.meetings[0]);
    Ok(signed.operation)
}

async fn in_the_name_of_others(stage: &mut Stage) -> Result<()> {
    let own = TerminalKey::generate()?;
    let accomplice = stage.accomplice.participant(stage.meetings[0])?;
    let all = acts(1).into_iter().map(|body| (false, body));
    let all: Vec<_> =
        all.chain(of_hosts(accomplice).into_iter().map(|body| (true, body))).collect();
    for (of_host, body) in all {
        let operation = draft(stage, of_host, body)?;
        let victim = if of_host { &stage.host } else { &stage.victim }.key.public_key().to_vec();
        let envelope = operation.encode_to_vec();
        let by_own = operations::sign_bytes(&own, envelope.clone())?;
        let by_accomplice = operations::sign_bytes(&stage.accomplice.key, envelope.clone())?;
        let unsigned = SignedOperation { envelope, ..SignedOperation::default() };
        let named = |signed: &SignedOperation| SignedOperation {
            public_key: victim.clone(),
            ..signed.clone()
        };
        for (name, signed) in [
            ("own key", by_own.clone()),
            ("own signature under the victim's key", named(&by_own)),
            ("the accomplice's key", by_accomplice.clone()),
            ("the accomplice's signature under the victim's key", named(&by_accomplice)),
            ("no key and no signature", unsigned.clone()),
            ("no signature", named(&unsigned)),
        ] {
            let shot = stage.shot(signed.encode_to_vec());
            stage.attempt("invented", name, [shot]).await?;
        }
    }
    Ok(())
}

/// The accomplice signs it truly, and may not.
async fn what_only_hosts_may(stage: &mut Stage) -> Result<()> {
    let meeting = stage.meetings[0];
    for body in of_hosts(stage.victim.participant(meeting)?) {
        let signed = stage.accomplice.sign(meeting, body)?;
        stage.ledger.note(&signed, Fate::Refused);
        let shot = stage.carried(&signed);
        stage.attempt("presumed to be a host", "", [shot]).await?;
    }
    Ok(())
}

/// The accomplice signs what does not belong to them: another meeting, other people's sessions.
async fn by_the_accomplice(stage: &mut Stage) -> Result<()> {
    let [here, there] = stage.meetings;
    let victim_there = stage.victim.participant(there)?;
    let session = stage.victim.terminal.session_in(here).context("a session")?.to_string();
    let chat = |text: &str| {
        OperationBody::SendChat(SendChat { text: text.to_owned(), ..SendChat::default() })
    };
    for id in 1..=victim_there + 1 {
        let signed = stage.accomplice.sign_as(here, chat("in another meeting"), |operation| {
            operation.meeting_id = there.to_string();
            operation.participant_id = id;
        })?;
        stage.accomplice.take_back(here);
        let shot = Shot::operation(&stage.there(), &stage.relays[EVIL], signed.bytes());
        stage.attempt("in a meeting it is not in", &format!("participant {id}"), [shot]).await?;
    }
    let too_long = operations::time(SystemTime::now() + Duration::from_secs(48 * 3_600));
    let change = |name, takes_a_place, change: Change| (name, takes_a_place, change);
    for (name, takes_a_place, change) in [
        change("the victim's session", false, Box::new(move |o| o.session_id.clone_from(&session))),
        change("no session", false, Box::new(|o| o.session_id.clear())),
        change("two days to live", true, Box::new(move |o| o.not_after = Some(too_long))),
        change("no end", true, Box::new(|o| o.not_after = None)),
    ] {
        let signed = stage.accomplice.sign_as(here, chat(name), |o| change(o))?;
        if !takes_a_place {
            stage.accomplice.take_back(here);
        }
        stage.ledger.note(&signed, Fate::Refused);
        let shot = stage.carried(&signed);
        stage.attempt("its own, but not as it may be", name, [shot]).await?;
    }
    for (name, text) in [("empty", String::new()), ("too long", "x".repeat(4_001))] {
        let signed = stage.accomplice.sign(here, chat(&text))?;
        stage.ledger.note(&signed, Fate::Refused);
        let shot = stage.carried(&signed);
        stage.attempt("its own, but not as it may be", name, [shot]).await?;
    }
    Ok(())
}

/// The accomplice uses the id of an operation that is held back: that takes nothing from its owner.
async fn with_an_id_of_others(stage: &mut Stage) -> Result<()> {
    let here = stage.meetings[0];
    for body in acts(1) {
        let mut withheld = stage.victim.sign(here, body.clone())?;
        stage.ledger.note(&withheld, Fate::Applied);
        let id = withheld.operation.operation_id.clone();
        let own = stage.accomplice.sign_as(here, body, |o| o.operation_id = id)?;
        stage.ledger.note(&own, Fate::Either);
        let shot = stage.carried(&own);
        stage.attempt("an id of others", "first", [shot]).await?;
        stage.deliver("an id of others", &withheld).await?;
        // The owner's id with another body, truly signed: refused, and the first effect stands.
        let again = OperationBody::CheckIn(CheckIn {});
        if withheld.operation.body.as_ref() != Some(&again) {
            let reused = stage.victim.sign_as(here, again, |operation| {
                operation.operation_id = std::mem::take(&mut withheld.operation.operation_id);
            })?;
            // What is refused for its id takes no place.
            stage.victim.take_back(here);
            let shot = stage.carried(&reused);
            stage.reuse(&reused, shot).await?;
        }
    }
    Ok(())
}

/// By the terminal protocol: what is not the accomplice's own is not even carried.
async fn by_its_own_connection(stage: &mut Stage) -> Result<()> {
    let here = stage.meetings[0];
    let text = "carried by another connection".to_owned();
    let chat = OperationBody::SendChat(SendChat { text, ..SendChat::default() });
    let withheld = stage.victim.sign(here, chat)?;
    stage.ledger.note(&withheld, Fate::Applied);
    let edited = |change: fn(&mut SignedOperation)| rewrapped(&withheld, change);
    let foreign = Signed { signed: withheld.signed.clone(), ..withheld.clone() };
    let mut by_accomplice = operations::sign(&stage.accomplice.key, &withheld.operation)?;
    let own_key = by_accomplice.clone();
    by_accomplice.public_key.clone_from(&withheld.signed.public_key);
    let huge = operations::sign_bytes(&stage.accomplice.key, vec![0x0a; 20 * 1024])?;
    for (name, bytes) in [
        ("the victim's, without signature", edited(|w| w.signature.clear())),
        ("the victim's, without key", edited(|w| w.public_key.clear())),
        ("the victim's, cut off", edited(|w| w.envelope.truncate(40))),
        ("the victim's words under the own key", own_key.encode_to_vec()),
        ("the own signature under the victim's key", by_accomplice.encode_to_vec()),
        ("nothing", Vec::new()),
        ("too much", huge.encode_to_vec()),
    ] {
        let operation = Some(SignedOperation::decode(bytes.as_slice())?);
        let answer = stage.accomplice.terminal.request(Ask::Operate(Operate { operation })).await;
        if answer.is_ok() {
            stage.count("by another connection", name, vec!["the relay took it".to_owned()]);
        }
        stage.judge("by another connection", name).await?;
    }
    stage.deliver("by another connection", &foreign).await
}
