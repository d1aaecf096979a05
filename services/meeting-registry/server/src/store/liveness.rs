//! When relays were last heard. The times are of one clock, the database's if replicas share it.

use std::sync::atomic::Ordering;

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait as _, DbBackend, EntityTrait as _, FromQueryResult, JoinType,
    QueryFilter as _, QuerySelect as _, Statement,
    sea_query::{OnConflict, Query},
};
use tributary_identifiers::{MeetingId, RelayId, RelaySessionId};
use tributary_meeting_registry_core::UnixMillis;
use tributary_message_bus::subjects::MeetingScope;

use super::{Store, StoreError, from_millis, participant, relay, to_millis};
use crate::clock::Clock;

/// Relay sessions that are taken out of meetings in one go; the rest follows in the next.
const LOST_PER_SWEEP: u64 = 200;

#[derive(FromQueryResult)]
struct LostRow {
    organisation: String,
    meeting_id: i64,
    relay_session_id: String,
}

impl Store {
    /// The time by which relays are judged.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn shared_now(&self) -> Result<UnixMillis, StoreError> {
        match self.database_now().await? {
            Some(now) => Ok(now),
            None => Ok(self.clock.now()),
        }
    }

    /// The time of calendars, by which replicas judge what people have planned.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn calendar_now(&self) -> Result<UnixMillis, StoreError> {
        match self.database_now().await? {
            Some(now) => Ok(now),
            None => Ok(self.clock.wall()),
        }
    }

    /// The time of a database that replicas share; `None` if they don't, or the clock is set by hand.
    async fn database_now(&self) -> Result<Option<UnixMillis>, StoreError> {
        let postgres = self.database.get_database_backend() == DbBackend::Postgres;
        if !postgres || matches!(self.clock, Clock::Manual(_)) {
            return Ok(None);
        }
        let query = "SELECT FLOOR(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint AS now";
        let statement = Statement::from_string(DbBackend::Postgres, query);
        let row = self.database.query_one_raw(statement).await?;
        let row = row.ok_or(StoreError::malformed(relay::TABLE))?;
        to_millis(row.try_get("", "now")?, relay::TABLE).map(Some)
    }

    /// A relay has been heard now.
    ///
    /// # Errors
    /// The database could not answer; the silence that follows is not held against any relay.
    pub async fn renew_relay(
        &self,
        relay: &RelayId,
        session: &RelaySessionId,
    ) -> Result<(), StoreError> {
        let renewed = self.write_renewal(relay, session).await;
        if renewed.is_err() {
            self.missed_a_relay.store(true, Ordering::Relaxed);
        }
        renewed
    }

    /// Whether a relay's sign of life has been missed since the last call.
    #[must_use]
    pub fn has_missed_a_relay(&self) -> bool {
        self.missed_a_relay.swap(false, Ordering::Relaxed)
    }

    async fn write_renewal(
        &self,
        relay: &RelayId,
        session: &RelaySessionId,
    ) -> Result<(), StoreError> {
        let row = relay::ActiveModel {
            relay_session_id: Set(session.to_string()),
            relay_id: Set(relay.to_string()),
            last_seen: Set(from_millis(self.shared_now().await?)?),
        };
        let renew = OnConflict::column(relay::Column::RelaySessionId)
            .update_columns([relay::Column::RelayId, relay::Column::LastSeen])
            .to_owned();
        relay::Entity::insert(row)
            .on_conflict(renew)
            .exec_without_returning(&self.database)
            .await?;
        Ok(())
    }

    /// The meetings that have participants behind relay sessions last heard before `silent_since`,
    /// a bounded number of them. The only query over all organisations: relays serve them all.
    ///
    /// # Errors
    /// A row is malformed, or the database could not answer.
    pub async fn lost_relays(
        &self,
        silent_since: UnixMillis,
    ) -> Result<Vec<(MeetingScope, RelaySessionId)>, StoreError> {
        let relation: sea_orm::RelationDef = participant::Entity::belongs_to(relay::Entity)
            .from(participant::Column::RelaySessionId)
            .to(relay::Column::RelaySessionId)
            .into();
        let rows = participant::Entity::find()
            .select_only()
            .column(participant::Column::Organisation)
            .column(participant::Column::MeetingId)
            .column(participant::Column::RelaySessionId)
            .distinct()
            .join(JoinType::InnerJoin, relation)
            .filter(participant::Column::LeftAt.is_null())
            .filter(relay::Column::LastSeen.lt(from_millis(silent_since)?))
            .limit(LOST_PER_SWEEP)
            .into_model::<LostRow>()
            .all(&self.database)
            .await?;
        rows.into_iter().map(LostRow::read).collect()
    }

    /// Forgets relay sessions last heard before `silent_since` that have nobody behind them.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn forget_relays(&self, silent_since: UnixMillis) -> Result<u64, StoreError> {
        let in_use = Query::select()
            .column(participant::Column::RelaySessionId)
            .from(participant::Entity)
            .and_where(participant::Column::LeftAt.is_null())
            .to_owned();
        let forgotten = relay::Entity::delete_many()
            .filter(relay::Column::LastSeen.lt(from_millis(silent_since)?))
            .filter(relay::Column::RelaySessionId.not_in_subquery(in_use))
            .exec(&self.database)
            .await?;
        Ok(forgotten.rows_affected)
    }
}

impl LostRow {
    fn read(self) -> Result<(MeetingScope, RelaySessionId), StoreError> {
        let malformed = || StoreError::malformed(participant::TABLE);
        let scope = MeetingScope {
            organisation: self.organisation.parse().map_err(|_| malformed())?,
            meeting: MeetingId::from_i64(self.meeting_id).map_err(|_| malformed())?,
        };
        Ok((scope, self.relay_session_id.parse().map_err(|_| malformed())?))
    }
}
