//! What callers are told when something can't be done: one clear sentence, a code, and a reason
//! for programs (`google.rpc.ErrorInfo`). Details of failures go into the log, not on the wire.

use std::fmt::Display;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use tributary_meeting_registry_core::Refusal;
use tributary_password_hash::HashError;

use crate::{registry::CreateError, store::StoreError};

/// Who says so, in `ErrorInfo.domain`.
const DOMAIN: &str = "meeting-registry.tributary";

fn status(code: Code, reason: &str, message: impl Into<String>) -> Status {
    let details = ErrorDetails::with_error_info(reason, DOMAIN, []);
    Status::with_error_details(code, message, details)
}

/// A field of the request is not as it must be.
pub fn invalid(field: &str, why: &impl Display) -> Status {
    let why = why.to_string();
    let details = ErrorDetails::with_bad_request_violation(field, why.clone());
    Status::with_error_details(Code::InvalidArgument, format!("{field}: {why}"), details)
}

fn internal() -> Status {
    status(Code::Internal, "INTERNAL", "something went wrong inside the meeting registry")
}

/// The store could not do it.
pub fn of_store(error: StoreError) -> Status {
    match error {
        StoreError::NoSuchMeeting => {
            status(Code::NotFound, "NO_SUCH_MEETING", "there is no such meeting")
        }
        StoreError::Refused(refusal) => of_refusal(refusal),
        StoreError::OperationReused => {
            let message = "the operation id has been used for another operation";
            status(Code::Aborted, "OPERATION_ID_REUSED", message)
        }
        StoreError::Database(_) => {
            tracing::error!(%error, "the database did not answer");
            let message = "the database does not answer at the moment; try again";
            status(Code::Unavailable, "DATABASE_UNAVAILABLE", message)
        }
        StoreError::MalformedRow { .. } | StoreError::Time(_) => {
            tracing::error!(%error, "the database holds what it must not");
            internal()
        }
    }
}

fn of_refusal(refusal: Refusal) -> Status {
    let (code, reason) = match refusal {
        Refusal::Ended => (Code::FailedPrecondition, "MEETING_ENDED"),
        Refusal::HasLeft(_) => (Code::FailedPrecondition, "PARTICIPANT_HAS_LEFT"),
        Refusal::Full => (Code::ResourceExhausted, "MEETING_FULL"),
        Refusal::UnknownParticipant(_) => (Code::NotFound, "NO_SUCH_PARTICIPANT"),
    };
    status(code, reason, refusal.to_string())
}

/// A meeting could not be created.
pub fn of_create(error: CreateError) -> Status {
    match error {
        CreateError::Draft(error) => invalid(&error.field(), &error),
        CreateError::Hash(HashError::Busy) => {
            let message = "too many passwords are being checked at the moment; try again";
            status(Code::ResourceExhausted, "BUSY", message)
        }
        CreateError::Hash(error @ HashError::TooLong) => invalid("password", &error),
        CreateError::Store(error) => of_store(error),
        CreateError::Hash(_) | CreateError::NoId => {
            tracing::error!(%error, "a meeting could not be created");
            internal()
        }
    }
}

/// A stored event can't be read.
pub fn malformed_event(error: &prost::DecodeError) -> Status {
    tracing::error!(%error, "a stored event can't be decoded");
    internal()
}
