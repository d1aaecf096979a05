//! Table `credential_counter`: numbers that rise by one with each change of something.
//!
//! Whoever changes something counts up first and so holds the row's lock until the transaction
//! ends: changes come one after the other, in the order of their numbers, and whoever sees a number
//! sees all that came before it.

use sea_orm::{DatabaseTransaction, ExprTrait as _, entity::prelude::*};

use super::StoreError;

pub const TABLE: &str = "credential_counter";

/// Counts revocations.
pub const REVOCATIONS: &str = "revocations";
/// Counts changes of signing keys.
pub const SIGNING_KEYS: &str = "signing_keys";
/// All counters.
pub const NAMES: [&str; 2] = [REVOCATIONS, SIGNING_KEYS];

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "credential_counter")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub value: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Counts up, and gives the new value. Others wait until the transaction ends.
pub async fn next(transaction: &DatabaseTransaction, name: &str) -> Result<i64, StoreError> {
    Entity::update_many()
        .col_expr(Column::Value, Expr::col(Column::Value).add(1))
        .filter(Column::Name.eq(name))
        .exec(transaction)
        .await?;
    let row = Entity::find_by_id(name).one(transaction).await?;
    row.map(|row| row.value).ok_or(StoreError::MalformedRow { table: TABLE })
}
