//! Reports of who was there, and what the platform says, over gRPC.

use tonic::Code;
use tributary_contracts::{
    admin::v1::{
        self as admin, GetMeetingRequest, ListAttendanceRequest,
        meeting_service_client::MeetingServiceClient,
    },
    event::v1::{Audience, LeaveReason, Presence, meeting_event::Body},
    registry::v1::{
        AnnounceRequest, AttendanceFormat, EndMeetingRequest, ExportAttendanceRequest,
        ExportAttendanceResponse, JoinRequest, LeaveRequest,
    },
};
use tributary_message_bus::subjects::MeetingScope;
use tributary_service_runtime::{DEVELOPMENT_ADMIN_TOKEN, ServiceChannel};

use crate::{
    actor::{Actor, Client, log, meeting},
    calls::{Answering, assert_refused, join},
};

fn admin(answering: &Answering) -> MeetingServiceClient<ServiceChannel> {
    MeetingServiceClient::new(answering.channel(DEVELOPMENT_ADMIN_TOKEN))
}

async fn leave(client: &mut Client, actor: &Actor, reason: LeaveReason, silent_ms: u64) {
    let request = LeaveRequest {
        meeting_id: actor.scope.meeting.to_string(),
        participant_id: actor.participant,
        relay_session_id: "run-1".into(),
        reason: reason.into(),
        silent_ms,
        ..Default::default()
    };
    client.leave(request).await.unwrap();
}

fn export(scope: &MeetingScope, user: &str, format: AttendanceFormat) -> ExportAttendanceRequest {
    ExportAttendanceRequest {
        meeting_id: scope.meeting.to_string(),
        format: format.into(),
        user_id: user.into(),
        ..Default::default()
    }
}

async fn text(mut pieces: tonic::Streaming<ExportAttendanceResponse>) -> String {
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.message().await.unwrap() {
        assert!(piece.data.len() <= 64 * 1024);
        bytes.extend(piece.data);
    }
    String::from_utf8(bytes).unwrap()
}

async fn report(client: &mut Client, request: ExportAttendanceRequest) -> String {
    text(client.export_attendance(request).await.unwrap().into_inner()).await
}

#[tokio::test]
async fn a_host_gets_the_report_as_a_table_or_for_programs() {
    let answering = Answering::start().await;
    let mut client = answering.client();
    let scope = meeting(&mut client).await;
    let bob = Actor::join(&mut client, &scope, "bob").await;
    let _ann = Actor::join(&mut client, &scope, "ann").await;
    leave(&mut client, &bob, LeaveReason::TerminalLost, 0).await;
    let csv = report(&mut client, export(&scope, "ann", AttendanceFormat::Csv)).await;
    let lines: Vec<_> = csv.split_terminator("\r\n").collect();
    assert!(lines[0].starts_with("participant_id,user_id,display_name,"), "{csv}");
    let cells: Vec<_> = lines[1].split(',').collect();
    assert_eq!(cells[..6], ["1", "bob", "bob", "false", "office-a", "Office A"]);
    assert!(!cells[7].is_empty(), "Bob has left: {csv}");
    let cells: Vec<_> = lines[2].split(',').collect();
    assert_eq!((cells[1], cells[7]), ("ann", ""), "Ann is in: {csv}");
    assert_eq!(lines.len(), 3);

    let json = report(&mut client, export(&scope, "ann", AttendanceFormat::Json)).await;
    assert!(json.contains(&format!("\"meeting_id\": \"{}\"", scope.meeting)), "{json}");
    assert!(json.contains("\"display_name\": \"bob\""), "{json}");
    let platform = report(&mut client, export(&scope, "", AttendanceFormat::Csv)).await;
    assert_eq!(platform.lines().next(), csv.lines().next());
    let mut admin = admin(&answering);
    let request = admin::ExportAttendanceRequest {
        meeting_id: scope.meeting.to_string(),
        format: AttendanceFormat::Csv.into(),
        ..Default::default()
    };
    let mut pieces = admin.export_attendance(request).await.unwrap().into_inner();
    let first = pieces.message().await.unwrap().unwrap();
    assert!(first.data.starts_with(b"participant_id,"));
}

#[tokio::test]
async fn a_report_is_for_hosts_and_has_a_format() {
    let answering = Answering::start().await;
    let mut client = answering.client();
    let scope = meeting(&mut client).await;
    for user in ["bob", "eve"] {
        let asked = export(&scope, user, AttendanceFormat::Csv);
        let refused = client.export_attendance(asked).await.unwrap_err();
        assert_refused(&refused, Code::PermissionDenied, "NOT_ORGANISER_OR_HOST");
    }
    let unsaid = export(&scope, "ann", AttendanceFormat::Unspecified);
    let refused = client.export_attendance(unsaid).await.unwrap_err();
    assert_refused(&refused, Code::InvalidArgument, "format");
    let later =
        ExportAttendanceRequest { format: 77, ..export(&scope, "ann", AttendanceFormat::Csv) };
    let refused = client.export_attendance(later).await.unwrap_err();
    assert_refused(&refused, Code::InvalidArgument, "format");
    let nowhere = ExportAttendanceRequest {
        meeting_id: "1".into(),
        ..export(&scope, "ann", AttendanceFormat::Csv)
    };
    let refused = client.export_attendance(nowhere).await.unwrap_err();
    assert_refused(&refused, Code::NotFound, "NO_SUCH_MEETING");
}

#[tokio::test]
async fn attendance_comes_in_pages_with_stays_and_when_who_was_lost_was_last_there() {
    let answering = Answering::start().await;
    let mut client = answering.client();
    let scope = meeting(&mut client).await;
    let mut bob = Actor::join(&mut client, &scope, "bob").await;
    for user in ["cleo", "dan", "eve"] {
        Actor::join(&mut client, &scope, user).await;
    }
    leave(&mut client, &bob, LeaveReason::Left, 0).await;
    bob.come(&mut client, "again").await;
    assert_eq!(bob.participant, 1, "the same terminal is the same participant");
    leave(&mut client, &bob, LeaveReason::TerminalLost, 5_000).await;

    let mut admin = admin(&answering);
    let (mut found, mut pages, mut page_token) = (Vec::new(), Vec::new(), String::new());
    loop {
        let request = ListAttendanceRequest {
            meeting_id: scope.meeting.to_string(),
            page_size: 3,
            page_token,
            ..Default::default()
        };
        let page = admin.list_attendance(request).await.unwrap().into_inner();
        pages.push(page.attendances.len());
        found.extend(page.attendances);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(pages, [3, 1]);
    let users: Vec<_> = found.iter().map(|one| one.user_id.as_str()).collect();
    assert_eq!(users, ["bob", "cleo", "dan", "eve"]);
    let stays = &found[0].stays;
    assert_eq!(stays.iter().map(|stay| stay.inferred).collect::<Vec<_>>(), [false, true]);
    assert_eq!(stays[1].to, stays[1].from, "last there before it came: then it stayed no time");
    assert_eq!(
        (stays[0].relay_id.as_str(), stays[0].relay_name.as_str()),
        ("office-a", "Office A")
    );
    assert_eq!(found[1].stays[0].to, None, "it goes on");

    let request = |page_size, page_token: &str| ListAttendanceRequest {
        meeting_id: scope.meeting.to_string(),
        page_size,
        page_token: page_token.into(),
        ..Default::default()
    };
    let refused = admin.list_attendance(request(0, "!")).await.unwrap_err();
    assert_refused(&refused, Code::InvalidArgument, "page_token");
    let refused = admin.list_attendance(request(-1, "")).await.unwrap_err();
    assert_refused(&refused, Code::InvalidArgument, "page_size");
}

#[tokio::test]
async fn the_admin_api_shows_presence_and_hosts() {
    let answering = Answering::start().await;
    let mut client = answering.client();
    let scope = meeting(&mut client).await;
    Actor::join(&mut client, &scope, "ann").await;
    let held = JoinRequest {
        key_thumbprint: "other".into(),
        held: true,
        ..join(&scope.meeting.to_string())
    };
    client.join(held).await.unwrap();
    let get = GetMeetingRequest { meeting_id: scope.meeting.to_string(), ..Default::default() };
    let meeting = admin(&answering).get_meeting(get).await.unwrap().into_inner().meeting.unwrap();
    let shown: Vec<_> = meeting.groups[0]
        .participants
        .iter()
        .map(|one| (one.user_id.as_str(), one.presence(), one.host))
        .collect();
    assert_eq!(shown, [("ann", Presence::Online, true), ("bob", Presence::Offline, false)]);
}

#[tokio::test]
async fn the_platform_says_something_once_to_whom_it_names() {
    let answering = Answering::start().await;
    let mut client = answering.client();
    let scope = meeting(&mut client).await;
    let bob = Actor::join(&mut client, &scope, "bob").await;
    let announce = AnnounceRequest {
        meeting_id: scope.meeting.to_string(),
        request_id: "maintenance-1".into(),
        audience: None,
        text: " We restart at noon. ".into(),
        ..Default::default()
    };
    let said = client.announce(announce.clone()).await.unwrap().into_inner().event_number;
    let again = client.announce(announce.clone()).await.unwrap().into_inner().event_number;
    assert_eq!((said, again), (2, 2));
    let mut admin = admin(&answering);
    let to_bob = admin::AnnounceRequest {
        meeting_id: scope.meeting.to_string(),
        request_id: "maintenance-2".into(),
        participant_ids: vec![bob.participant],
        relay_id: "office-b".into(),
        text: "Only you".into(),
        ..Default::default()
    };
    assert_eq!(admin.announce(to_bob.clone()).await.unwrap().into_inner().event_number, 3);
    let log = log(&mut client, &scope).await;
    let Some(Body::Announcement(announcement)) = &log[1].body else { panic!("{log:?}") };
    assert_eq!((announcement.text.as_str(), &log[1].audience), ("We restart at noon.", &None));
    let expected = Audience {
        participant_ids: vec![bob.participant],
        hosts: false,
        relay_id: "office-b".into(),
    };
    assert_eq!(log[2].audience, Some(expected));

    let nobody = AnnounceRequest { audience: Some(Audience::default()), ..announce.clone() };
    for (request, field) in [
        (AnnounceRequest { request_id: String::new(), ..announce.clone() }, "request_id"),
        (AnnounceRequest { text: " ".into(), ..announce.clone() }, "text"),
        (AnnounceRequest { text: "x".repeat(4_001), ..announce.clone() }, "text"),
        (AnnounceRequest { meeting_id: "x".into(), ..announce.clone() }, "meeting_id"),
        (nobody, "audience"),
    ] {
        let refused = client.announce(request).await.unwrap_err();
        assert_refused(&refused, Code::InvalidArgument, field);
    }
    let end = EndMeetingRequest { meeting_id: scope.meeting.to_string(), ..Default::default() };
    client.end_meeting(end).await.unwrap();
    let late = AnnounceRequest { request_id: "late".into(), ..announce };
    let refused = client.announce(late).await.unwrap_err();
    assert_refused(&refused, Code::FailedPrecondition, "MEETING_ENDED");
}
