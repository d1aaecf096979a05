//! `tributary.registry.v1.RegistryService`. The runtime lets in only who shows the service token.

use tonic::{Request, Response, Status, Streaming};
use tributary_contracts::registry::v1::{
    AnnounceRequest, AnnounceResponse, CreateMeetingRequest, CreateMeetingResponse,
    DeleteAttachmentRequest, DeleteAttachmentResponse, DismissNoticeRequest, DismissNoticeResponse,
    EndMeetingRequest, EndMeetingResponse, ExportAttendanceRequest, ExportAttendanceResponse,
    GetAccessFactsRequest, GetAccessFactsResponse, GetAttachmentRequest, GetMeetingRequest,
    GetMeetingResponse, GetRosterRequest, GetRosterResponse, JoinRequest, JoinResponse,
    LeaveRequest, LeaveResponse, ListAttachmentsRequest, ListAttachmentsResponse, ListChatRequest,
    ListChatResponse, ListEventsRequest, ListEventsResponse, ListMeetingsOfUserRequest,
    ListMeetingsOfUserResponse, ListMembersRequest, ListMembersResponse, ListNoticesRequest,
    ListNoticesResponse, NotifyRequest, NotifyResponse, PutAttachmentRequest,
    PutAttachmentResponse, RemoveMembersRequest, RemoveMembersResponse, RenewRelayRequest,
    RenewRelayResponse, SetMembersRequest, SetMembersResponse, SetReachableRequest,
    SetReachableResponse, UpdateMeetingRequest, UpdateMeetingResponse,
    registry_service_server::RegistryService,
};
use tributary_identifiers::UserId;
use tributary_meeting_registry_core::{Command, PAGE_SIZE_MAX, Proposal};

use super::{
    announcing, attachments, attendance, coming, log, managing, notices, read,
    status::{of_create, of_store},
};
use crate::{
    attachments::Attachments,
    registry::Registry,
    store::{AccessFacts, StoreError},
    wire,
};

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
        let facts = self.registry.store().access_facts(&scope, &user).await;
        let AccessFacts { meeting, role, removed } = match facts {
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
            removed,
        }))
    }

    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinResponse>, Status> {
        let request = request.into_inner();
        let scope = read::scope(&request.organisation, &request.meeting_id)?;
        let join = coming::read_join(&request)?;
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
        let leave = coming::read_leave(&request)?;
        self.registry.apply(&scope, Command::Leave(leave)).await.map_err(of_store)?;
        Ok(Response::new(LeaveResponse {}))
    }

    async fn set_reachable(
        &self,
        request: Request<SetReachableRequest>,
    ) -> Result<Response<SetReachableResponse>, Status> {
        let request = request.into_inner();
        let scope = read::scope(&request.organisation, &request.meeting_id)?;
        let set = Command::SetReachable(coming::read_reachable(&request)?);
        self.registry.apply(&scope, set).await.map_err(of_store)?;
        Ok(Response::new(SetReachableResponse {}))
    }

    async fn get_roster(
        &self,
        request: Request<GetRosterRequest>,
    ) -> Result<Response<GetRosterResponse>, Status> {
        let request = request.into_inner();
        let scope = read::scope(&request.organisation, &request.meeting_id)?;
        let (_, roster) = self.registry.store().roster(&scope).await.map_err(of_store)?;
        Ok(Response::new(wire::roster(&roster)))
    }

    async fn list_events(
        &self,
        request: Request<ListEventsRequest>,
    ) -> Result<Response<ListEventsResponse>, Status> {
        let events = log::events(&self.registry, &request.into_inner()).await?;
        Ok(Response::new(ListEventsResponse { events }))
    }

    async fn list_chat(
        &self,
        request: Request<ListChatRequest>,
    ) -> Result<Response<ListChatResponse>, Status> {
        let messages = log::chat(&self.registry, &request.into_inner()).await?;
        Ok(Response::new(ListChatResponse { messages }))
    }

    type ExportAttendanceStream = attendance::Exporting<ExportAttendanceResponse>;

    async fn export_attendance(
        &self,
        request: Request<ExportAttendanceRequest>,
    ) -> Result<Response<Self::ExportAttendanceStream>, Status> {
        let request = request.into_inner();
        let scope = read::scope(&request.organisation, &request.meeting_id)?;
        let by = read::caller(&request.user_id)?;
        let piece = |data| ExportAttendanceResponse { data };
        attendance::export(&self.registry, &scope, by, request.format, piece).await
    }

    async fn announce(
        &self,
        request: Request<AnnounceRequest>,
    ) -> Result<Response<AnnounceResponse>, Status> {
        let request = request.into_inner();
        let scope = read::scope(&request.organisation, &request.meeting_id)?;
        let audience = announcing::audience(request.audience.as_ref())?;
        let (request_id, text) = (&request.request_id, &request.text);
        let asked = announcing::Asked { request_id, audience, text };
        let event_number = announcing::announce(&self.registry, &scope, asked).await?;
        Ok(Response::new(AnnounceResponse { event_number }))
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
