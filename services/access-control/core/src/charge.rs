//! What an access costs, in budgets that can be used up.

use crate::{
    decision::{Decision, Refusal, Told, is_member, told},
    facts::{Counting, Facts, PasswordCheck},
};

/// What is to be counted for an access that would be decided so if every budget had room.
///
/// Counting what is *refused*, and not what is absent, keeps the budgets from telling which
/// meetings there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Charge {
    /// One access of the client, and of guests at its place.
    pub access: bool,
    /// The meeting as one of those that the client was refused at and told nothing about, and
    /// somebody at its place.
    pub miss: bool,
    /// At a budget of wrong passwords.
    pub password: PasswordCharge,
}

/// What is to be done at a budget of wrong passwords of a meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PasswordCharge {
    /// The password does not matter.
    None,
    /// There must be room, so that a right one is taken.
    Look(PasswordBudget),
    /// A wrong one was typed.
    One(PasswordBudget),
}

/// Whose wrong passwords at a meeting a budget is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PasswordBudget {
    /// Those of everybody who comes to it.
    Everybody,
    /// Those that one client types on coming back.
    Returning,
}

impl Charge {
    /// Nothing is counted, and no budget is looked at.
    pub const FREE: Self = Self { access: false, miss: false, password: PasswordCharge::None };

    /// The charge for `decision`, made of `facts` with [`crate::Count::Within`]. Who may be told
    /// why they are refused does not search for meetings, so that it is no miss. Who was let in
    /// before and comes back is not counted, and is not kept out by what others type, but by what
    /// they type themselves.
    #[must_use]
    pub const fn of(facts: &Facts, decision: Decision, reconnect: bool) -> Self {
        if is_member(facts) {
            let access = matches!(facts.counting, Counting::Everybody) && !reconnect;
            return Self { access, ..Self::FREE };
        }
        let miss = match decision {
            Decision::Allowed(_) => false,
            Decision::Refused(refusal) => matches!(told(facts, refusal), Told::Nothing),
        };
        let asked_for_password =
            matches!(decision, Decision::Allowed(_) | Decision::Refused(Refusal::WrongPassword));
        let budget = if reconnect { PasswordBudget::Returning } else { PasswordBudget::Everybody };
        let password = match facts.password {
            _ if !asked_for_password => PasswordCharge::None,
            PasswordCheck::Wrong => PasswordCharge::One(budget),
            PasswordCheck::Right | PasswordCheck::Untyped => PasswordCharge::Look(budget),
            PasswordCheck::NotNeeded | PasswordCheck::Locked => PasswordCharge::None,
        };
        Self { access: !reconnect, miss: miss && !reconnect, password }
    }
}
