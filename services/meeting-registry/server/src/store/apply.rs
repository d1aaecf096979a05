//! Applying a command: one transaction that takes the meeting's row, reads what the decision needs,
//! decides, and writes the log, the outbox, the participants and the counters.

use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _,
    sea_query::Expr,
};
use tributary_identifiers::{OperationId, ParticipantId, RelaySessionId};
use tributary_meeting_registry_core::{Command, Event, Happening, Meeting, State, UnixMillis};
use tributary_message_bus::subjects::MeetingScope;

use super::{
    Store, StoreError, attachments, event, find_meeting, from_millis, key, meeting, member,
    members, notices, operation, participant, reading::read_state, relay, writing,
};
use crate::metrics;

/// What a command has done.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The part of the state that the command needed, after it.
    pub state: State,
    /// What has happened; nothing, if nothing changed.
    pub events: Vec<Event>,
}

impl Applied {
    /// The meeting after it.
    #[must_use]
    pub const fn meeting(&self) -> &Meeting {
        self.state.meeting()
    }
}

/// What makes an operation the same operation.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Who does it.
    pub participant: ParticipantId,
    /// As the terminal has called it.
    pub id: OperationId,
    /// SHA-256 of its body.
    pub body_hash: Vec<u8>,
}

impl Store {
    /// Applies a command.
    ///
    /// # Errors
    /// There is no such meeting, its state does not allow it, or the database could not answer.
    pub async fn apply(
        &self,
        scope: &MeetingScope,
        command: Command,
        now: UnixMillis,
    ) -> Result<Applied, StoreError> {
        let transaction = self.begin().await?;
        let row = take_row(&transaction, scope, now).await?;
        let applied = apply_within(&transaction, scope, row, command, now).await?;
        self.commit(transaction, &applied).await?;
        Ok(applied)
    }

    /// Applies a command that is a participant's operation, once: the same operation again has the
    /// same answer. Returns the number of the event it caused, 0 for none.
    ///
    /// # Errors
    /// As for [`Store::apply`], or the operation's id has been used with another body.
    pub async fn operate(
        &self,
        scope: &MeetingScope,
        operation: &Operation,
        command: Command,
        now: UnixMillis,
    ) -> Result<u64, StoreError> {
        let transaction = self.begin().await?;
        let row = take_row(&transaction, scope, now).await?;
        if let Some(done) = find_operation(&transaction, scope, operation).await? {
            return if done.body_hash == operation.body_hash {
                u64::try_from(done.event_number)
                    .map_err(|_| StoreError::malformed(operation::TABLE))
            } else {
                Err(StoreError::OperationReused)
            };
        }
        let applied = apply_within(&transaction, scope, row, command, now).await?;
        let number = applied.events.first().map_or(0, |event| event.number);
        write_operation(&transaction, scope, operation, number).await?;
        self.commit(transaction, &applied).await?;
        Ok(number)
    }

    /// Takes a relay session out of a meeting, unless it was heard at `silent_since` or later.
    /// False if so, or if nobody is behind it.
    ///
    /// # Errors
    /// As for [`Store::apply`].
    pub async fn take_out_relay(
        &self,
        scope: &MeetingScope,
        relay_session: RelaySessionId,
        silent_since: UnixMillis,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        let row = take_row(&transaction, scope, now).await?;
        let silent = relay::Entity::find_by_id(relay_session.to_string())
            .filter(relay::Column::LastSeen.lt(from_millis(silent_since)?))
            .one(&transaction)
            .await?;
        if silent.is_none() {
            return Ok(false);
        }
        let command = Command::RelayLost { relay_session };
        let applied = apply_within(&transaction, scope, row, command, now).await?;
        self.commit(transaction, &applied).await?;
        Ok(!applied.events.is_empty())
    }

    /// Ends a meeting if it is running, and removes it with its log. What is left is the outbox,
    /// so that its end is told, and the ids of its files, until these are removed.
    ///
    /// # Errors
    /// As for [`Store::apply`].
    pub async fn delete(&self, scope: &MeetingScope, now: UnixMillis) -> Result<(), StoreError> {
        let transaction = self.begin().await?;
        let row = take_row(&transaction, scope, now).await?;
        let applied = apply_within(&transaction, scope, row, Command::End, now).await?;
        remove(&transaction, scope, now).await?;
        self.commit(transaction, &applied).await?;
        self.outboxes.files_unwanted();
        Ok(())
    }

    /// What a command would do now, without doing it. For work that is worth something only if the
    /// command will not be refused.
    ///
    /// # Errors
    /// As for [`Store::apply`].
    pub async fn rehearse(
        &self,
        scope: &MeetingScope,
        command: Command,
        now: UnixMillis,
    ) -> Result<Applied, StoreError> {
        let snapshot = self.begin_snapshot().await?;
        let row = find_meeting(&snapshot, scope, now).await?;
        let mut state = read_state(&snapshot, scope, row, &command.needs()).await?;
        let events = state.apply(command, now)?;
        Ok(Applied { state, events })
    }

    async fn commit(
        &self,
        transaction: DatabaseTransaction,
        applied: &Applied,
    ) -> Result<(), StoreError> {
        transaction.commit().await?;
        if !applied.events.is_empty() {
            metrics::applied(&applied.events);
            self.outboxes.filled();
        }
        let detached = |event: &Event| matches!(&event.what, Happening::AttachmentsChanged(change) if change.removed.is_some());
        if applied.events.iter().any(detached) {
            self.outboxes.files_unwanted();
        }
        Ok(())
    }
}

/// Takes the meeting's row until the transaction ends. An update that changes nothing does so on
/// both databases, and what is read after it is what the transaction before has left.
pub(super) async fn take_row(
    transaction: &DatabaseTransaction,
    scope: &MeetingScope,
    now: UnixMillis,
) -> Result<meeting::Model, StoreError> {
    let (organisation, id) = key(scope);
    let taken = meeting::Entity::update_many()
        .col_expr(meeting::Column::NextEvent, Expr::col(meeting::Column::NextEvent))
        .filter(meeting::Column::Organisation.eq(organisation))
        .filter(meeting::Column::Id.eq(id))
        .exec(transaction)
        .await?;
    if taken.rows_affected == 0 {
        return Err(StoreError::NoSuchMeeting);
    }
    find_meeting(transaction, scope, now).await
}

async fn apply_within(
    transaction: &DatabaseTransaction,
    scope: &MeetingScope,
    row: meeting::Model,
    command: Command,
    now: UnixMillis,
) -> Result<Applied, StoreError> {
    let mut state = read_state(transaction, scope, row, &command.needs()).await?;
    let events = state.apply(command, now)?;
    if !events.is_empty() {
        writing::log(transaction, scope, state.meeting(), &events).await?;
        writing::participants(transaction, scope, &state, &events).await?;
        for event in &events {
            match &event.what {
                Happening::MembersChanged(change) => {
                    members::write(transaction, state.meeting(), change, now).await?;
                }
                Happening::AttachmentsChanged(change) => {
                    attachments::write(transaction, scope, change, now).await?;
                }
                _ => {}
            }
        }
        writing::meeting(transaction, state.meeting(), state.counters()).await?;
    }
    Ok(Applied { state, events })
}

async fn find_operation(
    transaction: &DatabaseTransaction,
    scope: &MeetingScope,
    operation: &Operation,
) -> Result<Option<operation::Model>, StoreError> {
    let (organisation, meeting) = key(scope);
    let participant = i64::from(operation.participant.0);
    let id = (organisation, meeting, participant, operation.id.to_string());
    Ok(operation::Entity::find_by_id(id).one(transaction).await?)
}

async fn write_operation(
    transaction: &DatabaseTransaction,
    scope: &MeetingScope,
    operation: &Operation,
    event_number: u64,
) -> Result<(), StoreError> {
    let (organisation, meeting_id) = key(scope);
    let event_number =
        i64::try_from(event_number).map_err(|_| StoreError::malformed(meeting::TABLE))?;
    let row = operation::ActiveModel {
        organisation: Set(organisation),
        meeting_id: Set(meeting_id),
        participant_id: Set(operation.participant.0.into()),
        operation_id: Set(operation.id.to_string()),
        body_hash: Set(operation.body_hash.clone()),
        event_number: Set(event_number),
    };
    operation::Entity::insert(row).exec_without_returning(transaction).await?;
    Ok(())
}

/// Removes all rows of a meeting but those of the outbox.
async fn remove(
    transaction: &DatabaseTransaction,
    scope: &MeetingScope,
    now: UnixMillis,
) -> Result<(), StoreError> {
    attachments::remove_all(transaction, scope, now).await?;
    notices::remove_all(transaction, scope).await?;
    let (organisation, meeting) = key(scope);
    operation::Entity::delete_many()
        .filter(operation::Column::Organisation.eq(organisation.as_str()))
        .filter(operation::Column::MeetingId.eq(meeting))
        .exec(transaction)
        .await?;
    event::Entity::delete_many()
        .filter(event::Column::Organisation.eq(organisation.as_str()))
        .filter(event::Column::MeetingId.eq(meeting))
        .exec(transaction)
        .await?;
    participant::Entity::delete_many()
        .filter(participant::Column::Organisation.eq(organisation.as_str()))
        .filter(participant::Column::MeetingId.eq(meeting))
        .exec(transaction)
        .await?;
    member::Entity::delete_many()
        .filter(member::Column::Organisation.eq(organisation.as_str()))
        .filter(member::Column::MeetingId.eq(meeting))
        .exec(transaction)
        .await?;
    meeting::Entity::delete_many()
        .filter(meeting::Column::Organisation.eq(organisation.as_str()))
        .filter(meeting::Column::Id.eq(meeting))
        .exec(transaction)
        .await?;
    Ok(())
}
