//! A meeting registry that knows what the test tells it.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use tonic::{Request, Response, Status, Streaming};
use tributary_contracts::registry::v1::{
    self as proto, GetAccessFactsRequest, GetAccessFactsResponse, Meeting, MemberRole,
    NotifyRequest, NotifyResponse, registry_service_server::RegistryService,
};

/// Facts about meetings by their id, and what users were told.
#[derive(Clone, Default)]
pub struct FakeRegistry {
    meetings: Arc<Mutex<HashMap<String, FakeMeeting>>>,
    notified: Arc<Mutex<Vec<NotifyRequest>>>,
    down: Arc<AtomicBool>,
    deaf: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

/// A meeting as the fake keeps it.
#[derive(Clone, Debug, Default)]
pub struct FakeMeeting {
    pub organiser: String,
    pub hosts: Vec<String>,
    pub members: Vec<String>,
    /// Whom a host has taken out.
    pub removed: Vec<String>,
    pub password_hash: String,
    /// Milliseconds since 1970.
    pub ended_at: Option<u64>,
}

impl FakeRegistry {
    pub fn put(&self, meeting_id: &str, meeting: FakeMeeting) {
        self.meetings.lock().unwrap().insert(meeting_id.to_owned(), meeting);
    }

    pub fn all(&self) -> Vec<(String, FakeMeeting)> {
        let meetings = self.meetings.lock().unwrap();
        meetings.iter().map(|(id, meeting)| (id.clone(), meeting.clone())).collect()
    }

    /// Answers nothing.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// Tells users nothing.
    pub fn set_deaf(&self, deaf: bool) {
        self.deaf.store(deaf, Ordering::SeqCst);
    }

    /// How often facts were asked for.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub fn notified(&self) -> Vec<NotifyRequest> {
        self.notified.lock().unwrap().clone()
    }
}

impl FakeMeeting {
    fn role(&self, user: &String) -> MemberRole {
        if *user == self.organiser {
            MemberRole::Organiser
        } else if self.hosts.contains(user) {
            MemberRole::Host
        } else if self.members.contains(user) {
            MemberRole::Member
        } else {
            MemberRole::Unspecified
        }
    }
}

pub fn timestamp(millis: u64) -> prost_types::Timestamp {
    let nanos = i32::try_from(millis % 1000 * 1_000_000).unwrap();
    prost_types::Timestamp { seconds: i64::try_from(millis / 1000).unwrap(), nanos }
}

/// Calls that access-control never makes, in the form that `async_trait` gives a method.
macro_rules! unasked {
    ($($name:ident($request:ty) -> $response:ty;)*) => {
        $(fn $name<'life0, 'async_trait>(
            &'life0 self,
            _: Request<$request>,
        ) -> Pin<Box<dyn Future<Output = Result<Response<$response>, Status>> + Send + 'async_trait>>
        where
            'life0: 'async_trait,
            Self: 'async_trait,
        {
            Box::pin(async { Err(Status::unimplemented("not asked for by access-control")) })
        })*
    };
}

#[tonic::async_trait]
impl RegistryService for FakeRegistry {
    type GetAttachmentStream = Pin<
        Box<dyn futures_util::Stream<Item = Result<proto::GetAttachmentResponse, Status>> + Send>,
    >;
    type ExportAttendanceStream = Pin<
        Box<
            dyn futures_util::Stream<Item = Result<proto::ExportAttendanceResponse, Status>> + Send,
        >,
    >;

    async fn get_access_facts(
        &self,
        request: Request<GetAccessFactsRequest>,
    ) -> Result<Response<GetAccessFactsResponse>, Status> {
        let request = request.into_inner();
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.down.load(Ordering::SeqCst) {
            return Err(Status::unavailable("down"));
        }
        let meetings = self.meetings.lock().unwrap();
        let found = meetings.get(&request.meeting_id).filter(|_| request.organisation == "default");
        let Some(meeting) = found else {
            return Ok(Response::new(GetAccessFactsResponse::default()));
        };
        Ok(Response::new(GetAccessFactsResponse {
            meeting: Some(Meeting {
                meeting_id: request.meeting_id,
                organisation: request.organisation,
                subject: "Weekly".to_owned(),
                organiser_user_id: meeting.organiser.clone(),
                has_password: !meeting.password_hash.is_empty(),
                ended_at: meeting.ended_at.map(timestamp),
                ..Meeting::default()
            }),
            role: meeting.role(&request.user_id).into(),
            password_hash: meeting.password_hash.clone(),
            removed: meeting.removed.contains(&request.user_id),
        }))
    }

    async fn notify(
        &self,
        request: Request<NotifyRequest>,
    ) -> Result<Response<NotifyResponse>, Status> {
        if self.deaf.load(Ordering::SeqCst) {
            return Err(Status::unavailable("deaf"));
        }
        self.notified.lock().unwrap().push(request.into_inner());
        Ok(Response::new(NotifyResponse {}))
    }

    unasked! {
        create_meeting(proto::CreateMeetingRequest) -> proto::CreateMeetingResponse;
        get_meeting(proto::GetMeetingRequest) -> proto::GetMeetingResponse;
        update_meeting(proto::UpdateMeetingRequest) -> proto::UpdateMeetingResponse;
        set_members(proto::SetMembersRequest) -> proto::SetMembersResponse;
        remove_members(proto::RemoveMembersRequest) -> proto::RemoveMembersResponse;
        list_members(proto::ListMembersRequest) -> proto::ListMembersResponse;
        list_meetings_of_user(proto::ListMeetingsOfUserRequest) -> proto::ListMeetingsOfUserResponse;
        put_attachment(Streaming<proto::PutAttachmentRequest>) -> proto::PutAttachmentResponse;
        get_attachment(proto::GetAttachmentRequest) -> Self::GetAttachmentStream;
        list_attachments(proto::ListAttachmentsRequest) -> proto::ListAttachmentsResponse;
        delete_attachment(proto::DeleteAttachmentRequest) -> proto::DeleteAttachmentResponse;
        list_notices(proto::ListNoticesRequest) -> proto::ListNoticesResponse;
        dismiss_notice(proto::DismissNoticeRequest) -> proto::DismissNoticeResponse;
        end_meeting(proto::EndMeetingRequest) -> proto::EndMeetingResponse;
        join(proto::JoinRequest) -> proto::JoinResponse;
        leave(proto::LeaveRequest) -> proto::LeaveResponse;
        set_reachable(proto::SetReachableRequest) -> proto::SetReachableResponse;
        get_roster(proto::GetRosterRequest) -> proto::GetRosterResponse;
        list_events(proto::ListEventsRequest) -> proto::ListEventsResponse;
        list_chat(proto::ListChatRequest) -> proto::ListChatResponse;
        export_attendance(proto::ExportAttendanceRequest) -> Self::ExportAttendanceStream;
        announce(proto::AnnounceRequest) -> proto::AnnounceResponse;
        renew_relay(proto::RenewRelayRequest) -> proto::RenewRelayResponse;
    }
}
