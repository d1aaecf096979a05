//! What callers are told when something can't be done: one clear sentence, a code, and a reason
//! for programs (`google.rpc.ErrorInfo`). Details of failures go into the log, not on the wire.

use std::fmt::Display;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use tributary_join_credential::SigningError;
use tributary_password_hash::HashError;

use crate::{accounts::CreateError, store::StoreError};

/// Who says so, in `ErrorInfo.domain`.
const DOMAIN: &str = "credential.tributary";

/// A status with a reason for programs.
pub fn status(code: Code, reason: &str, message: impl Into<String>) -> Status {
    let details = ErrorDetails::with_error_info(reason, DOMAIN, []);
    Status::with_error_details(code, message, details)
}

/// A field of the request is not as it must be.
pub fn invalid(field: &str, why: &impl Display) -> Status {
    let why = why.to_string();
    let details = ErrorDetails::with_bad_request_violation(field, why.clone());
    Status::with_error_details(Code::InvalidArgument, format!("{field}: {why}"), details)
}

/// There is no such account.
pub fn no_such_user() -> Status {
    status(Code::NotFound, "NO_SUCH_USER", "there is no such user")
}

/// Log-in failed; whether for the name or for the password is not said.
pub fn wrong_user_or_password() -> Status {
    let message = "the user name or the password is wrong";
    status(Code::Unauthenticated, "WRONG_USER_OR_PASSWORD", message)
}

/// The identity token is not good, or its account is gone.
pub fn not_logged_in() -> Status {
    let message = "the identity token is not valid any more; log in again";
    status(Code::Unauthenticated, "NOT_LOGGED_IN", message)
}

/// The one answer to everybody who may not join, whatever the reason and whether or not there is
/// such a meeting.
pub fn may_not_join() -> Status {
    let message = "there is no such meeting, or you may not join it";
    status(Code::PermissionDenied, "MAY_NOT_JOIN", message)
}

/// Nobody could say whether the user may join.
pub fn access_control_unavailable() -> Status {
    let message = "access control does not answer at the moment; try again";
    status(Code::Unavailable, "ACCESS_CONTROL_UNAVAILABLE", message)
}

/// More passwords are to be checked than the machine can do.
pub fn busy() -> Status {
    let message = "too many passwords are being checked at the moment; try again";
    status(Code::ResourceExhausted, "BUSY", message)
}

fn internal() -> Status {
    status(Code::Internal, "INTERNAL", "something went wrong inside the credential service")
}

/// The database did not answer, or not with what it should.
pub fn of_store(error: &StoreError) -> Status {
    match error {
        StoreError::NameTaken => {
            status(Code::AlreadyExists, "USER_NAME_TAKEN", "the user name is taken")
        }
        StoreError::Database(_) => {
            tracing::error!(%error, "the database did not answer");
            let message = "the database does not answer at the moment; try again";
            status(Code::Unavailable, "DATABASE_UNAVAILABLE", message)
        }
        StoreError::MalformedRow { .. } | StoreError::NoSigningKey => {
            tracing::error!(%error, "the database holds what it must not");
            internal()
        }
    }
}

/// A password could not be hashed or compared.
pub fn of_hash(error: HashError) -> Status {
    match error {
        HashError::Busy => busy(),
        HashError::TooLong => invalid("password", &error),
        HashError::MalformedHash | HashError::Failed => {
            tracing::error!(%error, "a password could not be checked");
            internal()
        }
    }
}

/// A token could not be made.
pub fn of_signing(error: SigningError) -> Status {
    tracing::error!(%error, "a token could not be made");
    internal()
}

/// An account could not be created.
pub fn of_create(error: &CreateError) -> Status {
    match error {
        CreateError::Password(error) => invalid("password", error),
        CreateError::Hash(error) => of_hash(*error),
        CreateError::Store(error) => of_store(error),
        CreateError::Random => {
            tracing::error!(%error, "an account could not be created");
            internal()
        }
    }
}
