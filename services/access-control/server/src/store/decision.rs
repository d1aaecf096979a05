//! Table `access_decision`: the audit log.

use std::fmt::Write as _;

use sea_orm::{
    ConnectionTrait as _, DbBackend, QueryOrder as _, QuerySelect as _, Statement, Value,
    entity::prelude::*,
};
use tributary_identifiers::{MeetingId, OrganisationId, UserId};

use super::{Store, StoreError, signed};

pub const TABLE: &str = "access_decision";

/// Rows that one statement of the clean-up removes, so that nobody waits for it for long.
const FORGET_BATCH: u64 = 5_000;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "access_decision")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub at: i64,
    pub organisation: String,
    pub user_id: String,
    pub guest: bool,
    pub client_id: String,
    pub client_prefix: String,
    pub meeting_id: i64,
    pub action: i16,
    pub reason: i16,
    pub role: i16,
    pub allowed: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A decision as it is kept.
pub type DecisionRow = Model;

/// Which decisions are asked for.
#[derive(Clone, Debug)]
pub struct DecisionFilter {
    /// Of users of this organisation.
    pub organisation: OrganisationId,
    /// About this meeting.
    pub meeting: Option<MeetingId>,
    /// Of this user.
    pub user: Option<UserId>,
    /// Only refusals.
    pub refused_only: bool,
    /// Not before, milliseconds since 1970.
    pub since: Option<u64>,
    /// Before, milliseconds since 1970.
    pub until: Option<u64>,
    /// With a lower id.
    pub before_id: Option<i64>,
}

/// What is written of a row; the id is not.
const WRITTEN: [&str; 11] = [
    "at",
    "organisation",
    "user_id",
    "guest",
    "client_id",
    "client_prefix",
    "meeting_id",
    "action",
    "reason",
    "role",
    "allowed",
];

impl Model {
    /// In the order of [`WRITTEN`].
    fn values(&self) -> [Value; WRITTEN.len()] {
        [
            self.at.into(),
            self.organisation.as_str().into(),
            self.user_id.as_str().into(),
            self.guest.into(),
            self.client_id.as_str().into(),
            self.client_prefix.as_str().into(),
            self.meeting_id.into(),
            self.action.into(),
            self.reason.into(),
            self.role.into(),
            self.allowed.into(),
        ]
    }
}

/// The statement that writes so many rows.
fn insert(rows: usize, backend: DbBackend) -> String {
    let mut text = format!("INSERT INTO {TABLE} ({}) VALUES ", WRITTEN.join(", "));
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..WRITTEN.len() {
            if column > 0 {
                text.push_str(", ");
            }
            if backend == DbBackend::Postgres {
                // Writing to a String does not fail.
                let _ = write!(text, "${}", row * WRITTEN.len() + column + 1);
            } else {
                text.push('?');
            }
        }
        text.push(')');
    }
    text
}

impl Store {
    /// Writes decisions down, in their order; all or none. Their ids are given by the database.
    ///
    /// The statement is written by hand, as this is done for every decision and building it costs
    /// more than running it.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn write_decisions(&self, rows: &[DecisionRow]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let backend = self.database.get_database_backend();
        let values: Vec<Value> = rows.iter().flat_map(DecisionRow::values).collect();
        let insert = Statement::from_sql_and_values(backend, insert(rows.len(), backend), values);
        self.database.execute_raw(insert).await?;
        Ok(())
    }

    /// Decisions, newest first, at most `limit`.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn decisions(
        &self,
        filter: &DecisionFilter,
        limit: u64,
    ) -> Result<Vec<DecisionRow>, StoreError> {
        let mut query =
            Entity::find().filter(Column::Organisation.eq(filter.organisation.as_str()));
        if let Some(meeting) = filter.meeting {
            query = query.filter(Column::MeetingId.eq(meeting.to_i64()));
        }
        if let Some(user) = &filter.user {
            query = query.filter(Column::UserId.eq(user.as_str()));
        }
        if filter.refused_only {
            query = query.filter(Column::Allowed.eq(false));
        }
        if let Some(since) = filter.since {
            query = query.filter(Column::At.gte(signed(since)));
        }
        if let Some(until) = filter.until {
            query = query.filter(Column::At.lt(signed(until)));
        }
        if let Some(before) = filter.before_id {
            query = query.filter(Column::Id.lt(before));
        }
        Ok(query.order_by_desc(Column::Id).limit(limit).all(&self.database).await?)
    }

    /// Removes the decisions before `millis` (since 1970), and says how many those were.
    ///
    /// # Errors
    /// The database could not answer; what is removed by then stays removed.
    pub async fn forget_decisions(&self, millis: u64) -> Result<u64, StoreError> {
        let mut removed = 0;
        loop {
            let old: Vec<i64> = Entity::find()
                .select_only()
                .column(Column::Id)
                .filter(Column::At.lt(signed(millis)))
                .limit(FORGET_BATCH)
                .into_tuple()
                .all(&self.database)
                .await?;
            let found = old.len() as u64;
            if found > 0 {
                let rows = Entity::delete_many().filter(Column::Id.is_in(old));
                removed += rows.exec(&self.database).await?.rows_affected;
            }
            if found < FORGET_BATCH {
                return Ok(removed);
            }
        }
    }
}
