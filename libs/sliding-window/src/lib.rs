//! Budgets over a sliding window: at most so many accesses in the last so many seconds.
//!
//! They are kept in the database, shared by all replicas, and survive restarts. The window slides
//! with every millisecond; it is not a counter that begins anew at midnight, so that twice the
//! limit around midnight is as impossible as at any other time.
//!
//! **Invariants:** a call spends on all its budgets or on none; no budget ever has more entries in
//! its window than the limit it was spent under, however many replicas spend at once. What is used
//! up is refused by one read, without a lock: a flood waits for nobody and nobody waits for it.

mod ledger;
mod migration;
mod rule;
mod tables;

use std::collections::HashSet;

use sea_orm::DbErr;

pub use ledger::Budgets;
pub use migration::migration;

/// The longest key, in bytes.
pub const KEY_LENGTH_MAX: usize = 256;

/// The most claims in one call.
pub const CLAIMS_MAX: usize = 32;

/// What a call wants of one budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Names the budget: 1 to [`KEY_LENGTH_MAX`] bytes, such as `accesses/<organisation>/<user>`.
    pub key: String,
    /// How many entries the window may hold; with 0 nothing is ever granted.
    pub limit: u32,
    /// The window's length in seconds; 0 counts as 1. An entry counts until exactly so long after
    /// it was made.
    pub window_seconds: u64,
    /// What it takes from the budget.
    pub spend: Spend,
}

/// What a claim takes from its budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spend {
    /// Nothing; the claim still fails if the budget is used up.
    Nothing,
    /// One entry.
    One,
    /// One entry for this item. An item that is counted already needs no room, and its entry
    /// counts from now on.
    Distinct(i64),
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every budget had room, and is spent on.
    Granted,
    /// A budget is used up; none is spent on.
    Exhausted {
        /// Which of the call's claims: the first that has no room.
        key_index: usize,
    },
}

/// Refuses calls that no budget can answer, which are mistakes of the caller.
fn check(claims: &[Claim]) -> Result<(), DbErr> {
    if claims.len() > CLAIMS_MAX {
        return Err(DbErr::Custom(format!("at most {CLAIMS_MAX} budgets are claimed at once")));
    }
    let mut seen = HashSet::with_capacity(claims.len());
    for claim in claims {
        check_key(&claim.key)?;
        if !seen.insert(claim.key.as_str()) {
            return Err(DbErr::Custom("a budget is claimed at most once in a call".into()));
        }
    }
    Ok(())
}

fn check_key(key: &str) -> Result<(), DbErr> {
    if key.is_empty() || key.len() > KEY_LENGTH_MAX || key.contains('\0') {
        let problem = format!("a budget's key must be 1 to {KEY_LENGTH_MAX} bytes, without NUL");
        return Err(DbErr::Custom(problem));
    }
    Ok(())
}
