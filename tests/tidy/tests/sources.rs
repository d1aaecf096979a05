//! What every source file must look like.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![expect(clippy::unwrap_used, reason = "a file that can't be read fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

use tributary_tidy::PURE_LIBS;

/// Lines of a source file beyond which it is to be split.
const FILE_LINES_MAX: usize = 800;
/// Lines of a `main.rs`.
const MAIN_LINES_MAX: usize = 20;

/// A Rust source file of the project.
struct Source {
    /// Relative to the root of the checkout.
    path: String,
    text: String,
}

impl Source {
    /// The lines that are compiled into the program: up to the first test module, no comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let tests = self.text.find("#[cfg(test)]").unwrap_or(self.text.len());
        let code = self.text.get(..tests).unwrap_or_default();
        code.lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.contains("/tests/")
            || self.path.ends_with("/tests.rs")
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn sources() -> Vec<Source> {
    let root = root();
    let mut sources = Vec::new();
    for folder in ["libs", "services", "tests"] {
        collect(&root, &root.join(folder), &mut sources);
    }
    assert!(sources.len() > 20, "found only {} source files", sources.len());
    sources
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !["node_modules", "target", "dist"].contains(&name.as_str()) {
                collect(root, &path, sources);
            }
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            sources.push(Source { path, text });
        }
    }
}

/// Fails with one line per finding.
fn check(rule: &str, findings: Vec<String>) {
    assert!(findings.is_empty(), "{rule}:\n  {}\n", findings.join("\n  "));
}

/// Lines of code outside tests that contain one of `words`.
fn lines_with(source: &Source, words: &[String]) -> Vec<String> {
    source
        .code()
        .filter(|(_, line)| words.iter().any(|word| line.contains(word)))
        .map(|(number, line)| format!("{}:{number}: {}", source.path, line.trim()))
        .collect()
}

#[test]
fn every_file_begins_with_what_it_is() {
    let missing = sources().into_iter().filter(|source| !source.text.starts_with("//! "));
    check("a file begins with a module doc (`//! `)", missing.map(|source| source.path).collect());
}

#[test]
fn files_are_short_enough_to_be_read() {
    let long = sources().into_iter().filter_map(|source| {
        let lines = source.text.lines().count();
        (lines > FILE_LINES_MAX).then(|| format!("{}: {lines} lines", source.path))
    });
    check(&format!("a file has at most {FILE_LINES_MAX} lines"), long.collect());
}

#[test]
fn mains_only_call() {
    let long = sources().into_iter().filter_map(|source| {
        let lines = source.text.lines().count();
        let main = source.path.ends_with("/main.rs") && !source.is_test();
        (main && lines > MAIN_LINES_MAX).then(|| format!("{}: {lines} lines", source.path))
    });
    check(&format!("a main.rs has at most {MAIN_LINES_MAX} lines"), long.collect());
}

#[test]
fn subjects_are_built_in_the_message_bus_only() {
    let literals = [".", "-notice", "-access", "-trust"].map(|rest| format!("\"trib{rest}"));
    let found = sources()
        .iter()
        .filter(|source| !source.is_test() && !source.path.starts_with("libs/message-bus/"))
        .flat_map(|source| lines_with(source, &literals))
        .collect();
    check("a NATS subject is built by a function of libs/message-bus/src/subjects.rs", found);
}

#[test]
fn pure_crates_get_time_and_randomness_from_their_callers() {
    let words: Vec<String> = ["Instant::", "SystemTime::"]
        .iter()
        .map(|clock| format!("{clock}now"))
        .chain(["getrandom".to_owned(), "rand::rng".to_owned(), "thread_rng".to_owned()])
        .collect();
    let found = sources()
        .iter()
        .filter(|source| !source.is_test() && is_pure(&source.path))
        .flat_map(|source| lines_with(source, &words))
        .collect();
    check("a pure crate takes time and randomness as arguments", found);
}

fn is_pure(path: &str) -> bool {
    path.contains("/core/src/")
        || PURE_LIBS.iter().any(|pure| path.starts_with(&format!("libs/{pure}/src/")))
}

#[test]
fn only_the_crate_around_webrtc_knows_str0m() {
    let word = ["str0m", "::"].concat();
    let found = sources()
        .iter()
        .filter(|source| !source.path.starts_with("libs/rtc-session/"))
        .flat_map(|source| lines_with(source, std::slice::from_ref(&word)))
        .collect();
    check("str0m is used in libs/rtc-session and nowhere else", found);
}

#[test]
fn nothing_is_left_for_later_and_no_test_is_switched_off() {
    let words: Vec<String> =
        ["todo", "unimplemented"].iter().map(|word| format!("{word}!(")).collect();
    let ignored = format!("#[{}", "ignore");
    let found = sources()
        .iter()
        .flat_map(|source| {
            let lines = source.text.lines().enumerate();
            lines
                .filter(|(_, line)| {
                    let line = line.trim_start();
                    line.starts_with(&ignored) || words.iter().any(|word| line.contains(word))
                })
                .map(|(index, line)| format!("{}:{}: {}", source.path, index + 1, line.trim()))
                .collect::<Vec<_>>()
        })
        .collect();
    check("nothing is left for later", found);
}

#[test]
fn tests_wait_for_conditions_and_never_just_sleep() {
    let word = format!("thread::{}(", "sleep");
    let found = sources()
        .iter()
        .filter(|source| source.is_test())
        .flat_map(|source| lines_with(source, std::slice::from_ref(&word)))
        .collect();
    check("a test waits for a condition with a deadline", found);
}
