//! The services that this relay asks on behalf of its terminals.

use tonic::Status;
use tributary_contracts::{
    access::v1::{SetShareMarkRequest, access_service_client::AccessServiceClient},
    credential::v1::{
        Identity, IssueJoinCredentialRequest, IssueJoinCredentialResponse, LogInRequest,
        RegisterGuestRequest, credential_service_client::CredentialServiceClient,
    },
    event::v1::{LeaveReason, MeetingEvent},
    registry::v1::{
        ApplyOperationRequest, CreateMeetingRequest, EndMeetingRequest, GetRosterRequest,
        GetRosterResponse, JoinRequest, JoinResponse, LeaveRequest, ListEventsRequest, Meeting,
        Operation, RenewRelayRequest, registry_service_client::RegistryServiceClient,
    },
};
use tributary_identifiers::{ParticipantId, RelaySessionId};
use tributary_message_bus::subjects::MeetingScope;
use tributary_service_runtime::ServiceChannel;

use crate::refusal::Refused;

const CREDENTIAL: &str = "the credential service";
const REGISTRY: &str = "the meeting registry";
const ACCESS: &str = "access control";

/// Clients of the other services; cheap to clone.
#[derive(Clone)]
pub(crate) struct Upstream {
    credential: CredentialServiceClient<ServiceChannel>,
    registry: RegistryServiceClient<ServiceChannel>,
    access: AccessServiceClient<ServiceChannel>,
}

impl Upstream {
    pub(crate) fn new(
        credential: ServiceChannel,
        registry: ServiceChannel,
        access: ServiceChannel,
    ) -> Self {
        Self {
            credential: CredentialServiceClient::new(credential),
            registry: RegistryServiceClient::new(registry),
            access: AccessServiceClient::new(access),
        }
    }

    pub(crate) async fn log_in(&self, request: LogInRequest) -> Result<Identity, Refused> {
        let response = self.credential.clone().log_in(request).await;
        response
            .map_err(refused_by(CREDENTIAL))?
            .into_inner()
            .identity
            .ok_or_else(no_answer(CREDENTIAL))
    }

    pub(crate) async fn register_guest(
        &self,
        request: RegisterGuestRequest,
    ) -> Result<Identity, Refused> {
        let response = self.credential.clone().register_guest(request).await;
        response
            .map_err(refused_by(CREDENTIAL))?
            .into_inner()
            .identity
            .ok_or_else(no_answer(CREDENTIAL))
    }

    pub(crate) async fn issue_join_credential(
        &self,
        request: IssueJoinCredentialRequest,
    ) -> Result<IssueJoinCredentialResponse, Refused> {
        let response = self.credential.clone().issue_join_credential(request).await;
        Ok(response.map_err(refused_by(CREDENTIAL))?.into_inner())
    }

    pub(crate) async fn create_meeting(
        &self,
        request: CreateMeetingRequest,
    ) -> Result<Meeting, Refused> {
        let response = self.registry.clone().create_meeting(request).await;
        response.map_err(refused_by(REGISTRY))?.into_inner().meeting.ok_or_else(no_answer(REGISTRY))
    }

    pub(crate) async fn share(&self, meeting: &Meeting) -> Result<(), Refused> {
        let request = SetShareMarkRequest {
            organisation: meeting.organisation.clone(),
            meeting_id: meeting.meeting_id.clone(),
            user_id: meeting.organiser_user_id.clone(),
            shared: true,
        };
        self.access.clone().set_share_mark(request).await.map(drop).map_err(refused_by(ACCESS))
    }

    pub(crate) async fn end_meeting(&self, scope: &MeetingScope) -> Result<(), Refused> {
        let request = EndMeetingRequest {
            organisation: scope.organisation.to_string(),
            meeting_id: scope.meeting.to_string(),
        };
        self.registry.clone().end_meeting(request).await.map(drop).map_err(refused_by(REGISTRY))
    }

    pub(crate) async fn join(&self, request: JoinRequest) -> Result<JoinResponse, Refused> {
        let response = self.registry.clone().join(request).await;
        Ok(response.map_err(refused_by(REGISTRY))?.into_inner())
    }

    pub(crate) async fn leave(
        &self,
        scope: &MeetingScope,
        participant: ParticipantId,
        relay_session: &RelaySessionId,
        reason: LeaveReason,
    ) -> Result<(), Refused> {
        let request = LeaveRequest {
            organisation: scope.organisation.to_string(),
            meeting_id: scope.meeting.to_string(),
            participant_id: participant.0,
            relay_session_id: relay_session.to_string(),
            reason: reason.into(),
        };
        self.registry.clone().leave(request).await.map(drop).map_err(refused_by(REGISTRY))
    }

    pub(crate) async fn apply(
        &self,
        scope: &MeetingScope,
        participant: ParticipantId,
        operation: Operation,
    ) -> Result<u64, Refused> {
        let request = ApplyOperationRequest {
            organisation: scope.organisation.to_string(),
            meeting_id: scope.meeting.to_string(),
            participant_id: participant.0,
            operation: Some(operation),
        };
        let response = self.registry.clone().apply_operation(request).await;
        Ok(response.map_err(refused_by(REGISTRY))?.into_inner().event_number)
    }

    pub(crate) async fn roster(&self, scope: &MeetingScope) -> Result<GetRosterResponse, Status> {
        let request = GetRosterRequest {
            organisation: scope.organisation.to_string(),
            meeting_id: scope.meeting.to_string(),
        };
        Ok(self.registry.clone().get_roster(request).await?.into_inner())
    }

    pub(crate) async fn events_after(
        &self,
        scope: &MeetingScope,
        after: u64,
    ) -> Result<Vec<MeetingEvent>, Status> {
        let request = ListEventsRequest {
            organisation: scope.organisation.to_string(),
            meeting_id: scope.meeting.to_string(),
            after,
            limit: 0,
        };
        Ok(self.registry.clone().list_events(request).await?.into_inner().events)
    }

    pub(crate) async fn renew_relay(&self, request: RenewRelayRequest) -> Result<(), Status> {
        self.registry.clone().renew_relay(request).await.map(drop)
    }
}

fn refused_by(service: &'static str) -> impl Fn(Status) -> Refused {
    move |status| Refused::from_status(service, &status)
}

fn no_answer(service: &'static str) -> impl Fn() -> Refused {
    move || Refused::try_again(service)
}
