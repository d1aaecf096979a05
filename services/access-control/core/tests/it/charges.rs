//! What is counted.

use tributary_access_control_core::{
    Charge, Count, Counting, Decision, MeetingState, PasswordCharge, PasswordCheck, Refusal, Role,
    decide,
};

use crate::all_cases;

/// Every combination that a charge is made of: with room in the budgets, and no lock known yet.
fn cases() -> impl Iterator<Item = (tributary_access_control_core::Facts, Decision)> {
    all_cases().into_iter().filter_map(|(action, facts)| {
        let known = facts.count == Count::Within && facts.password != PasswordCheck::Locked;
        known.then(|| (facts, decide(action, &facts)))
    })
}

fn is_member(facts: &tributary_access_control_core::Facts) -> bool {
    facts.role != Role::Outsider && facts.meeting != MeetingState::Absent
}

#[test]
fn an_outsider_pays_for_each_access_and_for_each_refusal() {
    for (facts, decision) in cases().filter(|(facts, _)| !is_member(facts)) {
        let charge = Charge::of(&facts, decision, false);
        assert!(charge.access, "{facts:?}");
        assert_eq!(charge.miss, matches!(decision, Decision::Refused(_)), "{facts:?}");
    }
}

#[test]
fn a_member_pays_for_accesses_where_members_are_counted_and_for_nothing_else() {
    for (facts, decision) in cases().filter(|(facts, _)| is_member(facts)) {
        let access = facts.counting == Counting::Everybody;
        assert_eq!(Charge::of(&facts, decision, false), Charge { access, ..Charge::FREE });
    }
}

#[test]
fn who_comes_back_is_not_counted_but_guesses_no_passwords() {
    for (facts, decision) in cases() {
        let first = Charge::of(&facts, decision, false).password;
        let guess = first == PasswordCharge::One;
        let password = if guess { first } else { PasswordCharge::None };
        let again = Charge::of(&facts, decision, true);
        assert_eq!(again, Charge { password, ..Charge::FREE }, "{facts:?}");
    }
}

#[test]
fn a_wrong_password_is_counted_where_it_was_the_reason_and_no_empty_one() {
    for (facts, decision) in cases().filter(|(facts, _)| !is_member(facts)) {
        let wrong = decision == Decision::Refused(Refusal::WrongPassword);
        let expected = match facts.password {
            PasswordCheck::Wrong if wrong => PasswordCharge::One,
            PasswordCheck::Untyped if wrong => PasswordCharge::Look,
            PasswordCheck::Right if matches!(decision, Decision::Allowed(_)) => {
                PasswordCharge::Look
            }
            _ => PasswordCharge::None,
        };
        assert_eq!(Charge::of(&facts, decision, false).password, expected, "{facts:?}");
    }
}
