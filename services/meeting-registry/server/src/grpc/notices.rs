//! What users are told: made for others, listed and dismissed.

use tonic::Status;
use tributary_contracts::{notice::v1::Notice, registry::v1::NotifyRequest};
use tributary_identifiers::{NoticeId, OrganisationId, UserId};
use tributary_meeting_registry_core::{Sender, TOLD_PER_REQUEST_MAX, shared_until};

use super::{
    read,
    status::{invalid, of_store},
};
use crate::{registry::Registry, store::Shared, wire};

/// The most that is listed at once.
const LISTED_MAX: u64 = 100;

/// Tells users that a meeting is shared with them.
pub async fn notify(registry: &Registry, request: &NotifyRequest) -> Result<(), Status> {
    let scope = read::scope(&request.organisation, &request.meeting_id)?;
    let now = registry.store().clock().wall();
    let said = read::time("expires_at", request.expires_at.as_ref())?;
    let expires_at = shared_until(said, now).map_err(|error| invalid("expires_at", &error))?;
    let users = read::bounded("user_ids", &request.user_ids, TOLD_PER_REQUEST_MAX)?
        .iter()
        .enumerate()
        .map(|(index, user)| read::field(&format!("user_ids[{index}]"), user))
        .collect::<Result<_, _>>()?;
    let from = Sender {
        user: read::field("from_user_id", &request.from_user_id)?,
        name: read::name("from_display_name", &request.from_display_name)?,
    };
    let request = read::field("request_id", &request.request_id)?;
    let shared = Shared { request, from, users, expires_at };
    registry.store().share(&scope, &shared, now).await.map_err(of_store)
}

/// What a user was told, oldest first.
pub async fn list(
    registry: &Registry,
    organisation: &OrganisationId,
    user: &UserId,
) -> Result<Vec<Notice>, Status> {
    let store = registry.store();
    let found = store.notices(organisation, user, store.clock().wall(), LISTED_MAX).await;
    Ok(found.map_err(of_store)?.iter().map(wire::notice).collect())
}

/// The user has dealt with a notice.
pub async fn dismiss(
    registry: &Registry,
    organisation: &OrganisationId,
    user: &UserId,
    notice: &NoticeId,
) -> Result<(), Status> {
    let store = registry.store();
    store.dismiss(organisation, user, notice, store.clock().wall()).await.map_err(of_store)
}
