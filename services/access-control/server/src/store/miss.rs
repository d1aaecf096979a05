//! Table `access_miss`: how many outsiders were refused in each minute, by all replicas.

use sea_orm::{
    ActiveValue::Set,
    QuerySelect as _,
    entity::prelude::*,
    sea_query::{Expr, ExprTrait as _, OnConflict},
};

use super::{Store, StoreError, signed, unsigned};

pub const TABLE: &str = "access_miss";

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "access_miss")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub minute: i64,
    pub misses: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Store {
    /// Adds so many misses to a minute, counted since 1970.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn add_misses(&self, minute: u64, misses: u64) -> Result<(), StoreError> {
        let row = ActiveModel { minute: Set(signed(minute)), misses: Set(signed(misses)) };
        let sum = Expr::col((Entity, Column::Misses)).add(signed(misses));
        let add = OnConflict::column(Column::Minute).value(Column::Misses, sum).to_owned();
        Entity::insert(row).on_conflict(add).exec_without_returning(&self.database).await?;
        Ok(())
    }

    /// The misses from this minute on.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn misses_since(&self, minute: u64) -> Result<u64, StoreError> {
        let counts: Vec<i64> = Entity::find()
            .select_only()
            .column(Column::Misses)
            .filter(Column::Minute.gte(signed(minute)))
            .into_tuple()
            .all(&self.database)
            .await?;
        Ok(counts.into_iter().map(unsigned).sum())
    }

    /// Removes what was counted before this minute.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn forget_misses(&self, minute: u64) -> Result<u64, StoreError> {
        let old = Entity::delete_many().filter(Column::Minute.lt(signed(minute)));
        Ok(old.exec(&self.database).await?.rows_affected)
    }
}
