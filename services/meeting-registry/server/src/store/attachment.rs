//! Table `registry_attachment`: what is attached to a meeting. The bytes are in the file store, under
//! the same id.

use sea_orm::{ActiveValue::Set, entity::prelude::*};
use tributary_meeting_registry_core::Attachment;
use tributary_message_bus::subjects::MeetingScope;

use super::{StoreError, from_millis, to_millis};

pub const TABLE: &str = "registry_attachment";

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "registry_attachment")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organisation: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub meeting_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub name: String,
    pub media_type: String,
    pub size: i64,
    pub sha256: Vec<u8>,
    pub attached_by: String,
    pub at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The row of a file.
pub fn row(meeting: &MeetingScope, attachment: &Attachment) -> Result<ActiveModel, StoreError> {
    Ok(ActiveModel {
        organisation: Set(meeting.organisation.to_string()),
        meeting_id: Set(meeting.meeting.to_i64()),
        id: Set(attachment.id.to_string()),
        name: Set(attachment.name.to_string()),
        media_type: Set(attachment.media_type.to_string()),
        size: Set(i64::try_from(attachment.size).map_err(|_| StoreError::malformed(TABLE))?),
        sha256: Set(attachment.sha256.to_vec()),
        attached_by: Set(attachment.by.to_string()),
        at: Set(from_millis(attachment.at)?),
    })
}

impl TryFrom<Model> for Attachment {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let malformed = || StoreError::malformed(TABLE);
        Ok(Self {
            id: row.id.parse().map_err(|_| malformed())?,
            name: row.name.parse().map_err(|_| malformed())?,
            media_type: row.media_type.parse().map_err(|_| malformed())?,
            size: u64::try_from(row.size).map_err(|_| malformed())?,
            sha256: row.sha256.try_into().map_err(|_| malformed())?,
            by: row.attached_by.parse().map_err(|_| malformed())?,
            at: to_millis(row.at, TABLE)?,
        })
    }
}
