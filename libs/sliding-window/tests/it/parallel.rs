//! Many spenders at once, on several connections as replicas have them.

use tributary_sliding_window::{Budgets, Claim, Outcome, Spend};

use crate::{HOUR, NOON, both, budgets, claim};

const REPLICAS: usize = 4;

/// Runs `calls` at once, each on the next replica, and returns how many were granted.
async fn granted(replicas: &[Budgets], calls: Vec<Vec<Claim>>) -> usize {
    let mut running = tokio::task::JoinSet::new();
    for (claims, replica) in calls.into_iter().zip(replicas.iter().cycle()) {
        let replica = replica.clone();
        running.spawn(async move { replica.claim(&claims, NOON).await.unwrap() });
    }
    let outcomes = running.join_all().await;
    outcomes.into_iter().filter(|outcome| *outcome == Outcome::Granted).count()
}

async fn replicas(database: &tributary_database::scratch::ScratchDatabase) -> Vec<Budgets> {
    let mut replicas = Vec::new();
    for _ in 0..REPLICAS {
        replicas.push(budgets(database).await);
    }
    replicas
}

#[tokio::test(flavor = "multi_thread")]
async fn of_200_parallel_calls_one_below_the_limit_exactly_one_is_granted() {
    const LIMIT: u32 = 50;
    for database in both().await {
        let replicas = replicas(&database).await;
        let one = vec![claim("key", LIMIT, Spend::One), claim("address", 1_000, Spend::One)];
        assert_eq!(granted(&replicas, vec![one.clone(); 49]).await, 49);
        assert_eq!(granted(&replicas, vec![one; 200]).await, 1);
        assert_eq!(replicas[0].count("key", HOUR, NOON).await.unwrap(), 50);
        assert_eq!(replicas[1].count("address", HOUR, NOON).await.unwrap(), 50);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_200_parallel_items_one_below_the_limit_exactly_one_is_granted() {
    for database in both().await {
        let replicas = replicas(&database).await;
        let item = |item| vec![claim("key", 10, Spend::Distinct(item))];
        assert_eq!(granted(&replicas, (0..9).map(item).collect()).await, 9);
        // Everything that is counted passes, and one of the new ones.
        let calls = (0..9).chain(100..300).map(item).collect();
        assert_eq!(granted(&replicas, calls).await, 9 + 1);
        // The same new item 200 times is one entry.
        let same = vec![vec![claim("same", 1, Spend::Distinct(1))]; 200];
        assert_eq!(granted(&replicas, same).await, 200);
        assert_eq!(replicas[0].count("same", HOUR, NOON).await.unwrap(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn budgets_named_in_any_order_do_not_block_each_other_for_good() {
    for database in both().await {
        let replicas = replicas(&database).await;
        let calls = (0..120)
            .map(|n| {
                let mut claims: Vec<Claim> =
                    ["a", "b", "c"].map(|key| claim(key, 100, Spend::One)).into();
                claims.rotate_left(n % 3);
                if n % 2 == 0 {
                    claims.reverse();
                }
                claims
            })
            .collect();
        assert_eq!(granted(&replicas, calls).await, 100);
        for key in ["a", "b", "c"] {
            assert_eq!(replicas[0].count(key, HOUR, NOON).await.unwrap(), 100);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clean_up_does_not_disturb_spenders() {
    for database in both().await {
        let replicas = replicas(&database).await;
        let keys: Vec<String> = (0..20).map(|n| format!("k{n}")).collect();
        let mut running = tokio::task::JoinSet::new();
        for round in 0..40_u64 {
            let replica = replicas[round as usize % REPLICAS].clone();
            let mut keys = keys.clone();
            keys.rotate_left(round as usize % 20);
            running.spawn(async move {
                // Times on both sides of what the clean-up removes.
                let now = NOON + round % 2 * 2_000;
                let claims: Vec<Claim> =
                    keys.iter().map(|key| claim(key, 100, Spend::Distinct(1))).collect();
                assert_eq!(replica.claim(&claims, now).await.unwrap(), Outcome::Granted);
                replica.forget_before(NOON + 1_000).await.unwrap();
            });
        }
        running.join_all().await;
        for key in &keys {
            assert_eq!(replicas[0].count(key, HOUR, NOON + 2_000).await.unwrap(), 1);
        }
    }
}
