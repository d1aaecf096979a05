//! Meetings and their logs in the database, SQLite or PostgreSQL by the same code.
//!
//! **Invariants:** every query carries the organisation; all that one command does is one
//! transaction, which begins by taking the meeting's row, so that commands of one meeting follow
//! one another and those of different meetings do not wait for each other (on PostgreSQL).

mod apply;
mod attachment;
mod attachments;
mod event;
mod liveness;
mod log;
mod meeting;
mod member;
mod members;
mod migrations;
mod notice;
mod notice_outbox;
mod notices;
mod operate;
mod operation;
mod outbox;
mod participant;
mod reading;
mod record;
mod relay;
mod removed_user;
mod reuse;
mod telling;
mod unwanted_file;
mod writing;

use std::sync::{Arc, atomic::AtomicBool};

use sea_orm::{
    ColumnTrait as _, Condition, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    EntityTrait as _, IsolationLevel, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    SqliteTransactionMode, TransactionOptions, TransactionTrait as _, TryInsertResult,
    sea_query::OnConflict,
};
use tributary_identifiers::{MeetingId, OrganisationId, UnixSeconds};
use tributary_meeting_registry_core::{
    Counters, Cursor, Draft, Meeting, NoticeKind, Present, Refusal, Roster, UnixMillis,
};
use tributary_message_bus::subjects::MeetingScope;

use crate::clock::Clock;
pub use apply::Applied;
pub use members::AccessFacts;
pub use migrations::Migrations;
use notice::Once;
use notices::Batch;
pub use notices::{Begun, Shared};
pub use operate::{Operated, Received};
use telling::Outboxes;
pub use telling::{Address, Line, Outbox, Untold};

/// Rows written by one statement: SQLite takes 32,766 values in one, PostgreSQL 65,535.
const ROWS_PER_STATEMENT: usize = 500;

/// Reads and writes the service's tables. Clones share everything.
#[derive(Clone, Debug)]
pub struct Store {
    database: DatabaseConnection,
    clock: Clock,
    /// Told when an outbox has something new.
    outboxes: Arc<Outboxes>,
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
    /// A file came too late: it is being removed already.
    #[error("the upload took too long")]
    FileGivenUp,
    /// The operating system gives no random numbers.
    #[error("there are no random numbers")]
    NoRandomNumbers,
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
        Self { database, clock, outboxes: Arc::default(), missed_a_relay: Arc::default() }
    }

    /// The clock of this process.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Writes a new meeting, and invites its members if it runs from now on; `None` if there is one
    /// of that id, in whatever organisation.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn create(
        &self,
        new: &NewMeeting,
        id: MeetingId,
    ) -> Result<Option<Meeting>, StoreError> {
        let NewMeeting { organisation, draft, password_hash, created_at } = new.clone();
        let meeting = draft.meeting(id, organisation, password_hash, created_at);
        let members = u32::try_from(draft.members.len()).unwrap_or(u32::MAX);
        let counters = Counters { members, ..Counters::default() };

        let transaction = self.begin().await?;
        let unless_there = OnConflict::column(meeting::Column::Id).do_nothing().to_owned();
        let inserted = meeting::Entity::insert(meeting::row(&meeting, counters)?)
            .on_conflict(unless_there)
            .try_insert()
            .exec_without_returning(&transaction)
            .await?;
        if !matches!(inserted, TryInsertResult::Inserted(1)) {
            return Ok(None);
        }
        members::put(&transaction, &scope_of(&meeting), &draft.members).await?;
        if let Some(invitation) = meeting.invitation_at_creation() {
            let once = Once { kind: NoticeKind::Invitation(invitation.occasion), request: None };
            let (from, expires_at) = (invitation.from, invitation.expires_at);
            let batch = Batch { meeting: &meeting, once, from, at: created_at, expires_at };
            // Who creates a meeting knows of it.
            let others = draft.members.keys().filter(|user| **user != meeting.organiser);
            notices::write(&transaction, &batch, others).await?;
        }
        transaction.commit().await?;
        self.outboxes.filled();
        Ok(Some(meeting))
    }

    /// A meeting.
    ///
    /// # Errors
    /// There is none, or the database could not answer.
    pub async fn meeting(&self, scope: &MeetingScope) -> Result<Meeting, StoreError> {
        find_meeting(&self.database, scope, self.clock.wall()).await?.try_into()
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
        let row = find_meeting(&snapshot, scope, self.clock.wall()).await?;
        let present = present(scope).all(&snapshot).await?;
        snapshot.commit().await?;
        let present = present.into_iter().map(Present::try_from).collect::<Result<Vec<_>, _>>()?;
        let talks: Vec<_> =
            present.iter().map(|one| (one.participant.id, one.talk.clone())).collect();
        let participants = present.into_iter().map(|present| present.participant);
        let last = row.counters()?.next_event.saturating_sub(1);
        let roster = Roster::at(last, row.ended_at.is_some(), participants)
            .with_state(row.floor()?)
            .with_talks(talks);
        Ok((row.try_into()?, roster))
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

/// The scope of a meeting.
fn scope_of(meeting: &Meeting) -> MeetingScope {
    MeetingScope { organisation: meeting.organisation.clone(), meeting: meeting.id }
}

/// A meeting's row. An id from the future names nothing, after the same work.
async fn find_meeting(
    connection: &impl sea_orm::ConnectionTrait,
    scope: &MeetingScope,
    now: UnixMillis,
) -> Result<meeting::Model, StoreError> {
    let (organisation, id) = key(scope);
    let found = meeting::Entity::find_by_id(id)
        .filter(meeting::Column::Organisation.eq(organisation))
        .one(connection)
        .await?;
    let now = UnixSeconds::try_from(now / 1000).unwrap_or(UnixSeconds::MAX);
    found.filter(|_| !scope.meeting.is_ahead_of(now)).ok_or(StoreError::NoSuchMeeting)
}

/// Those who are in.
fn present(scope: &MeetingScope) -> sea_orm::Select<participant::Entity> {
    places(scope).filter(participant::Column::LeftAt.is_null())
}

/// Those who are or were in.
fn places(scope: &MeetingScope) -> sea_orm::Select<participant::Entity> {
    let (organisation, meeting) = key(scope);
    participant::Entity::find()
        .filter(participant::Column::Organisation.eq(organisation))
        .filter(participant::Column::MeetingId.eq(meeting))
}

fn from_millis(at: UnixMillis) -> Result<i64, StoreError> {
    i64::try_from(at).map_err(|_| StoreError::Time(at))
}

fn to_millis(at: i64, table: &'static str) -> Result<UnixMillis, StoreError> {
    u64::try_from(at).map_err(|_| StoreError::malformed(table))
}
