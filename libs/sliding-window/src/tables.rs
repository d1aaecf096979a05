//! The two tables, and the statements on them.
//!
//! `<prefix>_budget` has a row per key, which is what a spender locks; `<prefix>_budget_entry` has
//! what was spent.

use sea_orm::sea_query::{
    Alias, Asterisk, CaseStatement, DeleteStatement, DynIden, Expr, ExprTrait as _, Func,
    InsertStatement, IntoIden as _, LockBehavior, LockType, OnConflict, Order, Query,
    SelectStatement, UnionType,
};

use crate::{Claim, Spend, rule::window_begin};

/// Rows that one statement of the clean-up removes.
pub(crate) const FORGET_BATCH: u64 = 1_000;

#[derive(Clone, Debug)]
pub(crate) struct Tables {
    pub prefix: &'static str,
    pub budget: DynIden,
    pub entry: DynIden,
}

impl Tables {
    pub fn new(prefix: &'static str) -> Self {
        Self {
            prefix,
            budget: Alias::new(format!("{prefix}_budget")).into_iden(),
            entry: Alias::new(format!("{prefix}_budget_entry")).into_iden(),
        }
    }

    /// Makes and locks the rows of `keys` until the transaction ends. The keys are locked in the
    /// order given; two spenders that give theirs sorted never wait for each other in a circle.
    pub fn lock(&self, keys: &[&str], now: i64) -> InsertStatement {
        let mut insert = Query::insert();
        insert.into_table(self.budget.clone()).columns(["key", "used_at"]);
        for key in keys {
            insert.values_panic([(*key).into(), now.into()]);
        }
        insert.on_conflict(OnConflict::column("key").update_column("used_at").to_owned());
        insert
    }

    /// For every claim a row: its index, the entries in its window, and whether its item is one.
    pub fn counts(&self, claims: &[Claim], now: i64) -> Option<SelectStatement> {
        let mut counts = claims.iter().zip(0_i64..).map(|(claim, index)| {
            let item = match claim.spend {
                Spend::Distinct(item) => Some(item),
                Spend::Nothing | Spend::One => None,
            };
            self.count(index, &claim.key, window_begin(now, claim.window_seconds), item)
        });
        let mut all = counts.next()?;
        for count in counts {
            all.union(UnionType::All, count);
        }
        Some(all)
    }

    /// The entries of `key` after `begin`.
    pub fn count(&self, index: i64, key: &str, begin: i64, item: Option<i64>) -> SelectStatement {
        let is_item = item.map_or_else(
            || Expr::val(0_i64),
            |item| {
                let case = CaseStatement::new().case(Expr::col("item").eq(item), 1_i64);
                Func::count(case).into()
            },
        );
        Query::select()
            .expr_as(Expr::val(index), "claim")
            .expr_as(Func::count(Expr::col(Asterisk)), "used")
            .expr_as(is_item, "known")
            .from(self.entry.clone())
            .and_where(Expr::col("budget_key").eq(key))
            .and_where(Expr::col("at").gt(begin))
            .to_owned()
    }

    /// Writes what the claims spend; nothing if they only look.
    pub fn spend(&self, claims: &[Claim], now: i64) -> Option<InsertStatement> {
        let mut insert = Query::insert();
        insert.into_table(self.entry.clone()).columns(["budget_key", "item", "at"]);
        let mut any = false;
        for claim in claims {
            let item = match claim.spend {
                Spend::Nothing => continue,
                Spend::One => None,
                Spend::Distinct(item) => Some(item),
            };
            insert.values_panic([claim.key.as_str().into(), item.into(), now.into()]);
            any = true;
        }
        // A replica whose clock is behind does not make an entry older.
        let newer = Expr::col(("excluded", "at")).gt(Expr::col((self.entry.clone(), "at")));
        let refresh = OnConflict::columns(["budget_key", "item"])
            .update_column("at")
            .action_and_where(newer)
            .to_owned();
        insert.on_conflict(refresh);
        any.then_some(insert)
    }

    /// Removes a batch of the entries before `at`.
    pub fn forget_entries(&self, at: i64) -> DeleteStatement {
        forget(&self.entry, "id", "at", at)
    }

    /// Removes a batch of the rows of keys that nobody has claimed since `at`.
    pub fn forget_budgets(&self, at: i64) -> DeleteStatement {
        forget(&self.budget, "key", "used_at", at)
    }
}

/// Rows that somebody has locked are left for the next time: the clean-up waits for nobody, so it
/// can't be part of a deadlock.
fn forget(table: &DynIden, id: &'static str, time: &'static str, before: i64) -> DeleteStatement {
    let old = Query::select()
        .column(id)
        .from(table.clone())
        .and_where(Expr::col(time).lt(before))
        .order_by(id, Order::Asc)
        .limit(FORGET_BATCH)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .to_owned();
    Query::delete().from_table(table.clone()).and_where(Expr::col(id).in_subquery(old)).to_owned()
}
