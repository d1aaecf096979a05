//! The outbox: what waits to be told, in the order of each meeting.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use tokio::sync::Notify;
use tributary_identifiers::MeetingId;
use tributary_meeting_registry_core::UnixMillis;
use tributary_message_bus::subjects::MeetingScope;

use super::{ROWS_PER_STATEMENT, Store, StoreError, outbox, to_millis};

/// An event that waits to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untold {
    /// Its place in the outbox.
    pub id: i64,
    /// The meeting it happened in.
    pub meeting: MeetingScope,
    /// Its number there.
    pub number: u64,
    /// When it was applied.
    pub at: UnixMillis,
    /// The encoded event.
    pub payload: Bytes,
    /// The trace in which it was applied, as W3C `traceparent`.
    pub trace_parent: Option<String>,
}

impl Store {
    /// The oldest events that wait to be told, at most `limit`; those of one meeting in order.
    ///
    /// # Errors
    /// A row is malformed, or the database could not answer.
    pub async fn untold(&self, limit: u64) -> Result<Vec<Untold>, StoreError> {
        let rows = outbox::Entity::find()
            .order_by_asc(outbox::Column::Id)
            .limit(limit)
            .all(&self.database)
            .await?;
        rows.into_iter().map(Untold::try_from).collect()
    }

    /// Takes events that have been told out of the outbox.
    ///
    /// # Errors
    /// The database could not answer: they will be told again.
    pub async fn told(&self, ids: &[i64]) -> Result<(), StoreError> {
        for some in ids.chunks(ROWS_PER_STATEMENT) {
            outbox::Entity::delete_many()
                .filter(outbox::Column::Id.is_in(some.iter().copied()))
                .exec(&self.database)
                .await?;
        }
        Ok(())
    }

    /// Waits until this process has put something into the outbox, but no longer than `at_most`:
    /// what other replicas have left there makes no sound.
    pub async fn something_to_tell(&self, at_most: Duration) {
        let filled: &Arc<Notify> = &self.outbox_filled;
        // Either way there may be something now.
        let _ = tokio::time::timeout(at_most, filled.notified()).await;
    }
}

impl TryFrom<outbox::Model> for Untold {
    type Error = StoreError;

    fn try_from(row: outbox::Model) -> Result<Self, StoreError> {
        let malformed = || StoreError::malformed(outbox::TABLE);
        let meeting = MeetingScope {
            organisation: row.organisation.parse().map_err(|_| malformed())?,
            meeting: MeetingId::from_i64(row.meeting_id).map_err(|_| malformed())?,
        };
        Ok(Self {
            id: row.id,
            meeting,
            number: u64::try_from(row.number).map_err(|_| malformed())?,
            at: to_millis(row.at, outbox::TABLE)?,
            payload: row.payload.into(),
            trace_parent: row.trace_parent,
        })
    }
}
