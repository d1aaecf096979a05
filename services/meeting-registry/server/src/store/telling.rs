//! The outboxes: what has happened and what users are told, until whoever is to hear it has been told.
//! There are two, so that an invitation of ten thousand does not hold up the events of meetings.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use tokio::sync::Notify;
use tributary_identifiers::{MeetingId, NoticeId, OrganisationId, UserId};
use tributary_meeting_registry_core::UnixMillis;
use tributary_message_bus::subjects::MeetingScope;

use super::{ROWS_PER_STATEMENT, Store, StoreError, notice_outbox, outbox, to_millis};

/// One of the outboxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outbox {
    /// Events of meetings.
    Events,
    /// What users are told.
    Notices,
}

/// Something that waits to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untold {
    /// Its place in its outbox.
    pub id: i64,
    /// To whom, and which one of theirs it is.
    pub address: Address,
    /// When it happened.
    pub at: UnixMillis,
    /// As it is told.
    pub payload: Bytes,
    /// The trace in which it happened, as W3C `traceparent`.
    pub trace_parent: Option<String>,
}

/// To whom something is told, and which one of theirs it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An event, to who follows a meeting.
    Meeting {
        /// The meeting it happened in.
        meeting: MeetingScope,
        /// Its number there.
        number: u64,
    },
    /// A notice, to a user.
    User {
        /// The user's organisation.
        organisation: OrganisationId,
        /// The user.
        user: UserId,
        /// The notice.
        notice: NoticeId,
    },
}

/// What is told in order: the events of a meeting, the notices of a user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Line {
    /// The events of a meeting.
    Meeting(MeetingScope),
    /// The notices of a user.
    User(OrganisationId, UserId),
}

/// Who waits, in this process, for something in the outboxes or for files that nobody wants.
#[derive(Debug, Default)]
pub(super) struct Outboxes {
    events: Notify,
    notices: Notify,
    files: Notify,
}

impl Outboxes {
    /// Something may have been put into them.
    pub(super) fn filled(&self) {
        self.events.notify_one();
        self.notices.notify_one();
    }

    /// There are files that nobody wants.
    pub(super) fn files_unwanted(&self) {
        self.files.notify_one();
    }
}

impl Address {
    /// What it must keep its place in.
    #[must_use]
    pub fn line(&self) -> Line {
        match self {
            Self::Meeting { meeting, .. } => Line::Meeting(meeting.clone()),
            Self::User { organisation, user, .. } => Line::User(organisation.clone(), user.clone()),
        }
    }
}

impl Store {
    /// The oldest of what waits to be told, at most `limit`; that of one line in order.
    ///
    /// # Errors
    /// A row is malformed, or the database could not answer.
    pub async fn untold(&self, from: Outbox, limit: u64) -> Result<Vec<Untold>, StoreError> {
        match from {
            Outbox::Events => {
                let query = outbox::Entity::find().order_by_asc(outbox::Column::Id).limit(limit);
                query.all(&self.database).await?.into_iter().map(Untold::try_from).collect()
            }
            Outbox::Notices => {
                let query = notice_outbox::Entity::find()
                    .order_by_asc(notice_outbox::Column::Id)
                    .limit(limit);
                query.all(&self.database).await?.into_iter().map(Untold::try_from).collect()
            }
        }
    }

    /// Takes what has been told out of an outbox.
    ///
    /// # Errors
    /// The database could not answer: it will be told again.
    pub async fn told(&self, from: Outbox, ids: &[i64]) -> Result<(), StoreError> {
        for some in ids.chunks(ROWS_PER_STATEMENT) {
            let ids = some.iter().copied();
            match from {
                Outbox::Events => {
                    let of_them = outbox::Column::Id.is_in(ids);
                    outbox::Entity::delete_many().filter(of_them).exec(&self.database).await?;
                }
                Outbox::Notices => {
                    let of_them = notice_outbox::Column::Id.is_in(ids);
                    notice_outbox::Entity::delete_many()
                        .filter(of_them)
                        .exec(&self.database)
                        .await?;
                }
            }
        }
        Ok(())
    }

    /// Waits until this process has put something into an outbox, but no longer than `at_most`: what
    /// other replicas have left there makes no sound.
    pub async fn something_to_tell(&self, from: Outbox, at_most: Duration) {
        let outboxes: &Arc<Outboxes> = &self.outboxes;
        let filled = match from {
            Outbox::Events => outboxes.events.notified(),
            Outbox::Notices => outboxes.notices.notified(),
        };
        // Either way there may be something now.
        let _ = tokio::time::timeout(at_most, filled).await;
    }
}

impl Store {
    /// Waits until this process has taken files away, but no longer than `at_most`.
    pub async fn something_unwanted(&self, at_most: Duration) {
        // Either way there may be something now.
        let _ = tokio::time::timeout(at_most, self.outboxes.files.notified()).await;
    }
}

impl TryFrom<outbox::Model> for Untold {
    type Error = StoreError;

    fn try_from(row: outbox::Model) -> Result<Self, StoreError> {
        let malformed = || StoreError::malformed(outbox::TABLE);
        let meeting = MeetingScope {
            organisation: row.organisation.parse().map_err(|_| malformed())?,
            meeting: MeetingId::from_i64(row.meeting_id).map_err(|_| malformed())?,
        };
        let number = u64::try_from(row.number).map_err(|_| malformed())?;
        Ok(Self {
            id: row.id,
            address: Address::Meeting { meeting, number },
            at: to_millis(row.at, outbox::TABLE)?,
            payload: row.payload.into(),
            trace_parent: row.trace_parent,
        })
    }
}

impl TryFrom<notice_outbox::Model> for Untold {
    type Error = StoreError;

    fn try_from(row: notice_outbox::Model) -> Result<Self, StoreError> {
        let malformed = || StoreError::malformed(notice_outbox::TABLE);
        let address = Address::User {
            organisation: row.organisation.parse().map_err(|_| malformed())?,
            user: row.user_id.parse().map_err(|_| malformed())?,
            notice: row.notice_id.parse().map_err(|_| malformed())?,
        };
        Ok(Self {
            id: row.id,
            address,
            at: to_millis(row.at, notice_outbox::TABLE)?,
            payload: row.payload.into(),
            trace_parent: row.trace_parent,
        })
    }
}
