//! The rules, as the committed matrix has them, and what must hold whatever they are.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by it, as tests do"
)]

mod charges;
mod matrix;
mod rules;
mod shares;

use tributary_access_control_core::{
    Action, Count, Counting, Facts, MeetingState, PasswordCheck, Removed, Role, SecretPolicy,
    ShareProof, ShareState,
};

/// Every combination of facts.
fn all_cases() -> Vec<(Action, Facts)> {
    let mut cases = Vec::new();
    for action in Action::ALL {
        for role in Role::ALL {
            for meeting in MeetingState::ALL {
                for count in Count::ALL {
                    for shares in ShareState::ALL {
                        for proof in ShareProof::ALL {
                            for password in PasswordCheck::ALL {
                                for counting in Counting::ALL {
                                    for secret_policy in SecretPolicy::ALL {
                                        let facts = |removed| Facts {
                                            role,
                                            meeting,
                                            count,
                                            shares,
                                            proof,
                                            password,
                                            counting,
                                            secret_policy,
                                            removed,
                                        };
                                        let both = Removed::ALL.map(facts);
                                        cases.extend(both.map(|facts| (action, facts)));
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    cases
}
