//! Writing what a command has done: the log, the outbox, who is in, and the meeting itself.

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _,
    sea_query::{Expr, OnConflict},
};
use tracing::Span;
use tributary_meeting_registry_core::{Counters, Event, Happening, Meeting, State};
use tributary_message_bus::subjects::MeetingScope;
use tributary_service_runtime::propagation;

use super::{
    ROWS_PER_STATEMENT, StoreError, event, from_millis, key, meeting, outbox, participant,
};
use crate::wire;

/// Writes the events twice: where they stay, and where they wait to be told.
pub async fn log(
    transaction: &DatabaseTransaction,
    scope: &MeetingScope,
    meeting: &Meeting,
    events: &[Event],
) -> Result<(), StoreError> {
    let (organisation, meeting_id) = key(scope);
    let trace_parent = propagation::trace_parent(&Span::current());
    for some in events.chunks(ROWS_PER_STATEMENT) {
        let (mut log, mut untold) = (Vec::new(), Vec::new());
        for event in some {
            let number =
                i64::try_from(event.number).map_err(|_| StoreError::malformed(meeting::TABLE))?;
            let payload = wire::event_payload(scope, meeting, event);
            log.push(event::ActiveModel {
                organisation: Set(organisation.clone()),
                meeting_id: Set(meeting_id),
                number: Set(number),
                payload: Set(payload.clone()),
            });
            untold.push(outbox::ActiveModel {
                organisation: Set(organisation.clone()),
                meeting_id: Set(meeting_id),
                number: Set(number),
                at: Set(from_millis(event.at)?),
                payload: Set(payload),
                trace_parent: Set(trace_parent.clone()),
                ..Default::default()
            });
        }
        event::Entity::insert_many(log).exec_without_returning(transaction).await?;
        outbox::Entity::insert_many(untold).exec_without_returning(transaction).await?;
    }
    Ok(())
}

/// Writes who has come in, changed or left.
pub async fn participants(
    transaction: &DatabaseTransaction,
    scope: &MeetingScope,
    state: &State,
    events: &[Event],
) -> Result<(), StoreError> {
    let mut left = Vec::new();
    let mut changed = Vec::new();
    for event in events {
        match &event.what {
            Happening::Left { participant, .. } => left.push((i64::from(participant.0), event.at)),
            Happening::Joined(participant) => changed.push(participant.id),
            Happening::Muted { participant, .. } => changed.push(*participant),
            _ => {}
        }
    }
    // Leaving first: the same terminal may come in as somebody else in one command.
    let (organisation, meeting) = key(scope);
    for some in left.chunks(ROWS_PER_STATEMENT) {
        let ids = some.iter().map(|(id, _)| *id);
        let at = some.iter().map(|(_, at)| *at).max().unwrap_or_default();
        participant::Entity::update_many()
            .col_expr(participant::Column::LeftAt, Expr::value(from_millis(at)?))
            .filter(participant::Column::Organisation.eq(organisation.as_str()))
            .filter(participant::Column::MeetingId.eq(meeting))
            .filter(participant::Column::ParticipantId.is_in(ids))
            .exec(transaction)
            .await?;
    }
    for present in changed.into_iter().filter_map(|id| state.participant(id)) {
        let known = [
            participant::Column::Organisation,
            participant::Column::MeetingId,
            participant::Column::ParticipantId,
        ];
        let change = OnConflict::columns(known).update_columns(participant::CHANGING).to_owned();
        participant::Entity::insert(participant::row(scope, present)?)
            .on_conflict(change)
            .exec_without_returning(transaction)
            .await?;
    }
    Ok(())
}

/// Writes what the meeting and its counters are now.
pub async fn meeting(
    transaction: &DatabaseTransaction,
    meeting: &Meeting,
    counters: Counters,
) -> Result<(), StoreError> {
    meeting::Entity::update_many()
        .set(meeting::changing_row(meeting, counters)?)
        .filter(meeting::Column::Organisation.eq(meeting.organisation.as_str()))
        .filter(meeting::Column::Id.eq(meeting.id.to_i64()))
        .exec(transaction)
        .await?;
    Ok(())
}
