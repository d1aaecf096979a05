//! `tributary.registry.v1.RegistryService`. The runtime lets in only who shows the service token.

use prost::Message as _;
use sha2::{Digest as _, Sha256};
use tonic::{Request, Response, Status, Streaming};
use tributary_contracts::{
    event::v1::{LeaveReason as WireLeaveReason, MeetingEvent},
    registry::v1::{
        self as registry, ApplyOperationRequest, ApplyOperationResponse, CreateMeetingRequest,
        CreateMeetingResponse, DeleteAttachmentRequest, DeleteAttachmentResponse,
        DismissNoticeRequest, DismissNoticeResponse, EndMeetingRequest, EndMeetingResponse,
        GetAccessFactsRequest, GetAccessFactsResponse, GetAttachmentRequest, GetMeetingRequest,
        GetMeetingResponse, GetRosterRequest, GetRosterResponse, JoinRequest, JoinResponse,
        LeaveRequest, LeaveResponse, ListAttachmentsRequest, ListAttachmentsResponse,
        ListEventsRequest, ListEventsResponse, ListMeetingsOfUserRequest,
        ListMeetingsOfUserResponse, ListMembersRequest, ListMembersResponse, ListNoticesRequest,
        ListNoticesResponse, NotifyRequest, NotifyResponse, PutAttachmentRequest,
        PutAttachmentResponse, RemoveMembersRequest, RemoveMembersResponse, RenewRelayRequest,
        RenewRelayResponse, SetMembersRequest, SetMembersResponse, UpdateMeetingRequest,
        UpdateMeetingResponse, operation::Body, registry_service_server::RegistryService,
    },
};
use tributary_identifiers::UserId;
use tributary_meeting_registry_core::{Command, Join, Leave, LeaveReason, PAGE_SIZE_MAX, Proposal};

use super::{
    attachments, managing, notices, read,
    status::{invalid, malformed_event, of_create, of_store},
};
use crate::{
    attachments::Attachments,
    registry::Registry,
    store::{Operation, StoreError},
    wire,
};

/// The largest part of a log in one answer.
const EVENTS_MAX: u32 = 500;

/// The most meetings of a user in one answer.
const MEETINGS_OF_USER_MAX: u64 = 100;

/// Answers the service. Clones share everything.
#[derive(Clone)]
pub struct RegistryApi {
    registry: Registry,
    attachments: Attachments,
}

impl RegistryApi {
    /// Over the meetings and their files.
    pub const fn new(registry: Registry, attachments: Attachments) -> Self {
        Self { registry, attachments }
    }
}

#[tonic::async_trait]
impl RegistryService for RegistryApi {
    async fn create_meeting(
        &self,
        request: Request<CreateMeetingRequest>,
    ) -> Result<Response<CreateMeetingResponse>, Status> {
        let request = request.into_inner();
        let proposal = Proposal {
            subject: &request.subject,
            organiser: &request.organiser_user_id,
            organiser_name: &request.organiser_display_name,
            members: &request.member_user_ids,
            hosts: &request.host_user_ids,
            password: &request.password,
            starts_at: read::time("starts_at", request.starts_at.as_ref())?,
            lobby: request.lobby,
        };
        let organisation = read::organisation(&request.organisation)?;
        let created = self.registry.create(organisation, &proposal).await;
        let meeting = created.map_err(of_create)?;
        Ok(Response::new(CreateMeetingResponse { meeting: Some(wire::meeting(&meeting)) }))
    }

    async fn get_meeting(
        &self,
        request: Request<GetMeetingRequest>,
    ) -> Result<Response<GetMeetingResponse>, Status> {
        let request = request.into_inner();
        let scope = read::scope(&request.organisation, &request.meeting_id)?;
        let meeting = self.registry.store().meeting(&scope).await.map_err(of_store)?;
        Ok(Response::new(GetMeetingResponse { meeting: Some(wire::meeting(&meeting)) }))
    }

    async fn update_meeting(
        &self,
        request: Request<UpdateMeetingRequest>,
    ) -> Result<Response<UpdateMeetingResponse>, Status> {
        let request = request.into_inner();
        let scope = read::scope(&request.organisation, &request.meeting_id)?;
        let by = read::caller(&request.user_id)?;
        let change = managing::Change {
            subject: request.subject.as_deref(),
            starts_at: request.starts_at.as_ref(),
            lobby: request.lobby,
            password: request.password.as_deref(),
        };
        let meeting = managing::update(&self.registry, &scope, by, change).await?;
        Ok(Response::new(UpdateMeetingResponse { meeting: Some(wire::meeting(&meeting)) }))
    }

    async fn set_members(
        &self,
        request: Request<SetMembersRequest>,
    ) -> Result<Response<SetMembersResponse>, Status> {
        let request = request.into_inner();
        let scope = read::scope(&request.organisation, &request.meeting_id)?;
        let by = read::caller(&request.user_id)?;
        let name = read::name("display_name", &request.display_name)?;
        let members = &request.members;
        let members = managing::set_members(&self.registry, &scope, by, name, members).await?;
        Ok(Response::new(SetMembersResponse { members }))
    }

    async fn remove_members(
        &self,
        request: Request<RemoveMembersRequest>,
    ) -> Result<Response<RemoveMembersResponse>, Status> {
        let request = request.into_inner();
        let scope = read::scope(&request.organisation, &request.meeting_id)?;
        let by = read::caller(&request.user_id)?;
        let users = &request.user_ids;
        let members = managing::remove_members(&self.registry, &scope, by, users).await?;
        Ok(Response::new(RemoveMembersResponse { members }))
    }

    async fn list_members(
        &self,
        request: Request<ListMembersRequest>,
    ) -> Result<Response<ListMembersResponse>, Status> {
        let request = request.into_inner();
        let scope = read::scope(&request.organisation, &request.meeting_id)?;
        let page = managing::member_page(request.page_size, PAGE_SIZE_MAX, &request.page_token)?;
        let (members, next_page_token) =
            managing::list_members(&self.registry, &scope, &page).await?;
        Ok(Response::new(ListMembersResponse { members, next_page_token }))
    }

    async fn list_meetings_of_user(
        &self,
        request: Request<ListMeetingsOfUserRequest>,
    ) -> Result<Response<ListMeetingsOfUserResponse>, Status> {
        let request = request.into_inner();
        let organisation = read::organisation(&request.organisation)?;
        let user: UserId = read::field("user_id", &request.user_id)?;
        let store = self.registry.store();
        let found = store.meetings_of_user(&organisation, &user, MEETINGS_OF_USER_MAX).await;
        let meetings = found.map_err(of_store)?.iter().map(wire::meeting).collect();
        Ok(Response::new(ListMeetingsOfUserResponse { meetings }))
    }

    async fn put_attachment(
        &self,
        request: Request<Streaming<PutAttachmentRequest>>,
    ) -> Result<Response<PutAttachmentResponse>, Status> {
        let attached = attachments::put(&self.attachments, request.into_inner()).await?;
        let attachment = Some(wire::attachment(&attached));
        Ok(Response::new(PutAttachmentResponse { attachment }))
    }

    type GetAttachmentStream = attachments::Giving;

    async fn get_attachment(
        &self,
        request: Request<GetAttachmentRequest>,
    ) -> Result<Response<Self::GetAttachmentStream>, Status> {
        let giving = attachments::get(&self.attachments, &request.into_inner()).await?;
        Ok(Response::new(giving))
    }

    async fn list_attachments(
        &self,
        request: Request<ListAttachmentsRequest>,
    ) -> Result<Response<ListAttachmentsResponse>, Status> {
        let request = request.into_inner();
        let scope = read::scope(&request.organisation, &request.meeting_id)?;
        let attachments = attachments::list(&self.attachments, &scope).await?;
        Ok(Response::new(ListAttachmentsResponse { attachments }))
    }

    async fn delete_attachment(
        &self,
        request: Request<DeleteAttachmentRequest>,
    ) -> Result<Response<DeleteAttachmentResponse>, Status> {
        let request = request.into_inner();
        let scope = read::scope(&request.organisation, &request.meeting_id)?;
        let by = read::caller(&request.user_id)?;
        let attachment = read::field("attachment_id", &request.attachment_id)?;
        self.attachments.remove(&scope, by, attachment).await.map_err(of_store)?;
        Ok(Response::new(DeleteAttachmentResponse {}))
    }

    async fn notify(
        &self,
        request: Request<NotifyRequest>,
    ) -> Result<Response<NotifyResponse>, Status> {
        notices::notify(&self.registry, &request.into_inner()).await?;
        Ok(Response::new(NotifyResponse {}))
    }

    async fn list_notices(
        &self,
        request: Request<ListNoticesRequest>,
    ) -> Result<Response<ListNoticesResponse>, Status> {
        let request = request.into_inner();
        let organisation = read::organisation(&request.organisation)?;
        let user: UserId = read::field("user_id", &request.user_id)?;
        let notices = notices::list(&self.registry, &organisation, &user).await?;
        Ok(Response::new(ListNoticesResponse { notices }))
    }

    async fn dismiss_notice(
        &self,
        request: Request<DismissNoticeRequest>,
    ) -> Result<Response<DismissNoticeResponse>, Status> {
        let request = request.into_inner();
        let organisation = read::organisation(&request.organisation)?;
        let user: UserId = read::field("user_id", &request.user_id)?;
        let notice = read::field("notice_id", &request.notice_id)?;
        notices::dismiss(&self.registry, &organisation, &user, &notice).await?;
        Ok(Response::new(DismissNoticeResponse {}))
    }

    async fn end_meeting(
        &self,
        request: Request<EndMeetingRequest>,
    ) -> Result<Response<EndMeetingResponse>, Status> {
        let request = request.into_inner();
        let scope = read::scope(&request.organisation, &request.meeting_id)?;
        let ended = self.registry.apply(&scope, Command::End).await.map_err(of_store)?;
        Ok(Response::new(EndMeetingResponse { meeting: Some(wire::meeting(ended.meeting())) }))
    }

    async fn get_access_facts(
        &self,
        request: Request<GetAccessFactsRequest>,
    ) -> Result<Response<GetAccessFactsResponse>, Status> {
        let request = request.into_inner();
        let scope = read::scope(&request.organisation, &request.meeting_id)?;
        let user: UserId = read::field("user_id", &request.user_id)?;
        let facts = self.registry.store().meeting_and_role(&scope, &user).await;
        let (meeting, role) = match facts {
            Ok(facts) => facts,
            Err(StoreError::NoSuchMeeting) => {
                return Ok(Response::new(GetAccessFactsResponse::default()));
            }
            Err(error) => return Err(of_store(error)),
        };
        Ok(Response::new(GetAccessFactsResponse {
            meeting: Some(wire::meeting(&meeting)),
            role: wire::member_role(role).into(),
            password_hash: meeting.password_hash.unwrap_or_default(),
        }))
    }

    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinResponse>, Status> {
        let request = request.into_inner();
        let scope = read::scope(&request.organisation, &request.meeting_id)?;
        let join = read_join(&request)?;
        let (participant, meeting) = self.registry.join(&scope, join).await.map_err(of_store)?;
        Ok(Response::new(JoinResponse {
            participant: Some(wire::participant(&participant)),
            meeting: Some(wire::meeting(&meeting)),
        }))
    }

    async fn leave(
        &self,
        request: Request<LeaveRequest>,
    ) -> Result<Response<LeaveResponse>, Status> {
        let request = request.into_inner();
        let scope = read::scope(&request.organisation, &request.meeting_id)?;
        let leave = Leave {
            participant: read::participant(request.participant_id)?,
            relay_session: read::field("relay_session_id", &request.relay_session_id)?,
            reason: read_reason(request.reason())?,
        };
        self.registry.apply(&scope, Command::Leave(leave)).await.map_err(of_store)?;
        Ok(Response::new(LeaveResponse {}))
    }

    async fn get_roster(
        &self,
        request: Request<GetRosterRequest>,
    ) -> Result<Response<GetRosterResponse>, Status> {
        let request = request.into_inner();
        let scope = read::scope(&request.organisation, &request.meeting_id)?;
        let (_, roster) = self.registry.store().roster(&scope).await.map_err(of_store)?;
        Ok(Response::new(GetRosterResponse {
            participants: roster.participants().map(wire::participant).collect(),
            event_number: roster.event_number(),
        }))
    }

    async fn list_events(
        &self,
        request: Request<ListEventsRequest>,
    ) -> Result<Response<ListEventsResponse>, Status> {
        let request = request.into_inner();
        let scope = read::scope(&request.organisation, &request.meeting_id)?;
        let limit = match request.limit {
            0 => EVENTS_MAX,
            limit => limit.min(EVENTS_MAX),
        };
        let payloads = self
            .registry
            .store()
            .events(&scope, request.after, limit.into())
            .await
            .map_err(of_store)?;
        let events = payloads
            .iter()
            .map(|payload| MeetingEvent::decode(payload.as_slice()))
            .collect::<Result<_, _>>()
            .map_err(|error| malformed_event(&error))?;
        Ok(Response::new(ListEventsResponse { events }))
    }

    async fn apply_operation(
        &self,
        request: Request<ApplyOperationRequest>,
    ) -> Result<Response<ApplyOperationResponse>, Status> {
        let request = request.into_inner();
        let scope = read::scope(&request.organisation, &request.meeting_id)?;
        let participant = read::participant(request.participant_id)?;
        let missing = || invalid("operation", &"must be given");
        let wire_operation = request.operation.ok_or_else(missing)?;
        let operation = Operation {
            participant,
            id: read::field("operation.operation_id", &wire_operation.operation_id)?,
            body_hash: body_hash(&wire_operation),
        };
        let unknown = || invalid("operation.body", &"must be an operation that is known here");
        let event_number = match wire_operation.body.ok_or_else(unknown)? {
            Body::SetMuted(set) => {
                self.registry.set_muted(&scope, &operation, participant, set.muted).await
            }
        }
        .map_err(of_store)?;
        Ok(Response::new(ApplyOperationResponse { event_number }))
    }

    async fn renew_relay(
        &self,
        request: Request<RenewRelayRequest>,
    ) -> Result<Response<RenewRelayResponse>, Status> {
        let request = request.into_inner();
        let relay = read::field("relay_id", &request.relay_id)?;
        let session = read::field("relay_session_id", &request.relay_session_id)?;
        self.registry.store().renew_relay(&relay, &session).await.map_err(of_store)?;
        Ok(Response::new(RenewRelayResponse {}))
    }
}

fn read_join(request: &JoinRequest) -> Result<Join, Status> {
    Ok(Join {
        user_id: read::field("user_id", &request.user_id)?,
        display_name: read::field("display_name", &request.display_name)?,
        guest: request.guest,
        key: read::field("key_thumbprint", &request.key_thumbprint)?,
        relay_id: read::field("relay_id", &request.relay_id)?,
        relay_name: read::field("relay_name", &request.relay_name)?,
        relay_session: read::field("relay_session_id", &request.relay_session_id)?,
        muted: request.muted,
    })
}

/// Why a relay says that somebody has left; that the meeting has ended is not for a relay to say.
fn read_reason(reason: WireLeaveReason) -> Result<LeaveReason, Status> {
    match reason {
        WireLeaveReason::Unspecified | WireLeaveReason::Left => Ok(LeaveReason::Left),
        WireLeaveReason::TerminalLost => Ok(LeaveReason::TerminalLost),
        WireLeaveReason::RelayLost => Ok(LeaveReason::RelayLost),
        WireLeaveReason::MeetingEnded => {
            Err(invalid("reason", &"a meeting is ended by EndMeeting"))
        }
    }
}

fn body_hash(operation: &registry::Operation) -> Vec<u8> {
    let body = registry::Operation { operation_id: String::new(), body: operation.body };
    Sha256::digest(body.encode_to_vec()).to_vec()
}
