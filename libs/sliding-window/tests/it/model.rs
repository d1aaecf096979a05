//! Any sequence of calls gives what a list in memory gives.

use proptest::{collection::vec, prelude::*, test_runner::TestRunner};
use tributary_database::scratch::{self, ScratchDatabase};
use tributary_sliding_window::{Budgets, Claim, Outcome, Spend};

use crate::{NOON, budgets};

/// How far, in milliseconds, the slowest replica's clock is behind the fastest one's.
const CLOCKS_APART_MAX: u64 = 1_000;

/// The same promise, kept simply: everything ever spent, counted by going through it.
#[derive(Default)]
struct Model {
    entries: Vec<(String, Option<i64>, u64)>,
}

impl Model {
    fn in_window<'a>(
        &'a self,
        key: &'a str,
        seconds: u64,
        now: u64,
    ) -> impl Iterator<Item = &'a (String, Option<i64>, u64)> {
        let young = move |at: u64| at + seconds * 1_000 > now;
        self.entries.iter().filter(move |(of, _, at)| of == key && young(*at))
    }

    fn claim(&mut self, claims: &[Claim], now: u64) -> Outcome {
        for (key_index, claim) in claims.iter().enumerate() {
            let mut used = 0;
            let mut again = false;
            for (_, item, _) in self.in_window(&claim.key, claim.window_seconds, now) {
                used += 1;
                again |= item.is_some_and(|item| claim.spend == Spend::Distinct(item));
            }
            if claim.limit == 0 || (used >= claim.limit && !again) {
                return Outcome::Exhausted { key_index };
            }
        }
        for claim in claims {
            let (item, mut at) = match claim.spend {
                Spend::Nothing => continue,
                Spend::One => (None, now),
                Spend::Distinct(item) => (Some(item), now),
            };
            if item.is_some() {
                let same =
                    |entry: &(String, Option<i64>, u64)| entry.0 == claim.key && entry.1 == item;
                at = self.entries.iter().filter(|e| same(e)).map(|e| e.2).fold(at, u64::max);
                self.entries.retain(|entry| !same(entry));
            }
            self.entries.push((claim.key.clone(), item, at));
        }
        Outcome::Granted
    }
}

#[derive(Clone, Debug)]
enum Step {
    Claim(Vec<Claim>),
    /// The time goes on, or back as between two replicas' clocks.
    Pass(i64),
    /// The clean-up, this long ago.
    Forget(u64),
}

fn spend() -> impl Strategy<Value = Spend> {
    prop_oneof![
        1 => Just(Spend::Nothing),
        3 => Just(Spend::One),
        4 => (-2..3_i64).prop_map(Spend::Distinct),
    ]
}

fn claims() -> impl Strategy<Value = Vec<Claim>> {
    let claim = (0..5_u32, 1..5_u64, spend());
    let keys = proptest::sample::subsequence(vec!["a", "b", "c"], 0..=3).prop_shuffle();
    (keys, vec(claim, 3)).prop_map(|(keys, claims)| {
        let with_key = |(key, (limit, window_seconds, spend)): (&str, _)| Claim {
            key: key.into(),
            limit,
            window_seconds,
            spend,
        };
        keys.into_iter().zip(claims).map(with_key).collect()
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => claims().prop_map(Step::Claim),
        // Windows are some seconds: often exactly at their ends.
        3 => (-1..4_i64).prop_map(|seconds| Step::Pass(seconds * 1_000)),
        1 => (-600..600_i64).prop_map(Step::Pass),
        1 => (6_000..9_000_u64).prop_map(Step::Forget),
    ]
}

async fn follow(budgets: &Budgets, steps: &[Step]) -> Result<(), TestCaseError> {
    budgets.forget_before(NOON * 2).await.unwrap();
    let mut model = Model::default();
    let mut now = NOON;
    let mut latest = NOON;
    for step in steps {
        match step {
            Step::Pass(millis) => {
                now = now.saturating_add_signed(*millis).max(latest - CLOCKS_APART_MAX);
                latest = latest.max(now);
            }
            Step::Forget(age) => {
                budgets.forget_before(latest - age).await.unwrap();
            }
            Step::Claim(claims) => {
                let found = budgets.claim(claims, now).await.unwrap();
                prop_assert_eq!(found, model.claim(claims, now), "{:?} at {}", claims, now);
            }
        }
        for key in ["a", "b", "c"] {
            let expected = model.in_window(key, 3, now).count() as u64;
            prop_assert_eq!(budgets.count(key, 3, now).await.unwrap(), expected, "{}", key);
        }
    }
    Ok(())
}

fn any_sequence_is_as_in_the_model(database: &ScratchDatabase, cases: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let budgets = runtime.block_on(budgets(database));
    let mut runner = TestRunner::new(ProptestConfig { cases, ..ProptestConfig::default() });
    let check = |steps: Vec<Step>| runtime.block_on(follow(&budgets, &steps));
    runner.run(&vec(step(), 1..40), check).unwrap();
}

#[test]
fn any_sequence_is_as_in_the_model_on_sqlite() {
    any_sequence_is_as_in_the_model(&scratch::sqlite(), 60);
}

#[test]
fn any_sequence_is_as_in_the_model_on_postgres() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    any_sequence_is_as_in_the_model(&runtime.block_on(scratch::postgres()), 60);
}
