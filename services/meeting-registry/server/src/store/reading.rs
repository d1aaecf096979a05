//! Reading the part of a meeting that a command or an operation needs.

use sea_orm::{
    ColumnTrait as _, Condition, DatabaseTransaction, EntityTrait as _, QueryFilter as _,
};
use tributary_identifiers::{AttachmentId, UserId};
use tributary_meeting_registry_core::{Attachment, Meeting, Needs, PlacesNeeded, Present, State};
use tributary_message_bus::subjects::MeetingScope;

use super::{
    ROWS_PER_STATEMENT, StoreError, attachment, key, meeting, members, participant, places,
    removed_user,
};

/// What is needed of a meeting.
pub async fn read_state(
    transaction: &DatabaseTransaction,
    scope: &MeetingScope,
    row: meeting::Model,
    needs: &Needs<'_>,
) -> Result<State, StoreError> {
    let (present, gone) = read_places(transaction, scope, &needs.places).await?;
    let mut places = present.iter().chain(&gone);
    let place = needs.user_of.and_then(|id| places.find(|one| one.participant.id == id));
    let user_of = place.map(|place| place.participant.user_id.clone());
    let users: Vec<_> = needs.users.iter().copied().chain(&user_of).collect();
    let members = members::roles(transaction, scope, &users).await?;
    let removed = read_removed(transaction, scope, &users).await?;
    let attachment = match needs.attachment {
        Some(id) => read_attachment(transaction, scope, id).await?,
        None => None,
    };
    let (counters, floor) = (row.counters()?, row.floor()?);
    let state = State::new(Meeting::try_from(row)?, counters, present)
        .with_floor(floor)
        .with_gone(gone)
        .with_members(members)
        .with_removed(removed);
    Ok(state.with_attachments(attachment))
}

/// Those of the needed who are in, and those who have left.
async fn read_places(
    transaction: &DatabaseTransaction,
    scope: &MeetingScope,
    needed: &PlacesNeeded<'_>,
) -> Result<(Vec<Present>, Vec<Present>), StoreError> {
    use participant::Column;
    if needed.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let mut any = Condition::any();
    if let Some(key) = needed.key {
        any = any.add(Column::KeyThumbprint.eq(key.as_str()));
    }
    if !needed.participants.is_empty() {
        any = any
            .add(Column::ParticipantId.is_in(needed.participants.iter().map(|id| i64::from(id.0))));
    }
    let mut of_those_in = Condition::any();
    if !needed.users.is_empty() {
        of_those_in =
            of_those_in.add(Column::UserId.is_in(needed.users.iter().map(|user| user.as_str())));
    }
    if let Some(session) = needed.relay_session {
        of_those_in = of_those_in.add(Column::RelaySessionId.eq(session.as_str()));
    }
    if needed.waiting {
        of_those_in = of_those_in.add(Column::Presence.eq(participant::WAITING));
    }
    if needed.everybody {
        any = any.add(Column::LeftAt.is_null());
    } else if !of_those_in.is_empty() {
        any = any.add(Condition::all().add(Column::LeftAt.is_null()).add(of_those_in));
    }
    let rows = places(scope).filter(any).all(transaction).await?;
    let (present, gone): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.left_at.is_none());
    let read = |rows: Vec<participant::Model>| {
        rows.into_iter().map(Present::try_from).collect::<Result<Vec<_>, _>>()
    };
    Ok((read(present)?, read(gone)?))
}

/// Which of some users hosts have taken out.
async fn read_removed(
    transaction: &DatabaseTransaction,
    scope: &MeetingScope,
    users: &[&UserId],
) -> Result<Vec<UserId>, StoreError> {
    let (organisation, meeting) = key(scope);
    let malformed = |_| StoreError::malformed(removed_user::TABLE);
    let mut removed = Vec::new();
    for some in users.chunks(ROWS_PER_STATEMENT) {
        let rows = removed_user::Entity::find()
            .filter(removed_user::Column::Organisation.eq(organisation.as_str()))
            .filter(removed_user::Column::MeetingId.eq(meeting))
            .filter(removed_user::Column::UserId.is_in(some.iter().map(|user| user.as_str())))
            .all(transaction)
            .await?;
        for row in rows {
            removed.push(row.user_id.parse().map_err(malformed)?);
        }
    }
    Ok(removed)
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
