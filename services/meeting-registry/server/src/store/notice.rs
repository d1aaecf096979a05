//! Table `registry_notice`: what users are told, until it means nothing any more. A dismissed one
//! stays that long too, so that it is not made again.

use sea_orm::{
    ActiveValue::{NotSet, Set},
    entity::prelude::*,
};
use tributary_identifiers::RequestId;
use tributary_meeting_registry_core::{Meeting, Notice, NoticeKind, Occasion, Sender};

use super::{StoreError, from_millis, to_millis};

pub const TABLE: &str = "registry_notice";

/// The kinds that are invitations.
pub const INVITATIONS: [i32; 2] = [BEGINS, ADDED];

const BEGINS: i32 = 1;
const ADDED: i32 = 2;
const SHARED: i32 = 3;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "registry_notice")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub organisation: String,
    pub meeting_id: i64,
    pub kind: i32,
    /// What makes it the same one for the same user and meeting; see [`Once`].
    pub occasion: String,
    pub user_id: String,
    pub from_user_id: String,
    pub from_name: Option<String>,
    pub at: i64,
    pub expires_at: i64,
    pub dismissed_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What a notice is there once for.
pub const ONCE: [Column; 5] =
    [Column::Organisation, Column::MeetingId, Column::Kind, Column::Occasion, Column::UserId];

/// Which notice it is among those of one user about one meeting: there is one of each.
#[derive(Clone, Debug)]
pub struct Once {
    /// What it is.
    pub kind: NoticeKind,
    /// The request that makes it; none for an invitation.
    pub request: Option<RequestId>,
}

impl Once {
    /// The columns `kind` and `occasion`.
    pub fn columns(&self) -> (i32, String) {
        match &self.kind {
            NoticeKind::Invitation(Occasion::Begins { starts_at }) => {
                (BEGINS, starts_at.to_string())
            }
            NoticeKind::Invitation(Occasion::Added) => (ADDED, String::new()),
            NoticeKind::Shared { .. } => {
                (SHARED, self.request.as_ref().map(ToString::to_string).unwrap_or_default())
            }
        }
    }
}

/// The row of a notice.
pub fn row(notice: &Notice, once: &Once) -> Result<ActiveModel, StoreError> {
    let (kind, occasion) = once.columns();
    Ok(ActiveModel {
        id: Set(notice.id.to_string()),
        organisation: Set(notice.organisation.to_string()),
        meeting_id: Set(notice.meeting.to_i64()),
        kind: Set(kind),
        occasion: Set(occasion),
        user_id: Set(notice.user.to_string()),
        from_user_id: Set(notice.from.user.to_string()),
        from_name: Set(notice.from.name.as_ref().map(ToString::to_string)),
        at: Set(from_millis(notice.at)?),
        expires_at: Set(from_millis(notice.expires_at)?),
        dismissed_at: NotSet,
    })
}

impl Model {
    /// The notice, about a meeting as it is now.
    pub fn read(self, meeting: &Meeting) -> Result<Notice, StoreError> {
        let malformed = || StoreError::malformed(TABLE);
        let kind = match self.kind {
            BEGINS => {
                let starts_at = self.occasion.parse().map_err(|_| malformed())?;
                NoticeKind::Invitation(Occasion::Begins { starts_at })
            }
            ADDED => NoticeKind::Invitation(Occasion::Added),
            SHARED => NoticeKind::Shared { starts_at: meeting.starts_at },
            _ => return Err(malformed()),
        };
        let name = self.from_name.map(|name| name.parse()).transpose().map_err(|_| malformed())?;
        Ok(Notice {
            id: self.id.parse().map_err(|_| malformed())?,
            organisation: self.organisation.parse().map_err(|_| malformed())?,
            user: self.user_id.parse().map_err(|_| malformed())?,
            meeting: meeting.id,
            subject: meeting.subject.clone(),
            from: Sender { user: self.from_user_id.parse().map_err(|_| malformed())?, name },
            at: to_millis(self.at, TABLE)?,
            expires_at: to_millis(self.expires_at, TABLE)?,
            kind,
        })
    }
}
