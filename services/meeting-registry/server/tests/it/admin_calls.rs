//! `MeetingService` over gRPC, as platform engineers call it.

use tonic::Code;
use tributary_contracts::{
    admin::v1::{
        CreateMeetingRequest, DeleteMeetingRequest, GetMeetingRequest, ListMeetingsRequest,
        meeting_service_client::MeetingServiceClient,
    },
    event::v1::Presence,
    registry::v1::{
        JoinRequest, SetReachableRequest, registry_service_client::RegistryServiceClient,
    },
};
use tributary_service_runtime::{
    DEVELOPMENT_ADMIN_TOKEN, DEVELOPMENT_SERVICE_TOKEN, ServiceChannel,
};

use crate::calls::{Answering, assert_refused};

fn admin(answering: &Answering) -> MeetingServiceClient<ServiceChannel> {
    MeetingServiceClient::new(answering.channel(DEVELOPMENT_ADMIN_TOKEN))
}

fn create(subject: &str) -> CreateMeetingRequest {
    CreateMeetingRequest {
        subject: subject.into(),
        organiser_user_id: "ann".into(),
        ..Default::default()
    }
}

/// Relay a is a core relay, b is behind another one.
fn path_of(relay: &str) -> Vec<String> {
    if relay == "a" { Vec::new() } else { vec!["Site".into(), "Office b".into()] }
}

#[tokio::test]
async fn a_meeting_shows_who_is_behind_which_relay_and_can_be_deleted() {
    let answering = Answering::start().await;
    let mut client = admin(&answering);
    let meeting = client.create_meeting(create("Planning")).await.unwrap().into_inner().meeting;
    let id = meeting.unwrap().meeting_id;
    let mut registry = RegistryServiceClient::new(answering.channel(DEVELOPMENT_SERVICE_TOKEN));
    for (who, relay) in [("bob", "a"), ("cleo", "b"), ("dan", "a")] {
        let join = JoinRequest {
            meeting_id: id.clone(),
            user_id: who.into(),
            display_name: who.into(),
            key_thumbprint: format!("key-of-{who}"),
            relay_id: format!("office-{relay}"),
            relay_name: format!("Office {relay}"),
            relay_depth: u32::from(relay == "b") * 2,
            relay_path: path_of(relay),
            relay_itself: who == "cleo",
            relay_session_id: format!("run-of-{relay}"),
            session_id: format!("session-of-{who}"),
            ..Default::default()
        };
        registry.join(join).await.unwrap();
    }
    let get = GetMeetingRequest { meeting_id: id.clone(), ..Default::default() };
    let meeting = client.get_meeting(get.clone()).await.unwrap().into_inner().meeting.unwrap();
    let groups: Vec<_> = meeting
        .groups
        .iter()
        .map(|group| {
            let users: Vec<_> = group.participants.iter().map(|one| one.user_id.as_str()).collect();
            (group.relay_name.as_str(), group.relay_depth, users)
        })
        .collect();
    assert_eq!(groups, [("Office a", 0, vec!["bob", "dan"]), ("Office b", 2, vec!["cleo"])]);
    let paths: Vec<_> = meeting.groups.iter().map(|group| group.relay_path.clone()).collect();
    assert_eq!(paths, [path_of("a"), path_of("b")]);
    let cut_off = SetReachableRequest {
        meeting_id: id.clone(),
        participant_ids: vec![2],
        relay_session_id: "run-of-b".into(),
        ..Default::default()
    };
    registry.set_reachable(cut_off).await.unwrap();
    let meeting = client.get_meeting(get.clone()).await.unwrap().into_inner().meeting.unwrap();
    let cleo = &meeting.groups[1].participants[0];
    assert_eq!(
        (cleo.presence(), cleo.unreachable, cleo.relay_itself),
        (Presence::Away, true, true)
    );
    let bob = &meeting.groups[0].participants[0];
    assert_eq!(
        (bob.presence(), bob.unreachable, bob.relay_itself),
        (Presence::Online, false, false)
    );

    let delete = DeleteMeetingRequest { meeting_id: id, ..Default::default() };
    client.delete_meeting(delete.clone()).await.unwrap();
    let refused = client.get_meeting(get).await.unwrap_err();
    assert_refused(&refused, Code::NotFound, "NO_SUCH_MEETING");
    let refused = client.delete_meeting(delete).await.unwrap_err();
    assert_refused(&refused, Code::NotFound, "NO_SUCH_MEETING");
}

#[tokio::test]
async fn the_list_comes_in_pages() {
    let answering = Answering::start().await;
    let mut client = admin(&answering);
    for number in 0..7 {
        client.create_meeting(create(&format!("Meeting {number}"))).await.unwrap();
    }
    let (mut subjects, mut pages, mut page_token) = (Vec::new(), Vec::new(), String::new());
    loop {
        let request = ListMeetingsRequest { page_size: 3, page_token, ..Default::default() };
        let page = client.list_meetings(request).await.unwrap().into_inner();
        pages.push(page.meetings.len());
        subjects.extend(page.meetings.into_iter().map(|meeting| meeting.subject));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(pages, [3, 3, 1]);
    subjects.sort();
    assert_eq!(subjects, (0..7).map(|number| format!("Meeting {number}")).collect::<Vec<_>>());

    let request = ListMeetingsRequest { page_token: "x".into(), ..Default::default() };
    let refused = client.list_meetings(request).await.unwrap_err();
    assert_refused(&refused, Code::InvalidArgument, "page_token");
    let request = ListMeetingsRequest { page_size: -1, ..Default::default() };
    let refused = client.list_meetings(request).await.unwrap_err();
    assert_refused(&refused, Code::InvalidArgument, "page_size");
}

#[tokio::test]
async fn the_service_token_does_not_open_the_admin_service() {
    let answering = Answering::start().await;
    let mut client = MeetingServiceClient::new(answering.channel(DEVELOPMENT_SERVICE_TOKEN));
    let refused = client.create_meeting(create("s")).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}
