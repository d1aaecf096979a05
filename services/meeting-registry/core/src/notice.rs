//! What users are told outside of a meeting, and when.
//!
//! The members of a meeting are invited when it begins; who comes onto the list of a running one is
//! invited then. Each is invited once for one beginning: [`Meeting::invites_at`] says which one is
//! still to come, and is forgotten in the same step in which the invitations are made.

use tributary_identifiers::{MeetingId, NoticeId, OrganisationId, UserId};

use crate::{DisplayName, Meeting, Subject, UnixMillis};

const SECOND: UnixMillis = 1000;
const HOUR: UnixMillis = 3600 * SECOND;
const DAY: UnixMillis = 24 * HOUR;

/// How long after its start a meeting still invites its members, if it could not in time.
pub const LATE_MAX: UnixMillis = HOUR;

/// How long an invitation means something.
pub const INVITATION_LIFE: UnixMillis = DAY;

/// How long a share means something that was given no end.
pub const SHARED_LIFE: UnixMillis = 30 * DAY;

/// The longest that a share can mean something.
pub const SHARED_LIFE_MAX: UnixMillis = 366 * DAY;

/// How many users are told by one request.
pub const TOLD_PER_REQUEST_MAX: usize = 100;

/// How far ahead a meeting is planned: a year, of whatever length.
const AHEAD_MAX: UnixMillis = 366 * DAY;

/// How long ago a start may lie that is set now: who has picked «now» may have thought a while.
const BEHIND_MAX: UnixMillis = 300 * SECOND;

/// One thing that one user is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its id.
    pub id: NoticeId,
    /// The organisation of the user.
    pub organisation: OrganisationId,
    /// Who is told.
    pub user: UserId,
    /// The meeting that it is about.
    pub meeting: MeetingId,
    /// What that meeting is about.
    pub subject: Subject,
    /// Who invites or shares.
    pub from: Sender,
    /// When it was made.
    pub at: UnixMillis,
    /// When it means nothing any more.
    pub expires_at: UnixMillis,
    /// What it is.
    pub kind: NoticeKind,
}

/// What a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// Come into a meeting that has begun.
    Invitation(Occasion),
    /// A meeting was shared with the user.
    Shared {
        /// When it is to begin, if it is scheduled.
        starts_at: Option<UnixMillis>,
    },
}

/// Why somebody is invited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// A scheduled meeting begins.
    Begins {
        /// When; a meeting that is moved begins again.
        starts_at: UnixMillis,
    },
    /// The user came onto the list of a running meeting.
    Added,
}

/// Who invites or shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Who.
    pub user: UserId,
    /// The name to show, if there is one; the id is shown otherwise.
    pub name: Option<DisplayName>,
}

impl Sender {
    /// What is shown of the sender.
    #[must_use]
    pub fn shown(&self) -> &str {
        self.name.as_ref().map_or(self.user.as_str(), DisplayName::as_str)
    }
}

/// What all who are invited at once are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Why.
    pub occasion: Occasion,
    /// Who invites.
    pub from: Sender,
    /// When it means nothing any more.
    pub expires_at: UnixMillis,
}

/// Whether a meeting's members are to be invited because it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// It is not the time, it is over, or they have been.
    NotDue,
    /// It should have been long ago, and comes too late now.
    Missed,
    /// Now.
    Due(Invitation),
}

/// The time can't be the start of a meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be within the next year")]
pub struct InvalidStart;

/// Checks when a meeting is to begin.
///
/// # Errors
/// It is more than five minutes ago, or more than a year ahead.
pub fn check_start(starts_at: UnixMillis, now: UnixMillis) -> Result<(), InvalidStart> {
    let earliest = now.saturating_sub(BEHIND_MAX);
    let latest = now.saturating_add(AHEAD_MAX);
    if (earliest..=latest).contains(&starts_at) { Ok(()) } else { Err(InvalidStart) }
}

/// The time can't be the end of a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must lie ahead, or be left out for 30 days")]
pub struct InvalidExpiry;

/// When a share means nothing any more: as said, but not after [`SHARED_LIFE_MAX`].
///
/// # Errors
/// It means nothing already.
pub fn shared_until(
    said: Option<UnixMillis>,
    now: UnixMillis,
) -> Result<UnixMillis, InvalidExpiry> {
    let said = said.unwrap_or_else(|| now.saturating_add(SHARED_LIFE));
    if said <= now { Err(InvalidExpiry) } else { Ok(said.min(now.saturating_add(SHARED_LIFE_MAX))) }
}

impl Meeting {
    /// Whether it has begun and is not over. One that is not scheduled runs from its creation.
    #[must_use]
    pub fn is_running(&self, now: UnixMillis) -> bool {
        self.ended_at.is_none() && self.starts_at.unwrap_or(self.created_at) <= now
    }

    /// Whether its members are to be invited now because it begins. If they are, or if it is too
    /// late for it, this beginning is done with.
    pub fn begin(&mut self, now: UnixMillis) -> Beginning {
        let Some(starts_at) = self.due_beginning(now) else { return Beginning::NotDue };
        self.invites_at = None;
        if now.saturating_sub(starts_at) > LATE_MAX {
            return Beginning::Missed;
        }
        Beginning::Due(self.invitation(Occasion::Begins { starts_at }, self.organiser(), now))
    }

    /// The invitation of those who come onto the list now. None before the meeting runs, and none
    /// while its beginning is about to invite everybody.
    #[must_use]
    pub(crate) fn invitation_of_added(&self, from: Sender, now: UnixMillis) -> Option<Invitation> {
        let beginning = self.due_beginning(now);
        let begins_first = beginning.is_some_and(|at| now.saturating_sub(at) <= LATE_MAX);
        (self.is_running(now) && !begins_first).then(|| self.invitation(Occasion::Added, from, now))
    }

    /// The organiser, as who invites.
    #[must_use]
    pub fn organiser(&self) -> Sender {
        Sender { user: self.organiser.clone(), name: self.organiser_name.clone() }
    }

    fn due_beginning(&self, now: UnixMillis) -> Option<UnixMillis> {
        self.invites_at.filter(|&at| self.ended_at.is_none() && at <= now)
    }

    fn invitation(&self, occasion: Occasion, from: Sender, now: UnixMillis) -> Invitation {
        Invitation { occasion, from, expires_at: now.saturating_add(INVITATION_LIFE) }
    }
}
