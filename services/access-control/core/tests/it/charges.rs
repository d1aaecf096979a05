//! What is counted.

use tributary_access_control_core::{
    Charge, Count, Counting, Decision, MeetingState, PasswordBudget, PasswordCharge, PasswordCheck,
    Refusal, Role, ShareProof, ShareState, Told, decide, told,
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
fn an_outsider_pays_for_each_access_and_for_each_refusal_that_tells_nothing() {
    for (facts, decision) in cases().filter(|(facts, _)| !is_member(facts)) {
        let charge = Charge::of(&facts, decision, false);
        assert!(charge.access, "{facts:?}");
        let miss = match decision {
            Decision::Refused(refusal) => told(&facts, refusal) == Told::Nothing,
            Decision::Allowed(_) => false,
        };
        assert_eq!(charge.miss, miss, "{facts:?}");
    }
}

#[test]
fn who_holds_a_share_does_not_miss_by_its_password() {
    let mut seen = 0;
    for (action, facts) in all_cases() {
        let decision = decide(action, &facts);
        let password =
            matches!(decision, Decision::Refused(Refusal::WrongPassword | Refusal::PasswordLocked));
        let holds = facts.shares == ShareState::Live && facts.proof == ShareProof::Held;
        if password {
            let charge = Charge::of(&facts, decision, false);
            assert_eq!((charge.access, charge.miss), (true, !holds), "{facts:?}");
            seen += 1;
        }
    }
    assert!(seen > 0);
}

#[test]
fn a_member_pays_for_accesses_where_members_are_counted_and_for_nothing_else() {
    for (facts, decision) in cases().filter(|(facts, _)| is_member(facts)) {
        let access = facts.counting == Counting::Everybody;
        assert_eq!(Charge::of(&facts, decision, false), Charge { access, ..Charge::FREE });
    }
}

#[test]
fn who_comes_back_is_not_counted_but_has_a_budget_of_passwords_of_their_own() {
    for (facts, decision) in cases() {
        let first = Charge::of(&facts, decision, false).password;
        let password = match first {
            PasswordCharge::None => PasswordCharge::None,
            PasswordCharge::Look(_) => PasswordCharge::Look(PasswordBudget::Returning),
            PasswordCharge::One(_) => PasswordCharge::One(PasswordBudget::Returning),
        };
        let again = Charge::of(&facts, decision, true);
        assert_eq!(again, Charge { password, ..Charge::FREE }, "{facts:?}");
    }
}

#[test]
fn a_wrong_password_is_counted_where_it_was_the_reason_and_no_empty_one() {
    for (facts, decision) in cases().filter(|(facts, _)| !is_member(facts)) {
        let wrong = decision == Decision::Refused(Refusal::WrongPassword);
        let budget = PasswordBudget::Everybody;
        let expected = match facts.password {
            PasswordCheck::Wrong if wrong => PasswordCharge::One(budget),
            PasswordCheck::Untyped if wrong => PasswordCharge::Look(budget),
            PasswordCheck::Right if matches!(decision, Decision::Allowed(_)) => {
                PasswordCharge::Look(budget)
            }
            _ => PasswordCharge::None,
        };
        assert_eq!(Charge::of(&facts, decision, false).password, expected, "{facts:?}");
    }
}
