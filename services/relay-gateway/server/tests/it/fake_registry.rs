//! A meeting registry that has every meeting that is asked for.

use std::{collections::HashMap, sync::Mutex};

use bytes::Bytes;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming, async_trait};
use tributary_contracts::{
    event::v1::{MeetingEvent, Participant, ParticipantJoined, meeting_event::Body},
    notice::v1::Notice,
    registry::v1::{registry_service_server::RegistryService, *},
};

/// The largest file that is taken.
pub const FILE_BYTES_MAX: usize = 6 << 20;

#[derive(Default)]
pub struct Registry {
    /// Names of all calls but those that a relay makes by itself.
    pub calls: Mutex<Vec<&'static str>>,
    pub notices: Mutex<Vec<Notice>>,
    pub leaves: Mutex<Vec<LeaveRequest>>,
    pub created: Mutex<Vec<CreateMeetingRequest>>,
    files: Mutex<HashMap<String, (Attachment, Bytes)>>,
    events: Mutex<Vec<MeetingEvent>>,
    /// How large the messages were that files came in.
    pub pieces: Mutex<Vec<usize>>,
}

type Answer<T> = Result<Response<T>, Status>;

fn answer<T>(answer: T) -> Answer<T> {
    Ok(Response::new(answer))
}

fn meeting(meeting_id: String) -> Option<Meeting> {
    let organiser_user_id = "ada".to_owned();
    Some(Meeting { meeting_id, subject: "Tests".into(), organiser_user_id, ..Meeting::default() })
}

impl Registry {
    fn note(&self, call: &'static str) {
        self.calls.lock().unwrap().push(call);
    }

    pub fn keep_file(&self, attachment: Attachment, data: impl Into<Bytes>) {
        let id = attachment.attachment_id.clone();
        self.files.lock().unwrap().insert(id, (attachment, data.into()));
    }

    pub fn file(&self, attachment_id: &str) -> Bytes {
        self.files.lock().unwrap()[attachment_id].1.clone()
    }

    fn participants(&self) -> Vec<Participant> {
        let joined = |event: &MeetingEvent| match &event.body {
            Some(Body::Joined(joined)) => joined.participant.clone(),
            _ => None,
        };
        self.events.lock().unwrap().iter().filter_map(joined).collect()
    }
}

#[async_trait]
impl RegistryService for Registry {
    async fn create_meeting(
        &self,
        request: Request<CreateMeetingRequest>,
    ) -> Answer<CreateMeetingResponse> {
        self.note("create_meeting");
        self.created.lock().unwrap().push(request.into_inner());
        answer(CreateMeetingResponse { meeting: meeting("1152921504606846977".into()) })
    }

    async fn get_meeting(&self, request: Request<GetMeetingRequest>) -> Answer<GetMeetingResponse> {
        self.note("get_meeting");
        answer(GetMeetingResponse { meeting: meeting(request.into_inner().meeting_id) })
    }

    async fn update_meeting(
        &self,
        request: Request<UpdateMeetingRequest>,
    ) -> Answer<UpdateMeetingResponse> {
        self.note("update_meeting");
        let request = request.into_inner();
        let subject = request.subject().to_owned();
        let meeting = meeting(request.meeting_id).map(|meeting| Meeting { subject, ..meeting });
        answer(UpdateMeetingResponse { meeting })
    }

    async fn set_members(&self, request: Request<SetMembersRequest>) -> Answer<SetMembersResponse> {
        self.note("set_members");
        let members = request.into_inner().members.len() as u32 + 1;
        answer(SetMembersResponse { members })
    }

    async fn remove_members(
        &self,
        _: Request<RemoveMembersRequest>,
    ) -> Answer<RemoveMembersResponse> {
        self.note("remove_members");
        answer(RemoveMembersResponse { members: 1 })
    }

    async fn list_members(&self, _: Request<ListMembersRequest>) -> Answer<ListMembersResponse> {
        self.note("list_members");
        let member = Member { user_id: "ada".into(), role: MemberRole::Organiser.into() };
        answer(ListMembersResponse { members: vec![member], next_page_token: String::new() })
    }

    async fn list_meetings_of_user(
        &self,
        _: Request<ListMeetingsOfUserRequest>,
    ) -> Answer<ListMeetingsOfUserResponse> {
        self.note("list_meetings_of_user");
        answer(ListMeetingsOfUserResponse::default())
    }

    async fn put_attachment(
        &self,
        request: Request<Streaming<PutAttachmentRequest>>,
    ) -> Answer<PutAttachmentResponse> {
        self.note("put_attachment");
        let mut parts = request.into_inner();
        let first = parts.message().await?.and_then(|part| part.part);
        let Some(put_attachment_request::Part::Header(header)) = first else {
            return Err(Status::invalid_argument("the header comes first"));
        };
        let mut data = Vec::new();
        while let Some(part) = parts.message().await? {
            let Some(put_attachment_request::Part::Data(piece)) = part.part else {
                return Err(Status::invalid_argument("the header comes once"));
            };
            self.pieces.lock().unwrap().push(piece.len());
            data.extend_from_slice(&piece);
            if data.len() > FILE_BYTES_MAX {
                return Err(Status::resource_exhausted("the file is larger than 6 MiB"));
            }
        }
        let attachment = Attachment {
            attachment_id: "new".into(),
            file_name: header.file_name,
            media_type: header.media_type,
            size: data.len() as u64,
            sha256: vec![7; 32],
            attached_by: header.user_id,
            attached_at: None,
        };
        self.keep_file(attachment.clone(), data);
        answer(PutAttachmentResponse { attachment: Some(attachment) })
    }

    type GetAttachmentStream =
        std::pin::Pin<Box<dyn Stream<Item = Result<GetAttachmentResponse, Status>> + Send>>;

    async fn get_attachment(
        &self,
        request: Request<GetAttachmentRequest>,
    ) -> Answer<Self::GetAttachmentStream> {
        use get_attachment_response::Part;
        self.note("get_attachment");
        let id = request.into_inner().attachment_id;
        let found = self.files.lock().unwrap().get(&id).cloned();
        let (attachment, data) = found.ok_or_else(|| Status::not_found("no such file"))?;
        let pieces = (0..data.len()).step_by(64 << 10);
        let pieces: Vec<_> = pieces
            .map(|at| Part::Data(data.slice(at..data.len().min(at + (64 << 10))).into()))
            .collect();
        let parts = std::iter::once(Part::Attachment(attachment)).chain(pieces);
        let parts = parts.map(|part| Ok(GetAttachmentResponse { part: Some(part) }));
        answer(Box::pin(tokio_stream::iter(parts).map(|part| part)))
    }

    async fn list_attachments(
        &self,
        _: Request<ListAttachmentsRequest>,
    ) -> Answer<ListAttachmentsResponse> {
        self.note("list_attachments");
        let files = self.files.lock().unwrap();
        answer(ListAttachmentsResponse {
            attachments: files.values().map(|(attachment, _)| attachment.clone()).collect(),
        })
    }

    async fn delete_attachment(
        &self,
        _: Request<DeleteAttachmentRequest>,
    ) -> Answer<DeleteAttachmentResponse> {
        self.note("delete_attachment");
        Err(Status::permission_denied("somebody else attached it"))
    }

    async fn notify(&self, _: Request<NotifyRequest>) -> Answer<NotifyResponse> {
        Err(Status::unimplemented("not for relays"))
    }

    async fn list_notices(
        &self,
        request: Request<ListNoticesRequest>,
    ) -> Answer<ListNoticesResponse> {
        let user = request.into_inner().user_id;
        let notices = self.notices.lock().unwrap().clone();
        let notices = notices.into_iter().filter(|notice| notice.user_id == user).collect();
        answer(ListNoticesResponse { notices })
    }

    async fn dismiss_notice(
        &self,
        request: Request<DismissNoticeRequest>,
    ) -> Answer<DismissNoticeResponse> {
        let id = request.into_inner().notice_id;
        self.notices.lock().unwrap().retain(|notice| notice.notice_id != id);
        answer(DismissNoticeResponse {})
    }

    async fn end_meeting(&self, _: Request<EndMeetingRequest>) -> Answer<EndMeetingResponse> {
        self.note("end_meeting");
        answer(EndMeetingResponse::default())
    }

    async fn get_access_facts(
        &self,
        _: Request<GetAccessFactsRequest>,
    ) -> Answer<GetAccessFactsResponse> {
        Err(Status::unimplemented("not for relays"))
    }

    async fn join(&self, request: Request<JoinRequest>) -> Answer<JoinResponse> {
        self.note("join");
        let request = request.into_inner();
        let mut events = self.events.lock().unwrap();
        let number = events.len() as u64 + 1;
        let participant = Participant {
            participant_id: u32::try_from(number).unwrap(),
            user_id: request.user_id,
            display_name: request.display_name,
            relay_id: request.relay_id,
            ..Participant::default()
        };
        let joined = ParticipantJoined { participant: Some(participant.clone()) };
        events.push(MeetingEvent { number, body: Some(Body::Joined(joined)), ..<_>::default() });
        let meeting = meeting(request.meeting_id);
        answer(JoinResponse { participant: Some(participant), meeting })
    }

    async fn leave(&self, request: Request<LeaveRequest>) -> Answer<LeaveResponse> {
        self.leaves.lock().unwrap().push(request.into_inner());
        answer(LeaveResponse {})
    }

    async fn get_roster(&self, _: Request<GetRosterRequest>) -> Answer<GetRosterResponse> {
        self.note("get_roster");
        let event_number = self.events.lock().unwrap().len() as u64;
        answer(GetRosterResponse { participants: self.participants(), event_number })
    }

    async fn list_events(&self, request: Request<ListEventsRequest>) -> Answer<ListEventsResponse> {
        let after = usize::try_from(request.into_inner().after).unwrap();
        let events = self.events.lock().unwrap().get(after..).unwrap_or_default().to_vec();
        answer(ListEventsResponse { events })
    }

    async fn apply_operation(
        &self,
        _: Request<ApplyOperationRequest>,
    ) -> Answer<ApplyOperationResponse> {
        answer(ApplyOperationResponse { event_number: 0 })
    }

    async fn renew_relay(&self, _: Request<RenewRelayRequest>) -> Answer<RenewRelayResponse> {
        answer(RenewRelayResponse {})
    }
}
