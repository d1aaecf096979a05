//! Terminals in a meeting as the registry knows them: keys, joins, and operations that they sign.

use bytes::Bytes;
use prost::Message as _;
use prost_types::Timestamp;
use tributary_contracts::{
    event::v1::{MeetingEvent, OperationRefusal, meeting_event},
    operation::v1::{Operation, SignedOperation, operation::Body},
    registry::v1::{
        CreateMeetingRequest, JoinRequest, ListEventsRequest,
        registry_service_client::RegistryServiceClient,
    },
};
use tributary_join_credential::TerminalKey;
use tributary_message_bus::{ControlBus, subjects::MeetingScope};
use tributary_service_runtime::ServiceChannel;

use crate::{DEADLINE, calls, until};

pub type Client = RegistryServiceClient<ServiceChannel>;

/// A participant with its terminal.
pub struct Actor {
    pub key: TerminalKey,
    pub scope: MeetingScope,
    pub user: String,
    pub participant: u32,
    pub session: String,
    /// Of the last operation.
    pub sequence: u64,
}

impl Actor {
    /// Comes in by relay `office-a`.
    pub async fn join(client: &mut Client, scope: &MeetingScope, user: &str) -> Self {
        let mut actor = Self {
            key: TerminalKey::generate().unwrap(),
            scope: scope.clone(),
            user: user.to_owned(),
            participant: 0,
            session: "first".to_owned(),
            sequence: 0,
        };
        actor.come(client, "first").await;
        actor
    }

    /// Comes in, or comes back in another session.
    pub async fn come(&mut self, client: &mut Client, session: &str) {
        let request = JoinRequest {
            user_id: self.user.clone(),
            display_name: self.user.clone(),
            key_thumbprint: self.key.thumbprint().to_string(),
            session_id: session.to_owned(),
            ..calls::join(&self.scope.meeting.to_string())
        };
        let joined = client.join(request).await.unwrap().into_inner().participant.unwrap();
        self.participant = joined.participant_id;
        session.clone_into(&mut self.session);
        self.sequence = 0;
    }

    /// The next operation of the session.
    pub fn operation(&mut self, body: Body) -> Operation {
        self.sequence += 1;
        Operation {
            operation_id: format!("{}-{}-{}", self.user, self.session, self.sequence),
            client_sequence: self.sequence,
            organisation: self.scope.organisation.to_string(),
            meeting_id: self.scope.meeting.to_string(),
            participant_id: self.participant,
            session_id: self.session.clone(),
            not_after: in_seconds(600),
            body: Some(body),
        }
    }

    pub fn sign(&self, operation: &Operation) -> SignedOperation {
        sign(&self.key, operation)
    }

    /// Signs the next operation, and has a relay publish it; returns its id.
    pub async fn act(&mut self, relay: &ControlBus, body: Body) -> String {
        let operation = self.operation(body);
        publish(relay, &self.scope, &self.sign(&operation)).await;
        operation.operation_id
    }
}

/// Signed by whoever has that key.
pub fn sign(key: &TerminalKey, operation: &Operation) -> SignedOperation {
    let envelope = operation.encode_to_vec();
    let signature = key.sign_operation(&envelope).unwrap();
    SignedOperation { envelope, public_key: key.public_key().to_vec(), signature }
}

/// So many seconds from now; before now, if negative.
pub fn in_seconds(seconds: i64) -> Option<Timestamp> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Some(Timestamp { seconds: i64::try_from(now.as_secs()).unwrap() + seconds, nanos: 0 })
}

/// As relay `office-a` publishes it: again and again until it is stored.
pub async fn publish(relay: &ControlBus, scope: &MeetingScope, signed: &SignedOperation) {
    publish_bytes(relay, scope, signed.encode_to_vec().into()).await;
}

pub async fn publish_bytes(relay: &ControlBus, scope: &MeetingScope, payload: Bytes) {
    let id = "office-a".parse().unwrap();
    until("an operation is stored", || async {
        relay.publish_operation(scope, &id, payload.clone()).await.is_ok()
    })
    .await;
}

/// A meeting of Ann's, with Bob on its list.
pub async fn meeting(client: &mut Client) -> MeetingScope {
    let request = CreateMeetingRequest { password: String::new(), ..calls::create("Planning") };
    let meeting = client.create_meeting(request).await.unwrap().into_inner().meeting.unwrap();
    MeetingScope {
        organisation: meeting.organisation.parse().unwrap(),
        meeting: meeting.meeting_id.parse().unwrap(),
    }
}

/// The whole log.
pub async fn log(client: &mut Client, scope: &MeetingScope) -> Vec<MeetingEvent> {
    let mut events = Vec::<MeetingEvent>::new();
    loop {
        let request = ListEventsRequest {
            organisation: scope.organisation.to_string(),
            meeting_id: scope.meeting.to_string(),
            after: events.last().map_or(0, |event| event.number),
            ..Default::default()
        };
        let page = client.list_events(request).await.unwrap().into_inner().events;
        if page.is_empty() {
            let numbers: Vec<_> = events.iter().map(|event| event.number).collect();
            assert_eq!(numbers, (1..=events.len() as u64).collect::<Vec<_>>(), "no gap, no twin");
            return events;
        }
        events.extend(page);
    }
}

/// What an operation has caused, when it is answered.
pub async fn answer(client: &Client, scope: &MeetingScope, operation: &str) -> Vec<MeetingEvent> {
    let waiting = async {
        loop {
            let mut log = log(&mut client.clone(), scope).await;
            log.retain(|event| cause(event) == Some(operation));
            if !log.is_empty() {
                return log;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let answered = tokio::time::timeout(DEADLINE * 3, waiting).await;
    answered.unwrap_or_else(|_| panic!("{operation} was not answered"))
}

/// Why an operation was refused, when it is.
pub async fn refusal(client: &Client, scope: &MeetingScope, operation: &str) -> OperationRefusal {
    let answer = answer(client, scope, operation).await;
    match answer.as_slice() {
        [MeetingEvent { body: Some(meeting_event::Body::OperationRefused(refused)), .. }] => {
            assert!(!refused.message.is_empty());
            refused.reason()
        }
        other => panic!("{operation} was not refused: {other:?}"),
    }
}

/// The operation that caused an event.
pub fn cause(event: &MeetingEvent) -> Option<&str> {
    event.cause.as_ref().map(|cause| cause.operation_id.as_str())
}

/// All operations that have caused something, in the order of the log.
pub fn causes(log: &[MeetingEvent]) -> Vec<&str> {
    log.iter().filter_map(cause).collect()
}
