//! The rules.

use crate::facts::{
    Action, Count, Counting, Facts, MeetingState, PasswordCheck, Removed, SecretPolicy, ShareProof,
    ShareState,
};

/// The answer to "may I?".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Yes, and as what.
    Allowed(Entitlement),
    /// No, and why.
    Refused(Refusal),
}

/// As what somebody is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entitlement {
    /// On the member list.
    Member,
    /// The meeting was shared with outsiders.
    Shared,
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The client has used up a budget.
    OverCount,
    /// There is no such meeting.
    Absent,
    /// Not a member, and never shared with outsiders.
    NotShared,
    /// Every share was revoked.
    ShareRevoked,
    /// Every share that was not revoked has expired.
    ShareExpired,
    /// The organisation wants a share secret, and none that holds was shown.
    SecretRequired,
    /// The meeting is over and can't be joined.
    Ended,
    /// The meeting is over for longer than outsiders may read about it.
    EndedLongAgo,
    /// A host has taken the user out of the meeting.
    Removed,
    /// Too many wrong passwords were tried at this meeting.
    PasswordLocked,
    /// The password is wrong, or none was typed.
    WrongPassword,
}

/// What a refused user may learn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Told {
    /// The one answer that outsiders get whatever the reason.
    Nothing,
    /// The password is wrong.
    WrongPassword,
    /// The meeting is over.
    Ended,
    /// Too many attempts.
    TryLater,
}

/// Decides. Members need neither share nor password and may read about a meeting for ever;
/// outsiders must have room in their budgets, a share that holds, its secret if the organisation
/// wants it, a meeting that is not over (for reading: not for long), for reading no host who has taken
/// them out, and the password if there is one; the first that is lacking is the reason.
#[must_use]
pub const fn decide(action: Action, facts: &Facts) -> Decision {
    if is_member(facts) {
        return decide_for_member(action, facts);
    }
    match refusal_of_outsider(action, facts) {
        Some(refusal) => Decision::Refused(refusal),
        None => Decision::Allowed(Entitlement::Shared),
    }
}

/// What somebody may be told who was refused: members why; who holds a share what they can do
/// something about; everybody else nothing.
#[must_use]
pub const fn told(facts: &Facts, refusal: Refusal) -> Told {
    if is_member(facts) {
        return match refusal {
            Refusal::Ended => Told::Ended,
            Refusal::OverCount => Told::TryLater,
            _ => Told::Nothing,
        };
    }
    let holds_a_share = !matches!(facts.meeting, MeetingState::Absent)
        && matches!(facts.shares, ShareState::Live)
        && matches!(facts.proof, ShareProof::Held);
    match refusal {
        Refusal::WrongPassword if holds_a_share => Told::WrongPassword,
        Refusal::PasswordLocked | Refusal::OverCount if holds_a_share => Told::TryLater,
        _ => Told::Nothing,
    }
}

/// On the list of a meeting that is there: nobody is a member of nothing.
pub(crate) const fn is_member(facts: &Facts) -> bool {
    facts.role.is_listed() && !matches!(facts.meeting, MeetingState::Absent)
}

const fn decide_for_member(action: Action, facts: &Facts) -> Decision {
    if matches!((facts.counting, facts.count), (Counting::Everybody, Count::Over)) {
        return Decision::Refused(Refusal::OverCount);
    }
    match (action, facts.meeting) {
        (Action::Join, MeetingState::Ended | MeetingState::EndedLongAgo) => {
            Decision::Refused(Refusal::Ended)
        }
        _ => Decision::Allowed(Entitlement::Member),
    }
}

const fn refusal_of_outsider(action: Action, facts: &Facts) -> Option<Refusal> {
    if matches!(facts.count, Count::Over) {
        return Some(Refusal::OverCount);
    }
    if matches!(facts.meeting, MeetingState::Absent) {
        return Some(Refusal::Absent);
    }
    match facts.shares {
        ShareState::Never => return Some(Refusal::NotShared),
        ShareState::Revoked => return Some(Refusal::ShareRevoked),
        ShareState::Expired => return Some(Refusal::ShareExpired),
        ShareState::Live => {}
    }
    if matches!((facts.secret_policy, facts.proof), (SecretPolicy::Required, ShareProof::Missing)) {
        return Some(Refusal::SecretRequired);
    }
    match (action, facts.meeting) {
        (Action::Join, MeetingState::Ended | MeetingState::EndedLongAgo) => {
            return Some(Refusal::Ended);
        }
        (Action::Read, MeetingState::EndedLongAgo) => return Some(Refusal::EndedLongAgo),
        // Joining is refused by the registry, which tells them why.
        (Action::Read, _) if matches!(facts.removed, Removed::ByHost) => {
            return Some(Refusal::Removed);
        }
        _ => {}
    }
    match facts.password {
        PasswordCheck::Locked => Some(Refusal::PasswordLocked),
        PasswordCheck::Untyped | PasswordCheck::Wrong => Some(Refusal::WrongPassword),
        PasswordCheck::NotNeeded | PasswordCheck::Right => None,
    }
}
