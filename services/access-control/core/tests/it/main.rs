//! The rules, as the committed matrix has them.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by it, as tests do")]

use std::{env, fmt::Write as _, fs, path::Path};

use tributary_access_control_core::{
    Action, Decision, Entitlement, Facts, MeetingState, Membership, PasswordCheck, ShareMark,
    decide,
};

/// Set to rewrite the matrix after a wanted change of the rules.
const UPDATE: &str = "TRIBUTARY_UPDATE_POLICY_MATRIX";

fn all_cases() -> Vec<(Action, Facts)> {
    let mut cases = Vec::new();
    for action in Action::ALL {
        for meeting in MeetingState::ALL {
            for membership in Membership::ALL {
                for share_mark in ShareMark::ALL {
                    for password in PasswordCheck::ALL {
                        let facts = Facts { meeting, membership, share_mark, password };
                        cases.push((action, facts));
                    }
                }
            }
        }
    }
    cases
}

fn matrix() -> String {
    let mut text = String::from(
        "# What access-control answers for every combination of facts. The test `policy_matrix`\n\
         # compares it with the rules.\n\
         # action meeting  membership share password    decision\n",
    );
    for (action, facts) in all_cases() {
        let decision = match decide(action, &facts) {
            Decision::Allowed(entitlement) => format!("allowed {entitlement:?}"),
            Decision::Refused(refusal) => format!("refused {refusal:?}"),
        };
        writeln!(
            text,
            "{:<8} {:<8} {:<10} {:<5} {:<11} {decision}",
            format!("{action:?}"),
            format!("{:?}", facts.meeting),
            format!("{:?}", facts.membership),
            format!("{:?}", facts.share_mark),
            format!("{:?}", facts.password),
        )
        .unwrap();
    }
    text
}

fn differences(committed: &str, actual: &str) -> String {
    let mut text = String::new();
    let only = |of: &str, other: &str| -> Vec<String> {
        of.lines().filter(|&line| !other.lines().any(|l| l == line)).map(str::to_owned).collect()
    };
    for line in only(committed, actual) {
        writeln!(text, "- {line}").unwrap();
    }
    for line in only(actual, committed) {
        writeln!(text, "+ {line}").unwrap();
    }
    text
}

#[test]
fn policy_matrix() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policy-matrix.txt");
    let actual = matrix();
    if env::var_os(UPDATE).is_some() {
        fs::write(&path, &actual).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap();
    assert!(
        committed == actual,
        "the rules differ from tests/policy-matrix.txt; if that is wanted, run again with \
         {UPDATE}=1:\n{}",
        differences(&committed, &actual),
    );
}

#[test]
fn nobody_is_let_into_what_is_not_there_or_over() {
    for (action, facts) in all_cases() {
        let closed = match facts.meeting {
            MeetingState::Absent => true,
            MeetingState::Ended => action == Action::Join,
            MeetingState::Open => false,
        };
        if closed {
            assert!(matches!(decide(action, &facts), Decision::Refused(_)), "{action:?} {facts:?}");
        }
    }
}

#[test]
fn an_outsider_needs_the_share_mark_and_the_password() {
    for (action, facts) in all_cases() {
        let lacking =
            facts.share_mark == ShareMark::Unset || facts.password == PasswordCheck::Wrong;
        if facts.membership == Membership::Outsider && lacking {
            assert!(matches!(decide(action, &facts), Decision::Refused(_)), "{action:?} {facts:?}");
        }
    }
}

#[test]
fn neither_share_mark_nor_password_concerns_a_member() {
    for (action, facts) in all_cases() {
        if facts.membership == Membership::Member {
            let plain =
                Facts { share_mark: ShareMark::Unset, password: PasswordCheck::Wrong, ..facts };
            assert_eq!(decide(action, &facts), decide(action, &plain), "{action:?} {facts:?}");
        }
    }
}

#[test]
fn only_members_are_let_in_as_members() {
    for (action, facts) in all_cases() {
        let as_member = decide(action, &facts) == Decision::Allowed(Entitlement::Member);
        assert!(!as_member || facts.membership == Membership::Member, "{action:?} {facts:?}");
    }
}
