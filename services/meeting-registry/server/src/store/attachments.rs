//! What is attached to meetings, and which files of the file store nobody wants any more.
//!
//! **Invariant:** a file that is or may be in the file store is written down either as an attachment
//! or as unwanted, before its first byte is stored and until it is known to be gone.

use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, sea_query::Expr,
};
use tributary_identifiers::AttachmentId;
use tributary_meeting_registry_core::{Attachment, AttachmentsChange, UnixMillis};
use tributary_message_bus::subjects::MeetingScope;

use super::{
    ROWS_PER_STATEMENT, Store, StoreError, attachment, find_meeting, from_millis, key,
    unwanted_file,
};

impl Store {
    /// What is attached to a meeting, oldest first.
    ///
    /// # Errors
    /// There is no such meeting, a row is malformed, or the database could not answer.
    pub async fn attachments(&self, scope: &MeetingScope) -> Result<Vec<Attachment>, StoreError> {
        find_meeting(&self.database, scope, self.clock.wall()).await?;
        let rows = of_meeting(scope)
            .order_by_asc(attachment::Column::At)
            .order_by_asc(attachment::Column::Id)
            .all(&self.database)
            .await?;
        rows.into_iter().map(Attachment::try_from).collect()
    }

    /// One file of a meeting; `None` if it has no such file.
    ///
    /// # Errors
    /// There is no such meeting, a row is malformed, or the database could not answer.
    pub async fn attachment(
        &self,
        scope: &MeetingScope,
        id: &AttachmentId,
    ) -> Result<Option<Attachment>, StoreError> {
        find_meeting(&self.database, scope, self.clock.wall()).await?;
        let (organisation, meeting) = key(scope);
        let found = attachment::Entity::find_by_id((organisation, meeting, id.to_string()))
            .one(&self.database)
            .await?;
        found.map(Attachment::try_from).transpose()
    }

    /// Writes down a file whose bytes are about to come: unless it belongs to a meeting by `due_at`,
    /// it is unwanted then.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn expect_file(
        &self,
        file: &AttachmentId,
        due_at: UnixMillis,
    ) -> Result<(), StoreError> {
        let row = unwanted(file.to_string(), due_at)?;
        unwanted_file::Entity::insert(row).exec_without_returning(&self.database).await?;
        Ok(())
    }

    /// A file that was expected will not come: it is unwanted at once.
    ///
    /// # Errors
    /// The database could not answer: it is unwanted when its time is over.
    pub async fn give_up_file(
        &self,
        file: &AttachmentId,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        self.put_off_file(file, now).await?;
        self.outboxes.files_unwanted();
        Ok(())
    }

    /// Files that nobody wants, those due first, at most `limit`.
    ///
    /// # Errors
    /// A row is malformed, or the database could not answer.
    pub async fn unwanted_files(
        &self,
        now: UnixMillis,
        limit: u64,
    ) -> Result<Vec<AttachmentId>, StoreError> {
        let rows = unwanted_file::Entity::find()
            .filter(unwanted_file::Column::DueAt.lte(from_millis(now)?))
            .order_by_asc(unwanted_file::Column::DueAt)
            .limit(limit)
            .all(&self.database)
            .await?;
        let malformed = |_| StoreError::malformed(unwanted_file::TABLE);
        rows.into_iter().map(|row| row.file_id.parse().map_err(malformed)).collect()
    }

    /// An unwanted file could not be removed: it is looked at again at `due_at`, after the others.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn put_off_file(
        &self,
        file: &AttachmentId,
        due_at: UnixMillis,
    ) -> Result<(), StoreError> {
        unwanted_file::Entity::update_many()
            .col_expr(unwanted_file::Column::DueAt, Expr::value(from_millis(due_at)?))
            .filter(unwanted_file::Column::FileId.eq(file.as_str()))
            .exec(&self.database)
            .await?;
        Ok(())
    }

    /// An unwanted file is known to be gone.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn forget_file(&self, file: &AttachmentId) -> Result<(), StoreError> {
        unwanted_file::Entity::delete_by_id(file.to_string()).exec(&self.database).await?;
        Ok(())
    }
}

fn of_meeting(scope: &MeetingScope) -> sea_orm::Select<attachment::Entity> {
    let (organisation, meeting) = key(scope);
    attachment::Entity::find()
        .filter(attachment::Column::Organisation.eq(organisation))
        .filter(attachment::Column::MeetingId.eq(meeting))
}

fn unwanted(file_id: String, due_at: UnixMillis) -> Result<unwanted_file::ActiveModel, StoreError> {
    Ok(unwanted_file::ActiveModel { file_id: Set(file_id), due_at: Set(from_millis(due_at)?) })
}

/// Writes how what is attached has changed. A file that comes must have been expected and not be
/// due for removal.
pub async fn write(
    transaction: &DatabaseTransaction,
    scope: &MeetingScope,
    change: &AttachmentsChange,
    now: UnixMillis,
) -> Result<(), StoreError> {
    if let Some(added) = &change.added {
        let struck_out = unwanted_file::Entity::delete_many()
            .filter(unwanted_file::Column::FileId.eq(added.id.as_str()))
            .filter(unwanted_file::Column::DueAt.gt(from_millis(now)?))
            .exec(transaction)
            .await?;
        if struck_out.rows_affected == 0 {
            return Err(StoreError::FileGivenUp);
        }
        let row = attachment::row(scope, added)?;
        attachment::Entity::insert(row).exec_without_returning(transaction).await?;
    }
    if let Some(removed) = &change.removed {
        let (organisation, meeting) = key(scope);
        attachment::Entity::delete_by_id((organisation, meeting, removed.to_string()))
            .exec(transaction)
            .await?;
        unwanted_file::Entity::insert(unwanted(removed.to_string(), now)?)
            .exec_without_returning(transaction)
            .await?;
    }
    Ok(())
}

/// Removes what is attached to a meeting; the files are unwanted from now on.
pub async fn remove_all(
    transaction: &DatabaseTransaction,
    scope: &MeetingScope,
    now: UnixMillis,
) -> Result<(), StoreError> {
    let ids: Vec<String> = of_meeting(scope)
        .select_only()
        .column(attachment::Column::Id)
        .into_tuple()
        .all(transaction)
        .await?;
    for some in ids.chunks(ROWS_PER_STATEMENT) {
        let rows =
            some.iter().map(|id| unwanted(id.clone(), now)).collect::<Result<Vec<_>, _>>()?;
        unwanted_file::Entity::insert_many(rows).exec_without_returning(transaction).await?;
    }
    let (organisation, meeting) = key(scope);
    attachment::Entity::delete_many()
        .filter(attachment::Column::Organisation.eq(organisation))
        .filter(attachment::Column::MeetingId.eq(meeting))
        .exec(transaction)
        .await?;
    Ok(())
}
