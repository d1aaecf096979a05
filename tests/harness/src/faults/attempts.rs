//! What a relay has tried that wants what it must not, and how much of it has succeeded, by kind.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::progress;

/// Attempts and successes of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    attempts: usize,
    successes: usize,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct Attempts(BTreeMap<&'static str, Count>);

impl Attempts {
    /// Counts attempts of a kind, and says so if any of them has succeeded.
    pub fn count(&mut self, kind: &'static str, attempts: usize, successes: usize) {
        let count = self.0.entry(kind).or_default();
        count.attempts += attempts;
        count.successes += successes;
        if successes > 0 {
            progress(&format!("it has succeeded: {kind}"));
        }
    }

    /// True before the first one.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The report; it is good if there were so many at least, and none has succeeded.
    pub fn report(&self, seed: u64, attempts_min: usize) -> Map<String, Value> {
        let sum = |of: fn(&Count) -> usize| self.0.values().map(of).sum::<usize>();
        let (attempts, successes) = (sum(|count| count.attempts), sum(|count| count.successes));
        let by_kind = self.0.iter().map(|(kind, count)| {
            let count = json!({"attempts": count.attempts, "successes": count.successes});
            ((*kind).to_owned(), count)
        });
        Map::from_iter([
            ("attempts".to_owned(), attempts.into()),
            ("successes".to_owned(), successes.into()),
            ("by_kind".to_owned(), Value::Object(by_kind.collect())),
            ("seed".to_owned(), seed.into()),
            ("ok".to_owned(), (successes == 0 && attempts >= attempts_min).into()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_success_and_too_few_attempts_are_both_no_proof() {
        let mut attempts = Attempts::default();
        assert!(attempts.is_empty());
        attempts.count("a", 7, 0);
        attempts.count("b", 3, 0);
        assert_eq!(attempts.report(1, 10).get("ok"), Some(&true.into()));
        assert_eq!(attempts.report(1, 11).get("ok"), Some(&false.into()));
        attempts.count("b", 1, 1);
        let report = attempts.report(1, 10);
        assert_eq!((&report["ok"], &report["attempts"]), (&false.into(), &11.into()));
        assert_eq!(report["by_kind"]["b"], json!({"attempts": 4, "successes": 1}));
    }
}
