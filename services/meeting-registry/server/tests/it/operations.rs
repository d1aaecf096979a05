//! What participants do, from a relay's publishing to the log: the whole service with a real
//! nats-server.

use prost::Message as _;
use tonic::Code;
use tributary_contracts::{
    event::v1::{MeetingEvent, OperationRefusal, meeting_event},
    operation::v1::{
        CheckIn, End, Operation, RemoveParticipant, SendChat, SetHand, SetLocked, SetMuted,
        SetPresence, SignedOperation, operation::Body,
    },
    registry::v1::{
        GetAccessFactsRequest, JoinRequest, ListChatRequest, Member, MemberRole, SetMembersRequest,
    },
};
use tributary_join_credential::TerminalKey;
use tributary_message_bus::{ControlBus, subjects::MeetingScope};

use crate::{
    DEADLINE,
    actor::{
        Actor, Client, answer, causes, in_seconds, log, meeting, publish, publish_bytes, refusal,
        sign,
    },
    calls::{Answering, assert_refused, join},
    nats::{Nats, connect, free_port},
    until,
};

/// A registry, a relay's connection, and a meeting with Ann, its host, and Bob.
struct Stage {
    client: Client,
    relay: ControlBus,
    scope: MeetingScope,
    ann: Actor,
    bob: Actor,
    answering: Answering,
    url: String,
    _nats: Nats,
}

impl Stage {
    async fn set() -> Self {
        let port = free_port();
        let nats = Nats::start(port);
        let url = format!("nats://127.0.0.1:{port}");
        let answering = Answering::start_with_nats(&url).await;
        let mut client = answering.client();
        let scope = meeting(&mut client).await;
        let ann = Actor::join(&mut client, &scope, "ann").await;
        let bob = Actor::join(&mut client, &scope, "bob").await;
        let relay = connect(&url, "relay").await;
        Self { client, relay, scope, ann, bob, answering, url, _nats: nats }
    }

    async fn answer(&self, operation: &str) -> Vec<MeetingEvent> {
        answer(&self.client, &self.scope, operation).await
    }

    async fn refusal(&self, operation: &str) -> OperationRefusal {
        refusal(&self.client, &self.scope, operation).await
    }

    async fn log(&self) -> Vec<MeetingEvent> {
        log(&mut self.client.clone(), &self.scope).await
    }

    async fn publish(&self, signed: &SignedOperation) {
        publish(&self.relay, &self.scope, signed).await;
    }

    /// The registry has seen to everything, also to what found no room at first, ends in order, and
    /// nothing is left for another.
    async fn nothing_is_left(self) {
        let watcher = async_nats::connect(&self.url).await.unwrap();
        let stream = async_nats::jetstream::new(watcher).get_stream("OPERATIONS").await.unwrap();
        until("an empty stream", || async {
            stream.get_info().await.is_ok_and(|info| info.state.messages == 0)
        })
        .await;
        self.answering.stop().await;
        let mut bob = self.bob;
        let last = bob.operation(hand(true));
        let last = bob.sign(&last);
        publish(&self.relay, &self.scope, &last).await;
        let mut operations = self.relay.operations();
        let next = tokio::time::timeout(DEADLINE, operations.next()).await.unwrap();
        assert!(next.payload[..] == last.encode_to_vec()[..], "something else was left");
    }
}

fn hand(raised: bool) -> Body {
    Body::SetHand(SetHand { raised })
}

fn chat(text: &str, to: &[u32]) -> Body {
    Body::SendChat(SendChat { text: text.into(), to_participant_ids: to.to_vec() })
}

fn body(events: &[MeetingEvent]) -> &meeting_event::Body {
    events[0].body.as_ref().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_do_is_in_the_log_with_its_cause_and_for_whom_it_is() {
    let mut stage = Stage::set().await;
    let muted = Body::SetMuted(SetMuted { muted: true });
    let mute = stage.bob.act(&stage.relay, muted.clone()).await;
    let raise = stage.bob.act(&stage.relay, hand(true)).await;
    let again = stage.bob.act(&stage.relay, muted).await;
    let check_in = stage.ann.act(&stage.relay, Body::CheckIn(CheckIn {})).await;
    let private = stage.ann.act(&stage.relay, chat("just you", &[stage.bob.participant])).await;
    let presence = Body::SetPresence(SetPresence::default());
    let nonsense = stage.bob.act(&stage.relay, presence).await;

    let event = stage.answer(&mute).await;
    assert!(matches!(body(&event), meeting_event::Body::Muted(muted) if muted.muted), "{event:?}");
    assert_eq!(event[0].cause.as_ref().unwrap().participant_id, stage.bob.participant);
    assert_eq!(event[0].audience, None, "for everybody");
    let event = stage.answer(&raise).await;
    assert!(matches!(body(&event), meeting_event::Body::HandChanged(hand) if hand.raised));
    let event = stage.answer(&again).await;
    assert!(matches!(body(&event), meeting_event::Body::OperationDone(_)), "nothing changed");
    let audience = event[0].audience.clone().unwrap();
    assert_eq!(audience.participant_ids, [stage.bob.participant]);
    let event = stage.answer(&check_in).await;
    assert!(matches!(body(&event), meeting_event::Body::CheckedIn(_)));
    let event = stage.answer(&private).await;
    assert!(
        matches!(body(&event), meeting_event::Body::ChatMessage(said) if said.text == "just you")
    );
    assert_eq!(stage.refusal(&nonsense).await, OperationRefusal::Invalid);

    let list = |participant_id| ListChatRequest {
        meeting_id: stage.scope.meeting.to_string(),
        participant_id,
        ..Default::default()
    };
    let eve = Actor::join(&mut stage.client, &stage.scope, "eve").await;
    for (who, messages) in
        [(stage.ann.participant, 1), (stage.bob.participant, 1), (eve.participant, 0)]
    {
        let listed = stage.client.list_chat(list(who)).await.unwrap().into_inner().messages;
        assert_eq!(listed.len(), messages, "as {who} reads it");
    }
    stage.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_operation_has_one_effect_however_often_it_comes() {
    let mut stage = Stage::set().await;
    let operation = stage.bob.operation(chat("once", &[]));
    // Each signature differs, so that JetStream can't tell that it is the same.
    for _ in 0..5 {
        stage.publish(&stage.bob.sign(&operation)).await;
    }
    let last = stage.bob.act(&stage.relay, hand(true)).await;
    stage.answer(&last).await;
    stage.publish(&stage.bob.sign(&operation)).await;
    let end = stage.bob.act(&stage.relay, hand(false)).await;
    stage.answer(&end).await;
    let log = stage.log().await;
    assert_eq!(causes(&log), [operation.operation_id.as_str(), &last, &end]);

    // Another body under the same id is refused, and does nothing.
    let other = Operation { body: Some(chat("twice", &[])), ..operation.clone() };
    let other = Operation { client_sequence: stage.bob.sequence + 1, ..other };
    stage.publish(&stage.bob.sign(&other)).await;
    let answers = loop {
        let answers = stage.answer(&operation.operation_id).await;
        if answers.len() > 1 {
            break answers;
        }
    };
    let [_, MeetingEvent { body: Some(meeting_event::Body::OperationRefused(refused)), .. }] =
        answers.as_slice()
    else {
        panic!("{answers:?}")
    };
    assert_eq!(refused.reason(), OperationRefusal::IdReused);
    stage.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_can_neither_change_nor_make_an_operation_nor_use_it_elsewhere() {
    let mut stage = Stage::set().await;
    let elsewhere = meeting(&mut stage.client).await;
    let mut there = Actor::join(&mut stage.client, &elsewhere, "bob").await;
    let before = stage.log().await.len();
    let operation = stage.bob.operation(Body::SetMuted(SetMuted { muted: true }));
    let signed = stage.bob.sign(&operation);

    // Changed on the way: any bit of the envelope, of the signature, of the key.
    for bit in (0..signed.envelope.len() * 8).step_by(7) {
        let mut edited = signed.clone();
        edited.envelope[bit / 8] ^= 1 << (bit % 8);
        stage.publish(&edited).await;
    }
    for (part, byte) in [(0, 0), (0, 63), (1, 1), (1, 64)] {
        let mut edited = signed.clone();
        let bytes = if part == 0 { &mut edited.signature } else { &mut edited.public_key };
        bytes[byte] ^= 1;
        stage.publish(&edited).await;
    }
    // Invented: with a key of its own, or with that of another participant.
    stage.publish(&sign(&TerminalKey::generate().unwrap(), &operation)).await;
    stage.publish(&sign(&stage.ann.key, &operation)).await;
    let nobody = Operation { participant_id: 99, ..operation.clone() };
    stage.publish(&sign(&stage.bob.key, &nobody)).await;
    // Used elsewhere: the envelope of another meeting, and one made for this one with its key.
    let theirs = there.operation(Body::SetMuted(SetMuted { muted: true }));
    stage.publish(&there.sign(&theirs)).await;
    publish(&stage.relay, &elsewhere, &signed).await;
    let moved = Operation { meeting_id: stage.scope.meeting.to_string(), ..theirs };
    stage.publish(&there.sign(&moved)).await;
    // Nothing that can be read.
    publish_bytes(&stage.relay, &stage.scope, b"nonsense".as_slice().into()).await;
    publish_bytes(&stage.relay, &stage.scope, vec![0; 15_000].into()).await;
    let nowhere = MeetingScope { meeting: 1_u64.try_into().unwrap(), ..stage.scope.clone() };
    publish(&stage.relay, &nowhere, &signed).await;

    let good = stage.ann.act(&stage.relay, hand(true)).await;
    stage.answer(&good).await;
    let log = stage.log().await;
    assert_eq!(causes(&log[before..]), [good.as_str()], "only what somebody has done");
    assert_eq!(crate::actor::log(&mut stage.client, &elsewhere).await.len(), 1, "Bob came in");
    // What was held back all the time is good still, by a relay that passes it on as it is. That its
    // name in the stream was used for something else before does not matter.
    let honest = connect(&stage.url, "another relay").await;
    publish(&honest, &stage.scope, &signed).await;
    stage.answer(&operation.operation_id).await;
    stage.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_that_come_in_another_order_are_applied_in_that_of_their_session() {
    let mut stage = Stage::set().await;
    let mut said: Vec<_> =
        (0..8).map(|number| stage.bob.operation(chat(&format!("{number}"), &[]))).collect();
    let ids: Vec<_> = said.iter().map(|operation| operation.operation_id.clone()).collect();
    said.reverse();
    for operation in &said {
        stage.publish(&stage.bob.sign(operation)).await;
    }
    for id in &ids {
        stage.answer(id).await;
    }
    assert_eq!(causes(&stage.log().await), ids);
    stage.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_does_not_wait_for_ever_for_one_that_never_comes() {
    let mut stage = Stage::set().await;
    let lost = stage.bob.operation(hand(true));
    let begin = std::time::Instant::now();
    let next = stage.bob.act(&stage.relay, chat("after", &[])).await;
    // Somebody else does not wait for it.
    let other = stage.ann.act(&stage.relay, hand(true)).await;
    stage.answer(&other).await;
    stage.answer(&next).await;
    assert!(begin.elapsed().as_secs() >= 30, "{:?}", begin.elapsed());
    stage.publish(&stage.bob.sign(&lost)).await;
    assert_eq!(stage.refusal(&lost.operation_id).await, OperationRefusal::Overtaken);
    stage.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_too_late_or_is_not_allowed_is_refused_with_its_reason() {
    let mut stage = Stage::set().await;
    let late = Operation { not_after: in_seconds(-1), ..stage.bob.operation(hand(true)) };
    stage.publish(&stage.bob.sign(&late)).await;
    assert_eq!(stage.refusal(&late.operation_id).await, OperationRefusal::Expired);
    let unsaid = Operation { not_after: None, ..stage.bob.operation(hand(true)) };
    stage.publish(&stage.bob.sign(&unsaid)).await;
    assert_eq!(stage.refusal(&unsaid.operation_id).await, OperationRefusal::Expired);
    let long = Operation { not_after: in_seconds(25 * 3600), ..stage.bob.operation(hand(true)) };
    stage.publish(&stage.bob.sign(&long)).await;
    assert_eq!(stage.refusal(&long.operation_id).await, OperationRefusal::Invalid);
    // Nearly a day ahead is not too long.
    let day = Operation { not_after: in_seconds(24 * 3600), ..stage.bob.operation(hand(true)) };
    stage.publish(&stage.bob.sign(&day)).await;
    let event = stage.answer(&day.operation_id).await;
    assert!(matches!(body(&event), meeting_event::Body::HandChanged(_)), "{event:?}");
    let unknown = Operation { body: None, ..stage.bob.operation(hand(true)) };
    stage.publish(&stage.bob.sign(&unknown)).await;
    assert_eq!(stage.refusal(&unknown.operation_id).await, OperationRefusal::Unsupported);
    let not_host = stage.bob.act(&stage.relay, Body::End(End {})).await;
    assert_eq!(stage.refusal(&not_host).await, OperationRefusal::NotHost);

    let old = stage.bob.operation(hand(true));
    let old_signed = stage.bob.sign(&old);
    stage.bob.come(&mut stage.client, "second").await;
    stage.publish(&old_signed).await;
    assert_eq!(stage.refusal(&old.operation_id).await, OperationRefusal::SessionOver);
    let new = stage.bob.act(&stage.relay, chat("here again", &[])).await;
    let event = stage.answer(&new).await;
    assert!(matches!(body(&event), meeting_event::Body::ChatMessage(_)), "{event:?}");

    let end = stage.ann.act(&stage.relay, Body::End(End {})).await;
    assert!(stage.answer(&end).await.len() > 1, "everybody leaves by it");
    let after = stage.bob.act(&stage.relay, hand(true)).await;
    assert_eq!(stage.refusal(&after).await, OperationRefusal::MeetingEnded);
    stage.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_locked_out_or_was_removed_is_told_so_when_joining() {
    let mut stage = Stage::set().await;
    let lock = stage.ann.act(&stage.relay, Body::SetLocked(SetLocked { locked: true })).await;
    let participant_id = stage.bob.participant;
    let remove = Body::RemoveParticipant(RemoveParticipant { participant_id });
    let remove = stage.ann.act(&stage.relay, remove).await;
    stage.answer(&lock).await;
    stage.answer(&remove).await;
    let as_user = |user: &str| JoinRequest {
        user_id: user.into(),
        key_thumbprint: format!("key-of-{user}"),
        ..join(&stage.scope.meeting.to_string())
    };
    let mut client = stage.client.clone();
    let refused = client.join(as_user("eve")).await.unwrap_err();
    assert_refused(&refused, Code::Aborted, "MEETING_LOCKED");
    let refused = client.join(as_user("bob")).await.unwrap_err();
    assert_refused(&refused, Code::PermissionDenied, "REMOVED_BY_HOST");
    let facts = async |user: &str| {
        let request = GetAccessFactsRequest {
            meeting_id: stage.scope.meeting.to_string(),
            user_id: user.into(),
            ..Default::default()
        };
        let facts = stage.client.clone().get_access_facts(request).await.unwrap().into_inner();
        (facts.removed, facts.role())
    };
    assert_eq!(facts("bob").await, (true, MemberRole::Unspecified));
    assert_eq!(facts("eve").await, (false, MemberRole::Unspecified));
    let unlock = stage.ann.act(&stage.relay, Body::SetLocked(SetLocked { locked: false })).await;
    stage.answer(&unlock).await;
    client.join(as_user("eve")).await.unwrap();
    let refused = client.join(as_user("bob")).await.unwrap_err();
    assert_refused(&refused, Code::PermissionDenied, "REMOVED_BY_HOST");
    let again = SetMembersRequest {
        meeting_id: stage.scope.meeting.to_string(),
        user_id: "ann".into(),
        members: vec![Member { user_id: "bob".into(), ..Default::default() }],
        ..Default::default()
    };
    client.set_members(again).await.unwrap();
    assert_eq!(facts("bob").await, (false, MemberRole::Member));
    client.join(as_user("bob")).await.unwrap();
}
