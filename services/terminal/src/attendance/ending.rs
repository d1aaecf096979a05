//! What ends a stay, and what passes.

use tributary_contracts::terminal::v1::RefusalCode;

use crate::EndReason;

/// What a refusal means for somebody who was in; `None`: trying again may help.
pub(crate) fn end_of_stay(code: RefusalCode, message: String) -> Option<EndReason> {
    matches!(
        code,
        RefusalCode::Malformed
            | RefusalCode::Unsupported
            | RefusalCode::NotLoggedIn
            | RefusalCode::NotAdmitted
            | RefusalCode::WrongPassword
            | RefusalCode::BadSessionDescription
            | RefusalCode::MeetingEnded
            | RefusalCode::Replaced
            | RefusalCode::Forbidden
            | RefusalCode::MeetingLocked
            | RefusalCode::Removed
            | RefusalCode::SentAway
    )
    .then_some(EndReason::Refused(code, message))
}

/// True if a relay that says so of an operation will never carry it.
pub(super) fn is_never_carried(code: RefusalCode) -> bool {
    matches!(
        code,
        RefusalCode::Malformed
            | RefusalCode::Unsupported
            | RefusalCode::BadCredential
            | RefusalCode::Forbidden
            | RefusalCode::OperationConflict
    )
}
