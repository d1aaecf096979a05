//! Member lists: who is on one, as what, and which lists a user is on. Written by statements of many
//! rows, so that a list of ten thousand is.

use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DatabaseTransaction, EntityTrait as _, JoinType,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, RelationDef,
    sea_query::{Expr, ExprTrait as _, OnConflict, Order},
};
use tributary_identifiers::{OrganisationId, UserId};
use tributary_meeting_registry_core::{Meeting, MembersChange, NoticeKind, Role, UnixMillis};
use tributary_message_bus::subjects::MeetingScope;

use super::{
    ROWS_PER_STATEMENT, Store, StoreError, find_meeting, key, meeting, member,
    notice::Once,
    notices::{self, Batch},
    removed_user, scope_of,
};

/// What an access decision needs to know of a meeting and a user.
#[derive(Clone, Debug)]
pub struct AccessFacts {
    /// The meeting.
    pub meeting: Meeting,
    /// What the user is on the member list; `None` if not on it.
    pub role: Option<Role>,
    /// Whether a host has taken the user out, who has not come on the list since.
    pub removed: bool,
}

impl Store {
    /// A meeting, and what a user is on its member list.
    ///
    /// # Errors
    /// There is no such meeting, a row is malformed, or the database could not answer.
    pub async fn meeting_and_role(
        &self,
        scope: &MeetingScope,
        user: &UserId,
    ) -> Result<(Meeting, Option<Role>), StoreError> {
        // Both are asked for whether or not there is such a meeting: the time must not tell.
        let role = self.role(scope, user).await?;
        Ok((self.meeting(scope).await?, role))
    }

    /// What an access decision needs to know.
    ///
    /// # Errors
    /// As for [`Store::meeting_and_role`].
    pub async fn access_facts(
        &self,
        scope: &MeetingScope,
        user: &UserId,
    ) -> Result<AccessFacts, StoreError> {
        // Asked for whether or not there is such a meeting, as the role is.
        let (organisation, id) = key(scope);
        let removed = removed_user::Entity::find_by_id((organisation, id, user.to_string()))
            .one(&self.database)
            .await?
            .is_some();
        let (meeting, role) = self.meeting_and_role(scope, user).await?;
        Ok(AccessFacts { meeting, role, removed })
    }

    /// What a user is on a member list; `None` if not on it.
    ///
    /// # Errors
    /// A row is malformed, or the database could not answer.
    pub async fn role(
        &self,
        scope: &MeetingScope,
        user: &UserId,
    ) -> Result<Option<Role>, StoreError> {
        let (organisation, meeting) = key(scope);
        let found = member::Entity::find_by_id((organisation, meeting, user.to_string()))
            .one(&self.database)
            .await?;
        found.map(|row| member::read_role(row.role)).transpose()
    }

    /// The member list by user id, from the first on or after one of them, at most `limit`.
    ///
    /// # Errors
    /// There is no such meeting, a row is malformed, or the database could not answer.
    pub async fn members(
        &self,
        scope: &MeetingScope,
        after: Option<&UserId>,
        limit: u64,
    ) -> Result<Vec<(UserId, Role)>, StoreError> {
        find_meeting(&self.database, scope, self.clock.wall()).await?;
        let mut query = of_meeting(scope).order_by_asc(member::Column::UserId).limit(limit);
        if let Some(after) = after {
            query = query.filter(member::Column::UserId.gt(after.as_str()));
        }
        let rows = query.all(&self.database).await?;
        rows.into_iter().map(|row| member::read(&row.user_id, row.role)).collect()
    }

    /// The meetings that a user is on the list of and that are not over: those without a time first,
    /// the newest of them first; then by time. If there are more than `limit`, those that lie
    /// furthest back are left out.
    ///
    /// # Errors
    /// A row is malformed, or the database could not answer.
    pub async fn meetings_of_user(
        &self,
        organisation: &OrganisationId,
        user: &UserId,
        limit: u64,
    ) -> Result<Vec<Meeting>, StoreError> {
        let list: RelationDef = meeting::Entity::belongs_to(member::Entity)
            .from((meeting::Column::Organisation, meeting::Column::Id))
            .to((member::Column::Organisation, member::Column::MeetingId))
            .into();
        let starts_at = Expr::col((meeting::Entity, meeting::Column::StartsAt));
        let time = starts_at.if_null(Expr::col((meeting::Entity, meeting::Column::CreatedAt)));
        let rows = meeting::Entity::find()
            .join(JoinType::InnerJoin, list)
            .filter(member::Column::Organisation.eq(organisation.as_str()))
            .filter(member::Column::UserId.eq(user.as_str()))
            .filter(meeting::Column::EndedAt.is_null())
            .order_by(time, Order::Desc)
            .order_by_desc(meeting::Column::Id)
            .limit(limit)
            .all(&self.database)
            .await?;
        let mut meetings =
            rows.into_iter().map(Meeting::try_from).collect::<Result<Vec<_>, _>>()?;
        // Stable: those without a time stay newest first.
        meetings.sort_by_key(|meeting| meeting.starts_at);
        Ok(meetings)
    }
}

fn of_meeting(scope: &MeetingScope) -> sea_orm::Select<member::Entity> {
    let (organisation, meeting) = key(scope);
    member::Entity::find()
        .filter(member::Column::Organisation.eq(organisation))
        .filter(member::Column::MeetingId.eq(meeting))
}

/// What some users are on a member list; who is not on it is left out.
pub async fn roles(
    connection: &impl ConnectionTrait,
    scope: &MeetingScope,
    users: &[&UserId],
) -> Result<Vec<(UserId, Role)>, StoreError> {
    let mut found = Vec::with_capacity(users.len());
    for some in users.chunks(ROWS_PER_STATEMENT) {
        let rows = of_meeting(scope)
            .filter(member::Column::UserId.is_in(some.iter().map(|user| user.as_str())))
            .all(connection)
            .await?;
        for row in rows {
            found.push(member::read(&row.user_id, row.role)?);
        }
    }
    Ok(found)
}

/// Everybody on a member list.
pub async fn all(
    connection: &impl ConnectionTrait,
    scope: &MeetingScope,
) -> Result<Vec<UserId>, StoreError> {
    let rows: Vec<String> = of_meeting(scope)
        .select_only()
        .column(member::Column::UserId)
        .into_tuple()
        .all(connection)
        .await?;
    let malformed = |_| StoreError::malformed(member::TABLE);
    rows.iter().map(|user| user.parse().map_err(malformed)).collect()
}

/// Puts users on a member list, or gives them another role.
pub async fn put<'a>(
    transaction: &DatabaseTransaction,
    scope: &MeetingScope,
    members: impl IntoIterator<Item = (&'a UserId, &'a Role)>,
) -> Result<(), StoreError> {
    let rows: Vec<_> =
        members.into_iter().map(|(user, role)| member::row(scope, user, *role)).collect();
    for some in rows.chunks(ROWS_PER_STATEMENT) {
        let key = [member::Column::Organisation, member::Column::MeetingId, member::Column::UserId];
        let role = OnConflict::columns(key).update_column(member::Column::Role).to_owned();
        member::Entity::insert_many(some.iter().cloned())
            .on_conflict(role)
            .exec_without_returning(transaction)
            .await?;
    }
    Ok(())
}

/// Writes how a member list has changed, and what comes of it: who has come to a running meeting is
/// invited, and who is not on the list any more is not.
pub async fn write(
    transaction: &DatabaseTransaction,
    meeting: &Meeting,
    change: &MembersChange,
    now: UnixMillis,
) -> Result<(), StoreError> {
    let scope = scope_of(meeting);
    put(transaction, &scope, change.added.iter().chain(&change.changed)).await?;
    let added: Vec<_> = change.added.keys().collect();
    for some in added.chunks(ROWS_PER_STATEMENT) {
        let (organisation, meeting) = key(&scope);
        removed_user::Entity::delete_many()
            .filter(removed_user::Column::Organisation.eq(organisation))
            .filter(removed_user::Column::MeetingId.eq(meeting))
            .filter(removed_user::Column::UserId.is_in(some.iter().map(|user| user.as_str())))
            .exec(transaction)
            .await?;
    }
    let removed: Vec<_> = change.removed.iter().collect();
    for some in removed.chunks(ROWS_PER_STATEMENT) {
        let (organisation, meeting) = key(&scope);
        member::Entity::delete_many()
            .filter(member::Column::Organisation.eq(organisation))
            .filter(member::Column::MeetingId.eq(meeting))
            .filter(member::Column::UserId.is_in(some.iter().map(|user| user.as_str())))
            .exec(transaction)
            .await?;
        notices::take_back_invitations(transaction, &scope, some).await?;
    }
    if let Some(invitation) = &change.invitation {
        let once = Once { kind: NoticeKind::Invitation(invitation.occasion), request: None };
        let (from, expires_at) = (invitation.from.clone(), invitation.expires_at);
        let batch = Batch { meeting, once, from, at: now, expires_at };
        notices::write(transaction, &batch, change.added.keys()).await?;
    }
    Ok(())
}
