//! What participants do and what the platform says: once, however often it comes.
//!
//! **Invariant:** an operation, its answer in the log, and its turn in its session are written in one
//! transaction; so whoever finds it in the table finds its answer in the log.

use std::fmt::Write as _;

use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _,
};
use tributary_identifiers::{KeyThumbprint, ParticipantId, RequestId};
use tributary_meeting_registry_core::{
    self as core, Admission, Announce, Command, Event, Patience, Present, UnixMillis,
};
use tributary_message_bus::subjects::MeetingScope;

use super::{
    Store, StoreError,
    apply::{Applied, apply_within, take_row, write},
    key, operation, participant, places,
    reading::read_state,
    reuse, writing,
};

/// As whose operations announcements are kept: nobody has this number.
const PLATFORM: ParticipantId = ParticipantId(0);

/// An operation whose signature has been verified.
#[derive(Clone, Debug)]
pub struct Received {
    /// What is to be done.
    pub operation: core::Operation,
    /// Whose signature it is.
    pub key: KeyThumbprint,
    /// SHA-256 of the envelope, as it was signed.
    pub hash: [u8; 32],
}

/// What has become of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operated {
    /// It has its answer now: what it has caused, in order.
    Answered(Vec<Event>),
    /// It had its answer before. Nothing has changed.
    Known,
    /// Its predecessor has not come yet. Nothing has changed.
    Wait,
    /// It is not of a participant with this key, so there is nobody to tell. Nothing has changed.
    NotTheirs,
}

impl Store {
    /// Applies an operation, or refuses it, once.
    ///
    /// # Errors
    /// There is no such meeting, or the database could not answer.
    pub async fn operate(
        &self,
        scope: &MeetingScope,
        received: &Received,
        patience: Patience,
        now: UnixMillis,
    ) -> Result<Operated, StoreError> {
        let Received { operation, key, hash } = received;
        let actor = operation.participant;
        let transaction = self.begin().await?;
        let row = take_row(&transaction, scope, self.clock.wall()).await?;
        let mut state = read_state(&transaction, scope, row, &operation.needs()).await?;
        if state.place(actor).is_none_or(|place| place.key != *key) {
            return Ok(Operated::NotTheirs);
        }
        let id = operation.id.as_str();
        let events = match find_operation(&transaction, scope, actor, id).await? {
            Some(known) if known.hash == hash => return Ok(Operated::Known),
            Some(_) => {
                if !note_reuse(&transaction, scope, actor, hash).await? {
                    return Ok(Operated::Known);
                }
                state.refuse_reused(operation, now)
            }
            None => match state.operate(operation, patience, now) {
                core::Operated::Wait => return Ok(Operated::Wait),
                core::Operated::NotTheirs => return Ok(Operated::NotTheirs),
                core::Operated::Answered(events) => {
                    let number = events.first().map_or(0, |event| event.number);
                    write_operation(&transaction, scope, actor, id, hash, number).await?;
                    events
                }
            },
        };
        write(&transaction, scope, &state, &events, now).await?;
        if let Some(place) = state.place(actor) {
            writing::sequence(&transaction, scope, place).await?;
        }
        let applied = Applied { state, events };
        self.commit(transaction, &applied).await?;
        Ok(Operated::Answered(applied.events))
    }

    /// Whether an operation has to wait for the one before it; from a look that holds nobody up. False
    /// says nothing: [`Store::operate`] knows.
    ///
    /// # Errors
    /// A row is malformed, or the database could not answer.
    pub async fn waits_still(
        &self,
        scope: &MeetingScope,
        received: &Received,
    ) -> Result<bool, StoreError> {
        let Received { operation, key, .. } = received;
        let place = places(scope)
            .filter(participant::Column::ParticipantId.eq(i64::from(operation.participant.0)))
            .one(&self.database)
            .await?;
        let Some(place) = place.map(Present::try_from).transpose()? else { return Ok(false) };
        // Of the rules for a turn, all that do not need the time.
        let admission = core::admit(operation, &place, Patience::Wait, 0);
        Ok(place.key == *key && admission == Admission::Wait)
    }

    /// Says something, once for one `request`; returns the number of the event.
    ///
    /// # Errors
    /// There is no such meeting, it is over, it names nobody, or the database could not answer.
    pub async fn announce(
        &self,
        scope: &MeetingScope,
        request: &RequestId,
        announce: Announce,
        now: UnixMillis,
    ) -> Result<u64, StoreError> {
        let transaction = self.begin().await?;
        let row = take_row(&transaction, scope, self.clock.wall()).await?;
        let id = request.as_str();
        if let Some(said) = find_operation(&transaction, scope, PLATFORM, id).await? {
            let malformed = |_| StoreError::malformed(operation::TABLE);
            return u64::try_from(said.event_number).map_err(malformed);
        }
        let command = Command::Announce(announce);
        let applied = apply_within(&transaction, scope, row, command, now).await?;
        let number = applied.events.first().map_or(0, |event| event.number);
        write_operation(&transaction, scope, PLATFORM, id, &[], number).await?;
        self.commit(transaction, &applied).await?;
        Ok(number)
    }
}

async fn find_operation(
    transaction: &DatabaseTransaction,
    scope: &MeetingScope,
    participant: ParticipantId,
    id: &str,
) -> Result<Option<operation::Model>, StoreError> {
    let (organisation, meeting) = key(scope);
    let id = (organisation, meeting, i64::from(participant.0), id.to_owned());
    Ok(operation::Entity::find_by_id(id).one(transaction).await?)
}

async fn write_operation(
    transaction: &DatabaseTransaction,
    scope: &MeetingScope,
    participant: ParticipantId,
    id: &str,
    hash: &[u8],
    event_number: u64,
) -> Result<(), StoreError> {
    let (organisation, meeting_id) = key(scope);
    let event_number =
        i64::try_from(event_number).map_err(|_| StoreError::malformed(operation::TABLE))?;
    let row = operation::ActiveModel {
        organisation: Set(organisation),
        meeting_id: Set(meeting_id),
        participant_id: Set(participant.0.into()),
        operation_id: Set(id.to_owned()),
        hash: Set(hash.to_vec()),
        event_number: Set(event_number),
    };
    operation::Entity::insert(row).exec_without_returning(transaction).await?;
    Ok(())
}

/// Notes that an operation has another's id; false if that was noted before.
async fn note_reuse(
    transaction: &DatabaseTransaction,
    scope: &MeetingScope,
    participant: ParticipantId,
    hash: &[u8],
) -> Result<bool, StoreError> {
    let (organisation, meeting_id) = key(scope);
    let participant_id = i64::from(participant.0);
    let hash = hash.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    });
    let id = (organisation.clone(), meeting_id, participant_id, hash.clone());
    if reuse::Entity::find_by_id(id).one(transaction).await?.is_some() {
        return Ok(false);
    }
    let row = reuse::ActiveModel {
        organisation: Set(organisation),
        meeting_id: Set(meeting_id),
        participant_id: Set(participant_id),
        hash: Set(hash),
    };
    reuse::Entity::insert(row).exec_without_returning(transaction).await?;
    Ok(true)
}
