//! Meetings and their logs in the database, SQLite or PostgreSQL by the same code.
//!
//! **Invariants:** every query carries the organisation; all that one command does is one
//! transaction, which begins by taking the meeting's row, so that commands of one meeting follow
//! one another and those of different meetings do not wait for each other (on PostgreSQL).

mod apply;
mod event;
mod liveness;
mod meeting;
mod member;
mod migrations;
mod operation;
mod outbox;
mod participant;
mod relay;
mod telling;

use std::sync::{Arc, atomic::AtomicBool};

use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, Condition, DatabaseConnection, DatabaseTransaction,
    DbBackend, DbErr, EntityTrait as _, IsolationLevel, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, SqliteTransactionMode, TransactionOptions, TransactionTrait as _,
    TryInsertResult, sea_query::OnConflict,
};
use tokio::sync::Notify;
use tributary_identifiers::{MeetingId, OrganisationId, UserId};
use tributary_meeting_registry_core::{
    Cursor, Draft, Meeting, Present, Refusal, Roster, UnixMillis,
};
use tributary_message_bus::subjects::MeetingScope;

use crate::clock::Clock;
pub use apply::{Applied, Operation};
pub use migrations::Migrations;
pub use telling::Untold;

/// Rows written by one statement: SQLite takes 32,766 values in one, PostgreSQL 65,535.
const ROWS_PER_STATEMENT: usize = 500;

/// Reads and writes the service's tables. Clones share everything.
#[derive(Clone, Debug)]
pub struct Store {
    database: DatabaseConnection,
    clock: Clock,
    /// Told when the outbox has something new.
    outbox_filled: Arc<Notify>,
    /// True since a relay's sign of life could not be written down.
    missed_a_relay: Arc<AtomicBool>,
}

/// A meeting that is to be written.
#[derive(Clone, Debug)]
pub struct NewMeeting {
    /// Who owns it.
    pub organisation: OrganisationId,
    /// What it is to be.
    pub draft: Draft,
    /// The hash of its password in PHC form.
    pub password_hash: Option<String>,
    /// When it is created.
    pub created_at: UnixMillis,
}

/// Why something could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The organisation has no such meeting.
    #[error("there is no such meeting")]
    NoSuchMeeting,
    /// The meeting's state does not allow it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// An operation's id has been used with another body.
    #[error("the operation id has been used for another operation")]
    OperationReused,
    /// A row does not hold what it must.
    #[error("a row of {table} is malformed")]
    MalformedRow {
        /// The table.
        table: &'static str,
    },
    /// A time that no database holds.
    #[error("{0} ms is not a time that can be stored")]
    Time(u64),
    /// The database could not answer.
    #[error("database: {0}")]
    Database(#[from] DbErr),
}

impl StoreError {
    const fn malformed(table: &'static str) -> Self {
        Self::MalformedRow { table }
    }
}

impl Store {
    /// A store on a database whose tables have been made by [`Migrations`].
    #[must_use]
    pub fn new(database: DatabaseConnection, clock: Clock) -> Self {
        Self { database, clock, outbox_filled: Arc::default(), missed_a_relay: Arc::default() }
    }

    /// The clock of this process.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Writes a new meeting; false if there is one of that id, in whatever organisation.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn create(&self, new: &NewMeeting, id: MeetingId) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        let unless_there = OnConflict::column(meeting::Column::Id).do_nothing().to_owned();
        let inserted = meeting::Entity::insert(meeting::row(new, id)?)
            .on_conflict(unless_there)
            .try_insert()
            .exec_without_returning(&transaction)
            .await?;
        if !matches!(inserted, TryInsertResult::Inserted(1)) {
            return Ok(false);
        }
        let members: Vec<_> = new.draft.members.iter().collect();
        for some in members.chunks(ROWS_PER_STATEMENT) {
            let rows = some.iter().map(|user| member::ActiveModel {
                organisation: Set(new.organisation.to_string()),
                meeting_id: Set(id.to_i64()),
                user_id: Set(user.to_string()),
            });
            member::Entity::insert_many(rows).exec_without_returning(&transaction).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// A meeting.
    ///
    /// # Errors
    /// There is none, or the database could not answer.
    pub async fn meeting(&self, scope: &MeetingScope) -> Result<Meeting, StoreError> {
        find_meeting(&self.database, scope).await?.try_into()
    }

    /// Whether a user is on the member list.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn is_member(&self, scope: &MeetingScope, user: &UserId) -> Result<bool, StoreError> {
        let (organisation, meeting) = key(scope);
        let found = member::Entity::find_by_id((organisation, meeting, user.to_string()))
            .one(&self.database)
            .await?;
        Ok(found.is_some())
    }

    /// Meetings from the newest on, or after one of them, at most `limit`.
    ///
    /// # Errors
    /// A row is malformed, or the database could not answer.
    pub async fn meetings(
        &self,
        organisation: &OrganisationId,
        after: Option<Cursor>,
        limit: u64,
    ) -> Result<Vec<Meeting>, StoreError> {
        let mut query = meeting::Entity::find()
            .filter(meeting::Column::Organisation.eq(organisation.as_str()))
            .order_by_desc(meeting::Column::CreatedAt)
            .order_by_desc(meeting::Column::Id)
            .limit(limit);
        if let Some(after) = after {
            let created_at = from_millis(after.created_at)?;
            let later_in_the_list =
                Condition::any().add(meeting::Column::CreatedAt.lt(created_at)).add(
                    Condition::all()
                        .add(meeting::Column::CreatedAt.eq(created_at))
                        .add(meeting::Column::Id.lt(after.id.to_i64())),
                );
            query = query.filter(later_in_the_list);
        }
        query.all(&self.database).await?.into_iter().map(Meeting::try_from).collect()
    }

    /// A meeting and who is in, both as of the same event.
    ///
    /// # Errors
    /// There is no such meeting, a row is malformed, or the database could not answer.
    pub async fn roster(&self, scope: &MeetingScope) -> Result<(Meeting, Roster), StoreError> {
        let snapshot = self.begin_snapshot().await?;
        let row = find_meeting(&snapshot, scope).await?;
        let present = present(scope).all(&snapshot).await?;
        snapshot.commit().await?;
        let participants = present
            .into_iter()
            .map(|row| Present::try_from(row).map(|present| present.participant))
            .collect::<Result<Vec<_>, _>>()?;
        let last = row.counters()?.next_event.saturating_sub(1);
        let roster = Roster::at(last, row.ended_at.is_some(), participants);
        Ok((row.try_into()?, roster))
    }

    /// Encoded events after number `after`, in order, at most `limit`.
    ///
    /// # Errors
    /// There is no such meeting, or the database could not answer.
    pub async fn events(
        &self,
        scope: &MeetingScope,
        after: u64,
        limit: u64,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        find_meeting(&self.database, scope).await?;
        let Ok(after) = i64::try_from(after) else { return Ok(Vec::new()) };
        let (organisation, meeting) = key(scope);
        let rows = event::Entity::find()
            .filter(event::Column::Organisation.eq(organisation))
            .filter(event::Column::MeetingId.eq(meeting))
            .filter(event::Column::Number.gt(after))
            .order_by_asc(event::Column::Number)
            .limit(limit)
            .all(&self.database)
            .await?;
        Ok(rows.into_iter().map(|row| row.payload).collect())
    }

    /// Begins to write. On SQLite that takes the write lock at once: a transaction that first reads
    /// and then writes could fail at the second.
    async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        self.database.begin_with_options(options).await
    }

    /// Begins to read at one point in time. SQLite's transactions do so by themselves.
    async fn begin_snapshot(&self) -> Result<DatabaseTransaction, DbErr> {
        let postgres = self.database.get_database_backend() == DbBackend::Postgres;
        let isolation_level = postgres.then_some(IsolationLevel::RepeatableRead);
        let options = TransactionOptions { isolation_level, ..TransactionOptions::default() };
        self.database.begin_with_options(options).await
    }
}

/// The key of all that belongs to a meeting.
fn key(scope: &MeetingScope) -> (String, i64) {
    (scope.organisation.to_string(), scope.meeting.to_i64())
}

async fn find_meeting(
    connection: &impl sea_orm::ConnectionTrait,
    scope: &MeetingScope,
) -> Result<meeting::Model, StoreError> {
    let (organisation, id) = key(scope);
    meeting::Entity::find_by_id(id)
        .filter(meeting::Column::Organisation.eq(organisation))
        .one(connection)
        .await?
        .ok_or(StoreError::NoSuchMeeting)
}

/// Those who are in.
fn present(scope: &MeetingScope) -> sea_orm::Select<participant::Entity> {
    let (organisation, meeting) = key(scope);
    participant::Entity::find()
        .filter(participant::Column::Organisation.eq(organisation))
        .filter(participant::Column::MeetingId.eq(meeting))
        .filter(participant::Column::LeftAt.is_null())
}

fn from_millis(at: UnixMillis) -> Result<i64, StoreError> {
    i64::try_from(at).map_err(|_| StoreError::Time(at))
}

fn to_millis(at: i64, table: &'static str) -> Result<UnixMillis, StoreError> {
    u64::try_from(at).map_err(|_| StoreError::malformed(table))
}
