//! What somebody does is kept until its result is there, sent in order, and has one effect.

use std::time::{Duration, SystemTime};

use prost::Message as _;
use tributary_contracts::{
    event::v1::{ParticipantMuted, meeting_event},
    operation::v1::{Operation, SendChat},
    terminal::v1::{RefusalCode, terminal_message::Body},
};
use tributary_join_credential::verify_operation;
use tributary_terminal::{
    OperateError, OperationBody, OperationRefusal, Options, Outcome, Record, Submitted, Terminal,
    operations,
};

use crate::stub_relay::{Operations, StubRelay, meeting_id};

const SOON: Duration = Duration::from_secs(20);

async fn guest(relay: &StubRelay) -> Terminal {
    let mut options = Options::guest(&relay.url, "A", meeting_id());
    options.media = false;
    options.record_events = true;
    Terminal::join(options).await.unwrap()
}

fn line(number: usize) -> OperationBody {
    let (text, to_participant_ids) = (format!("line {number}"), Vec::new());
    OperationBody::SendChat(SendChat { text, to_participant_ids })
}

fn write(terminal: &Terminal, count: usize) -> Vec<Submitted> {
    (1..=count).map(|number| terminal.submit(line(number)).unwrap()).collect()
}

/// All are applied; the numbers of their events.
async fn applied(submitted: Vec<Submitted>) -> Vec<u64> {
    let mut numbers = Vec::new();
    for submitted in submitted {
        numbers.push(submitted.outcome().await.unwrap().event_number().unwrap());
    }
    numbers
}

fn sequences(relay: &StubRelay) -> Vec<u64> {
    relay.operations().iter().map(|operation| operation.client_sequence).collect()
}

async fn came(terminal: &Terminal, relay: &StubRelay, count: usize) {
    terminal.wait_until(|_| relay.operations().len() >= count, SOON).await.unwrap();
}

/// The numbers of the events that were taken, all of them once and in order.
fn events(terminal: &Terminal) -> Vec<u64> {
    let records = terminal.records();
    let numbers = records.iter().filter_map(|record| match record {
        Record::Event { event, news } => Some((event.number, *news)),
        _ => None,
    });
    let numbers: Vec<_> = numbers.collect();
    assert!(numbers.iter().all(|(_, news)| *news), "{numbers:?}");
    numbers.into_iter().map(|(number, _)| number).collect()
}

#[tokio::test]
async fn each_operation_has_its_result() {
    let relay = StubRelay::start().await;
    let a = guest(&relay).await;
    let raised = a.raise_hand(true).await.unwrap();
    let number = raised.event_number().unwrap();
    assert_eq!(a.snapshot().roster[&a.participant_id()].hand_raised, number);
    assert_eq!(a.check_in().await.unwrap(), Outcome::NothingChanged);
    assert_eq!(a.end_meeting().await.unwrap().refusal(), Some(OperationRefusal::NotHost));
    relay.refuse_next("operate", RefusalCode::Forbidden);
    let message = "by order".to_owned();
    let not_taken = Outcome::NotTaken { code: RefusalCode::Forbidden, message };
    assert_eq!(a.chat("hello", &[]).await.unwrap(), not_taken);
    let written = a.chat("hello again", &[]).await.unwrap();
    assert_eq!(a.snapshot().chat[0].number, written.event_number().unwrap());
    assert_eq!(sequences(&relay), [1, 2, 3, 4], "what was not taken has used up no number");
    let counts = a.snapshot().operations;
    assert_eq!((counts.pending, counts.applied, counts.nothing_changed), (0, 2, 1));
    assert_eq!((counts.refused, counts.not_taken), (1, 1));
    assert_eq!(a.outcomes(meeting_id()).len(), 5);
    let too_long = SendChat { text: "x".repeat(13_000), ..SendChat::default() };
    let refused = a.submit(OperationBody::SendChat(too_long));
    assert_eq!(refused.unwrap_err(), OperateError::TooLong);
}

#[tokio::test]
async fn an_operation_says_who_does_it_where_and_until_when() {
    let relay = StubRelay::start().await;
    let a = guest(&relay).await;
    let not_after = SystemTime::now() + Duration::from_secs(60);
    let submitted = a.submit_until(meeting_id(), line(1), not_after).unwrap();
    let (id, sequence) = (submitted.id.to_string(), submitted.sequence);
    applied(vec![submitted]).await;
    let operation = &relay.operations()[0];
    assert_eq!((&operation.operation_id, operation.client_sequence, sequence), (&id, 1, 1));
    assert_eq!(operation.meeting_id, meeting_id().to_string());
    assert_eq!(operation.participant_id, a.participant_id().0);
    assert_eq!(operation.session_id, relay.joins()[0].session_id);
    assert_eq!(operation.session_id, a.session_in(meeting_id()).unwrap().to_string());
    assert_eq!(operation.not_after, Some(operations::time(not_after)));
}

#[tokio::test]
async fn what_was_lost_is_sent_again_in_order_and_in_the_same_bytes() {
    let relay = StubRelay::start().await;
    let a = guest(&relay).await;
    relay.treat_operations(Operations::Lost);
    let submitted = write(&a, 5);
    came(&a, &relay, 5).await;
    assert!(a.pending().iter().all(|operation| operation.sent && !operation.received));
    relay.drop_connections();
    relay.treat_operations(Operations::Answered);
    assert_eq!(applied(submitted).await, [1, 2, 3, 4, 5]);
    assert_eq!(sequences(&relay), [1, 2, 3, 4, 5, 1, 2, 3, 4, 5]);
    let sent = relay.bodies("operate").into_iter().map(|body| match body {
        Body::Operate(operate) => operate.operation.unwrap(),
        other => panic!("{other:?}"),
    });
    let sent: Vec<_> = sent.collect();
    assert_eq!(sent[..5], sent[5..]);
    assert_eq!(sent[..5], a.signed_operations());
    assert!(a.pending().is_empty());
    assert_eq!(events(&a), [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn what_was_applied_without_a_word_is_learned_from_the_cursor() {
    let relay = StubRelay::start().await;
    let a = guest(&relay).await;
    assert_eq!(applied(write(&a, 2)).await, [1, 2]);
    relay.treat_operations(Operations::Silent);
    let submitted = write(&a, 3);
    came(&a, &relay, 5).await;
    relay.drop_connections();
    // While it is out something else happens too.
    let muted = ParticipantMuted { participant_id: 9, muted: true, by_participant_id: 0 };
    relay.say_event(meeting_event::Body::Muted(muted));
    relay.treat_operations(Operations::Answered);
    assert_eq!(applied(submitted).await, [3, 4, 5]);
    a.wait_until(|s| s.connections == 2 && s.cursor == 6, SOON).await.unwrap();
    assert_eq!(events(&a), [1, 2, 3, 4, 5, 6]);
    assert_eq!(relay.joins()[1].cursor, 2);
    assert_eq!(a.snapshot().repeated_events, 0);
    assert_eq!(a.snapshot().operations.applied, 5);
}

#[tokio::test]
async fn only_some_are_on_their_way_and_the_rest_follows() {
    let relay = StubRelay::start().await;
    let a = guest(&relay).await;
    relay.treat_operations(Operations::Kept);
    let submitted = write(&a, 40);
    let all_received = || a.pending().iter().filter(|operation| operation.received).count() == 32;
    a.wait_until(|_| all_received(), SOON).await.unwrap();
    assert_eq!(a.snapshot().operations.pending, 40);
    assert_eq!(a.pending().iter().filter(|operation| operation.sent).count(), 32);
    relay.treat_operations(Operations::Answered);
    assert_eq!(applied(submitted).await, (1..=40).collect::<Vec<u64>>());
    assert_eq!(sequences(&relay), (1..=40).collect::<Vec<u64>>());
}

#[tokio::test]
async fn after_a_number_that_may_be_missing_the_next_joining_begins_a_session() {
    let relay = StubRelay::start().await;
    let a = guest(&relay).await;
    assert_eq!(applied(write(&a, 1)).await, [1]);
    relay.treat_operations(Operations::Lost);
    let lost = write(&a, 1).remove(0);
    came(&a, &relay, 2).await;
    relay.refuse_next("operate", RefusalCode::Forbidden);
    relay.drop_connections();
    assert!(matches!(lost.outcome().await, Ok(Outcome::NotTaken { .. })));
    relay.treat_operations(Operations::Answered);
    relay.drop_connections();
    a.wait_until(|s| s.connections == 3 && s.connected, SOON).await.unwrap();
    assert_eq!(applied(write(&a, 2)).await, [2, 3]);
    let sessions: Vec<_> = relay.joins().into_iter().map(|join| join.session_id).collect();
    assert_eq!(sessions[0], sessions[1]);
    assert_ne!(sessions[1], sessions[2]);
    let last = relay.operations()[2..].to_vec();
    assert!(last.iter().all(|operation| operation.session_id == sessions[2]));
    assert_eq!(sequences(&relay), [1, 2, 1, 2]);
    assert_eq!(a.outcomes(meeting_id()).len(), 4);
}

#[tokio::test]
async fn a_relay_that_has_no_room_for_now_is_asked_again() {
    let relay = StubRelay::start().await;
    let a = guest(&relay).await;
    for code in [RefusalCode::Limit, RefusalCode::TryAgain, RefusalCode::OutOfOrder] {
        relay.refuse_next("operate", code);
    }
    applied(write(&a, 4)).await;
    let mut came = sequences(&relay);
    assert_eq!(relay.count("operate"), 7);
    came.sort_unstable();
    assert_eq!(came, [1, 2, 3, 4], "each once");
}

#[tokio::test]
async fn what_a_host_switches_off_is_off_until_the_user_switches_it_on() {
    let relay = StubRelay::start().await;
    let a = guest(&relay).await;
    let participant_id = a.participant_id().0;
    let muted = ParticipantMuted { participant_id, muted: true, by_participant_id: 2 };
    relay.say_event(meeting_event::Body::Muted(muted));
    a.wait_until(|s| s.muted, SOON).await.unwrap();
    a.set_muted(false).await.unwrap();
    assert!(!a.snapshot().muted);
    // What the meeting says of an older switching does not count against a newer one.
    relay.treat_operations(Operations::Kept);
    let (on, off) = tokio::join!(a.set_muted(true), async {
        came(&a, &relay, 2).await;
        let off = a.submit(OperationBody::CheckIn(Default::default())).unwrap();
        relay.treat_operations(Operations::Answered);
        off.outcome().await
    });
    assert!(on.unwrap().event_number().is_some() && off.is_ok());
    assert!(a.snapshot().muted);
}

#[tokio::test]
async fn nothing_is_done_any_more_when_the_stay_is_over() {
    let relay = StubRelay::start().await;
    let a = guest(&relay).await;
    relay.treat_operations(Operations::Lost);
    let waiting = write(&a, 1).remove(0);
    a.leave_meeting(meeting_id()).await.unwrap();
    assert_eq!(waiting.outcome().await, Err(OperateError::Over));
    a.wait_until(|s| s.ended.is_some(), SOON).await.unwrap();
    assert_eq!(a.submit(line(2)).unwrap_err(), OperateError::Over);
}

#[tokio::test]
async fn anything_can_be_signed_and_sent_by_those_who_attack() {
    let relay = StubRelay::start().await;
    let a = guest(&relay).await;
    let draft = a.draft(meeting_id(), line(1)).unwrap();
    let changed = Operation { participant_id: 77, not_after: None, ..draft };
    let signed = operations::sign(&a.key(), &changed).unwrap();
    let by = verify_operation(&signed.public_key, &signed.envelope, &signed.signature).unwrap();
    assert_eq!(&by, a.key().thumbprint());
    assert_eq!(Operation::decode(signed.envelope.as_slice()).unwrap(), changed);
    let mut forged = signed;
    forged.envelope.push(0);
    let operate = tributary_contracts::terminal::v1::Operate { operation: Some(forged) };
    let refused = a.request(Body::Operate(operate)).await.unwrap_err();
    assert!(refused.to_string().contains("FORBIDDEN"), "{refused}");
    assert_eq!(a.join_credential(meeting_id()).as_deref(), Some("credential-1"));
    assert_eq!(a.submit(line(1)).unwrap().sequence, 1, "a draft uses up no number");
}
