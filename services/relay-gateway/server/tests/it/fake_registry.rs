//! A meeting registry that has every meeting that is asked for. Its logs say what the test says.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use bytes::Bytes;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming, async_trait};
use tributary_contracts::{
    event::v1::MeetingEvent,
    notice::v1::Notice,
    registry::v1::{registry_service_server::RegistryService, *},
};

use crate::fake_log::Log;

/// The largest file that is taken.
pub const FILE_BYTES_MAX: usize = 6 << 20;

#[derive(Default)]
pub struct Registry {
    /// Names of all calls but those that a relay makes by itself.
    pub calls: Mutex<Vec<&'static str>>,
    pub notices: Mutex<Vec<Notice>>,
    pub leaves: Mutex<Vec<LeaveRequest>>,
    pub created: Mutex<Vec<CreateMeetingRequest>>,
    pub joins: Mutex<Vec<JoinRequest>>,
    /// Who can be reached or not, as it was said.
    pub reachable: Mutex<Vec<SetReachableRequest>>,
    /// How many of the next of these fail.
    pub reach_failures: AtomicUsize,
    pub chats: Mutex<Vec<ListChatRequest>>,
    /// What the next joins are answered, if not with a participant.
    pub join_refusal: Mutex<Option<Status>>,
    /// What leaves are answered from now on, if not that all is well.
    pub leave_refusal: Mutex<Option<Status>>,
    /// While it is locked, no leave is answered.
    pub leaving: tokio::sync::Mutex<()>,
    /// While it is locked, no events that are not there any more are looked for.
    pub paging: tokio::sync::Mutex<()>,
    /// While it is locked, no chat is read.
    pub chatting: tokio::sync::Mutex<()>,
    /// What is exported, or why nothing is.
    pub report: Mutex<Option<Result<Vec<&'static str>, Status>>>,
    pub exports: Mutex<Vec<ExportAttendanceRequest>>,
    files: Mutex<HashMap<String, (Attachment, Bytes)>>,
    logs: Mutex<HashMap<String, Log>>,
    /// How large the messages were that files came in.
    pub pieces: Mutex<Vec<usize>>,
}

type Answer<T> = Result<Response<T>, Status>;

fn answer<T>(answer: T) -> Answer<T> {
    Ok(Response::new(answer))
}

fn meeting(meeting_id: String) -> Option<Meeting> {
    Some(Meeting {
        meeting_id,
        organisation: "default".into(),
        subject: "Tests".into(),
        organiser_user_id: "ada".into(),
        ..Meeting::default()
    })
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

    /// Looks at a meeting's log, or changes it.
    pub fn log<T>(&self, meeting_id: &str, with: impl FnOnce(&mut Log) -> T) -> T {
        let mut logs = self.logs.lock().unwrap();
        with(logs.entry(meeting_id.to_owned()).or_insert_with(|| Log::new(meeting_id)))
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
        let meeting_id = request.into_inner().meeting_id;
        let lobby = self.log(&meeting_id, |log| log.lobby);
        let meeting = meeting(meeting_id).map(|meeting| Meeting { lobby, ..meeting });
        answer(GetMeetingResponse { meeting })
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
        self.joins.lock().unwrap().push(request.clone());
        if let Some(refusal) = self.join_refusal.lock().unwrap().take() {
            return Err(refusal);
        }
        let meeting = meeting(request.meeting_id.clone());
        let participant = self.log(&request.meeting_id.clone(), |log| log.join(request));
        answer(JoinResponse { participant: Some(participant), meeting })
    }

    async fn leave(&self, request: Request<LeaveRequest>) -> Answer<LeaveResponse> {
        self.note("leave");
        let request = request.into_inner();
        self.leaves.lock().unwrap().push(request.clone());
        let _may_go_on = self.leaving.lock().await;
        if let Some(refusal) = self.leave_refusal.lock().unwrap().clone() {
            return Err(refusal);
        }
        self.log(&request.meeting_id.clone(), |log| log.leave(&request));
        answer(LeaveResponse {})
    }

    async fn set_reachable(
        &self,
        request: Request<SetReachableRequest>,
    ) -> Answer<SetReachableResponse> {
        let failing = self.reach_failures.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
        if failing.is_ok() {
            return Err(Status::unavailable("down"));
        }
        self.reachable.lock().unwrap().push(request.into_inner());
        answer(SetReachableResponse {})
    }

    async fn get_roster(&self, request: Request<GetRosterRequest>) -> Answer<GetRosterResponse> {
        self.note("get_roster");
        answer(self.log(&request.into_inner().meeting_id, |log| log.roster()))
    }

    async fn list_events(&self, request: Request<ListEventsRequest>) -> Answer<ListEventsResponse> {
        let request = request.into_inner();
        let find = || {
            self.log(&request.meeting_id, |log| {
                (request.after < log.forgotten, log.after(request.after))
            })
        };
        let (is_forgotten, mut events) = find();
        if is_forgotten {
            let _may_go_on = self.paging.lock().await;
            (_, events) = find();
        }
        answer(ListEventsResponse { events })
    }

    async fn list_chat(&self, request: Request<ListChatRequest>) -> Answer<ListChatResponse> {
        self.note("list_chat");
        self.chats.lock().unwrap().push(request.into_inner());
        let _may_go_on = self.chatting.lock().await;
        let messages = vec![MeetingEvent { number: 7, ..MeetingEvent::default() }];
        answer(ListChatResponse { messages })
    }

    type ExportAttendanceStream =
        std::pin::Pin<Box<dyn Stream<Item = Result<ExportAttendanceResponse, Status>> + Send>>;

    async fn export_attendance(
        &self,
        request: Request<ExportAttendanceRequest>,
    ) -> Answer<Self::ExportAttendanceStream> {
        self.note("export_attendance");
        self.exports.lock().unwrap().push(request.into_inner());
        let report = self.report.lock().unwrap().clone();
        let pieces = report.unwrap_or_else(|| Err(Status::permission_denied("no host")))?;
        // The word `cut` is where the registry goes away.
        let pieces = pieces.into_iter().map(|piece| match piece {
            "cut" => Err(Status::unavailable("gone")),
            piece => Ok(ExportAttendanceResponse { data: piece.into() }),
        });
        answer(Box::pin(tokio_stream::iter(pieces.collect::<Vec<_>>())))
    }

    async fn announce(&self, _: Request<AnnounceRequest>) -> Answer<AnnounceResponse> {
        Err(Status::unimplemented("not for relays"))
    }

    async fn renew_relay(&self, _: Request<RenewRelayRequest>) -> Answer<RenewRelayResponse> {
        answer(RenewRelayResponse {})
    }
}
