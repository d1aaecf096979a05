//! Why a terminal's request was not carried out, and how the other services' answers become that.
//!
//! **Invariant:** who is not let in gets the same bytes whatever the reason, unless access control
//! allows telling it.

use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use tributary_contracts::{
    access::v1::Told,
    terminal::v1::{Refusal, RefusalCode},
};

/// A request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code:?}: {message}")]
pub(crate) struct Refused {
    pub(crate) code: RefusalCode,
    pub(crate) message: String,
}

impl Refused {
    pub(crate) fn new(code: RefusalCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// One answer for absent, refused and ended, so that an outsider learns nothing.
    pub(crate) fn not_admitted() -> Self {
        Self::new(
            RefusalCode::NotAdmitted,
            "this meeting can't be joined or read: check the link, or the id and the password, or \
             ask the organiser",
        )
    }

    /// What access control allows a refused user to be told.
    pub(crate) fn told(told: Told) -> Self {
        match told {
            Told::Unspecified | Told::Nothing => Self::not_admitted(),
            Told::WrongPassword => {
                Self::new(RefusalCode::WrongPassword, "the meeting's password is wrong")
            }
            Told::Ended => Self::new(RefusalCode::MeetingEnded, "the meeting is over"),
            Told::TryLater => {
                Self::new(RefusalCode::Limit, "too many attempts were made: try again later")
            }
        }
    }

    /// The user may see the meeting, but not do this in it.
    pub(crate) fn forbidden(message: &'static str) -> Self {
        Self::new(RefusalCode::Forbidden, message)
    }

    /// To whoever has shown something that was revoked.
    pub(crate) fn revoked() -> Self {
        Self::new(RefusalCode::NotLoggedIn, "your log-in was revoked: log in again")
    }

    pub(crate) fn try_again(what: &str) -> Self {
        Self::new(RefusalCode::TryAgain, format!("{what} is not reachable now: try again"))
    }

    pub(crate) fn into_message(self) -> Refusal {
        Refusal { code: self.code.into(), message: self.message }
    }

    /// From the answer of `service` to a request that this relay made for a terminal.
    pub(crate) fn from_status(service: &'static str, status: &Status) -> Self {
        let code = match status.code() {
            Code::Unauthenticated => RefusalCode::NotLoggedIn,
            Code::PermissionDenied | Code::NotFound => return Self::told(told_by(status)),
            Code::InvalidArgument => RefusalCode::Malformed,
            Code::FailedPrecondition => match reason_of(status).as_str() {
                HAS_LEFT => RefusalCode::TryAgain,
                MEETING_ENDED => return Self::told(Told::Ended),
                // Nothing that another try would change: for example, no mail server is set up.
                _ => RefusalCode::Unsupported,
            },
            Code::ResourceExhausted if reason_of(status) == BUSY => {
                return Self::try_again(service);
            }
            Code::ResourceExhausted => RefusalCode::Limit,
            Code::Aborted => RefusalCode::OperationConflict,
            Code::Unavailable if reason_of(status) == NOT_DELIVERED => RefusalCode::TryAgain,
            _ => {
                tracing::warn!(service, code = ?status.code(), message = status.message(), "call failed");
                return Self::try_again(service);
            }
        };
        Self::new(code, status.message())
    }

    /// From the answer of `service` to a join. Its user was let in by access control: what the registry
    /// refuses may be told.
    pub(crate) fn to_join(service: &'static str, status: &Status) -> Self {
        match status.code() {
            Code::PermissionDenied => {
                Self::new(RefusalCode::Removed, "a host has taken you out of this meeting")
            }
            Code::Aborted => Self::new(
                RefusalCode::MeetingLocked,
                "the meeting is locked: its hosts let nobody else in for now",
            ),
            _ => Self::from_status(service, status),
        }
    }

    /// The same for what only organiser and hosts may do, when the user is known to see the meeting.
    pub(crate) fn in_meeting(self) -> Self {
        match self.code {
            RefusalCode::NotAdmitted => Self::forbidden(
                "you may not do this in this meeting, or there is no such thing in it",
            ),
            _ => self,
        }
    }
}

// Reasons that the other services give for programs (`google.rpc.ErrorInfo`).

/// The registry: the participant was taken out, and may join again.
const HAS_LEFT: &str = "PARTICIPANT_HAS_LEFT";
/// The registry, or credential where access control allows telling it: the meeting is over.
const MEETING_ENDED: &str = "MEETING_ENDED";
/// Credential, where access control allows telling it.
const WRONG_PASSWORD: &str = "WRONG_PASSWORD";
/// Credential, where access control allows telling it.
const TRY_LATER: &str = "TRY_LATER";
/// Access control: the share could not be handed to the mail server or the users.
const NOT_DELIVERED: &str = "NOT_DELIVERED";
/// More passwords are to be checked than the machine can do.
const BUSY: &str = "BUSY";

fn reason_of(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

fn told_by(status: &Status) -> Told {
    match reason_of(status).as_str() {
        WRONG_PASSWORD => Told::WrongPassword,
        MEETING_ENDED => Told::Ended,
        TRY_LATER => Told::TryLater,
        _ => Told::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    fn with_reason(code: Code, reason: &str) -> Status {
        let details = ErrorDetails::with_error_info(reason, "test", []);
        Status::with_error_details(code, "inner words", details)
    }

    #[test]
    fn absent_denied_and_unexplained_look_the_same() {
        let refused = [
            Refused::from_status("a", &Status::not_found("no meeting 7")),
            Refused::from_status("a", &Status::permission_denied("not shared")),
            Refused::from_status("a", &with_reason(Code::PermissionDenied, "NOT_SHARED")),
            Refused::told(Told::Nothing),
            Refused::told(Told::Unspecified),
        ];
        assert!(refused.iter().all(|refused| *refused == Refused::not_admitted()));
    }

    #[test]
    fn what_may_be_told_is_told() {
        for (reason, code) in [
            ("WRONG_PASSWORD", RefusalCode::WrongPassword),
            ("MEETING_ENDED", RefusalCode::MeetingEnded),
            ("TRY_LATER", RefusalCode::Limit),
        ] {
            let refused = Refused::from_status("a", &with_reason(Code::PermissionDenied, reason));
            assert_eq!(refused.code, code);
            assert!(!refused.message.contains("inner words"));
        }
    }

    #[test]
    fn preconditions_are_told_apart_by_their_reason() {
        let check = |reason, code| {
            let status = with_reason(Code::FailedPrecondition, reason);
            assert_eq!(Refused::from_status("a", &status).code, code, "{reason}");
        };
        check("MEETING_ENDED", RefusalCode::MeetingEnded);
        check("PARTICIPANT_HAS_LEFT", RefusalCode::TryAgain);
        check("NO_MAIL_SERVER", RefusalCode::Unsupported);
    }

    #[test]
    fn who_may_not_join_for_now_or_any_more_is_told_so() {
        let check = |status: Status, code| {
            let refused = Refused::to_join("registry", &status);
            assert_eq!(refused.code, code);
            assert!(!refused.message.contains("inner"), "{}", refused.message);
        };
        check(Status::permission_denied("inner"), RefusalCode::Removed);
        check(Status::aborted("inner"), RefusalCode::MeetingLocked);
        check(Status::not_found("inner"), RefusalCode::NotAdmitted);
        let ended = with_reason(Code::FailedPrecondition, "MEETING_ENDED");
        check(ended, RefusalCode::MeetingEnded);
    }

    #[test]
    fn an_unreachable_or_busy_service_asks_for_another_try_without_inner_words() {
        for status in
            [Status::unavailable("10.0.0.1:7400"), with_reason(Code::ResourceExhausted, "BUSY")]
        {
            let refused = Refused::from_status("credential", &status);
            assert_eq!(refused.code, RefusalCode::TryAgain);
            assert!(!refused.message.contains("10.0.0.1") && !refused.message.contains("inner"));
        }
    }
}
