//! Reading the part of a meeting that a command needs.

use sea_orm::{ColumnTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _};
use tributary_identifiers::AttachmentId;
use tributary_meeting_registry_core::{Attachment, Meeting, Needs, Present, PresentNeeded, State};
use tributary_message_bus::subjects::MeetingScope;

use super::{StoreError, attachment, key, meeting, members, participant, present};

/// What a command needs.
pub async fn read_state(
    transaction: &DatabaseTransaction,
    scope: &MeetingScope,
    row: meeting::Model,
    needs: &Needs<'_>,
) -> Result<State, StoreError> {
    let present = read_present(transaction, scope, needs.present).await?;
    let members = members::roles(transaction, scope, &needs.members).await?;
    let attachment = match needs.attachment {
        Some(id) => read_attachment(transaction, scope, id).await?,
        None => None,
    };
    let counters = row.counters()?;
    let state = State::new(Meeting::try_from(row)?, counters, present);
    Ok(state.with_members(members).with_attachments(attachment))
}

async fn read_present(
    transaction: &DatabaseTransaction,
    scope: &MeetingScope,
    needed: PresentNeeded<'_>,
) -> Result<Vec<Present>, StoreError> {
    let query = present(scope);
    let query = match needed {
        PresentNeeded::Nobody => return Ok(Vec::new()),
        PresentNeeded::Key(key) => {
            query.filter(participant::Column::KeyThumbprint.eq(key.as_str()))
        }
        PresentNeeded::Participant(id) => {
            query.filter(participant::Column::ParticipantId.eq(i64::from(id.0)))
        }
        PresentNeeded::RelaySession(session) => {
            query.filter(participant::Column::RelaySessionId.eq(session.as_str()))
        }
        PresentNeeded::Everybody => query,
    };
    query.all(transaction).await?.into_iter().map(Present::try_from).collect()
}

async fn read_attachment(
    transaction: &DatabaseTransaction,
    scope: &MeetingScope,
    id: &AttachmentId,
) -> Result<Option<Attachment>, StoreError> {
    let (organisation, meeting) = key(scope);
    let found = attachment::Entity::find_by_id((organisation, meeting, id.to_string()))
        .one(transaction)
        .await?;
    found.map(Attachment::try_from).transpose()
}
