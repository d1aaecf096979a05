//! Finding out the facts that decisions are made from.
//!
//! Facts are believed for a short time (`Config::facts_life`) and looked up once however many ask
//! at the same moment. Failures are not kept.

use std::sync::Arc;

use moka::future::Cache;
use tonic::{Code, Status};
use tributary_access_control_core::{MeetingState, Membership, ShareMark};
use tributary_contracts::registry::v1::{
    GetAccessFactsRequest, GetAccessFactsResponse, registry_service_client::RegistryServiceClient,
};
use tributary_identifiers::{MeetingId, OrganisationId, UserId};
use tributary_service_runtime::ServiceChannel;

use crate::{
    clock::unix_now,
    config::Config,
    store::{Store, StoreError},
};

/// Knows meetings, members and share marks. Clones share everything.
#[derive(Clone)]
pub struct FactFinder {
    registry: RegistryServiceClient<ServiceChannel>,
    store: Store,
    meetings: Cache<(Subject, UserId), Arc<MeetingFacts>>,
    share_marks: Cache<Subject, ShareMark>,
}

/// A meeting as a user names it: in the user's own organisation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The user's organisation.
    pub organisation: OrganisationId,
    /// The meeting, which may not exist.
    pub meeting_id: MeetingId,
}

/// What the registry says about a meeting and a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeetingFacts {
    /// How far the meeting is.
    pub state: MeetingState,
    /// Whether the user is on its list.
    pub membership: Membership,
    /// Whether the user is its organiser.
    pub organiser: bool,
    /// Of the meeting's password, in PHC form.
    pub password_hash: Option<String>,
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

impl FactFinder {
    /// Asks this registry and this store.
    pub fn new(
        config: &Config,
        registry: RegistryServiceClient<ServiceChannel>,
        store: Store,
    ) -> Self {
        let (life, max) = (config.facts_life(), config.facts_max);
        Self {
            registry,
            store,
            meetings: Cache::builder().max_capacity(max).time_to_live(life).build(),
            share_marks: Cache::builder().max_capacity(max).time_to_live(life).build(),
        }
    }

    /// The meeting, and what the user is in it.
    ///
    /// # Errors
    /// The registry did not answer.
    pub async fn meeting(
        &self,
        subject: &Subject,
        user_id: &UserId,
    ) -> Result<Arc<MeetingFacts>, FactError> {
        let key = (subject.clone(), user_id.clone());
        self.meetings
            .try_get_with(key, self.ask_registry(subject, user_id))
            .await
            .map_err(|error| FactError::clone(&error))
    }

    /// Whether the meeting is shared with outsiders.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn share_mark(&self, subject: &Subject) -> Result<ShareMark, FactError> {
        let read = async {
            let mark = self.store.share_mark(&subject.organisation, subject.meeting_id).await;
            mark.map_err(|error| FactError::Store(Arc::new(error)))
        };
        self.share_marks
            .try_get_with(subject.clone(), read)
            .await
            .map_err(|error| FactError::clone(&error))
    }

    /// Sets or removes the share mark. Other replicas notice when their facts have aged.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn set_share_mark(
        &self,
        subject: &Subject,
        mark: ShareMark,
        user_id: &UserId,
    ) -> Result<(), FactError> {
        let Subject { organisation, meeting_id } = subject;
        self.store
            .set_share_mark(organisation, *meeting_id, mark, user_id, unix_now())
            .await
            .map_err(|error| FactError::Store(Arc::new(error)))?;
        self.share_marks.invalidate(subject).await;
        Ok(())
    }

    async fn ask_registry(
        &self,
        subject: &Subject,
        user_id: &UserId,
    ) -> Result<Arc<MeetingFacts>, FactError> {
        let question = GetAccessFactsRequest {
            organisation: subject.organisation.to_string(),
            meeting_id: subject.meeting_id.to_string(),
            user_id: user_id.to_string(),
        };
        let answer = self.registry.clone().get_access_facts(question).await;
        let answer = answer.map_err(|status: Status| {
            tracing::warn!(code = ?status.code(), message = status.message(),
                "the meeting registry did not say what is known about a meeting");
            FactError::Registry(status.code())
        })?;
        Ok(Arc::new(MeetingFacts::of(answer.into_inner(), user_id)))
    }
}

impl MeetingFacts {
    fn of(answer: GetAccessFactsResponse, user_id: &UserId) -> Self {
        let (state, organiser) = match &answer.meeting {
            None => (MeetingState::Absent, false),
            Some(meeting) => {
                let ended = meeting.ended_at.is_some();
                let state = if ended { MeetingState::Ended } else { MeetingState::Open };
                (state, meeting.organiser_user_id == user_id.as_str())
            }
        };
        Self {
            state,
            membership: if answer.member { Membership::Member } else { Membership::Outsider },
            organiser,
            password_hash: Some(answer.password_hash).filter(|hash| !hash.is_empty()),
        }
    }
}
