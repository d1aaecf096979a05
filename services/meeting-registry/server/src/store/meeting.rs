//! Table `registry_meeting`: one row a meeting, with the counters of its log.

use sea_orm::{
    ActiveValue::{NotSet, Set},
    entity::prelude::*,
};
use tributary_identifiers::MeetingId;
use tributary_meeting_registry_core::{Counters, Meeting, UnixMillis};

use super::{NewMeeting, StoreError, from_millis, to_millis};

pub const TABLE: &str = "registry_meeting";

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "registry_meeting")]
pub struct Model {
    /// Alone the primary key: no two organisations have a meeting of the same id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    pub organisation: String,
    pub subject: String,
    pub organiser: String,
    pub password_hash: Option<String>,
    pub created_at: i64,
    pub ended_at: Option<i64>,
    pub next_event: i64,
    pub next_participant: i64,
    pub present: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The row of a new meeting.
pub fn row(new: &NewMeeting, id: MeetingId) -> Result<ActiveModel, StoreError> {
    Ok(ActiveModel {
        id: Set(id.to_i64()),
        organisation: Set(new.organisation.to_string()),
        subject: Set(new.draft.subject.to_string()),
        organiser: Set(new.draft.organiser.to_string()),
        password_hash: Set(new.password_hash.clone()),
        created_at: Set(from_millis(new.created_at)?),
        ended_at: NotSet,
        ..counters_row(Counters::default())?
    })
}

/// The changing part of a row; the rest is not set.
pub fn counters_row(counters: Counters) -> Result<ActiveModel, StoreError> {
    let next_event =
        i64::try_from(counters.next_event).map_err(|_| StoreError::malformed(TABLE))?;
    Ok(ActiveModel {
        next_event: Set(next_event),
        next_participant: Set(counters.next_participant.into()),
        present: Set(counters.present.into()),
        ended_at: Set(counters.ended_at.map(from_millis).transpose()?),
        ..Default::default()
    })
}

impl Model {
    /// The counters of the log.
    pub fn counters(&self) -> Result<Counters, StoreError> {
        let malformed = |_| StoreError::malformed(TABLE);
        Ok(Counters {
            next_event: u64::try_from(self.next_event).map_err(malformed)?,
            next_participant: u32::try_from(self.next_participant).map_err(malformed)?,
            present: u32::try_from(self.present).map_err(malformed)?,
            ended_at: self.ended_at()?,
        })
    }

    fn ended_at(&self) -> Result<Option<UnixMillis>, StoreError> {
        self.ended_at.map(|at| to_millis(at, TABLE)).transpose()
    }
}

impl TryFrom<Model> for Meeting {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let malformed = || StoreError::malformed(TABLE);
        Ok(Self {
            id: MeetingId::from_i64(row.id).map_err(|_| malformed())?,
            organisation: row.organisation.parse().map_err(|_| malformed())?,
            subject: row.subject.parse().map_err(|_| malformed())?,
            organiser: row.organiser.parse().map_err(|_| malformed())?,
            created_at: to_millis(row.created_at, TABLE)?,
            ended_at: row.ended_at()?,
            password_hash: row.password_hash,
        })
    }
}
