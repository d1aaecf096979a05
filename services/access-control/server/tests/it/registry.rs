//! A meeting registry that knows what the test tells it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tonic::{Request, Response, Status};
use tributary_contracts::registry::v1::{
    ApplyOperationRequest, ApplyOperationResponse, CreateMeetingRequest, CreateMeetingResponse,
    EndMeetingRequest, EndMeetingResponse, GetAccessFactsRequest, GetAccessFactsResponse,
    GetMeetingRequest, GetMeetingResponse, GetRosterRequest, GetRosterResponse, JoinRequest,
    JoinResponse, LeaveRequest, LeaveResponse, ListEventsRequest, ListEventsResponse, Meeting,
    RenewRelayRequest, RenewRelayResponse, registry_service_server::RegistryService,
};

/// A meeting's facts by its id.
#[derive(Clone, Default)]
pub struct FakeRegistry {
    meetings: Arc<Mutex<HashMap<String, FakeMeeting>>>,
    down: Arc<Mutex<bool>>,
    asked: Arc<AtomicUsize>,
}

/// A meeting as the fake keeps it.
#[derive(Clone, Debug, Default)]
pub struct FakeMeeting {
    pub organiser: String,
    pub members: Vec<String>,
    pub password_hash: String,
    pub ended: bool,
}

impl FakeRegistry {
    pub fn put(&self, meeting_id: &str, meeting: FakeMeeting) {
        self.meetings.lock().unwrap().insert(meeting_id.to_owned(), meeting);
    }

    pub fn set_down(&self, down: bool) {
        *self.down.lock().unwrap() = down;
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn unasked<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("not asked for by access-control"))
}

#[tonic::async_trait]
impl RegistryService for FakeRegistry {
    async fn get_access_facts(
        &self,
        request: Request<GetAccessFactsRequest>,
    ) -> Result<Response<GetAccessFactsResponse>, Status> {
        let request = request.into_inner();
        self.asked.fetch_add(1, Ordering::SeqCst);
        if *self.down.lock().unwrap() {
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
                created_at: None,
                ended_at: meeting.ended.then(prost_types::Timestamp::default),
            }),
            member: meeting.members.contains(&request.user_id),
            password_hash: meeting.password_hash.clone(),
        }))
    }

    async fn create_meeting(
        &self,
        _: Request<CreateMeetingRequest>,
    ) -> Result<Response<CreateMeetingResponse>, Status> {
        unasked()
    }

    async fn get_meeting(
        &self,
        _: Request<GetMeetingRequest>,
    ) -> Result<Response<GetMeetingResponse>, Status> {
        unasked()
    }

    async fn end_meeting(
        &self,
        _: Request<EndMeetingRequest>,
    ) -> Result<Response<EndMeetingResponse>, Status> {
        unasked()
    }

    async fn join(&self, _: Request<JoinRequest>) -> Result<Response<JoinResponse>, Status> {
        unasked()
    }

    async fn leave(&self, _: Request<LeaveRequest>) -> Result<Response<LeaveResponse>, Status> {
        unasked()
    }

    async fn get_roster(
        &self,
        _: Request<GetRosterRequest>,
    ) -> Result<Response<GetRosterResponse>, Status> {
        unasked()
    }

    async fn list_events(
        &self,
        _: Request<ListEventsRequest>,
    ) -> Result<Response<ListEventsResponse>, Status> {
        unasked()
    }

    async fn apply_operation(
        &self,
        _: Request<ApplyOperationRequest>,
    ) -> Result<Response<ApplyOperationResponse>, Status> {
        unasked()
    }

    async fn renew_relay(
        &self,
        _: Request<RenewRelayRequest>,
    ) -> Result<Response<RenewRelayResponse>, Status> {
        unasked()
    }
}
