//! What the meeting registry is asked.

use tonic::{Response, Status, Streaming};
use tributary_contracts::{
    event::v1::MeetingEvent,
    notice::v1::Notice,
    registry::v1::{
        Attachment, CreateMeetingRequest, DeleteAttachmentRequest, DismissNoticeRequest,
        ExportAttendanceRequest, ExportAttendanceResponse, GetAttachmentRequest,
        GetAttachmentResponse, GetMeetingRequest, GetRosterRequest, GetRosterResponse, JoinRequest,
        JoinResponse, LeaveRequest, ListAttachmentsRequest, ListChatRequest, ListEventsRequest,
        ListMeetingsOfUserRequest, ListMembersRequest, ListNoticesRequest, Meeting, Member,
        PutAttachmentRequest, RemoveMembersRequest, RenewRelayRequest, SetMembersRequest,
        SetReachableRequest, UpdateMeetingRequest,
    },
};
use tributary_identifiers::{OrganisationId, UserId};
use tributary_message_bus::subjects::MeetingScope;

use super::{REGISTRY, Upstream, answered, present};
use crate::refusal::Refused;

/// Meetings.
impl Upstream {
    pub(crate) async fn create_meeting(
        &self,
        request: CreateMeetingRequest,
    ) -> Result<Meeting, Refused> {
        let answer = answered(REGISTRY, self.registry.clone().create_meeting(request).await)?;
        present(REGISTRY, answer.meeting)
    }

    pub(crate) async fn meeting(&self, scope: &MeetingScope) -> Result<Meeting, Refused> {
        let request = GetMeetingRequest {
            organisation: scope.organisation.to_string(),
            meeting_id: scope.meeting.to_string(),
        };
        let answer = answered(REGISTRY, self.registry.clone().get_meeting(request).await)?;
        present(REGISTRY, answer.meeting)
    }

    /// The first members by user id, as many as one answer has.
    pub(crate) async fn members(&self, scope: &MeetingScope) -> Result<Vec<Member>, Refused> {
        let request = ListMembersRequest {
            organisation: scope.organisation.to_string(),
            meeting_id: scope.meeting.to_string(),
            ..ListMembersRequest::default()
        };
        Ok(answered(REGISTRY, self.registry.clone().list_members(request).await)?.members)
    }

    pub(crate) async fn meetings_of(
        &self,
        organisation: &OrganisationId,
        user: &UserId,
    ) -> Result<Vec<Meeting>, Refused> {
        let request = ListMeetingsOfUserRequest {
            organisation: organisation.to_string(),
            user_id: user.to_string(),
        };
        let answer = self.registry.clone().list_meetings_of_user(request).await;
        Ok(answered(REGISTRY, answer)?.meetings)
    }

    pub(crate) async fn update_meeting(
        &self,
        request: UpdateMeetingRequest,
    ) -> Result<Meeting, Refused> {
        let answer = answered(REGISTRY, self.registry.clone().update_meeting(request).await)?;
        present(REGISTRY, answer.meeting)
    }

    pub(crate) async fn set_members(&self, request: SetMembersRequest) -> Result<u32, Refused> {
        Ok(answered(REGISTRY, self.registry.clone().set_members(request).await)?.members)
    }

    pub(crate) async fn remove_members(
        &self,
        request: RemoveMembersRequest,
    ) -> Result<u32, Refused> {
        Ok(answered(REGISTRY, self.registry.clone().remove_members(request).await)?.members)
    }
}

/// Attachments.
impl Upstream {
    pub(crate) async fn attachments(
        &self,
        scope: &MeetingScope,
    ) -> Result<Vec<Attachment>, Refused> {
        let request = ListAttachmentsRequest {
            organisation: scope.organisation.to_string(),
            meeting_id: scope.meeting.to_string(),
        };
        Ok(answered(REGISTRY, self.registry.clone().list_attachments(request).await)?.attachments)
    }

    pub(crate) async fn put_attachment(
        &self,
        parts: impl futures_util::Stream<Item = PutAttachmentRequest> + Send + 'static,
    ) -> Result<Attachment, Status> {
        let answer = self.patient_registry.clone().put_attachment(parts).await?.into_inner();
        answer.attachment.ok_or_else(|| Status::unavailable("no attachment in the answer"))
    }

    pub(crate) async fn get_attachment(
        &self,
        scope: &MeetingScope,
        attachment_id: &str,
    ) -> Result<Streaming<GetAttachmentResponse>, Refused> {
        let request = GetAttachmentRequest {
            organisation: scope.organisation.to_string(),
            meeting_id: scope.meeting.to_string(),
            attachment_id: attachment_id.to_owned(),
        };
        answered(REGISTRY, self.registry.clone().get_attachment(request).await)
    }

    pub(crate) async fn delete_attachment(
        &self,
        request: DeleteAttachmentRequest,
    ) -> Result<(), Refused> {
        answered(REGISTRY, self.registry.clone().delete_attachment(request).await).map(drop)
    }
}

/// Notices.
impl Upstream {
    pub(crate) async fn notices(
        &self,
        organisation: &OrganisationId,
        user: &UserId,
    ) -> Result<Vec<Notice>, Refused> {
        let request = ListNoticesRequest {
            organisation: organisation.to_string(),
            user_id: user.to_string(),
        };
        Ok(answered(REGISTRY, self.registry.clone().list_notices(request).await)?.notices)
    }

    pub(crate) async fn dismiss_notice(
        &self,
        request: DismissNoticeRequest,
    ) -> Result<(), Refused> {
        answered(REGISTRY, self.registry.clone().dismiss_notice(request).await).map(drop)
    }
}

/// Participants.
impl Upstream {
    pub(crate) async fn join(&self, request: JoinRequest) -> Result<JoinResponse, Refused> {
        let answer = self.registry.clone().join(request).await;
        answer.map(Response::into_inner).map_err(|status| Refused::to_join(REGISTRY, &status))
    }

    pub(crate) async fn leave(&self, request: LeaveRequest) -> Result<(), Refused> {
        answered(REGISTRY, self.registry.clone().leave(request).await).map(drop)
    }

    pub(crate) async fn set_reachable(&self, request: SetReachableRequest) -> Result<(), Status> {
        self.registry.clone().set_reachable(request).await.map(drop)
    }

    pub(crate) async fn roster(&self, scope: &MeetingScope) -> Result<GetRosterResponse, Status> {
        let request = GetRosterRequest {
            organisation: scope.organisation.to_string(),
            meeting_id: scope.meeting.to_string(),
        };
        self.registry.clone().get_roster(request).await.map(Response::into_inner)
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

    pub(crate) async fn chat(
        &self,
        request: ListChatRequest,
    ) -> Result<Vec<MeetingEvent>, Refused> {
        Ok(answered(REGISTRY, self.registry.clone().list_chat(request).await)?.messages)
    }

    pub(crate) async fn attendance(
        &self,
        request: ExportAttendanceRequest,
    ) -> Result<Streaming<ExportAttendanceResponse>, Refused> {
        answered(REGISTRY, self.registry.clone().export_attendance(request).await)
    }

    pub(crate) async fn renew_relay(&self, request: RenewRelayRequest) -> Result<(), Status> {
        self.registry.clone().renew_relay(request).await.map(drop)
    }
}
