//! Why somebody is not in, in plain words.

use tributary_contracts::terminal::v1::RefusalCode;

use crate::{EndReason, JoinError};

/// What a refusal means and what can be done; `None`: what the relay says of it is all there is.
fn plain(code: RefusalCode) -> Option<&'static str> {
    Some(match code {
        RefusalCode::MeetingLocked => {
            "the meeting is locked: its hosts let nobody else in for now. Ask a host to unlock it"
        }
        RefusalCode::Removed => {
            "a host has taken this user out of the meeting. Only a host can undo that, by putting the \
             user on the member list again"
        }
        RefusalCode::SentAway => "a host has not let this user in from the lobby",
        RefusalCode::MeetingEnded => "the meeting is over",
        RefusalCode::NotAdmitted => {
            "this user can't join this meeting, or there is none. Is the link complete, and still valid?"
        }
        RefusalCode::WrongPassword => {
            "the meeting's password is wrong. It is read from --meeting-password-file"
        }
        RefusalCode::NotLoggedIn => "the log-in failed, or was revoked",
        RefusalCode::Replaced => "the same terminal has joined by a newer connection",
        _ => return None,
    })
}

/// An error of joining, for who sits at the command line.
pub(super) fn of_join(error: JoinError) -> anyhow::Error {
    match error.refusal().and_then(plain) {
        Some(text) => anyhow::anyhow!(text),
        None => error.into(),
    }
}

/// Why the stay is over; `None`: by the user's own wish.
pub(super) fn of_end(reason: &EndReason) -> Option<String> {
    match reason {
        EndReason::Left => None,
        EndReason::Refused(code, text) => Some(plain(*code).unwrap_or(text).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::RequestError;

    #[test]
    fn what_a_person_can_do_about_it_is_said() {
        let refused = |code| {
            let message = "for the log".to_owned();
            of_join(RequestError::Refused { code, message }.into()).to_string()
        };
        assert!(refused(RefusalCode::MeetingLocked).contains("locked"));
        assert!(refused(RefusalCode::Removed).contains("member list"));
        assert!(refused(RefusalCode::Limit).contains("for the log"));
        assert_eq!(of_end(&EndReason::Left), None);
        let end = EndReason::Refused(RefusalCode::SentAway, "for the log".into());
        assert!(of_end(&end).unwrap().contains("lobby"));
    }
}
