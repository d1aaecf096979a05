//! What callers are told when nothing can be decided: one clear sentence, a code, and a reason for
//! programs (`google.rpc.ErrorInfo`). Details of failures go into the log, not on the wire.

use std::fmt::Display;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use tributary_password_hash::HashError;

use crate::facts::FactError;

/// Who says so, in `ErrorInfo.domain`.
const DOMAIN: &str = "access-control.tributary";

fn status(code: Code, reason: &str, message: &str) -> Status {
    let details = ErrorDetails::with_error_info(reason, DOMAIN, []);
    Status::with_error_details(code, message, details)
}

/// A field of the request is not as it must be.
pub fn invalid(field: &str, why: &impl Display) -> Status {
    let why = why.to_string();
    let details = ErrorDetails::with_bad_request_violation(field, why.clone());
    Status::with_error_details(Code::InvalidArgument, format!("{field}: {why}"), details)
}

/// Somebody else than the organiser wants to share a meeting, or there is none.
pub fn not_the_organiser() -> Status {
    let message = "there is no such meeting, or you are not its organiser";
    status(Code::PermissionDenied, "NOT_THE_ORGANISER", message)
}

/// A fact could not be found out.
pub fn of_fact(error: &FactError) -> Status {
    match error {
        FactError::Registry(_) => {
            let message = "the meeting registry does not answer at the moment; try again";
            status(Code::Unavailable, "REGISTRY_UNAVAILABLE", message)
        }
        FactError::Store(error) => {
            tracing::error!(%error, "the database did not answer");
            let message = "the database does not answer at the moment; try again";
            status(Code::Unavailable, "DATABASE_UNAVAILABLE", message)
        }
    }
}

/// A password could not be compared.
pub fn of_hash(error: HashError) -> Status {
    match error {
        HashError::Busy => {
            let message = "too many passwords are being checked at the moment; try again";
            status(Code::ResourceExhausted, "BUSY", message)
        }
        HashError::TooLong | HashError::MalformedHash | HashError::Failed => {
            tracing::error!(%error, "a password could not be checked");
            let message = "something went wrong inside the access-control service";
            status(Code::Internal, "INTERNAL", message)
        }
    }
}
