//! What callers are told when something can't be done: one clear sentence, a code, and a reason
//! for programs (`google.rpc.ErrorInfo`). Details of failures go into the log, not on the wire.

use std::fmt::Display;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use tributary_file_store::FileError;
use tributary_meeting_registry_core::Refusal;
use tributary_password_hash::HashError;

use crate::{
    attachments::AttachmentError,
    registry::{CreateError, UpdateError},
    store::StoreError,
};

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
        StoreError::Database(_) => {
            tracing::error!(%error, "the database did not answer");
            let message = "the database does not answer at the moment; try again";
            status(Code::Unavailable, "DATABASE_UNAVAILABLE", message)
        }
        StoreError::FileGivenUp => {
            let message = "the upload took too long; try again";
            status(Code::DeadlineExceeded, "UPLOAD_TOO_SLOW", message)
        }
        StoreError::NoRandomNumbers => {
            tracing::error!(%error, "a request could not be answered");
            internal()
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
        Refusal::Removed => (Code::PermissionDenied, "REMOVED_BY_HOST"),
        Refusal::Locked => (Code::Aborted, "MEETING_LOCKED"),
        Refusal::HasLeft(_) => (Code::FailedPrecondition, "PARTICIPANT_HAS_LEFT"),
        Refusal::Full => (Code::ResourceExhausted, "MEETING_FULL"),
        Refusal::LobbyFull => (Code::ResourceExhausted, "LOBBY_FULL"),
        Refusal::UnknownParticipant(_) => (Code::NotFound, "NO_SUCH_PARTICIPANT"),
        Refusal::NotManager => (Code::PermissionDenied, "NOT_ORGANISER_OR_HOST"),
        Refusal::NotMember => (Code::PermissionDenied, "NOT_A_MEMBER"),
        Refusal::NotAttacher => (Code::PermissionDenied, "NOT_YOUR_ATTACHMENT"),
        Refusal::OrganiserStays => (Code::FailedPrecondition, "ORGANISER_STAYS"),
        Refusal::NoSecondOrganiser => (Code::InvalidArgument, "NO_SECOND_ORGANISER"),
        Refusal::TooManyMembers => (Code::ResourceExhausted, "TOO_MANY_MEMBERS"),
        Refusal::NoSuchAttachment => (Code::NotFound, "NO_SUCH_ATTACHMENT"),
        Refusal::AttachmentTooLarge(_) => (Code::ResourceExhausted, "ATTACHMENT_TOO_LARGE"),
        Refusal::AttachmentsTooLarge(_) => (Code::ResourceExhausted, "ATTACHMENTS_TOO_LARGE"),
        Refusal::TooManyAttachments(_) => (Code::ResourceExhausted, "TOO_MANY_ATTACHMENTS"),
    };
    status(code, reason, refusal.to_string())
}

/// A meeting could not be created.
pub fn of_create(error: CreateError) -> Status {
    match error {
        CreateError::Draft(error) => invalid(&error.field(), &error),
        CreateError::Hash(error) => of_hash(error),
        CreateError::Store(error) => of_store(error),
        CreateError::NoId => {
            tracing::error!(%error, "a meeting could not be created");
            internal()
        }
    }
}

/// A meeting could not be changed.
pub fn of_update(error: UpdateError) -> Status {
    match error {
        UpdateError::Hash(error) => of_hash(error),
        UpdateError::Store(error) => of_store(error),
    }
}

fn of_hash(error: HashError) -> Status {
    match error {
        HashError::Busy => {
            let message = "too many passwords are being checked at the moment; try again";
            status(Code::ResourceExhausted, "BUSY", message)
        }
        HashError::TooLong => invalid("password", &error),
        HashError::MalformedHash | HashError::Failed => {
            tracing::error!(%error, "a password could not be hashed");
            internal()
        }
    }
}

/// A file could not be attached or read.
pub fn of_attachment(error: AttachmentError) -> Status {
    match error {
        AttachmentError::Busy => {
            let message = "too many files are being attached at the moment; try again";
            status(Code::ResourceExhausted, "BUSY", message)
        }
        AttachmentError::Store(error) => of_store(error),
        AttachmentError::Sender(status) => *status,
        AttachmentError::File(error) => of_file(&error),
    }
}

/// The file store could not do it.
pub fn of_file(error: &FileError) -> Status {
    tracing::error!(%error, "the file store");
    match error {
        FileError::NotFound | FileError::Damaged(_) => {
            let message = "the file is damaged or lost; attach it again";
            status(Code::DataLoss, "FILE_LOST", message)
        }
        FileError::Full => {
            let message = "there is no room left for files on this platform";
            status(Code::ResourceExhausted, "FILE_STORE_FULL", message)
        }
        FileError::TooLarge { .. } | FileError::Interrupted(_) | FileError::Unavailable(_) => {
            let message = "files can't be stored or read at the moment; try again";
            status(Code::Unavailable, "FILE_STORE_UNAVAILABLE", message)
        }
    }
}

/// A stored event can't be read.
pub fn malformed_event(error: &prost::DecodeError) -> Status {
    tracing::error!(%error, "a stored event can't be decoded");
    internal()
}
