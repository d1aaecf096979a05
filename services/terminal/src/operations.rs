//! What somebody does in a meeting, as it travels: made once, signed once by the terminal's key.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prost::Message as _;
use prost_types::Timestamp;
use thiserror::Error;
use tokio::sync::oneshot;
use tributary_contracts::{
    event::v1::{MeetingEvent, OperationRefusal, meeting_event::Body as Happened},
    operation::v1::{Operation, SignedOperation},
    terminal::v1::RefusalCode,
};
use tributary_identifiers::{MeetingId, OperationId};
use tributary_join_credential::{SigningError, TerminalKey};

use crate::random_id;

/// The longest envelope that relays carry, in bytes.
pub const ENVELOPE_BYTES_MAX: usize = 12 * 1024;
/// How long an operation may take, if nothing else is said.
pub const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// What became of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It changed something.
    Applied {
        /// Number of the (first) event that it caused.
        event_number: u64,
    },
    /// All was as it says already.
    NothingChanged,
    /// The registry refused it.
    Refused {
        /// Why, for programs.
        reason: OperationRefusal,
        /// Why, for people who read logs.
        message: String,
    },
    /// The relay refuses to carry it, now and later.
    NotTaken {
        /// Why, for programs.
        code: RefusalCode,
        /// Why, for people who read logs.
        message: String,
    },
}

impl Outcome {
    /// Number of the event that it caused, if it changed something.
    pub fn event_number(&self) -> Option<u64> {
        match self {
            Self::Applied { event_number } => Some(*event_number),
            _ => None,
        }
    }

    /// Why the registry refused it, if it did.
    pub fn refusal(&self) -> Option<OperationRefusal> {
        match self {
            Self::Refused { reason, .. } => Some(*reason),
            _ => None,
        }
    }

    /// The result that an event tells to who has caused it.
    pub(crate) fn of(event: &MeetingEvent) -> Self {
        match &event.body {
            Some(Happened::OperationDone(_)) => Self::NothingChanged,
            Some(Happened::OperationRefused(refused)) => {
                Self::Refused { reason: refused.reason(), message: refused.message.clone() }
            }
            _ => Self::Applied { event_number: event.number },
        }
    }
}

/// Why an operation was not begun, or its result will not be known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OperateError {
    /// Too many wait for their results.
    #[error("10,000 operations wait for their results: wait for some of them")]
    Full,
    /// Too long.
    #[error("the operation is longer than {ENVELOPE_BYTES_MAX} bytes")]
    TooLong,
    /// The terminal is not in that meeting.
    #[error("the terminal is not in that meeting")]
    NotIn,
    /// The terminal has left for good, or has come back as somebody else.
    #[error("the terminal's stay in the meeting is over")]
    Over,
    /// The own system did not give what was needed.
    #[error("{0}")]
    System(String),
}

/// An operation that was begun. Dropping this takes nothing back.
#[derive(Debug)]
pub struct Submitted {
    /// Where.
    pub meeting_id: MeetingId,
    /// Which.
    pub id: OperationId,
    /// Its number in the session, from 1.
    pub sequence: u64,
    pub(crate) outcome: oneshot::Receiver<Outcome>,
}

impl Submitted {
    /// Waits for the result, also over lost connections.
    pub async fn outcome(self) -> Result<Outcome, OperateError> {
        self.outcome.await.map_err(|_| OperateError::Over)
    }
}

/// An operation that has no result yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingOperation {
    /// Where.
    pub meeting_id: MeetingId,
    /// Which.
    pub id: OperationId,
    /// Its number in the session, from 1.
    pub sequence: u64,
    /// It was sent on the present connection.
    pub sent: bool,
    /// The relay has said that it can't be lost any more.
    pub received: bool,
}

/// A new id: a UUID.
pub fn new_id() -> OperationId {
    random_id::operation()
}

/// A time as it is written in an operation.
pub fn time(at: SystemTime) -> Timestamp {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp {
        seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(since.subsec_nanos()).unwrap_or_default(),
    }
}

/// The bytes that are signed.
pub fn envelope(operation: &Operation) -> Vec<u8> {
    operation.encode_to_vec()
}

/// Signs an operation as it is, whatever it says.
///
/// # Errors
/// The operating system's random generator failed.
pub fn sign(key: &TerminalKey, operation: &Operation) -> Result<SignedOperation, SigningError> {
    sign_bytes(key, envelope(operation))
}

/// Signs any bytes as if they were an operation.
///
/// # Errors
/// The operating system's random generator failed.
pub fn sign_bytes(key: &TerminalKey, envelope: Vec<u8>) -> Result<SignedOperation, SigningError> {
    let signature = key.sign_operation(&envelope)?;
    Ok(SignedOperation { envelope, public_key: key.public_key().to_vec(), signature })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tributary_contracts::event::v1::{HandChanged, OperationDone, OperationRefused};
    use tributary_join_credential::verify_operation;

    #[test]
    fn a_signed_operation_is_taken_as_its_keys() {
        let key = TerminalKey::generate().unwrap();
        let operation = Operation { operation_id: new_id().to_string(), ..Operation::default() };
        let signed = sign(&key, &operation).unwrap();
        let by = verify_operation(&signed.public_key, &signed.envelope, &signed.signature);
        assert_eq!(by.as_ref(), Ok(key.thumbprint()));
        assert_eq!(Operation::decode(signed.envelope.as_slice()).unwrap(), operation);
    }

    #[test]
    fn events_tell_what_became_of_operations() {
        let outcome = |body| {
            Outcome::of(&MeetingEvent { number: 7, body: Some(body), ..MeetingEvent::default() })
        };
        let raised = HandChanged { participant_id: 1, raised: true, by_participant_id: 0 };
        assert_eq!(outcome(Happened::HandChanged(raised)).event_number(), Some(7));
        assert_eq!(outcome(Happened::OperationDone(OperationDone {})), Outcome::NothingChanged);
        let reason = OperationRefusal::NotHost;
        let refused = OperationRefused { reason: reason.into(), message: String::new() };
        assert_eq!(outcome(Happened::OperationRefused(refused)).refusal(), Some(reason));
    }
}
