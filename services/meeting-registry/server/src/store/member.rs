//! Table `registry_member`: who is on a meeting's member list, and as what.

use sea_orm::{ActiveValue::Set, entity::prelude::*};
use tributary_identifiers::UserId;
use tributary_meeting_registry_core::Role;
use tributary_message_bus::subjects::MeetingScope;

use super::StoreError;

pub const TABLE: &str = "registry_member";

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "registry_member")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organisation: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub meeting_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: String,
    /// See [`role_number`].
    pub role: i32,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The row of a member.
pub fn row(meeting: &MeetingScope, user: &UserId, role: Role) -> ActiveModel {
    ActiveModel {
        organisation: Set(meeting.organisation.to_string()),
        meeting_id: Set(meeting.meeting.to_i64()),
        user_id: Set(user.to_string()),
        role: Set(role_number(role)),
    }
}

/// A role as it is stored.
pub const fn role_number(role: Role) -> i32 {
    match role {
        Role::Organiser => 1,
        Role::Host => 2,
        Role::Member => 3,
    }
}

/// A role from the store.
pub fn read_role(number: i32) -> Result<Role, StoreError> {
    match number {
        1 => Ok(Role::Organiser),
        2 => Ok(Role::Host),
        3 => Ok(Role::Member),
        _ => Err(StoreError::malformed(TABLE)),
    }
}

/// A member from the store.
pub fn read(user: &str, role: i32) -> Result<(UserId, Role), StoreError> {
    Ok((user.parse().map_err(|_| StoreError::malformed(TABLE))?, read_role(role)?))
}
