//! It replays: the same bytes at once, later, under other names, elsewhere, after their time; and it
//! changes their order.

use std::time::{Duration, SystemTime};

use anyhow::Result;
use prost::Message as _;
use tributary_contracts::event::v1::meeting_event::Body as Happened;
use tributary_contracts::operation::v1::{
    CheckIn, OfflineReason, PresenceWish, SendChat, SetHand, SetMuted, SetName, SetPresence,
    SignedOperation,
};
use tributary_terminal::{OperationBody, operations};

use super::bus::Shot;
use super::ledger::{Fate, Signed};
use super::people::Person;
use super::signatures;
use super::stage::{EVIL, HONEST, Stage};

/// How long an operation is held back that is to be late.
const SHORT_LIFE: Duration = Duration::from_millis(400);
/// How long an operation may wait for those before it.
const ORDER_DEADLINE: Duration = Duration::from_secs(25);

pub async fn run(stage: &mut Stage) -> Result<()> {
    at_once_and_elsewhere(stage).await?;
    after_leaving(stage).await?;
    after_its_time(stage).await?;
    in_another_order(stage).await
}

/// One of each kind that can be done again and again.
pub fn acts(target: u32) -> Vec<OperationBody> {
    let chat = |text: &str, to_participant_ids: Vec<u32>| {
        OperationBody::SendChat(SendChat { text: text.to_owned(), to_participant_ids })
    };
    let presence = |presence: PresenceWish| {
        let reason = OfflineReason::Unspecified.into();
        OperationBody::SetPresence(SetPresence { presence: presence.into(), reason })
    };
    vec![
        OperationBody::SetHand(SetHand { raised: true }),
        chat("to everybody", Vec::new()),
        chat("to one", vec![target]),
        OperationBody::CheckIn(CheckIn {}),
        presence(PresenceWish::Away),
        OperationBody::SetMuted(SetMuted { muted: true }),
        OperationBody::SetName(SetName { display_name: "Somebody else".to_owned() }),
        OperationBody::SetHand(SetHand { raised: false }),
        presence(PresenceWish::Online),
        OperationBody::SetMuted(SetMuted { muted: false }),
    ]
}

async fn at_once_and_elsewhere(stage: &mut Stage) -> Result<()> {
    let target = stage.host.participant(stage.meetings[0])?;
    let mut applied = Vec::new();
    for body in acts(target) {
        let signed = stage.honest(body).await?;
        let shot = stage.carried(&signed);
        let there = Shot::operation(&stage.there(), &stage.relays[EVIL], signed.bytes());
        let mut twin = signed.signed.clone();
        twin.signature = signatures::twin(&twin.signature);
        let twin = stage.shot(twin.encode_to_vec());
        stage.attempt("replay", "as it was", [shot.clone()]).await?;
        stage.attempt("replay", "nameless", [shot.clone().anonymous()]).await?;
        let called = shot.clone().called("another-name");
        stage.attempt("replay", "under another name", [called]).await?;
        let burst = vec![shot.clone().anonymous(); 5];
        stage.attempt("replay", "five times at once", burst).await?;
        stage.attempt("replay in another meeting", "on its subject", [there.anonymous()]).await?;
        stage.attempt("replay with the twin signature", "valid too", [twin.anonymous()]).await?;
        let by_other = Shot::operation(&stage.here(), &stage.relays[HONEST], signed.bytes());
        stage.buses[HONEST].fire(by_other.anonymous()).await?;
        stage.judge("replay under another relay", "with that one's password").await?;
        applied.push(signed);
    }
    for signed in &applied {
        let later = stage.carried(signed).anonymous();
        stage.attempt("replay", "later", [later]).await?;
    }
    let all: Vec<_> = applied.iter().map(|signed| stage.carried(signed).anonymous()).collect();
    let backwards: Vec<_> = all.into_iter().rev().collect();
    stage.attempt("replay", "all of them, backwards", backwards).await
}

/// Some that were applied, and some that were withheld.
async fn some_of(stage: &mut Stage, person: &mut Person) -> Result<(Vec<Signed>, Vec<Signed>)> {
    let meeting = stage.meetings[0];
    let (mut applied, mut withheld) = (Vec::new(), Vec::new());
    for (number, body) in acts(1).into_iter().enumerate() {
        let signed = person.sign(meeting, body)?;
        stage.ledger.note(&signed, Fate::Applied);
        if number < 5 {
            stage.deliver("honest operation", &signed).await?;
            applied.push(signed);
        } else {
            stage.ledger.fate(&signed, Fate::Refused);
            withheld.push(signed);
        }
    }
    Ok((applied, withheld))
}

async fn after_leaving(stage: &mut Stage) -> Result<()> {
    let mut person = stage.enter("leaver", None).await?;
    stage.let_pass().await?;
    let (applied, withheld) = some_of(stage, &mut person).await?;
    let again = stage.come_again(&person).await?;
    // The first session is over: the same person has begun another one.
    stage.let_pass().await?;
    for signed in applied.iter().chain(&withheld) {
        let shot = stage.carried(signed).anonymous();
        stage.attempt("replay after another session has begun", "", [shot]).await?;
    }
    drop(person);
    let mut person = again;
    let (applied, withheld) = some_of(stage, &mut person).await?;
    person.terminal.leave().await;
    stage.let_pass().await?;
    for signed in applied.iter().chain(&withheld) {
        let shot = stage.carried(signed).anonymous();
        stage.attempt("replay after leaving", "", [shot]).await?;
    }
    Ok(())
}

async fn after_its_time(stage: &mut Stage) -> Result<()> {
    let meeting = stage.meetings[0];
    for body in acts(1) {
        let signed = stage.victim.sign_as(meeting, body, |operation| {
            operation.not_after = Some(operations::time(SystemTime::now() + SHORT_LIFE));
        })?;
        stage.ledger.note(&signed, Fate::Refused);
        tokio::time::sleep(SHORT_LIFE * 2).await;
        let shot = stage.carried(&signed);
        stage.attempt("carried after its time", "", [shot]).await?;
    }
    Ok(())
}

/// Three at a time, in every order but their own.
async fn in_another_order(stage: &mut Stage) -> Result<()> {
    for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut signed = Vec::new();
        for number in 0..3 {
            let text = format!("{number} of {order:?}");
            let chat = SendChat { text, to_participant_ids: Vec::new() };
            let next = stage.victim.sign(stage.meetings[0], OperationBody::SendChat(chat))?;
            stage.ledger.note(&next, Fate::Applied);
            signed.push(next);
        }
        for which in order {
            if let Some(signed) = signed.get(which) {
                let shot = stage.carried(signed);
                stage.buses[EVIL].fire(shot).await?;
            }
        }
        let mut wrong = stage.answered(&signed, ORDER_DEADLINE).await?;
        let numbers = stage.numbers_of(&signed);
        if !numbers.is_sorted() {
            wrong.push(format!("applied at {numbers:?}"));
        }
        stage.count("another order", &format!("{order:?}"), wrong);
    }
    Ok(())
}

impl Stage {
    /// Where the log has what chat operations have said.
    fn numbers_of(&self, signed: &[Signed]) -> Vec<u64> {
        let numbers = signed.iter().filter_map(|signed| {
            self.events().find_map(|event| {
                let is_it = event
                    .cause
                    .as_ref()
                    .is_some_and(|cause| cause.operation_id == signed.operation.operation_id)
                    && matches!(event.body, Some(Happened::ChatMessage(_)));
                is_it.then_some(event.number)
            })
        });
        numbers.collect()
    }
}

/// The same bytes in another wrapping.
pub fn rewrapped(signed: &Signed, change: impl FnOnce(&mut SignedOperation)) -> Vec<u8> {
    let mut wrapping = signed.signed.clone();
    change(&mut wrapping);
    wrapping.encode_to_vec()
}
