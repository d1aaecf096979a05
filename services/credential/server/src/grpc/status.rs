//! What callers are told when something can't be done: one clear sentence, a code, and a reason
//! for programs (`google.rpc.ErrorInfo`). Details of failures go into the log, not on the wire.

use std::fmt::Display;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use tributary_join_credential::SigningError;
use tributary_password_hash::HashError;

use crate::{
    accounts::CreateError, authority::AuthorityError, metrics, oidc::OidcError, store::StoreError,
};

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

/// The identity token is bound to another key than the one that was given.
pub fn other_key() -> Status {
    let message = "the identity token is bound to another key; log in again";
    status(Code::Unauthenticated, "OTHER_KEY", message)
}

/// Nothing that is bound to this terminal's key holds.
pub fn terminal_revoked() -> Status {
    let message = "the key of this terminal has been revoked; make a new key and log in again";
    status(Code::PermissionDenied, "TERMINAL_REVOKED", message)
}

/// Too much was tried.
pub fn try_later(why: &str) -> Status {
    status(Code::ResourceExhausted, "TRY_LATER", format!("{why}; try again later"))
}

/// There is no such relay, or it may not attach.
pub fn no_such_relay() -> Status {
    status(Code::NotFound, "NO_SUCH_RELAY", "there is no such relay")
}

/// The one answer to every relay that is not what it says; what was wrong is not said.
pub fn relay_not_admitted() -> Status {
    let message = "this relay is not admitted: its token is used up, too old or wrong, or its key is \
                   not known here any more; ask an administrator for a new enrolment";
    status(Code::Unauthenticated, "RELAY_NOT_ADMITTED", message)
}

/// The system's random generator failed.
pub fn of_random(error: &impl Display) -> Status {
    tracing::error!(%error, "no random numbers");
    internal()
}

/// To who holds a share secret: the password of the meeting is wrong.
pub fn wrong_meeting_password() -> Status {
    status(Code::PermissionDenied, "WRONG_PASSWORD", "the password of the meeting is wrong")
}

/// To members: the meeting is over.
pub fn meeting_ended() -> Status {
    status(Code::FailedPrecondition, "MEETING_ENDED", "the meeting has ended")
}

/// The keys could not be read for too long.
pub fn no_signing_key() -> Status {
    let message = "the signing keys can't be read at the moment; try again";
    status(Code::Unavailable, "NO_SIGNING_KEY", message)
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
        StoreError::MalformedRow { .. } => {
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

/// Keys or revocations could not be read or changed.
pub fn of_authority(error: &AuthorityError) -> Status {
    match error {
        AuthorityError::Store(error) => of_store(error),
        AuthorityError::TooManyKeys(error) => {
            status(Code::ResourceExhausted, "TOO_MANY_KEYS", error.to_string())
        }
        AuthorityError::NoSuchKey => {
            status(Code::NotFound, "NO_SUCH_KEY", "there is no such signing key")
        }
        AuthorityError::Sealing(_) | AuthorityError::Signing(_) => {
            tracing::error!(%error, "a signing key can't be used");
            internal()
        }
    }
}

/// A log-in at a provider did not succeed. What was wrong with it goes into the log.
pub fn of_oidc(error: &OidcError) -> Status {
    match error {
        OidcError::NoSuchProvider => invalid("provider_id", &error),
        OidcError::RedirectUri => invalid("redirect_uri", &error),
        OidcError::TooMany => try_later("too many log-ins were begun"),
        OidcError::Create(error) => of_create(error),
        OidcError::Store(error) => of_store(error),
        OidcError::Unavailable { reason } => {
            metrics::oidc_log_in("unavailable");
            tracing::warn!(%reason, "an OpenID Connect provider does not answer");
            let message = "the log-in provider does not answer at the moment; try again";
            status(Code::Unavailable, "PROVIDER_UNAVAILABLE", message)
        }
        OidcError::NotAllowed => {
            metrics::oidc_log_in("refused");
            let message = "only verified e-mail addresses of certain domains may enter here";
            status(Code::Unauthenticated, "EMAIL_NOT_ALLOWED", message)
        }
        OidcError::AccountRemoved | OidcError::UnknownState | OidcError::Refused { .. } => {
            metrics::oidc_log_in("refused");
            tracing::info!(%error, "refused a log-in at an OpenID Connect provider");
            let message = "the log-in was not good or is too old; begin it again";
            status(Code::Unauthenticated, "OIDC_LOG_IN_FAILED", message)
        }
        OidcError::Random => {
            tracing::error!(%error, "a log-in could not be begun");
            internal()
        }
    }
}
