//! What both services let callers do to a meeting and its member list.

use prost_types::Timestamp;
use tonic::Status;
use tributary_contracts::registry::v1::{Member, MemberRole};
use tributary_meeting_registry_core::{
    Caller, Command, DisplayName, MEMBERS_PER_COMMAND_MAX, Meeting, MemberPageRequest,
    RemoveMembers, Role, SetMembers, Update, check_password, check_start, member_page_token,
};
use tributary_message_bus::subjects::MeetingScope;

use super::{
    read,
    status::{invalid, of_store, of_update},
};
use crate::{registry::Registry, wire};

/// A change of a meeting, as it is asked for. What is absent stays as it is.
pub struct Change<'a> {
    /// What it is about.
    pub subject: Option<&'a str>,
    /// When it is to begin.
    pub starts_at: Option<&'a Timestamp>,
    /// Whether outsiders wait in the lobby.
    pub lobby: Option<bool>,
    /// The password of outsiders; empty: none.
    pub password: Option<&'a str>,
}

/// Changes what a meeting is.
pub async fn update(
    registry: &Registry,
    scope: &MeetingScope,
    by: Caller,
    change: Change<'_>,
) -> Result<Meeting, Status> {
    let subject = change.subject.map(|subject| read::field("subject", subject)).transpose()?;
    let starts_at = read::time("starts_at", change.starts_at)?;
    if let Some(starts_at) = starts_at {
        let now = registry.store().clock().wall();
        check_start(starts_at, now).map_err(|error| invalid("starts_at", &error))?;
    }
    if let Some(password) = change.password {
        check_password(password).map_err(|error| invalid("password", &error))?;
    }
    let update = Update { by, subject, starts_at, lobby: change.lobby, password: None };
    registry.update(scope, update, change.password).await.map_err(of_update)
}

/// Puts users on the member list; returns how many are on it.
pub async fn set_members(
    registry: &Registry,
    scope: &MeetingScope,
    by: Caller,
    by_name: Option<DisplayName>,
    members: &[Member],
) -> Result<u32, Status> {
    let mut list = std::collections::BTreeMap::new();
    let some = read::bounded("members", members, MEMBERS_PER_COMMAND_MAX)?;
    for (index, member) in some.iter().enumerate() {
        let user = read::field(&format!("members[{index}].user_id"), &member.user_id)?;
        if list.insert(user, read_role(index, member)?).is_some() {
            let why = "this user is named twice";
            return Err(invalid(&format!("members[{index}].user_id"), &why));
        }
    }
    let command = Command::SetMembers(SetMembers { by, by_name, members: list });
    let applied = registry.apply(scope, command).await.map_err(of_store)?;
    Ok(applied.state.counters().members)
}

fn read_role(index: usize, member: &Member) -> Result<Role, Status> {
    match MemberRole::try_from(member.role) {
        Ok(MemberRole::Organiser) => Ok(Role::Organiser),
        Ok(MemberRole::Host) => Ok(Role::Host),
        Ok(MemberRole::Member | MemberRole::Unspecified) => Ok(Role::Member),
        Err(_) => Err(invalid(&format!("members[{index}].role"), &"must be a role known here")),
    }
}

/// Takes users off the member list; returns how many are on it.
pub async fn remove_members(
    registry: &Registry,
    scope: &MeetingScope,
    by: Caller,
    user_ids: &[String],
) -> Result<u32, Status> {
    let some = read::bounded("user_ids", user_ids, MEMBERS_PER_COMMAND_MAX)?.iter().enumerate();
    let members = some
        .map(|(index, user)| read::field(&format!("user_ids[{index}]"), user))
        .collect::<Result<_, _>>()?;
    let command = Command::RemoveMembers(RemoveMembers { by, members });
    let applied = registry.apply(scope, command).await.map_err(of_store)?;
    Ok(applied.state.counters().members)
}

/// A page of the member list, and the token of the next.
pub async fn list_members(
    registry: &Registry,
    scope: &MeetingScope,
    page: &MemberPageRequest,
) -> Result<(Vec<Member>, String), Status> {
    // One more than asked for shows whether there is a next page.
    let limit = u64::from(page.size) + 1;
    let store = registry.store();
    let mut found = store.members(scope, page.after.as_ref(), limit).await.map_err(of_store)?;
    let size = page.size as usize;
    let more = found.len() > size;
    found.truncate(size);
    let next_page_token = match found.last() {
        Some((last, _)) if more => member_page_token(last),
        _ => String::new(),
    };
    Ok((found.iter().map(wire::member).collect(), next_page_token))
}

/// Which page of a member list is asked for.
pub fn member_page(size: i32, default: u32, token: &str) -> Result<MemberPageRequest, Status> {
    MemberPageRequest::read(size, default, token).map_err(|error| invalid(error.field(), &error))
}
