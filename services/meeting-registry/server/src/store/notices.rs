//! What users are told: made once in the transaction that is the reason for it, listed until it is
//! dismissed or means nothing any more.
//!
//! **Invariant:** a user has one notice of each kind and occasion, which a unique index sees to; only
//! who gets it is told.

use std::collections::BTreeSet;

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait as _, DatabaseTransaction, EntityTrait as _,
    IdenStatic as _, JoinType, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    QueryTrait as _, RelationDef,
    sea_query::{Expr, OnConflict, Query, SelectStatement},
};
use tracing::Span;
use tributary_identifiers::{MeetingId, NoticeId, OrganisationId, RequestId, UserId};
use tributary_meeting_registry_core::{Beginning, Meeting, Notice, NoticeKind, Sender, UnixMillis};
use tributary_message_bus::subjects::MeetingScope;
use tributary_service_runtime::propagation;

use super::{
    ROWS_PER_STATEMENT, Store, StoreError,
    apply::take_row,
    from_millis, key, meeting, members,
    notice::{self, Once},
    notice_outbox, writing,
};
use crate::{metrics, wire};

/// Notices that are told at once, all alike but for whom.
pub struct Batch<'a> {
    /// The meeting that they are about.
    pub meeting: &'a Meeting,
    /// What they are.
    pub once: Once,
    /// Who invites or shares.
    pub from: Sender,
    /// When they are made.
    pub at: UnixMillis,
    /// When they mean nothing any more.
    pub expires_at: UnixMillis,
}

/// Users who are told that a meeting is shared with them.
#[derive(Clone, Debug)]
pub struct Shared {
    /// Who asks for it, and which time: the same request tells nobody twice.
    pub request: RequestId,
    /// Who shares.
    pub from: Sender,
    /// Who is told.
    pub users: BTreeSet<UserId>,
    /// When it means nothing any more.
    pub expires_at: UnixMillis,
}

/// What has come of looking at a meeting that might begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It does not begin now, or somebody else was faster.
    No,
    /// It should have begun too long ago to invite to it.
    Missed,
    /// So many have been invited.
    Invited(usize),
}

impl Store {
    /// Tells users that a meeting is shared with them, each once for one request.
    ///
    /// # Errors
    /// There is no such meeting, or the database could not answer.
    pub async fn share(
        &self,
        scope: &MeetingScope,
        shared: &Shared,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        let transaction = self.begin().await?;
        let meeting = Meeting::try_from(take_row(&transaction, scope, now).await?)?;
        let kind = NoticeKind::Shared { starts_at: meeting.starts_at };
        let once = Once { kind, request: Some(shared.request.clone()) };
        let (from, expires_at) = (shared.from.clone(), shared.expires_at);
        let batch = Batch { meeting: &meeting, once, from, at: now, expires_at };
        write(&transaction, &batch, &shared.users).await?;
        transaction.commit().await?;
        self.outboxes.filled();
        Ok(())
    }

    /// Meetings whose members may have to be invited because they begin, the earliest first.
    ///
    /// # Errors
    /// A row is malformed, or the database could not answer.
    pub async fn beginning(
        &self,
        now: UnixMillis,
        limit: u64,
    ) -> Result<Vec<MeetingScope>, StoreError> {
        let rows: Vec<(String, i64)> = meeting::Entity::find()
            .select_only()
            .column(meeting::Column::Organisation)
            .column(meeting::Column::Id)
            .filter(meeting::Column::InvitesAt.lte(from_millis(now)?))
            .order_by_asc(meeting::Column::InvitesAt)
            .limit(limit)
            .into_tuple()
            .all(&self.database)
            .await?;
        let malformed = || StoreError::malformed(meeting::TABLE);
        rows.into_iter()
            .map(|(organisation, id)| {
                Ok(MeetingScope {
                    organisation: organisation.parse().map_err(|_| malformed())?,
                    meeting: MeetingId::from_i64(id).map_err(|_| malformed())?,
                })
            })
            .collect()
    }

    /// Invites the members of a meeting if it begins, once for one beginning, whoever asks.
    ///
    /// # Errors
    /// There is no such meeting, or the database could not answer.
    pub async fn begin_meeting(
        &self,
        scope: &MeetingScope,
        now: UnixMillis,
    ) -> Result<Begun, StoreError> {
        let transaction = self.begin().await?;
        let row = take_row(&transaction, scope, now).await?;
        let (counters, floor) = (row.counters()?, row.floor()?);
        let mut meeting = Meeting::try_from(row)?;
        let begun = match meeting.begin(now) {
            Beginning::NotDue => return Ok(Begun::No),
            Beginning::Missed => Begun::Missed,
            Beginning::Due(invitation) => {
                let members = members::all(&transaction, scope).await?;
                let once =
                    Once { kind: NoticeKind::Invitation(invitation.occasion), request: None };
                let (from, expires_at) = (invitation.from, invitation.expires_at);
                let batch = Batch { meeting: &meeting, once, from, at: now, expires_at };
                Begun::Invited(write(&transaction, &batch, &members).await?)
            }
        };
        writing::meeting(&transaction, &meeting, counters, floor).await?;
        transaction.commit().await?;
        self.outboxes.filled();
        Ok(begun)
    }

    /// What a user was told and has neither dismissed nor outlived, the oldest first; invitations
    /// only to meetings that are not over. If there is more than `limit`, the newest of it.
    ///
    /// # Errors
    /// A row is malformed, or the database could not answer.
    pub async fn notices(
        &self,
        organisation: &OrganisationId,
        user: &UserId,
        now: UnixMillis,
        limit: u64,
    ) -> Result<Vec<Notice>, StoreError> {
        let about: RelationDef = notice::Entity::belongs_to(meeting::Entity)
            .from((notice::Column::Organisation, notice::Column::MeetingId))
            .to((meeting::Column::Organisation, meeting::Column::Id))
            .into();
        let means_something = Condition::any()
            .add(meeting::Column::EndedAt.is_null())
            .add(notice::Column::Kind.is_not_in(notice::INVITATIONS));
        let rows = notice::Entity::find()
            .join(JoinType::InnerJoin, about)
            .select_also(meeting::Entity)
            .filter(notice::Column::Organisation.eq(organisation.as_str()))
            .filter(notice::Column::UserId.eq(user.as_str()))
            .filter(notice::Column::DismissedAt.is_null())
            .filter(notice::Column::ExpiresAt.gt(from_millis(now)?))
            .filter(means_something)
            .order_by_desc(notice::Column::At)
            .order_by_desc(notice::Column::Id)
            .limit(limit)
            .all(&self.database)
            .await?;
        let mut notices = rows
            .into_iter()
            .filter_map(|(notice, about)| Some((notice, about?)))
            .map(|(notice, about)| notice.read(&Meeting::try_from(about)?))
            .collect::<Result<Vec<_>, _>>()?;
        notices.reverse();
        Ok(notices)
    }

    /// A user has dealt with a notice; again, or one that is not the user's, changes nothing.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn dismiss(
        &self,
        organisation: &OrganisationId,
        user: &UserId,
        notice: &NoticeId,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        notice::Entity::update_many()
            .col_expr(notice::Column::DismissedAt, Expr::value(from_millis(now)?))
            .filter(notice::Column::Id.eq(notice.as_str()))
            .filter(notice::Column::Organisation.eq(organisation.as_str()))
            .filter(notice::Column::UserId.eq(user.as_str()))
            .filter(notice::Column::DismissedAt.is_null())
            .exec(&self.database)
            .await?;
        Ok(())
    }

    /// Forgets notices that mean nothing since `before`, at most `limit` at once. Returns how many.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn forget_notices(&self, before: UnixMillis, limit: u64) -> Result<u64, StoreError> {
        let some = Query::select()
            .column(notice::Column::Id)
            .from(notice::Entity)
            .and_where(notice::Column::ExpiresAt.lt(from_millis(before)?))
            .limit(limit)
            .to_owned();
        let forgotten = notice::Entity::delete_many()
            .filter(notice::Column::Id.in_subquery(some))
            .exec(&self.database)
            .await?;
        Ok(forgotten.rows_affected)
    }
}

/// Writes notices for those who have none of that kind yet: where they stay, and where they wait to
/// be told. Returns how many.
pub async fn write<'a>(
    transaction: &DatabaseTransaction,
    batch: &Batch<'_>,
    users: impl IntoIterator<Item = &'a UserId>,
) -> Result<usize, StoreError> {
    let mut seed = [0; 16];
    getrandom::fill(&mut seed).map_err(|_| StoreError::NoRandomNumbers)?;
    let numbered = users.into_iter().enumerate();
    let notices: Vec<_> = numbered
        .map(|(number, user)| batch.notice(NoticeId::of_many(seed, number), user.clone()))
        .collect();
    let trace_parent = propagation::trace_parent(&Span::current());
    let mut written = 0;
    for some in notices.chunks(ROWS_PER_STATEMENT) {
        let new = insert_new(transaction, &batch.once, some).await?;
        let mut untold = Vec::with_capacity(new.len());
        for notice in some.iter().filter(|notice| new.contains(notice.id.as_str())) {
            untold.push(notice_outbox::ActiveModel {
                organisation: Set(notice.organisation.to_string()),
                user_id: Set(notice.user.to_string()),
                notice_id: Set(notice.id.to_string()),
                at: Set(from_millis(notice.at)?),
                payload: Set(wire::notice_payload(notice)),
                trace_parent: Set(trace_parent.clone()),
                ..Default::default()
            });
        }
        if untold.is_empty() {
            continue;
        }
        written += untold.len();
        notice_outbox::Entity::insert_many(untold).exec_without_returning(transaction).await?;
    }
    metrics::notices_made(&batch.once.kind, written);
    Ok(written)
}

/// Inserts those notices whose user has not been told the same already; returns their ids.
async fn insert_new(
    transaction: &DatabaseTransaction,
    once: &Once,
    notices: &[Notice],
) -> Result<BTreeSet<String>, StoreError> {
    let rows = notices.iter().map(|one| notice::row(one, once)).collect::<Result<Vec<_>, _>>()?;
    let told_already = OnConflict::columns(notice::ONCE).do_nothing().to_owned();
    let insert = notice::Entity::insert_many(rows)
        .on_conflict(told_already)
        .into_query()
        .returning_col(notice::Column::Id)
        .to_owned();
    let new = transaction.query_all(&insert).await?;
    let id = notice::Column::Id.as_str();
    Ok(new.iter().map(|row| row.try_get("", id)).collect::<Result<_, _>>()?)
}

impl Batch<'_> {
    fn notice(&self, id: NoticeId, user: UserId) -> Notice {
        Notice {
            id,
            organisation: self.meeting.organisation.clone(),
            user,
            meeting: self.meeting.id,
            subject: self.meeting.subject.clone(),
            from: self.from.clone(),
            at: self.at,
            expires_at: self.expires_at,
            kind: self.once.kind,
        }
    }
}

/// Forgets the invitations of users who are not members any more, also those that wait to be told.
/// Who becomes a member again is invited again.
pub async fn take_back_invitations(
    transaction: &DatabaseTransaction,
    scope: &MeetingScope,
    users: &[&UserId],
) -> Result<(), StoreError> {
    let of_users = Condition::all()
        .add(notice::Column::Kind.is_in(notice::INVITATIONS))
        .add(notice::Column::UserId.is_in(users.iter().map(|user| user.as_str())));
    remove(transaction, scope, of_users).await
}

/// Forgets all notices about a meeting, also those that wait to be told.
pub async fn remove_all(
    transaction: &DatabaseTransaction,
    scope: &MeetingScope,
) -> Result<(), StoreError> {
    remove(transaction, scope, Condition::all()).await
}

async fn remove(
    transaction: &DatabaseTransaction,
    scope: &MeetingScope,
    which: Condition,
) -> Result<(), StoreError> {
    let (organisation, meeting) = key(scope);
    let which = which
        .add(notice::Column::Organisation.eq(organisation))
        .add(notice::Column::MeetingId.eq(meeting));
    let ids: SelectStatement = Query::select()
        .column(notice::Column::Id)
        .from(notice::Entity)
        .cond_where(which.clone())
        .to_owned();
    notice_outbox::Entity::delete_many()
        .filter(notice_outbox::Column::NoticeId.in_subquery(ids))
        .exec(transaction)
        .await?;
    notice::Entity::delete_many().filter(which).exec(transaction).await?;
    Ok(())
}
