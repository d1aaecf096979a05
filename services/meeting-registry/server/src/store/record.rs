//! What the log of a meeting says of it afterwards: what was written in it, and who was there.

use sea_orm::{
    ColumnTrait as _, Condition, QueryFilter as _,
    sea_query::{Expr, ExprTrait as _, LikeExpr},
};
use tributary_identifiers::{ParticipantId, UserId};
use tributary_meeting_registry_core::{
    AttendanceReport, Meeting, Participant, Presence, Present, Refusal,
};
use tributary_message_bus::subjects::MeetingScope;

use super::{Store, StoreError, event, find_meeting, log, participant, places, present};
use crate::wire;

/// Events that are read at once.
const EVENTS_PER_PAGE: u64 = 500;

impl Store {
    /// Encoded messages and announcements that a participant may read, of those before an event or up
    /// to now the last `limit`, oldest first; fewer, but one at least, if they have more than 1 MiB.
    ///
    /// # Errors
    /// There is no such meeting or participant, a row is malformed, or the database could not answer.
    pub async fn chat(
        &self,
        scope: &MeetingScope,
        participant: ParticipantId,
        before: Option<u64>,
        limit: u64,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        find_meeting(&self.database, scope, self.clock.wall()).await?;
        let place = places(scope)
            .filter(participant::Column::ParticipantId.eq(i64::from(participant.0)))
            .one(&self.database)
            .await?;
        let place = place.ok_or(Refusal::UnknownParticipant(participant))?;
        let reader = Present::try_from(place)?.participant;
        let query =
            log::of_meeting(scope).filter(Expr::col(event::Column::Chat)).filter(readable(&reader));
        let before = before.and_then(|before| i64::try_from(before).ok());
        self.last_events(query, before, limit).await
    }

    /// Who was there, from the log alone.
    ///
    /// # Errors
    /// There is no such meeting, a row is malformed, or the database could not answer.
    pub async fn attendance(
        &self,
        scope: &MeetingScope,
    ) -> Result<(Meeting, AttendanceReport), StoreError> {
        let meeting = self.meeting(scope).await?;
        let (mut report, mut after) = (AttendanceReport::default(), 0);
        loop {
            let page = self.events(scope, after, EVENTS_PER_PAGE).await?;
            if page.is_empty() {
                return Ok((meeting, report));
            }
            for payload in &page {
                let malformed = || StoreError::malformed(event::TABLE);
                let (number, event) = wire::read_event(payload).ok_or_else(malformed)?;
                after = number;
                if let Some(event) = event {
                    report.take(&event);
                }
            }
        }
    }

    /// Whether a user may read who was there.
    ///
    /// # Errors
    /// There is no such meeting, the user is neither organiser nor host, on the list or in the
    /// meeting, or the database could not answer.
    pub async fn may_export(&self, scope: &MeetingScope, user: &UserId) -> Result<(), StoreError> {
        let (_, role) = self.meeting_and_role(scope, user).await?;
        if role.is_some_and(|role| role.manages()) {
            return Ok(());
        }
        let host = present(scope)
            .filter(participant::Column::UserId.eq(user.as_str()))
            .filter(Expr::col(participant::Column::Host))
            .one(&self.database)
            .await?;
        if host.is_some() { Ok(()) } else { Err(Refusal::NotManager.into()) }
    }
}

/// What a participant may read: what everybody may, once in, and what is for them.
fn readable(reader: &Participant) -> Condition {
    let mut readable = Condition::any();
    if reader.presence != Presence::Waiting {
        readable = readable.add(event::Column::Audience.is_null());
    }
    for name in event::names_of(reader) {
        // An underscore in a relay's id stands for itself.
        let pattern = format!("%{}%", name.replace('_', "\\_"));
        let named = Expr::col(event::Column::Audience).like(LikeExpr::new(pattern).escape('\\'));
        readable = readable.add(named);
    }
    readable
}
