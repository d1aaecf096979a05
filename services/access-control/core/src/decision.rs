//! The rules.

use crate::facts::{Action, Facts, MeetingState, Membership, PasswordCheck, ShareMark};

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
    /// There is no such meeting.
    Absent,
    /// Not a member, and not shared with outsiders.
    NotShared,
    /// The password is wrong.
    WrongPassword,
    /// The meeting is over.
    Ended,
}

/// Decides. Members need neither share mark nor password and may read a meeting that is over;
/// outsiders need a share mark, the password if there is one, and a meeting that is not over.
#[must_use]
pub const fn decide(action: Action, facts: &Facts) -> Decision {
    if matches!(facts.meeting, MeetingState::Absent) {
        return Decision::Refused(Refusal::Absent);
    }
    match facts.membership {
        Membership::Member => decide_for_member(action, facts),
        Membership::Outsider => decide_for_outsider(facts),
    }
}

const fn decide_for_member(action: Action, facts: &Facts) -> Decision {
    match (action, facts.meeting) {
        (Action::Join, MeetingState::Ended) => Decision::Refused(Refusal::Ended),
        _ => Decision::Allowed(Entitlement::Member),
    }
}

const fn decide_for_outsider(facts: &Facts) -> Decision {
    if matches!(facts.share_mark, ShareMark::Unset) {
        return Decision::Refused(Refusal::NotShared);
    }
    if matches!(facts.meeting, MeetingState::Ended) {
        return Decision::Refused(Refusal::Ended);
    }
    match facts.password {
        PasswordCheck::Wrong => Decision::Refused(Refusal::WrongPassword),
        PasswordCheck::NotNeeded | PasswordCheck::Right => Decision::Allowed(Entitlement::Shared),
    }
}
