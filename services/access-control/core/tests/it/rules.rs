//! What must hold of every decision.

use tributary_access_control_core::{
    Action, Count, Counting, Decision, Entitlement, Facts, MeetingState, PasswordCheck, Refusal,
    Removed, Role, SecretPolicy, ShareProof, ShareState, Told, decide, told,
};

use crate::all_cases;

fn refusal(action: Action, facts: &Facts) -> Option<Refusal> {
    match decide(action, facts) {
        Decision::Refused(refusal) => Some(refusal),
        Decision::Allowed(_) => None,
    }
}

fn is_over(meeting: MeetingState) -> bool {
    matches!(meeting, MeetingState::Ended | MeetingState::EndedLongAgo)
}

#[test]
fn nobody_is_let_into_what_is_not_there_or_over() {
    for (action, facts) in all_cases() {
        let closed = facts.meeting == MeetingState::Absent
            || (action == Action::Join && is_over(facts.meeting));
        assert!(!closed || refusal(action, &facts).is_some(), "{action:?} {facts:?}");
    }
}

#[test]
fn an_outsider_is_let_in_exactly_when_nothing_is_lacking() {
    for (action, facts) in all_cases().into_iter().filter(|(_, f)| f.role == Role::Outsider) {
        let time = match (action, facts.meeting) {
            (_, MeetingState::Absent) => false,
            (_, MeetingState::Open) => true,
            (action, MeetingState::Ended) => action == Action::Read,
            (_, MeetingState::EndedLongAgo) => false,
        };
        let password = matches!(facts.password, PasswordCheck::NotNeeded | PasswordCheck::Right);
        let secret =
            facts.proof == ShareProof::Held || facts.secret_policy == SecretPolicy::Optional;
        let shared = facts.shares == ShareState::Live;
        let room = facts.count == Count::Within;
        let welcome = action == Action::Join || facts.removed == Removed::No;
        let expected = time && password && secret && shared && room && welcome;
        let allowed = decide(action, &facts) == Decision::Allowed(Entitlement::Shared);
        assert_eq!(allowed, expected, "{action:?} {facts:?}");
    }
}

#[test]
fn members_of_every_role_are_treated_alike_whatever_is_shared_or_typed() {
    for (action, facts) in all_cases() {
        if facts.role.is_listed() && facts.meeting != MeetingState::Absent {
            let plain = Facts {
                role: Role::Member,
                shares: ShareState::Never,
                proof: ShareProof::Missing,
                password: PasswordCheck::Wrong,
                secret_policy: SecretPolicy::Required,
                removed: Removed::ByHost,
                ..facts
            };
            assert_eq!(decide(action, &facts), decide(action, &plain), "{action:?} {facts:?}");
        }
    }
}

#[test]
fn members_read_for_ever() {
    for (action, facts) in all_cases() {
        let counted = facts.counting == Counting::Everybody && facts.count == Count::Over;
        if facts.role.is_listed() && facts.meeting != MeetingState::Absent && !counted {
            let expected = action == Action::Join && is_over(facts.meeting);
            assert_eq!(refusal(action, &facts).is_some(), expected, "{action:?} {facts:?}");
        }
    }
}

#[test]
fn only_members_are_let_in_as_members() {
    for (action, facts) in all_cases() {
        let as_member = decide(action, &facts) == Decision::Allowed(Entitlement::Member);
        assert!(!as_member || facts.role.is_listed(), "{action:?} {facts:?}");
    }
}

#[test]
fn a_used_up_budget_is_the_reason_before_every_other_of_an_outsider() {
    for (action, facts) in all_cases() {
        if facts.role == Role::Outsider && facts.count == Count::Over {
            assert_eq!(refusal(action, &facts), Some(Refusal::OverCount), "{facts:?}");
        }
    }
}

#[test]
fn the_password_is_the_last_reason() {
    for (action, facts) in all_cases() {
        let reason = refusal(action, &facts);
        if matches!(reason, Some(Refusal::WrongPassword | Refusal::PasswordLocked)) {
            let right = Facts { password: PasswordCheck::Right, ..facts };
            assert_eq!(refusal(action, &right), None, "{action:?} {facts:?}");
        }
    }
}

#[test]
fn who_holds_no_share_of_a_meeting_that_is_there_is_told_nothing() {
    for (action, facts) in all_cases().into_iter().filter(|(_, f)| f.role == Role::Outsider) {
        let Some(refusal) = refusal(action, &facts) else { continue };
        let holder = facts.proof == ShareProof::Held
            && facts.shares == ShareState::Live
            && facts.meeting != MeetingState::Absent;
        let told = told(&facts, refusal);
        if holder {
            let expected = match refusal {
                Refusal::WrongPassword => Told::WrongPassword,
                Refusal::PasswordLocked | Refusal::OverCount => Told::TryLater,
                _ => Told::Nothing,
            };
            assert_eq!(told, expected, "{action:?} {facts:?}");
        } else {
            assert_eq!(told, Told::Nothing, "{action:?} {facts:?}");
        }
    }
}

#[test]
fn the_state_of_an_ended_meeting_changes_when_it_has_been_readable_for_long_enough() {
    let state = |ended_at, now| MeetingState::at(ended_at, 1000, now);
    assert_eq!(state(None, u64::MAX), MeetingState::Open);
    assert_eq!(state(Some(5000), 5000), MeetingState::Ended);
    assert_eq!(state(Some(5000), 6000), MeetingState::Ended);
    assert_eq!(state(Some(5000), 6001), MeetingState::EndedLongAgo);
    // A clock that is behind that of the registry.
    assert_eq!(state(Some(5000), 4000), MeetingState::Ended);
}
