//! What counts, for how long, and what a refused call leaves behind.

use sea_orm::ConnectionTrait as _;
use tributary_sliding_window::{Budgets, CLAIMS_MAX, Claim, KEY_LENGTH_MAX, Outcome, Spend};

use crate::{HOUR, NOON, PREFIX, both, budgets, claim, connected};

const HOUR_MILLIS: u64 = HOUR * 1_000;

async fn granted(budgets: &Budgets, claims: &[Claim], now: u64) -> bool {
    budgets.claim(claims, now).await.unwrap() == Outcome::Granted
}

#[tokio::test]
async fn the_window_slides_and_does_not_begin_anew() {
    for database in both().await {
        let budgets = budgets(&database).await;
        let one = [claim("key", 4, Spend::One)];
        // Two at the start of the window, two near its end.
        for after in [0, 1, HOUR_MILLIS - 2, HOUR_MILLIS - 1] {
            assert!(granted(&budgets, &one, NOON + after).await);
        }
        assert!(!granted(&budgets, &one, NOON + HOUR_MILLIS - 1).await);
        // Each place is free again exactly an hour after it was taken: one, not four at once.
        assert!(granted(&budgets, &one, NOON + HOUR_MILLIS).await);
        assert!(!granted(&budgets, &one, NOON + HOUR_MILLIS).await);
        assert!(granted(&budgets, &one, NOON + HOUR_MILLIS + 1).await);
        assert!(!granted(&budgets, &one, NOON + 2 * HOUR_MILLIS - 3).await);
        assert_eq!(budgets.count("key", HOUR, NOON + HOUR_MILLIS + 1).await.unwrap(), 4);
        assert_eq!(budgets.count("key", HOUR, NOON + 3 * HOUR_MILLIS).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_call_spends_on_all_budgets_or_on_none() {
    for database in both().await {
        let budgets = budgets(&database).await;
        let claims =
            [claim("a", 9, Spend::One), claim("b", 1, Spend::One), claim("c", 9, Spend::One)];
        assert!(granted(&budgets, &claims, NOON).await);
        let refused = budgets.claim(&claims, NOON).await.unwrap();
        assert_eq!(refused, Outcome::Exhausted { key_index: 1 });
        for key in ["a", "b", "c"] {
            assert_eq!(budgets.count(key, HOUR, NOON).await.unwrap(), 1, "{key}");
        }
    }
}

#[tokio::test]
async fn a_look_takes_nothing_and_fails_when_the_budget_is_used_up() {
    for database in both().await {
        let budgets = budgets(&database).await;
        let look = [claim("key", 1, Spend::Nothing)];
        let together = [claim("other", 9, Spend::One), claim("key", 1, Spend::Nothing)];
        assert!(granted(&budgets, &look, NOON).await);
        assert!(granted(&budgets, &together, NOON).await);
        assert_eq!(budgets.count("key", HOUR, NOON).await.unwrap(), 0);
        assert!(granted(&budgets, &[claim("key", 1, Spend::One)], NOON).await);
        assert!(!granted(&budgets, &look, NOON).await);
        let refused = budgets.claim(&together, NOON).await.unwrap();
        assert_eq!(refused, Outcome::Exhausted { key_index: 1 });
        assert_eq!(budgets.count("other", HOUR, NOON).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn an_item_counts_once_and_from_its_last_time_on() {
    for database in both().await {
        let budgets = budgets(&database).await;
        let item = |item| [claim("key", 2, Spend::Distinct(item))];
        for number in [i64::MIN, 7, i64::MIN, 7] {
            assert!(granted(&budgets, &item(number), NOON).await, "{number}");
        }
        assert!(!granted(&budgets, &item(8), NOON).await);
        // What is counted needs no room, and is counted from now on.
        assert!(granted(&budgets, &item(7), NOON + 1_000).await);
        assert_eq!(budgets.count("key", HOUR, NOON + HOUR_MILLIS).await.unwrap(), 1);
        assert!(granted(&budgets, &item(8), NOON + HOUR_MILLIS).await);
        assert!(!granted(&budgets, &item(9), NOON + HOUR_MILLIS + 999).await);
        assert!(granted(&budgets, &item(9), NOON + HOUR_MILLIS + 1_000).await);
        // The first item's old entry is outside the window: it needs room like a new one.
        assert!(!granted(&budgets, &item(i64::MIN), NOON + HOUR_MILLIS + 1_000).await);
    }
}

#[tokio::test]
async fn entries_of_a_clock_that_is_ahead_count_and_do_not_grow_older() {
    for database in both().await {
        let budgets = budgets(&database).await;
        let item = [claim("key", 1, Spend::Distinct(1))];
        assert!(granted(&budgets, &item, NOON + 5_000).await);
        assert_eq!(budgets.count("key", HOUR, NOON).await.unwrap(), 1);
        assert!(granted(&budgets, &item, NOON).await);
        assert_eq!(budgets.count("key", HOUR, NOON + HOUR_MILLIS + 4_999).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn what_is_spent_survives_a_restart() {
    for database in both().await {
        let connection = connected(&database).await;
        let one = [claim("key", 2, Spend::One), claim("item", 1, Spend::Distinct(3))];
        let before = Budgets::new(connection.clone(), PREFIX);
        assert!(granted(&before, &one, NOON).await);
        assert!(granted(&before, &one, NOON).await);
        connection.close().await.unwrap();
        let after = budgets(&database).await;
        assert_eq!(after.claim(&one, NOON).await.unwrap(), Outcome::Exhausted { key_index: 0 });
        assert_eq!(after.count("item", HOUR, NOON).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn prefixes_share_nothing() {
    for database in both().await {
        let connection = connected(&database).await;
        let one = [claim("key", 1, Spend::One)];
        for prefix in [PREFIX, "other"] {
            assert!(granted(&Budgets::new(connection.clone(), prefix), &one, NOON).await);
        }
    }
}

#[tokio::test]
async fn what_is_old_is_forgotten_and_nothing_else() {
    // More than one batch of the clean-up.
    const OLD: u64 = 2_500;
    for database in both().await {
        let connection = connected(&database).await;
        let budgets = Budgets::new(connection.clone(), PREFIX);
        for first in (0..OLD).step_by(20) {
            let claims: Vec<Claim> =
                (first..first + 20).map(|n| claim(&format!("k{n}"), 1, Spend::One)).collect();
            assert!(granted(&budgets, &claims, NOON).await);
        }
        assert!(granted(&budgets, &[claim("k0", 9, Spend::One)], NOON + 1).await);
        assert_eq!(budgets.forget_before(NOON).await.unwrap(), 0);
        assert_eq!(budgets.forget_before(NOON + 1).await.unwrap(), OLD);
        assert_eq!(budgets.count("k0", HOUR, NOON + 1).await.unwrap(), 1);
        assert_eq!(rows(&connection, "test_budget_entry").await, 1);
        assert_eq!(rows(&connection, "test_budget").await, 1);
        assert_eq!(budgets.forget_before(NOON + 2).await.unwrap(), 1);
        assert_eq!(rows(&connection, "test_budget").await, 0);
    }
}

async fn rows(connection: &sea_orm::DatabaseConnection, table: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) AS n FROM {table}");
    let statement = sea_orm::Statement::from_string(connection.get_database_backend(), sql);
    connection.query_one_raw(statement).await.unwrap().unwrap().try_get("", "n").unwrap()
}

#[tokio::test]
async fn impossible_calls_are_errors_and_spend_nothing() {
    for database in both().await {
        let budgets = budgets(&database).await;
        let one = |key: &str| claim(key, 9, Spend::One);
        let many = (0..=CLAIMS_MAX).map(|n| one(&n.to_string())).collect();
        let long = "k".repeat(KEY_LENGTH_MAX + 1);
        for claims in [
            vec![one("a"), one("a")],
            vec![one("a"), one("")],
            vec![one("a"), one(&long)],
            vec![one("a"), one("\0")],
            many,
        ] {
            budgets.claim(&claims, NOON).await.unwrap_err();
        }
        budgets.claim(&[one("a")], u64::MAX).await.unwrap_err();
        budgets.count(&long, HOUR, NOON).await.unwrap_err();
        assert_eq!(budgets.count("a", HOUR, NOON).await.unwrap(), 0);
        assert_eq!(budgets.claim(&[], NOON).await.unwrap(), Outcome::Granted);
        // The longest key, with characters of several bytes.
        assert!(granted(&budgets, &[one(&"é".repeat(KEY_LENGTH_MAX / 2))], NOON).await);
    }
}
