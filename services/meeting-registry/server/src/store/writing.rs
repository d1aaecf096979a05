//! Writing what a command has done: the log, the outbox, who is in, and the meeting itself.

use std::collections::BTreeSet;

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _,
    sea_query::{Expr, OnConflict},
};
use tracing::Span;
use tributary_identifiers::ParticipantId;
use tributary_meeting_registry_core::{
    Counters, Event, Happening, LeaveReason, Meeting, MeetingState, Present, State,
};
use tributary_message_bus::subjects::MeetingScope;
use tributary_service_runtime::propagation;

use super::{
    ROWS_PER_STATEMENT, StoreError, event, from_millis, key, meeting, outbox, participant,
    removed_user,
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
                chat: Set(matches!(
                    event.what,
                    Happening::ChatMessage(_) | Happening::Announcement(_)
                )),
                audience: Set(event.audience.as_ref().map(event::audience_text)),
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
    // Leaving first: the same terminal may come in as somebody else in one command.
    write_left(transaction, scope, events).await?;
    let changed: BTreeSet<_> =
        events.iter().flat_map(|event| changed_by(&event.what, state)).collect();
    let changed: Vec<_> = changed.into_iter().filter_map(|id| state.participant(id)).collect();
    let known = [
        participant::Column::Organisation,
        participant::Column::MeetingId,
        participant::Column::ParticipantId,
    ];
    let change = OnConflict::columns(known).update_columns(participant::CHANGING).to_owned();
    for some in changed.chunks(ROWS_PER_STATEMENT) {
        let rows = some.iter().map(|present| participant::row(scope, present));
        participant::Entity::insert_many(rows.collect::<Result<Vec<_>, _>>()?)
            .on_conflict(change.clone())
            .exec_without_returning(transaction)
            .await?;
    }
    Ok(())
}

/// Who is another after an event than before.
fn changed_by(what: &Happening, state: &State) -> Vec<ParticipantId> {
    match what {
        Happening::Joined(participant) => vec![participant.id],
        Happening::Muted { participant, .. }
        | Happening::PresenceChanged { participant, .. }
        | Happening::HandChanged { participant, .. }
        | Happening::CheckedIn { participant }
        | Happening::TalkChanged { participant, .. }
        | Happening::HostChanged { participant, .. }
        | Happening::NameChanged { participant, .. } => vec![*participant],
        // What the list makes of them is kept also if nobody sees a difference.
        Happening::MembersChanged(change) => state
            .participants()
            .map(|present| &present.participant)
            .filter(|one| {
                change.added.contains_key(&one.user_id)
                    || change.changed.contains_key(&one.user_id)
                    || change.removed.contains(&one.user_id)
            })
            .map(|one| one.id)
            .collect(),
        _ => Vec::new(),
    }
}

async fn write_left(
    transaction: &DatabaseTransaction,
    scope: &MeetingScope,
    events: &[Event],
) -> Result<(), StoreError> {
    let left: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.what {
            Happening::Left { participant, .. } => Some((i64::from(participant.0), event.at)),
            _ => None,
        })
        .collect();
    let (organisation, meeting) = key(scope);
    for some in left.chunks(ROWS_PER_STATEMENT) {
        let ids = some.iter().map(|(id, _)| *id);
        let at = some.iter().map(|(_, at)| *at).max().unwrap_or_default();
        participant::Entity::update_many()
            .col_expr(participant::Column::LeftAt, Expr::value(from_millis(at)?))
            .col_expr(participant::Column::HandRaised, Expr::value(0_i64))
            .col_expr(participant::Column::TalkTargets, Expr::value(""))
            .col_expr(participant::Column::Unreachable, Expr::value(false))
            .filter(participant::Column::Organisation.eq(organisation.as_str()))
            .filter(participant::Column::MeetingId.eq(meeting))
            .filter(participant::Column::ParticipantId.is_in(ids))
            .exec(transaction)
            .await?;
    }
    Ok(())
}

/// Writes which of a participant's operations have had their turn.
pub async fn sequence(
    transaction: &DatabaseTransaction,
    scope: &MeetingScope,
    place: &Present,
) -> Result<(), StoreError> {
    let (organisation, meeting) = key(scope);
    let sequence = i64::try_from(place.last_sequence);
    let sequence = sequence.map_err(|_| StoreError::malformed(participant::TABLE))?;
    participant::Entity::update_many()
        .col_expr(participant::Column::LastSequence, Expr::value(sequence))
        .filter(participant::Column::Organisation.eq(organisation))
        .filter(participant::Column::MeetingId.eq(meeting))
        .filter(participant::Column::ParticipantId.eq(i64::from(place.participant.id.0)))
        .exec(transaction)
        .await?;
    Ok(())
}

/// Writes whom hosts have taken out.
pub async fn removed(
    transaction: &DatabaseTransaction,
    scope: &MeetingScope,
    state: &State,
    events: &[Event],
) -> Result<(), StoreError> {
    for event in events {
        let Happening::Left { participant, reason: LeaveReason::Removed, .. } = &event.what else {
            continue;
        };
        let Some(place) = state.place(*participant) else { continue };
        let (organisation, meeting_id) = key(scope);
        let row = removed_user::ActiveModel {
            organisation: Set(organisation),
            meeting_id: Set(meeting_id),
            user_id: Set(place.participant.user_id.to_string()),
        };
        let once = [
            removed_user::Column::Organisation,
            removed_user::Column::MeetingId,
            removed_user::Column::UserId,
        ];
        removed_user::Entity::insert(row)
            .on_conflict(OnConflict::columns(once).do_nothing().to_owned())
            .try_insert()
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
    floor: MeetingState,
) -> Result<(), StoreError> {
    meeting::Entity::update_many()
        .set(meeting::changing_row(meeting, counters, floor)?)
        .filter(meeting::Column::Organisation.eq(meeting.organisation.as_str()))
        .filter(meeting::Column::Id.eq(meeting.id.to_i64()))
        .exec(transaction)
        .await?;
    Ok(())
}
