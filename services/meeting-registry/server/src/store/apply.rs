//! Applying a command: one transaction that takes the meeting's row, reads what the decision needs,
//! decides, and writes the log, the outbox, the participants and the counters.

use sea_orm::{
    ColumnTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _, sea_query::Expr,
};
use tributary_identifiers::RelaySessionId;
use tributary_meeting_registry_core::{Command, Event, Happening, Meeting, State, UnixMillis};
use tributary_message_bus::subjects::MeetingScope;

use super::{
    Store, StoreError, attachments, event, find_meeting, from_millis, key, meeting, member,
    members, notices, operation, participant, reading::read_state, relay, removed_user, reuse,
    to_millis, writing,
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
        let row = take_row(&transaction, scope, self.clock.wall()).await?;
        let applied = apply_within(&transaction, scope, row, command, now).await?;
        self.commit(transaction, &applied).await?;
        Ok(applied)
    }

    /// Takes a relay session out of a meeting, unless it was heard at `silent_since` or later.
    /// False if so, or if nobody is behind it. `silent_since` and `shared_now` are of the clock by
    /// which relays are judged; it happens at `now`.
    ///
    /// # Errors
    /// As for [`Store::apply`].
    pub async fn take_out_relay(
        &self,
        scope: &MeetingScope,
        relay_session: RelaySessionId,
        silent_since: UnixMillis,
        shared_now: UnixMillis,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        let row = take_row(&transaction, scope, self.clock.wall()).await?;
        let silent = relay::Entity::find_by_id(relay_session.to_string())
            .filter(relay::Column::LastSeen.lt(from_millis(silent_since)?))
            .one(&transaction)
            .await?;
        let Some(silent) = silent else { return Ok(false) };
        let silent = shared_now.saturating_sub(to_millis(silent.last_seen, relay::TABLE)?);
        let command = Command::RelayLost { relay_session, silent };
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
        let row = take_row(&transaction, scope, self.clock.wall()).await?;
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
        let row = find_meeting(&snapshot, scope, self.clock.wall()).await?;
        let mut state = read_state(&snapshot, scope, row, &command.needs()).await?;
        let events = state.apply(command, now)?;
        Ok(Applied { state, events })
    }

    pub(super) async fn commit(
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
    wall: UnixMillis,
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
    find_meeting(transaction, scope, wall).await
}

pub(super) async fn apply_within(
    transaction: &DatabaseTransaction,
    scope: &MeetingScope,
    row: meeting::Model,
    command: Command,
    now: UnixMillis,
) -> Result<Applied, StoreError> {
    let mut state = read_state(transaction, scope, row, &command.needs()).await?;
    let events = state.apply(command, now)?;
    write(transaction, scope, &state, &events, now).await?;
    Ok(Applied { state, events })
}

/// Writes what has happened, and the state after it.
pub(super) async fn write(
    transaction: &DatabaseTransaction,
    scope: &MeetingScope,
    state: &State,
    events: &[Event],
    now: UnixMillis,
) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    writing::log(transaction, scope, state.meeting(), events).await?;
    writing::participants(transaction, scope, state, events).await?;
    writing::removed(transaction, scope, state, events).await?;
    for event in events {
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
    writing::meeting(transaction, state.meeting(), state.counters(), state.floor()).await
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
    reuse::Entity::delete_many()
        .filter(reuse::Column::Organisation.eq(organisation.as_str()))
        .filter(reuse::Column::MeetingId.eq(meeting))
        .exec(transaction)
        .await?;
    removed_user::Entity::delete_many()
        .filter(removed_user::Column::Organisation.eq(organisation.as_str()))
        .filter(removed_user::Column::MeetingId.eq(meeting))
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
