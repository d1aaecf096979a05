//! Somebody who speaks the terminal protocol by hand, and so can say what no terminal would.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tributary_contracts::credential::v1::Identity;
use tributary_contracts::operation::v1::{Operation, SetMuted, SignedOperation, operation};
use tributary_contracts::terminal::v1::relay_message::Body as Said;
use tributary_contracts::terminal::v1::terminal_message::Body as Ask;
use tributary_contracts::terminal::v1::{
    EnterAsGuest, Join, Joined, Operate, RefusalCode, RelayMessage, RequestJoinCredential,
};
use tributary_join_credential::TerminalKey;
use tributary_terminal::operations;
use tributary_terminal::protocol::{Connection, RequestError};

/// The session of everybody here.
pub const SESSION: &str = "6f1c7c66-3c8e-4f3a-9d52-0b8a7e7b1c11";
pub fn muted() -> operation::Body {
    operation::Body::SetMuted(SetMuted { muted: true })
}

/// Somebody who is in a meeting and can sign what they do there.
pub struct Operator {
    pub key: TerminalKey,
    pub next: Operation,
}

impl Operator {
    /// Comes in.
    pub async fn enter(connection: &mut Connection, meeting_id: &str) -> Self {
        let key = TerminalKey::generate().unwrap();
        let joined = enter_with(connection, meeting_id, &key).await;
        let next = Operation {
            organisation: "default".to_owned(),
            meeting_id: meeting_id.to_owned(),
            participant_id: joined.participant_id,
            session_id: SESSION.to_owned(),
            ..Operation::default()
        };
        Self { key, next }
    }

    /// The next operation.
    pub fn operation(&mut self, body: Option<operation::Body>) -> Operation {
        self.next.client_sequence += 1;
        let not_after = SystemTime::now() + Duration::from_secs(60);
        Operation {
            operation_id: operations::new_id().to_string(),
            not_after: Some(operations::time(not_after)),
            body,
            ..self.next.clone()
        }
    }

    pub fn sign(&self, operation: &Operation) -> SignedOperation {
        operations::sign(&self.key, operation).unwrap()
    }

    pub fn operate(&mut self, body: Option<operation::Body>) -> Ask {
        let operation = self.operation(body);
        carry(self.sign(&operation))
    }
}

pub fn carry(signed: SignedOperation) -> Ask {
    Ask::Operate(Operate { operation: Some(signed) })
}

pub async fn guest(connection: &mut Connection, key: &TerminalKey) -> Identity {
    let ask = Ask::EnterAsGuest(EnterAsGuest {
        display_name: "Grace".to_owned(),
        public_key: key.public_key().to_vec(),
    });
    match connection.request(ask).await.unwrap() {
        Said::Identity(identity) => identity,
        other => panic!("expected an identity, got {other:?}"),
    }
}

pub fn request_credential(identity: &Identity, meeting_id: &str, key: &TerminalKey) -> Ask {
    Ask::RequestJoinCredential(RequestJoinCredential {
        identity_token: identity.identity_token.clone(),
        meeting_id: meeting_id.to_owned(),
        public_key: key.public_key().to_vec(),
        ..Default::default()
    })
}

pub async fn credential(
    connection: &mut Connection,
    meeting_id: &str,
    key: &TerminalKey,
) -> String {
    let identity = guest(connection, key).await;
    match connection.request(request_credential(&identity, meeting_id, key)).await.unwrap() {
        Said::JoinCredential(credential) => credential.join_credential,
        other => panic!("expected a join credential, got {other:?}"),
    }
}

pub fn join(connection: &Connection, meeting_id: &str, credential: &str, key: &TerminalKey) -> Ask {
    Ask::Join(Join {
        meeting_id: meeting_id.to_owned(),
        join_credential: credential.to_owned(),
        public_key: key.public_key().to_vec(),
        proof: key.sign_join_proof(&connection.welcome().nonce, credential).unwrap(),
        session_id: SESSION.to_owned(),
        ..Join::default()
    })
}

pub async fn enter(connection: &mut Connection, meeting_id: &str) -> Joined {
    enter_with(connection, meeting_id, &TerminalKey::generate().unwrap()).await
}

pub async fn enter_with(
    connection: &mut Connection,
    meeting_id: &str,
    key: &TerminalKey,
) -> Joined {
    let credential = credential(connection, meeting_id, key).await;
    match connection.request(join(connection, meeting_id, &credential, key)).await.unwrap() {
        Said::Joined(joined) => joined,
        other => panic!("expected to be in, got {other:?}"),
    }
}

/// What the relay says next by itself; none if it has closed the connection.
pub async fn next(connection: &mut Connection) -> Option<RelayMessage> {
    let deadline = Duration::from_secs(10);
    tokio::time::timeout(deadline, connection.next()).await.expect("the relay says nothing")
}

/// Passes over what else is said until the relay refuses or closes the connection.
pub async fn refused_or_ended(connection: &mut Connection, expected: RefusalCode) {
    while let Some(message) = next(connection).await {
        if let Some(Said::Refusal(refusal)) = message.body {
            assert_eq!(refusal.code(), expected, "{}", refusal.message);
            return;
        }
    }
}

pub type Answer = Result<Said, RequestError>;

pub fn refused(answer: Answer) -> (RefusalCode, String) {
    match answer {
        Err(RequestError::Refused { code, message }) => (code, message),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[track_caller]
pub fn check(answer: Answer, expected: RefusalCode) {
    let (code, message) = refused(answer);
    assert_eq!(code, expected, "{message}");
    assert!(!message.is_empty());
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
