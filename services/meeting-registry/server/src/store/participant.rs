//! Table `registry_participant`: everybody who is or was in a meeting.

use sea_orm::{
    ActiveValue::{NotSet, Set},
    entity::prelude::*,
};
use tributary_identifiers::ParticipantId;
use tributary_meeting_registry_core::{Participant, Present};
use tributary_message_bus::subjects::MeetingScope;

use super::{StoreError, from_millis, to_millis};

pub const TABLE: &str = "registry_participant";

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "registry_participant")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organisation: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub meeting_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub participant_id: i64,
    pub user_id: String,
    pub display_name: String,
    pub guest: bool,
    pub key_thumbprint: String,
    pub relay_id: String,
    pub relay_name: String,
    pub relay_session_id: String,
    pub muted: bool,
    pub joined_at: i64,
    /// Absent while it is in.
    pub left_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What changes when somebody who is in comes back.
pub const CHANGING: [Column; 6] = [
    Column::DisplayName,
    Column::Guest,
    Column::RelayId,
    Column::RelayName,
    Column::RelaySessionId,
    Column::Muted,
];

/// The row of somebody who is in.
pub fn row(meeting: &MeetingScope, present: &Present) -> Result<ActiveModel, StoreError> {
    let participant = &present.participant;
    Ok(ActiveModel {
        organisation: Set(meeting.organisation.to_string()),
        meeting_id: Set(meeting.meeting.to_i64()),
        participant_id: Set(participant.id.0.into()),
        user_id: Set(participant.user_id.to_string()),
        display_name: Set(participant.display_name.to_string()),
        guest: Set(participant.guest),
        key_thumbprint: Set(present.key.to_string()),
        relay_id: Set(participant.relay_id.to_string()),
        relay_name: Set(participant.relay_name.to_string()),
        relay_session_id: Set(present.relay_session.to_string()),
        muted: Set(participant.muted),
        joined_at: Set(from_millis(participant.joined_at)?),
        left_at: NotSet,
    })
}

impl TryFrom<Model> for Present {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let malformed = || StoreError::malformed(TABLE);
        let id = u32::try_from(row.participant_id).map_err(|_| malformed())?;
        let participant = Participant {
            id: ParticipantId(id),
            user_id: row.user_id.parse().map_err(|_| malformed())?,
            display_name: row.display_name.parse().map_err(|_| malformed())?,
            guest: row.guest,
            relay_id: row.relay_id.parse().map_err(|_| malformed())?,
            relay_name: row.relay_name.parse().map_err(|_| malformed())?,
            muted: row.muted,
            joined_at: to_millis(row.joined_at, TABLE)?,
        };
        Ok(Self {
            participant,
            key: row.key_thumbprint.parse().map_err(|_| malformed())?,
            relay_session: row.relay_session_id.parse().map_err(|_| malformed())?,
        })
    }
}
