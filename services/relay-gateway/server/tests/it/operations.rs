//! What participants do, on its way to the registry.

use std::time::Duration;

use prost::Message as _;
use tokio::time::timeout;
use tributary_contracts::{
    event::v1::{Cause, OperationDone, meeting_event::Body as EventBody},
    operation::v1::{CheckIn, Operation, SendChat, SignedOperation, operation::Body as Act},
    terminal::v1::{Operate, RefusalCode, TerminalMessage, terminal_message::Body as Ask},
};
use tributary_join_credential::{TerminalKey, verify_operation};
use tributary_message_bus::Operations;
use tributary_terminal::operations;

use crate::{
    fake_log::only,
    person::{Person, code, refusal},
    world::{World, scope},
};

const SOON: Duration = Duration::from_secs(20);
const UNRESOLVED_MAX: usize = 32;

fn check_in() -> Act {
    Act::CheckIn(CheckIn {})
}

/// The operations as the registry gets them.
async fn registry(world: &World) -> Operations {
    world.registry_bus.ensure_operation_stream().await.unwrap();
    world.registry_bus.operations()
}

/// The next operation, unchanged.
async fn next(operations: &mut Operations) -> (SignedOperation, Operation) {
    let received = timeout(SOON, operations.next()).await.expect("no operation comes");
    assert_eq!(received.scope, scope(1));
    assert_eq!(received.relay.as_str(), "test");
    let signed = SignedOperation::decode(received.payload.clone()).unwrap();
    received.done().await.unwrap();
    let operation = Operation::decode(signed.envelope.as_slice()).unwrap();
    (signed, operation)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_reaches_the_registry_as_it_was_signed_and_is_received_when_stored() {
    let world = World::start().await;
    world.open([1]);
    let mut registry = registry(&world).await;
    let eve = Person::enter(&world, "eve").await;
    let own = eve.join(1).await.participant_id;
    let operation = eve.operation(1, own, check_in());
    assert_eq!(eve.operate(&operation).await.unwrap(), operation.operation_id);
    let (signed, got) = next(&mut registry).await;
    assert_eq!((&got, signed.envelope), (&operation, operation.encode_to_vec()));
    assert_eq!(signed.public_key, eve.key.public_key());
    let by = verify_operation(&signed.public_key, &got.encode_to_vec(), &signed.signature);
    assert_eq!(by.as_ref(), Ok(eve.key.thumbprint()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_this_participants_own_is_refused_and_goes_nowhere() {
    let world = World::start().await;
    world.open([1, 2]);
    let mut registry = registry(&world).await;
    let eve = Person::enter(&world, "eve").await;
    let own = eve.operation(1, 1, check_in());
    assert_eq!(code(eve.operate(&own).await), RefusalCode::OutOfOrder, "before joining");
    let bob = Person::enter(&world, "bob").await;
    let others = bob.join(1).await.participant_id;
    let id = eve.join(1).await.participant_id;
    let own = eve.operation(1, id, check_in());
    for (operation, expected) in [
        (Operation { participant_id: others, ..own.clone() }, RefusalCode::Forbidden),
        (Operation { organisation: "other".into(), ..own.clone() }, RefusalCode::Forbidden),
        (Operation { session_id: bob.session.clone(), ..own.clone() }, RefusalCode::Forbidden),
        (eve.operation(2, id, check_in()), RefusalCode::OutOfOrder),
        (Operation { operation_id: String::new(), ..own.clone() }, RefusalCode::Malformed),
        (Operation { not_after: None, ..own.clone() }, RefusalCode::Malformed),
    ] {
        assert_eq!(code(eve.operate(&operation).await), expected, "{operation:?}");
    }
    let key = TerminalKey::generate().unwrap();
    let by_another_key = operations::sign(&key, &own).unwrap();
    let mut edited = operations::sign(&eve.key, &own).unwrap();
    edited.envelope = Operation { client_sequence: 7, ..own.clone() }.encode_to_vec();
    let text = "x".repeat(12 << 10);
    let chat = Act::SendChat(SendChat { text, to_participant_ids: vec![] });
    let too_long = operations::sign(&eve.key, &eve.operation(1, id, chat)).unwrap();
    for (operation, expected) in [
        (Some(by_another_key), RefusalCode::Forbidden),
        (Some(edited), RefusalCode::Forbidden),
        (Some(too_long), RefusalCode::Malformed),
        (Some(operations::sign_bytes(&eve.key, vec![0xff; 9]).unwrap()), RefusalCode::Malformed),
        (None, RefusalCode::Malformed),
    ] {
        assert_eq!(code(eve.ask(Ask::Operate(Operate { operation })).await), expected);
    }
    eve.operate(&own).await.unwrap();
    assert_eq!(next(&mut registry).await.1, own, "the first that comes is the only good one");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_held_does_things_too() {
    let world = World::start().await;
    world.open([1, 2]);
    let mut registry = registry(&world).await;
    let eve = Person::enter(&world, "eve").await;
    eve.join(2).await;
    let id = eve.join_held(1).await.participant_id;
    let operation = eve.operation(1, id, check_in());
    eve.operate(&operation).await.unwrap();
    assert_eq!(next(&mut registry).await.1, operation);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_are_taken_before_the_first_has_its_result() {
    let world = World::start().await;
    world.open([1]);
    let mut registry = registry(&world).await;
    let eve = Person::enter(&world, "eve").await;
    let id = eve.join(1).await.participant_id;
    let all: Vec<_> = (0..UNRESOLVED_MAX).map(|_| eve.operation(1, id, check_in())).collect();
    for operation in &all {
        eve.operate(operation).await.unwrap();
        // The registry has it, and does not answer.
        next(&mut registry).await;
    }
    let one_more = eve.operation(1, id, check_in());
    assert_eq!(code(eve.operate(&one_more).await), RefusalCode::Limit);
    eve.operate(&all[7]).await.unwrap();
    let operation_id = all[0].operation_id.clone();
    let cause = Some(Cause { participant_id: id, operation_id });
    let done = EventBody::OperationDone(OperationDone {});
    world.emit_to(1, done, only(&[id]), cause).await;
    while let Err(error) = eve.operate(&one_more).await {
        assert_eq!(code::<()>(Err(error)), RefusalCode::Limit);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let another = eve.operation(1, id, check_in());
    assert_eq!(code(eve.operate(&another).await), RefusalCode::Limit);
    // A connection counts anew: it can't know what was answered before it.
    let again = eve.again().await;
    again.resume(1, 1).await;
    again.operate(&another).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn order_is_kept_over_a_lost_connection_to_nats_and_a_lost_one_to_the_terminal() {
    let mut world = World::start().await;
    world.open([1]);
    let mut registry = registry(&world).await;
    let mut eve = Person::enter(&world, "eve").await;
    let id = eve.join(1).await.participant_id;
    let all: Vec<_> = (0..UNRESOLVED_MAX + 1).map(|_| eve.operation(1, id, check_in())).collect();
    world.nats.stop();
    // One after the other: the first is tried, and the others wait for it. The answers of one
    // connection come in the order of the requests, so that the last one's refusal comes at once.
    let mut asked = Vec::new();
    for operation in &all {
        let operation = Some(operations::sign(&eve.key, operation).unwrap());
        let ask = Ask::Operate(Operate { operation });
        let message = TerminalMessage { request_id: asked.len() as u64 + 1_000, body: Some(ask) };
        asked.push(message.request_id);
        eve.connection.send_bytes(message.encode_to_vec()).await.unwrap();
    }
    let message = eve.next().await.unwrap();
    assert_eq!(Some(&message.in_reply_to), asked.last());
    assert_eq!(refusal(message.body).code(), RefusalCode::Limit);
    let again = eve.again().await;
    drop(eve);
    again.resume(1, 1).await;
    world.nats.start_again();
    for operation in &all {
        let (_, got) = next(&mut registry).await;
        assert_eq!(got.client_sequence, operation.client_sequence);
        if got.client_sequence == UNRESOLVED_MAX as u64 {
            // There is room again for the one that was refused.
            again.operate(&all[UNRESOLVED_MAX]).await.unwrap();
        }
    }
}
