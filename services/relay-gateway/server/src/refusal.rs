//! Why a terminal's request was not carried out, and how the other services' answers become that.

use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use tributary_contracts::terminal::v1::{Refusal, RefusalCode};

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
            "this meeting can't be joined: check the id and the password, or ask the organiser",
        )
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
            Code::PermissionDenied | Code::NotFound => return Self::not_admitted(),
            Code::InvalidArgument => RefusalCode::Malformed,
            Code::FailedPrecondition if reason_of(status) == HAS_LEFT => RefusalCode::TryAgain,
            Code::FailedPrecondition => RefusalCode::MeetingEnded,
            Code::ResourceExhausted => RefusalCode::Limit,
            Code::Aborted => RefusalCode::OperationConflict,
            _ => {
                tracing::warn!(service, code = ?status.code(), message = status.message(), "call failed");
                return Self::try_again(service);
            }
        };
        Self::new(code, status.message())
    }
}

/// As the registry says it: the participant was taken out, and may join again.
const HAS_LEFT: &str = "PARTICIPANT_HAS_LEFT";

fn reason_of(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_and_denied_look_the_same() {
        let absent = Refused::from_status("a", &Status::not_found("no meeting 7"));
        let denied = Refused::from_status("a", &Status::permission_denied("not shared"));
        assert_eq!(absent, denied);
    }

    #[test]
    fn an_unreachable_service_asks_for_another_try_without_inner_words() {
        let refused = Refused::from_status("credential", &Status::unavailable("10.0.0.1:7400"));
        assert_eq!(refused.code, RefusalCode::TryAgain);
        assert!(!refused.message.contains("10.0.0.1"));
    }
}
