//! Finding out the facts that decisions are made from.
//!
//! Meetings and roles come from the meeting registry, shares from the own database. Both are kept
//! for a short time, forgotten when NATS tells of a change, and looked up once however many ask at
//! the same moment. What is not there is kept too: whether something is known already tells nothing
//! about whether it exists.

mod allows;
mod freshness;
mod shelf;

use std::{fmt, sync::Arc, time::Duration};

use tonic::{Code, Request, Status};
use tributary_access_control_core::{MeetingState, Role, Share};
use tributary_contracts::registry::v1::{
    GetAccessFactsRequest, GetAccessFactsResponse, Meeting, MemberRole,
    registry_service_client::RegistryServiceClient,
};
use tributary_identifiers::UserId;
use tributary_message_bus::subjects::MeetingScope;
use tributary_service_runtime::ServiceChannel;
use tributary_share_link::SecretHash;

pub use allows::{Allow, RecentAllows};
pub use freshness::{Freshness, Moment};
use shelf::Shelf;

use crate::{
    config::Config,
    store::{KeptShare, Recipients, Store, StoreError},
    wire,
};

/// After this the registry counts as gone: who waits for a decision has a deadline too.
const REGISTRY_DEADLINE: Duration = Duration::from_secs(2);
/// So many named users of shares weigh as much as one more fact.
const USERS_PER_WEIGHT: usize = 8;

/// The shares of a meeting, as decisions need them.
pub type Shares = Arc<[Share<SecretHash>]>;

/// Knows meetings, roles and shares. Clones share everything.
#[derive(Clone)]
pub struct FactFinder {
    registry: RegistryServiceClient<ServiceChannel>,
    store: Store,
    meetings: Shelf<(MeetingScope, UserId), Arc<MeetingFacts>>,
    shares: Shelf<MeetingScope, Shares>,
}

/// What the registry says about a meeting and a user.
#[derive(Clone, PartialEq, Eq)]
pub struct MeetingFacts {
    /// Whether there is one in this organisation.
    pub present: bool,
    /// When it ended, milliseconds since 1970.
    pub ended_at: Option<u64>,
    /// What the user is on its list.
    pub role: Role,
    /// Whether a host has taken the user out.
    pub removed: bool,
    /// Of the meeting's password, in PHC form.
    pub password_hash: Option<String>,
}

impl fmt::Debug for MeetingFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let password_hash = self.password_hash.as_ref().map(|_| "[redacted]");
        f.debug_struct("MeetingFacts")
            .field("present", &self.present)
            .field("ended_at", &self.ended_at)
            .field("role", &self.role)
            .field("removed", &self.removed)
            .field("password_hash", &password_hash)
            .finish()
    }
}

/// Why a fact could not be found out.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FactError {
    /// The meeting registry did not answer.
    #[error("the meeting registry did not answer ({0:?})")]
    Registry(Code),
    /// The own database did not answer.
    #[error(transparent)]
    Store(Arc<StoreError>),
}

impl From<StoreError> for FactError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl FactFinder {
    /// Asks this registry and this store.
    pub fn new(
        config: &Config,
        registry: RegistryServiceClient<ServiceChannel>,
        store: Store,
        freshness: Arc<Freshness>,
    ) -> Self {
        let (life, max) = (config.facts_life(), config.facts_max);
        let meetings = Shelf::new("meetings", life, max, Arc::clone(&freshness), |_| 1);
        let shares = Shelf::new("shares", life, max, freshness, weigh);
        Self { registry, store, meetings, shares }
    }

    /// The meeting, and what the user is in it.
    ///
    /// # Errors
    /// The registry did not answer.
    pub async fn meeting(
        &self,
        scope: &MeetingScope,
        user_id: &UserId,
    ) -> Result<Arc<MeetingFacts>, FactError> {
        let key = (scope.clone(), user_id.clone());
        let ask = async || {
            let answer = self.ask_registry(scope, user_id).await?;
            Ok(Arc::new(MeetingFacts::from(answer)))
        };
        self.meetings.get(&key, scope, ask).await
    }

    /// The shares of the meeting that were carried out.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn shares(&self, scope: &MeetingScope) -> Result<Shares, FactError> {
        let ask = async || {
            let kept = self.store.pulse().in_time(self.store.all_shares(scope)).await?;
            Ok(kept.into_iter().map(share).collect())
        };
        self.shares.get(scope, scope, ask).await
    }

    /// The meeting as it is now, and what the user is in it; never from a cache.
    ///
    /// # Errors
    /// The registry did not answer.
    pub async fn meeting_now(
        &self,
        scope: &MeetingScope,
        user_id: &UserId,
    ) -> Result<(Option<Meeting>, Role), FactError> {
        let answer = self.ask_registry(scope, user_id).await?;
        let role = role(answer.role());
        Ok((answer.meeting, role))
    }

    async fn ask_registry(
        &self,
        scope: &MeetingScope,
        user_id: &UserId,
    ) -> Result<GetAccessFactsResponse, FactError> {
        let question = GetAccessFactsRequest {
            organisation: scope.organisation.to_string(),
            meeting_id: scope.meeting.to_string(),
            user_id: user_id.to_string(),
        };
        let mut question = Request::new(question);
        question.set_timeout(REGISTRY_DEADLINE);
        let answer = self.registry.clone().get_access_facts(question).await;
        answer.map(tonic::Response::into_inner).map_err(|status: Status| {
            tracing::warn!(code = ?status.code(), message = status.message(),
                "the meeting registry did not say what is known about a meeting");
            FactError::Registry(status.code())
        })
    }
}

impl MeetingFacts {
    /// How far the meeting is.
    pub const fn state(&self, readable_for: u64, now: u64) -> MeetingState {
        if self.present {
            MeetingState::at(self.ended_at, readable_for, now)
        } else {
            MeetingState::Absent
        }
    }
}

impl From<GetAccessFactsResponse> for MeetingFacts {
    fn from(answer: GetAccessFactsResponse) -> Self {
        let role = role(answer.role());
        let ended_at = answer.meeting.as_ref().and_then(|meeting| meeting.ended_at);
        Self {
            present: answer.meeting.is_some(),
            ended_at: ended_at.map(wire::millis),
            role,
            removed: answer.removed,
            password_hash: Some(answer.password_hash).filter(|hash| !hash.is_empty()),
        }
    }
}

const fn role(role: MemberRole) -> Role {
    match role {
        MemberRole::Unspecified => Role::Outsider,
        MemberRole::Organiser => Role::Organiser,
        MemberRole::Host => Role::Host,
        MemberRole::Member => Role::Member,
    }
}

fn share(kept: KeptShare) -> Share<SecretHash> {
    let users = match kept.recipients {
        Recipients::Users(users) => users,
        Recipients::Link | Recipients::Email(_) => Vec::new(),
    };
    Share {
        secret_hash: kept.secret_hash,
        users,
        expires_at: kept.expires_at,
        revoked: kept.revoked_at.is_some(),
    }
}

fn weigh(shares: &Shares) -> u32 {
    let users: usize = shares.iter().map(|share| share.users.len()).sum();
    u32::try_from(1 + shares.len() + users / USERS_PER_WEIGHT).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_hash_is_not_shown() {
        let facts = MeetingFacts {
            present: true,
            ended_at: None,
            role: Role::Member,
            removed: false,
            password_hash: Some("$argon2id$canary".to_owned()),
        };
        let shown = format!("{facts:?}");
        assert!(shown.contains("Member") && !shown.contains("canary"), "{shown}");
    }
}
