//! Share marks in the database, SQLite or PostgreSQL by the same code.
//!
//! A mark is a row; no row, no mark.

mod migrations;
mod share_mark;

use sea_orm::{
    ActiveValue::Set, DatabaseConnection, DbErr, EntityTrait as _, sea_query::OnConflict,
};
use tributary_access_control_core::ShareMark;
use tributary_identifiers::{MeetingId, OrganisationId, UserId};

pub use migrations::Migrations;

/// Reads and writes the service's table. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    database: DatabaseConnection,
}

/// The database could not answer.
#[derive(Debug, thiserror::Error)]
#[error("database: {0}")]
pub struct StoreError(#[from] DbErr);

impl Store {
    /// A store on a database whose table has been made by [`Migrations`].
    #[must_use]
    pub const fn new(database: DatabaseConnection) -> Self {
        Self { database }
    }

    /// Whether a meeting is shared with outsiders.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn share_mark(
        &self,
        organisation: &OrganisationId,
        meeting_id: MeetingId,
    ) -> Result<ShareMark, StoreError> {
        let row = share_mark::Entity::find_by_id(key(organisation, meeting_id))
            .one(&self.database)
            .await?;
        Ok(if row.is_some() { ShareMark::Set } else { ShareMark::Unset })
    }

    /// Sets or removes the mark. Doing so twice changes nothing.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn set_share_mark(
        &self,
        organisation: &OrganisationId,
        meeting_id: MeetingId,
        mark: ShareMark,
        user_id: &UserId,
        now: u64,
    ) -> Result<(), StoreError> {
        match mark {
            ShareMark::Set => {
                let row = share_mark::ActiveModel {
                    organisation: Set(organisation.to_string()),
                    meeting_id: Set(meeting_id.to_i64()),
                    set_by: Set(user_id.to_string()),
                    set_at: Set(i64::try_from(now).unwrap_or(i64::MAX)),
                };
                let columns = [share_mark::Column::Organisation, share_mark::Column::MeetingId];
                share_mark::Entity::insert(row)
                    .on_conflict(OnConflict::columns(columns).do_nothing().to_owned())
                    .exec_without_returning(&self.database)
                    .await?;
            }
            ShareMark::Unset => {
                share_mark::Entity::delete_by_id(key(organisation, meeting_id))
                    .exec(&self.database)
                    .await?;
            }
        }
        Ok(())
    }
}

fn key(organisation: &OrganisationId, meeting_id: MeetingId) -> (String, i64) {
    (organisation.to_string(), meeting_id.to_i64())
}
