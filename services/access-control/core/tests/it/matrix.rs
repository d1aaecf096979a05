//! The truth table: all combinations of facts in as few lines as it takes, read from left to right.
//!
//! In a line, `*` stands for any value and `a|b` for one of several.

use std::{collections::BTreeMap, env, fmt::Write as _, fs, path::Path};

use tributary_access_control_core::{Action, Decision, Facts, decide, told};

use crate::all_cases;

/// Set to rewrite the table after a wanted change of the rules.
const UPDATE: &str = "TRIBUTARY_UPDATE_POLICY_MATRIX";

const COLUMNS: [&str; 10] = [
    "role", "counting", "count", "meeting", "shares", "policy", "proof", "action", "removed",
    "password",
];
const HEAD: &str = "\
# What access-control answers for every combination of facts. `*`: whatever it is; `a|b`: one of
# these. Exactly one line is about each combination. The test `policy_matrix` compares the table
# with the rules.
";

fn values(action: Action, facts: &Facts) -> Vec<String> {
    vec![
        format!("{:?}", facts.role),
        format!("{:?}", facts.counting),
        format!("{:?}", facts.count),
        format!("{:?}", facts.meeting),
        format!("{:?}", facts.shares),
        format!("{:?}", facts.secret_policy),
        format!("{:?}", facts.proof),
        format!("{action:?}"),
        format!("{:?}", facts.removed),
        format!("{:?}", facts.password),
    ]
}

fn answer(action: Action, facts: &Facts) -> String {
    match decide(action, facts) {
        Decision::Allowed(entitlement) => format!("allowed {entitlement:?}"),
        Decision::Refused(refusal) => {
            format!("refused {refusal:?}, told {:?}", told(facts, refusal))
        }
    }
}

type Case = (Vec<String>, String);
type Line = (Vec<String>, String);

/// The cases from column `column` on in few lines: values with the same lines below them share one.
fn collapse(cases: &[Case], column: usize) -> Vec<Line> {
    if column == COLUMNS.len() {
        return vec![(Vec::new(), cases[0].1.clone())];
    }
    // In the order of their declaration, as `all_cases` has them.
    let mut seen: Vec<&str> = Vec::new();
    let mut by_value = BTreeMap::<&str, Vec<Case>>::new();
    for case in cases {
        let value = case.0[column].as_str();
        if !seen.contains(&value) {
            seen.push(value);
        }
        by_value.entry(value).or_default().push(case.clone());
    }
    let mut groups: Vec<(Vec<&str>, Vec<Line>)> = Vec::new();
    for value in &seen {
        let below = collapse(&by_value[value], column + 1);
        match groups.iter_mut().find(|(_, lines)| *lines == below) {
            Some((values, _)) => values.push(value),
            None => groups.push((vec![value], below)),
        }
    }
    let mut lines = Vec::new();
    for (values, below) in groups {
        let value = if values.len() == seen.len() { "*".to_owned() } else { values.join("|") };
        for (rest, answer) in below {
            lines.push(([vec![value.clone()], rest].concat(), answer));
        }
    }
    lines
}

fn table() -> String {
    let cases: Vec<Case> = all_cases()
        .into_iter()
        .map(|(action, facts)| (values(action, &facts), answer(action, &facts)))
        .collect();
    let lines = collapse(&cases, 0);
    let width = |column: usize| {
        let cells = lines.iter().map(|(cells, _)| cells[column].len());
        cells.chain([COLUMNS[column].len()]).max().unwrap()
    };
    let row = |cells: &[&str], answer: &str| {
        let mut text = String::new();
        for (column, cell) in cells.iter().enumerate() {
            write!(text, "{cell:<width$}  ", width = width(column)).unwrap();
        }
        text + answer + "\n"
    };
    let mut text = HEAD.to_owned() + &row(&COLUMNS, "answer");
    for (cells, answer) in &lines {
        let cells: Vec<_> = cells.iter().map(String::as_str).collect();
        text += &row(&cells, answer);
    }
    text
}

fn committed() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policy-matrix.txt");
    if env::var_os(UPDATE).is_some() {
        fs::write(&path, table()).unwrap();
    }
    fs::read_to_string(&path).unwrap()
}

#[test]
fn policy_matrix() {
    let (committed, actual) = (committed(), table());
    let only = |of: &str, other: &str, sign: char| -> String {
        let missing = of.lines().filter(|&line| !other.lines().any(|l| l == line));
        missing.map(|line| format!("{sign} {line}\n")).collect()
    };
    assert!(
        committed == actual,
        "the rules differ from tests/policy-matrix.txt; if that is wanted, run again with \
         {UPDATE}=1:\n{}{}",
        only(&committed, &actual, '-'),
        only(&actual, &committed, '+'),
    );
}

/// Reads the table as a person does, so that a mistake in how it is written shows.
#[test]
fn exactly_one_line_of_the_table_is_about_each_combination_and_it_is_right() {
    let committed = committed();
    let lines: Vec<Vec<&str>> = committed
        .lines()
        .filter(|line| !line.starts_with('#'))
        .skip(1)
        .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect();
    let matches = |cell: &str, value: &str| cell == "*" || cell.split('|').any(|one| one == value);
    let mut used = vec![0_u32; lines.len()];
    for (action, facts) in all_cases() {
        let values = values(action, &facts);
        let about: Vec<_> = lines
            .iter()
            .enumerate()
            .filter(|(_, line)| line.iter().zip(&values).all(|(cell, value)| matches(cell, value)))
            .collect();
        let [(index, line)] = about[..] else { panic!("{action:?} {facts:?}: {about:?}") };
        assert_eq!(line[COLUMNS.len()], answer(action, &facts), "{action:?} {facts:?}");
        used[index] += 1;
    }
    assert!(used.iter().all(|times| *times > 0), "a line is about nothing: {used:?}");
}
