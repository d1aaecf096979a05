//! `RegistryService` over gRPC, as other services call it.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::DropGuard;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use tributary_contracts::{
    event::v1::{LeaveReason, MeetingState, meeting_event::Body},
    registry::v1::{
        CreateMeetingRequest, EndMeetingRequest, GetAccessFactsRequest, GetMeetingRequest,
        GetRosterRequest, JoinRequest, LeaveRequest, ListEventsRequest, MemberRole,
        RenewRelayRequest, registry_service_client::RegistryServiceClient,
    },
};
use tributary_database::scratch::{self, ScratchDatabase};
use tributary_meeting_registry_server::{Config, Server};
use tributary_service_runtime::{
    DEVELOPMENT_SERVICE_TOKEN, DatabaseConfig, Platform, PlatformConfig, Secret, ServiceChannel,
    grpc::{GrpcServer, Services},
};

/// A registry that answers, and ends with the value.
pub struct Answering {
    pub scratch: Arc<ScratchDatabase>,
    address: String,
    running: JoinHandle<()>,
    stop: DropGuard,
}

impl Answering {
    /// Without NATS: nobody listens on that port.
    pub async fn start() -> Self {
        Self::start_with_nats("nats://127.0.0.1:1").await
    }

    pub async fn start_with_nats(url: &str) -> Self {
        Self::start_as(url, Config::default()).await
    }

    pub async fn start_as(url: &str, section: Config) -> Self {
        let scratch = Arc::new(scratch::sqlite());
        let database = scratch.config().clone();
        Self::start_on(scratch, database, url, section).await
    }

    /// On a database that is there already, by this way to it.
    pub async fn start_on(
        scratch: Arc<ScratchDatabase>,
        database: DatabaseConfig,
        nats: &str,
        section: Config,
    ) -> Self {
        let mut config = PlatformConfig { database, ..Default::default() };
        config.nats.url = nats.into();
        let platform = Platform::new(config);
        let server = Server::load(section, platform.clone()).await.unwrap();
        let mut services = Services::default();
        server.add_services(&mut services);
        let grpc = GrpcServer::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = format!("http://{}", grpc.address());
        let serving = platform.clone();
        assert!(platform.readiness.is_ready(), "the bus is not needed");
        let running = tokio::spawn(async move {
            let stop = serving.shutdown.clone();
            let (served, ran) = tokio::join!(grpc.serve(services, &serving, stop), server.run());
            served.unwrap();
            ran.unwrap();
        });
        Self { scratch, address, running, stop: platform.shutdown.drop_guard() }
    }

    /// Ends it in order.
    pub async fn stop(self) {
        drop(self.stop);
        tokio::time::timeout(crate::DEADLINE, self.running).await.unwrap().unwrap();
    }

    /// Ends it in the middle of what it does.
    pub async fn kill(self) {
        self.running.abort();
        assert!(self.running.await.unwrap_err().is_cancelled());
    }

    pub fn channel(&self, token: &str) -> ServiceChannel {
        ServiceChannel::lazy("meeting-registry", &self.address, &Secret::new(token)).unwrap()
    }

    pub fn client(&self) -> RegistryServiceClient<ServiceChannel> {
        RegistryServiceClient::new(self.channel(DEVELOPMENT_SERVICE_TOKEN))
    }
}

pub fn assert_refused(status: &Status, code: Code, field_or_reason: &str) {
    let details = status.get_error_details();
    let field = details.bad_request().and_then(|bad| bad.field_violations.first());
    let reason = details.error_info().map(|info| info.reason.clone());
    let found = field.map(|violation| violation.field.clone()).or(reason);
    assert_eq!((status.code(), found.as_deref()), (code, Some(field_or_reason)), "{status:?}");
}

pub fn create(subject: &str) -> CreateMeetingRequest {
    CreateMeetingRequest {
        subject: subject.into(),
        organiser_user_id: "ann".into(),
        member_user_ids: vec!["bob".into()],
        password: "geheim".into(),
        ..Default::default()
    }
}

pub fn join(meeting_id: &str) -> JoinRequest {
    JoinRequest {
        meeting_id: meeting_id.into(),
        user_id: "bob".into(),
        display_name: " Bob ".into(),
        key_thumbprint: "key".into(),
        relay_id: "office-a".into(),
        relay_name: "Office A".into(),
        relay_session_id: "run-1".into(),
        session_id: "session-1".into(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_meeting_from_its_creation_to_its_end() {
    let answering = Answering::start().await;
    let mut client = answering.client();
    let meeting = client.create_meeting(create("Planning")).await.unwrap().into_inner().meeting;
    let meeting = meeting.unwrap();
    assert_eq!((meeting.organisation.as_str(), meeting.has_password), ("default", true));
    let id = meeting.meeting_id.as_str();
    let get = GetMeetingRequest { meeting_id: id.into(), ..Default::default() };
    let got = client.get_meeting(get).await.unwrap().into_inner().meeting.unwrap();
    assert_eq!(got, meeting);

    let renew = RenewRelayRequest { relay_id: "office-a".into(), relay_session_id: "run-1".into() };
    client.renew_relay(renew).await.unwrap();
    let joined = client.join(join(id)).await.unwrap().into_inner().participant.unwrap();
    assert_eq!((joined.participant_id, joined.display_name.as_str()), (1, "Bob"));
    assert_eq!((joined.relay_name.as_str(), joined.muted), ("Office A", false));
    let again = client.join(join(id)).await.unwrap().into_inner().participant.unwrap();
    assert_eq!(again, joined);

    let muted = client.join(JoinRequest { muted: true, ..join(id) }).await.unwrap().into_inner();
    assert!(muted.participant.unwrap().muted, "it comes back as it is now");

    let roster = GetRosterRequest { meeting_id: id.into(), ..Default::default() };
    let roster = client.get_roster(roster).await.unwrap().into_inner();
    assert_eq!((roster.participants.len(), roster.event_number), (1, 2));
    assert!(roster.participants[0].muted);
    assert_eq!((roster.state, roster.talks.len()), (Some(MeetingState::default()), 0));

    let end = EndMeetingRequest { meeting_id: id.into(), ..Default::default() };
    let ended = client.end_meeting(end).await.unwrap().into_inner().meeting.unwrap();
    assert!(ended.ended_at.is_some());
    let events = ListEventsRequest { meeting_id: id.into(), after: 2, ..Default::default() };
    let events = client.list_events(events).await.unwrap().into_inner().events;
    let numbers: Vec<_> = events.iter().map(|event| event.number).collect();
    assert_eq!(numbers, [3, 4]);
    let Some(Body::Left(left)) = &events[0].body else { panic!("{events:?}") };
    assert_eq!(left.reason(), LeaveReason::MeetingEnded);
    assert!(matches!(events[1].body, Some(Body::Ended(_))));
    let refused = client.join(join(id)).await.unwrap_err();
    assert_refused(&refused, Code::FailedPrecondition, "MEETING_ENDED");
}

#[tokio::test]
async fn leaving_counts_only_from_the_current_relay_session() {
    let answering = Answering::start().await;
    let mut client = answering.client();
    let meeting = client.create_meeting(create("Planning")).await.unwrap().into_inner().meeting;
    let id = meeting.unwrap().meeting_id;
    client.join(join(&id)).await.unwrap();
    client.join(JoinRequest { relay_session_id: "run-2".into(), ..join(&id) }).await.unwrap();
    let leave = |participant_id, run: &str, reason: LeaveReason| LeaveRequest {
        meeting_id: id.clone(),
        participant_id,
        relay_session_id: run.into(),
        reason: reason.into(),
        ..Default::default()
    };
    let roster = || GetRosterRequest { meeting_id: id.clone(), ..Default::default() };
    client.leave(leave(1, "run-1", LeaveReason::TerminalLost)).await.unwrap();
    let left = client.get_roster(roster()).await.unwrap().into_inner().participants;
    assert_eq!(left.len(), 1, "an old session is not heard");
    client.leave(leave(1, "run-2", LeaveReason::Left)).await.unwrap();
    client.leave(leave(1, "run-2", LeaveReason::Left)).await.unwrap();
    let left = client.get_roster(roster()).await.unwrap().into_inner();
    assert_eq!((left.participants.len(), left.event_number), (0, 3));

    let refused = client.leave(leave(7, "run-2", LeaveReason::Left)).await.unwrap_err();
    assert_refused(&refused, Code::NotFound, "NO_SUCH_PARTICIPANT");
    let refused = client.leave(leave(1, "run-2", LeaveReason::MeetingEnded)).await.unwrap_err();
    assert_refused(&refused, Code::InvalidArgument, "reason");
    let removed = leave(1, "run-2", LeaveReason::Removed);
    let refused = client.leave(removed).await.unwrap_err();
    assert_refused(&refused, Code::InvalidArgument, "reason");
    let unknown = LeaveRequest { reason: 77, ..leave(1, "run-2", LeaveReason::Left) };
    let refused = client.leave(unknown).await.unwrap_err();
    assert_refused(&refused, Code::InvalidArgument, "reason");
}

#[tokio::test]
async fn access_facts_tell_members_and_the_password_and_hide_nothing_from_access_control() {
    let answering = Answering::start().await;
    let mut client = answering.client();
    let meeting = client.create_meeting(create("Planning")).await.unwrap().into_inner().meeting;
    let id = meeting.unwrap().meeting_id;
    let ask = |organisation: &str, meeting_id: &str, user_id: &str| GetAccessFactsRequest {
        organisation: organisation.into(),
        meeting_id: meeting_id.into(),
        user_id: user_id.into(),
    };
    let roles = [
        ("ann", MemberRole::Organiser),
        ("bob", MemberRole::Member),
        ("eve", MemberRole::Unspecified),
    ];
    for (user, role) in roles {
        let facts = client.get_access_facts(ask("", &id, user)).await.unwrap().into_inner();
        assert_eq!(facts.role(), role, "{user}");
        assert!(facts.password_hash.starts_with("$argon2id$"));
        assert_eq!(facts.meeting.unwrap().meeting_id, id);
    }
    for (organisation, meeting_id) in [("other", id.as_str()), ("", "1")] {
        let ask = ask(organisation, meeting_id, "ann");
        let facts = client.get_access_facts(ask).await.unwrap().into_inner();
        assert_eq!((facts.role(), facts.meeting), (MemberRole::Unspecified, None));
        assert_eq!(facts.password_hash, "");
    }
}

#[tokio::test]
async fn a_refusal_names_the_field() {
    let answering = Answering::start().await;
    let mut client = answering.client();
    let refused = client.create_meeting(create("a\nb")).await.unwrap_err();
    assert_refused(&refused, Code::InvalidArgument, "subject");
    let organisation = "a.b".into();
    let request = CreateMeetingRequest { organisation, ..create("s") };
    let refused = client.create_meeting(request).await.unwrap_err();
    assert_refused(&refused, Code::InvalidArgument, "organisation");
    let member_user_ids = vec!["bob".into(), String::new()];
    let request = CreateMeetingRequest { member_user_ids, ..create("s") };
    let refused = client.create_meeting(request).await.unwrap_err();
    assert_refused(&refused, Code::InvalidArgument, "member_user_ids[1]");
    let request = CreateMeetingRequest { password: "x".repeat(129), ..create("s") };
    let refused = client.create_meeting(request).await.unwrap_err();
    assert_refused(&refused, Code::InvalidArgument, "password");

    for (request, field) in [
        (JoinRequest { user_id: "a b".into(), ..join("1") }, "user_id"),
        (JoinRequest { display_name: "  ".into(), ..join("1") }, "display_name"),
        (JoinRequest { key_thumbprint: String::new(), ..join("1") }, "key_thumbprint"),
        (JoinRequest { relay_name: "\u{202e}".into(), ..join("1") }, "relay_name"),
        (JoinRequest { relay_session_id: "*".into(), ..join("1") }, "relay_session_id"),
        (JoinRequest { session_id: String::new(), ..join("1") }, "session_id"),
        (join("-1"), "meeting_id"),
        (join("9223372036854775808"), "meeting_id"),
    ] {
        let refused = client.join(request).await.unwrap_err();
        assert_refused(&refused, Code::InvalidArgument, field);
    }
    let refused = client.join(join("1")).await.unwrap_err();
    assert_refused(&refused, Code::NotFound, "NO_SUCH_MEETING");
}

#[tokio::test]
async fn nobody_is_answered_without_the_service_token() {
    let answering = Answering::start().await;
    let mut client = RegistryServiceClient::new(answering.channel("wrong"));
    let refused = client.create_meeting(create("s")).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}
