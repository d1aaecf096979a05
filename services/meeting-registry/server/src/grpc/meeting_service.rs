//! `tributary.admin.v1.MeetingService`. The runtime lets in only who shows the admin token.

use tonic::{Request, Response, Status};
use tributary_contracts::admin::v1::{
    AnnounceRequest, AnnounceResponse, CreateMeetingRequest, CreateMeetingResponse,
    DeleteMeetingRequest, DeleteMeetingResponse, EndMeetingRequest, EndMeetingResponse,
    ExportAttendanceRequest, ExportAttendanceResponse, GetMeetingRequest, GetMeetingResponse,
    Group, GroupParticipant, ListAttendanceRequest, ListAttendanceResponse, ListMeetingsRequest,
    ListMeetingsResponse, ListMembersRequest, ListMembersResponse, Meeting, RemoveMembersRequest,
    RemoveMembersResponse, SetMembersRequest, SetMembersResponse, UpdateMeetingRequest,
    UpdateMeetingResponse, meeting_service_server::MeetingService,
};
use tributary_meeting_registry_core::{
    self as core, Caller, Command, Cursor, PAGE_SIZE_DEFAULT, PageRequest, Proposal, Roster,
    page_token,
};

use super::{
    announcing, attachments, attendance, managing, read,
    status::{invalid, of_create, of_store},
};
use crate::{attachments::Attachments, registry::Registry, wire};

/// Answers the service. Clones share everything.
#[derive(Clone)]
pub struct MeetingApi {
    registry: Registry,
    attachments: Attachments,
}

impl MeetingApi {
    /// Over the meetings and their files.
    pub const fn new(registry: Registry, attachments: Attachments) -> Self {
        Self { registry, attachments }
    }
}

#[tonic::async_trait]
impl MeetingService for MeetingApi {
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
        let created = self.registry.create(organisation, &proposal).await.map_err(of_create)?;
        Ok(Response::new(CreateMeetingResponse { meeting: Some(meeting(&created)) }))
    }

    async fn get_meeting(
        &self,
        request: Request<GetMeetingRequest>,
    ) -> Result<Response<GetMeetingResponse>, Status> {
        let request = request.into_inner();
        let scope = read::scope(&request.organisation, &request.meeting_id)?;
        let (found, roster) = self.registry.store().roster(&scope).await.map_err(of_store)?;
        let attachments = attachments::list(&self.attachments, &scope).await?;
        let meeting = Meeting { groups: groups(&roster), attachments, ..meeting(&found) };
        Ok(Response::new(GetMeetingResponse { meeting: Some(meeting) }))
    }

    async fn list_meetings(
        &self,
        request: Request<ListMeetingsRequest>,
    ) -> Result<Response<ListMeetingsResponse>, Status> {
        let request = request.into_inner();
        let organisation = read::organisation(&request.organisation)?;
        let page = PageRequest::read(request.page_size, &request.page_token)
            .map_err(|error| invalid(error.field(), &error))?;
        // One more than asked for shows whether there is a next page.
        let mut found = self
            .registry
            .store()
            .meetings(&organisation, page.after, u64::from(page.size) + 1)
            .await
            .map_err(of_store)?;
        let size = page.size as usize;
        let more = found.len() > size;
        found.truncate(size);
        let next_page_token = match found.last() {
            Some(last) if more => page_token(Cursor { created_at: last.created_at, id: last.id }),
            _ => String::new(),
        };
        let meetings = found.iter().map(meeting).collect();
        Ok(Response::new(ListMeetingsResponse { meetings, next_page_token }))
    }

    async fn delete_meeting(
        &self,
        request: Request<DeleteMeetingRequest>,
    ) -> Result<Response<DeleteMeetingResponse>, Status> {
        let request = request.into_inner();
        let scope = read::scope(&request.organisation, &request.meeting_id)?;
        self.registry.delete(&scope).await.map_err(of_store)?;
        tracing::info!(meeting = %scope.meeting, organisation = %scope.organisation, "deleted");
        Ok(Response::new(DeleteMeetingResponse {}))
    }

    async fn update_meeting(
        &self,
        request: Request<UpdateMeetingRequest>,
    ) -> Result<Response<UpdateMeetingResponse>, Status> {
        let request = request.into_inner();
        let scope = read::scope(&request.organisation, &request.meeting_id)?;
        let change = managing::Change {
            subject: request.subject.as_deref(),
            starts_at: request.starts_at.as_ref(),
            lobby: request.lobby,
            password: request.password.as_deref(),
        };
        let updated = managing::update(&self.registry, &scope, Caller::Platform, change).await?;
        Ok(Response::new(UpdateMeetingResponse { meeting: Some(meeting(&updated)) }))
    }

    async fn end_meeting(
        &self,
        request: Request<EndMeetingRequest>,
    ) -> Result<Response<EndMeetingResponse>, Status> {
        let request = request.into_inner();
        let scope = read::scope(&request.organisation, &request.meeting_id)?;
        let ended = self.registry.apply(&scope, Command::End).await.map_err(of_store)?;
        Ok(Response::new(EndMeetingResponse { meeting: Some(meeting(ended.meeting())) }))
    }

    async fn set_members(
        &self,
        request: Request<SetMembersRequest>,
    ) -> Result<Response<SetMembersResponse>, Status> {
        let request = request.into_inner();
        let scope = read::scope(&request.organisation, &request.meeting_id)?;
        let (by, members) = (Caller::Platform, &request.members);
        let members = managing::set_members(&self.registry, &scope, by, None, members).await?;
        Ok(Response::new(SetMembersResponse { members }))
    }

    async fn remove_members(
        &self,
        request: Request<RemoveMembersRequest>,
    ) -> Result<Response<RemoveMembersResponse>, Status> {
        let request = request.into_inner();
        let scope = read::scope(&request.organisation, &request.meeting_id)?;
        let (by, users) = (Caller::Platform, &request.user_ids);
        let members = managing::remove_members(&self.registry, &scope, by, users).await?;
        Ok(Response::new(RemoveMembersResponse { members }))
    }

    async fn list_members(
        &self,
        request: Request<ListMembersRequest>,
    ) -> Result<Response<ListMembersResponse>, Status> {
        let request = request.into_inner();
        let scope = read::scope(&request.organisation, &request.meeting_id)?;
        let (size, token) = (request.page_size, &request.page_token);
        let page = managing::member_page(size, PAGE_SIZE_DEFAULT, token)?;
        let (members, next_page_token) =
            managing::list_members(&self.registry, &scope, &page).await?;
        Ok(Response::new(ListMembersResponse { members, next_page_token }))
    }

    async fn list_attendance(
        &self,
        request: Request<ListAttendanceRequest>,
    ) -> Result<Response<ListAttendanceResponse>, Status> {
        let request = request.into_inner();
        let scope = read::scope(&request.organisation, &request.meeting_id)?;
        let (size, token) = (request.page_size, &request.page_token);
        let (attendances, next_page_token) =
            attendance::list(&self.registry, &scope, size, token).await?;
        Ok(Response::new(ListAttendanceResponse { attendances, next_page_token }))
    }

    type ExportAttendanceStream = attendance::Exporting<ExportAttendanceResponse>;

    async fn export_attendance(
        &self,
        request: Request<ExportAttendanceRequest>,
    ) -> Result<Response<Self::ExportAttendanceStream>, Status> {
        let request = request.into_inner();
        let scope = read::scope(&request.organisation, &request.meeting_id)?;
        let (by, piece) = (Caller::Platform, |data| ExportAttendanceResponse { data });
        attendance::export(&self.registry, &scope, by, request.format, piece).await
    }

    async fn announce(
        &self,
        request: Request<AnnounceRequest>,
    ) -> Result<Response<AnnounceResponse>, Status> {
        let request = request.into_inner();
        let scope = read::scope(&request.organisation, &request.meeting_id)?;
        let audience = announcing::audience_of(&request.participant_ids, &request.relay_id)?;
        let (request_id, text) = (&request.request_id, &request.text);
        let asked = announcing::Asked { request_id, audience, text };
        let event_number = announcing::announce(&self.registry, &scope, asked).await?;
        Ok(Response::new(AnnounceResponse { event_number }))
    }
}

fn meeting(meeting: &core::Meeting) -> Meeting {
    Meeting {
        meeting_id: meeting.id.to_string(),
        organisation: meeting.organisation.to_string(),
        subject: meeting.subject.to_string(),
        organiser_user_id: meeting.organiser.to_string(),
        has_password: meeting.password_hash.is_some(),
        created_at: Some(wire::timestamp(meeting.created_at)),
        ended_at: meeting.ended_at.map(wire::timestamp),
        groups: Vec::new(),
        starts_at: meeting.starts_at.map(wire::timestamp),
        lobby: meeting.lobby,
        attachments: Vec::new(),
    }
}

fn groups(roster: &Roster) -> Vec<Group> {
    roster
        .groups()
        .into_iter()
        .map(|group| Group {
            relay_id: group.relay_id.to_string(),
            relay_name: group.relay_name.to_string(),
            relay_depth: group.relay_depth,
            relay_path: wire::relay_path(group.relay_path),
            participants: group.participants.into_iter().map(group_participant).collect(),
        })
        .collect()
}

fn group_participant(participant: &core::Participant) -> GroupParticipant {
    GroupParticipant {
        participant_id: participant.id.0,
        user_id: participant.user_id.to_string(),
        display_name: participant.display_name.to_string(),
        presence: wire::presence(participant.presence).into(),
        host: participant.host,
        relay_itself: participant.relay_itself,
        unreachable: participant.unreachable,
    }
}
