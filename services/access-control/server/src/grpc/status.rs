//! What callers are told when there is no answer: one clear sentence, a code, and a reason for
//! programs (`google.rpc.ErrorInfo`). Details of failures go into the log, not on the wire.

use std::fmt::Display;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use tributary_password_hash::HashError;

use crate::{deciding::Undecided, facts::FactError, sharing::ShareError, store::StoreError};

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

fn internal() -> Status {
    let message = "something went wrong inside the access-control service";
    status(Code::Internal, "INTERNAL", message)
}

/// Nothing can be recorded, so nothing is decided.
pub fn audit_is_full() -> Status {
    tracing::error!("decisions are not written down fast enough; nothing is decided");
    let message = "decisions can't be recorded at the moment; try again";
    status(Code::Unavailable, "AUDIT_UNAVAILABLE", message)
}

/// Nothing can be decided.
pub fn of_undecided(error: &Undecided) -> Status {
    match error {
        Undecided::Fact(error) => of_fact(error),
        Undecided::Hash(error) => of_hash(*error),
    }
}

fn of_fact(error: &FactError) -> Status {
    match error {
        FactError::Registry(_) => {
            let message = "the meeting registry does not answer at the moment; try again";
            status(Code::Unavailable, "REGISTRY_UNAVAILABLE", message)
        }
        FactError::Store(error) => of_store(error),
    }
}

/// The database did not answer.
pub fn of_store(error: &StoreError) -> Status {
    tracing::error!(%error, "the database did not answer");
    let message = "the database does not answer at the moment; try again";
    status(Code::Unavailable, "DATABASE_UNAVAILABLE", message)
}

fn of_hash(error: HashError) -> Status {
    match error {
        HashError::Busy => {
            let message = "too many passwords are being checked at the moment; try again";
            status(Code::ResourceExhausted, "BUSY", message)
        }
        HashError::TooLong | HashError::MalformedHash | HashError::Failed => {
            tracing::error!(%error, "a password could not be checked");
            internal()
        }
    }
}

/// A meeting could not be shared, or a share not be revoked or listed.
pub fn of_share(error: &ShareError) -> Status {
    match error {
        ShareError::NotAllowed => status(Code::PermissionDenied, "NOT_ALLOWED", &error.to_string()),
        ShareError::Invalid { field, why } => invalid(field, why),
        ShareError::TooMany => {
            status(Code::ResourceExhausted, "TOO_MANY_SHARES", &error.to_string())
        }
        ShareError::MailBudget => {
            status(Code::ResourceExhausted, "TOO_MANY_EMAILS", &error.to_string())
        }
        ShareError::NoSuchShare => status(Code::NotFound, "NO_SUCH_SHARE", &error.to_string()),
        ShareError::NoMailServer => {
            status(Code::FailedPrecondition, "NO_MAIL_SERVER", &error.to_string())
        }
        ShareError::NotDelivered => status(Code::Unavailable, "NOT_DELIVERED", &error.to_string()),
        ShareError::Unrecorded(_) => audit_is_full(),
        ShareError::Fact(error) => of_fact(error),
        ShareError::Store(error) => of_store(error),
        ShareError::Failed(what) => {
            tracing::error!(what, "a meeting could not be shared");
            internal()
        }
    }
}
