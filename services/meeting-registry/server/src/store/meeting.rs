//! Table `registry_meeting`: one row a meeting, with the counters of what belongs to it.

use sea_orm::{ActiveValue::Set, entity::prelude::*};
use tributary_identifiers::{MeetingId, ParticipantId};
use tributary_meeting_registry_core::{Counters, Meeting, MeetingState};

use super::{StoreError, from_millis, to_millis};

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
    pub organiser_name: Option<String>,
    pub starts_at: Option<i64>,
    pub invites_at: Option<i64>,
    pub lobby: bool,
    pub members: i64,
    pub attachments: i64,
    pub attachment_bytes: i64,
    pub locked: bool,
    /// 0: nobody.
    pub spotlight: i64,
    pub last_event_at: i64,
    pub waiting: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The row of a new meeting.
pub fn row(meeting: &Meeting, counters: Counters) -> Result<ActiveModel, StoreError> {
    Ok(ActiveModel {
        id: Set(meeting.id.to_i64()),
        organisation: Set(meeting.organisation.to_string()),
        organiser: Set(meeting.organiser.to_string()),
        organiser_name: Set(meeting.organiser_name.as_ref().map(ToString::to_string)),
        created_at: Set(from_millis(meeting.created_at)?),
        ..changing_row(meeting, counters, MeetingState::default())?
    })
}

/// The changing part of a row; the rest is not set.
pub fn changing_row(
    meeting: &Meeting,
    counters: Counters,
    floor: MeetingState,
) -> Result<ActiveModel, StoreError> {
    let number = |value: u64| i64::try_from(value).map_err(|_| StoreError::malformed(TABLE));
    Ok(ActiveModel {
        subject: Set(meeting.subject.to_string()),
        password_hash: Set(meeting.password_hash.clone()),
        starts_at: Set(meeting.starts_at.map(from_millis).transpose()?),
        invites_at: Set(meeting.invites_at.map(from_millis).transpose()?),
        lobby: Set(meeting.lobby),
        ended_at: Set(meeting.ended_at.map(from_millis).transpose()?),
        next_event: Set(number(counters.next_event)?),
        next_participant: Set(counters.next_participant.into()),
        present: Set(counters.present.into()),
        waiting: Set(counters.waiting.into()),
        members: Set(counters.members.into()),
        attachments: Set(counters.attachments.into()),
        attachment_bytes: Set(number(counters.attachment_bytes)?),
        locked: Set(floor.locked),
        spotlight: Set(floor.spotlight.map_or(0, |id| id.0.into())),
        last_event_at: Set(from_millis(counters.last_event_at)?),
        ..Default::default()
    })
}

impl Model {
    /// The counters.
    pub fn counters(&self) -> Result<Counters, StoreError> {
        let malformed = |_| StoreError::malformed(TABLE);
        Ok(Counters {
            next_event: u64::try_from(self.next_event).map_err(malformed)?,
            next_participant: u32::try_from(self.next_participant).map_err(malformed)?,
            present: u32::try_from(self.present).map_err(malformed)?,
            waiting: u32::try_from(self.waiting).map_err(malformed)?,
            members: u32::try_from(self.members).map_err(malformed)?,
            attachments: u32::try_from(self.attachments).map_err(malformed)?,
            attachment_bytes: u64::try_from(self.attachment_bytes).map_err(malformed)?,
            last_event_at: to_millis(self.last_event_at, TABLE)?,
        })
    }

    /// What is true of it beside who is in.
    pub fn floor(&self) -> Result<MeetingState, StoreError> {
        let id = u32::try_from(self.spotlight).map_err(|_| StoreError::malformed(TABLE))?;
        let spotlight = (id > 0).then_some(ParticipantId(id));
        Ok(MeetingState { locked: self.locked, spotlight })
    }
}

impl TryFrom<Model> for Meeting {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let malformed = || StoreError::malformed(TABLE);
        let time = |at: Option<i64>| at.map(|at| to_millis(at, TABLE)).transpose();
        let name = row.organiser_name.map(|name| name.parse()).transpose();
        Ok(Self {
            id: MeetingId::from_i64(row.id).map_err(|_| malformed())?,
            organisation: row.organisation.parse().map_err(|_| malformed())?,
            subject: row.subject.parse().map_err(|_| malformed())?,
            organiser: row.organiser.parse().map_err(|_| malformed())?,
            organiser_name: name.map_err(|_| malformed())?,
            password_hash: row.password_hash,
            created_at: to_millis(row.created_at, TABLE)?,
            starts_at: time(row.starts_at)?,
            invites_at: time(row.invites_at)?,
            lobby: row.lobby,
            ended_at: time(row.ended_at)?,
        })
    }
}
