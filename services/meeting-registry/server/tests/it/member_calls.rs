//! Members, changes of meetings and notices over gRPC, for other services and for engineers.

use prost_types::Timestamp;
use tonic::Code;
use tributary_contracts::{
    admin::v1::{self as admin, meeting_service_client::MeetingServiceClient},
    notice::v1::{InvitationOccasion, notice::Kind},
    registry::v1::{
        DismissNoticeRequest, ListMeetingsOfUserRequest, ListMembersRequest, ListNoticesRequest,
        Member, MemberRole, NotifyRequest, RemoveMembersRequest, SetMembersRequest,
        UpdateMeetingRequest,
    },
};
use tributary_service_runtime::DEVELOPMENT_ADMIN_TOKEN;

use crate::{
    calls::{Answering, assert_refused, create},
    until,
};

fn member(user_id: &str, role: MemberRole) -> Member {
    Member { user_id: user_id.into(), role: role.into() }
}

/// In so many seconds, in whole ones.
fn from_now(seconds: i64) -> Option<Timestamp> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Some(Timestamp { seconds: i64::try_from(now.as_secs()).unwrap() + seconds, nanos: 0 })
}

#[tokio::test]
async fn members_are_set_listed_and_removed_by_who_may() {
    let answering = Answering::start().await;
    let mut client = answering.client();
    let mut request = create("Planning");
    request.host_user_ids = vec!["cleo".into()];
    let meeting_id =
        client.create_meeting(request).await.unwrap().into_inner().meeting.unwrap().meeting_id;
    let set = |user: &str, members| SetMembersRequest {
        meeting_id: meeting_id.clone(),
        user_id: user.into(),
        members,
        ..Default::default()
    };
    let some = vec![member("dan", MemberRole::Host), member("eve", MemberRole::Unspecified)];
    let refused = client.set_members(set("bob", some.clone())).await.unwrap_err();
    assert_refused(&refused, Code::PermissionDenied, "NOT_ORGANISER_OR_HOST");
    let count = client.set_members(set("cleo", some)).await.unwrap().into_inner().members;
    assert_eq!(count, 5);

    let list = |page_size, page_token: &str| ListMembersRequest {
        meeting_id: meeting_id.clone(),
        page_size,
        page_token: page_token.into(),
        ..Default::default()
    };
    let first = client.list_members(list(3, "")).await.unwrap().into_inner();
    let second = client.list_members(list(3, &first.next_page_token)).await.unwrap().into_inner();
    let expected = [
        member("ann", MemberRole::Organiser),
        member("bob", MemberRole::Member),
        member("cleo", MemberRole::Host),
        member("dan", MemberRole::Host),
        member("eve", MemberRole::Member),
    ];
    assert_eq!([first.members, second.members].concat(), expected);
    assert_eq!(second.next_page_token, "");
    let refused = client.list_members(list(3, "!")).await.unwrap_err();
    assert_refused(&refused, Code::InvalidArgument, "page_token");

    let remove = |user_ids: &[&str]| RemoveMembersRequest {
        meeting_id: meeting_id.clone(),
        user_id: "dan".into(),
        user_ids: user_ids.iter().map(|&user| user.to_owned()).collect(),
        ..Default::default()
    };
    let count = client.remove_members(remove(&["eve", "nobody"])).await.unwrap().into_inner();
    assert_eq!(count.members, 4);
    let refused = client.remove_members(remove(&["ann"])).await.unwrap_err();
    assert_refused(&refused, Code::FailedPrecondition, "ORGANISER_STAYS");

    let too_many = vec![member("x", MemberRole::Member); 1_001];
    for (members, field) in [
        (vec![], "members"),
        (too_many, "members"),
        (vec![member("a b", MemberRole::Member)], "members[0].user_id"),
        (vec![member("x", MemberRole::Host); 2], "members[1].user_id"),
        (vec![Member { user_id: "x".into(), role: 9 }], "members[0].role"),
        (vec![member("bob", MemberRole::Organiser)], "NO_SECOND_ORGANISER"),
    ] {
        let refused = client.set_members(set("ann", members)).await.unwrap_err();
        assert_refused(&refused, Code::InvalidArgument, field);
    }
    let refused = client.remove_members(remove(&[])).await.unwrap_err();
    assert_refused(&refused, Code::InvalidArgument, "user_ids");
}

#[tokio::test]
async fn a_meeting_is_changed_by_who_may() {
    let answering = Answering::start().await;
    let mut client = answering.client();
    let mut request = create("Planning");
    request.starts_at = from_now(3600);
    request.organiser_display_name = "Ann A.".into();
    let meeting = client.create_meeting(request).await.unwrap().into_inner().meeting.unwrap();
    assert_eq!((meeting.starts_at.is_some(), meeting.lobby), (true, false));
    assert_eq!(meeting.organiser_display_name, "Ann A.");
    let update = |user: &str| UpdateMeetingRequest {
        meeting_id: meeting.meeting_id.clone(),
        user_id: user.into(),
        ..Default::default()
    };
    let all = UpdateMeetingRequest {
        subject: Some(" Other ".into()),
        starts_at: from_now(7200),
        lobby: Some(true),
        password: Some(String::new()),
        ..update("ann")
    };
    let changed = client.update_meeting(all.clone()).await.unwrap().into_inner().meeting.unwrap();
    assert_eq!((changed.subject.as_str(), changed.lobby), ("Other", true));
    assert_eq!((changed.starts_at, changed.has_password), (all.starts_at, false));
    let nothing = client.update_meeting(update("")).await.unwrap().into_inner().meeting.unwrap();
    assert_eq!(nothing, changed, "what is absent stays");

    let refused = client.update_meeting(UpdateMeetingRequest { user_id: "bob".into(), ..all });
    let refused = refused.await.unwrap_err();
    assert_refused(&refused, Code::PermissionDenied, "NOT_ORGANISER_OR_HOST");
    for (request, field) in [
        (UpdateMeetingRequest { subject: Some("\n".into()), ..update("ann") }, "subject"),
        (UpdateMeetingRequest { starts_at: from_now(-3600), ..update("ann") }, "starts_at"),
        (UpdateMeetingRequest { starts_at: from_now(400 * 86_400), ..update("ann") }, "starts_at"),
        (UpdateMeetingRequest { password: Some("x".repeat(129)), ..update("ann") }, "password"),
    ] {
        let refused = client.update_meeting(request).await.unwrap_err();
        assert_refused(&refused, Code::InvalidArgument, field);
    }

    let list = ListMeetingsOfUserRequest { user_id: "bob".into(), ..Default::default() };
    let listed = client.list_meetings_of_user(list).await.unwrap().into_inner().meetings;
    assert_eq!(listed, [changed]);
}

#[tokio::test]
async fn a_meeting_that_begins_invites_by_itself_and_dismissed_is_dismissed() {
    let answering = Answering::start().await;
    let mut client = answering.client();
    let mut request = create("Planning");
    request.starts_at = from_now(1);
    client.create_meeting(request).await.unwrap();
    let list = || ListNoticesRequest { user_id: "bob".into(), ..Default::default() };
    let asked = answering.client();
    until("an invitation", || {
        let mut asked = asked.clone();
        async move { !asked.list_notices(list()).await.unwrap().into_inner().notices.is_empty() }
    })
    .await;
    let notices = client.list_notices(list()).await.unwrap().into_inner().notices;
    let Some(Kind::Invitation(invitation)) = &notices[0].kind else { panic!("{notices:?}") };
    assert_eq!(invitation.occasion(), InvitationOccasion::Begins);
    let dismiss = DismissNoticeRequest {
        user_id: "bob".into(),
        notice_id: notices[0].notice_id.clone(),
        ..Default::default()
    };
    client.dismiss_notice(dismiss.clone()).await.unwrap();
    client.dismiss_notice(dismiss).await.unwrap();
    assert_eq!(client.list_notices(list()).await.unwrap().into_inner().notices, []);
}

#[tokio::test]
async fn a_share_that_makes_no_sense_is_refused() {
    let answering = Answering::start().await;
    let mut client = answering.client();
    let created = client.create_meeting(create("Planning")).await.unwrap().into_inner();
    let good = NotifyRequest {
        request_id: "share-1".into(),
        meeting_id: created.meeting.unwrap().meeting_id,
        user_ids: vec!["eve".into()],
        from_user_id: "ann".into(),
        ..Default::default()
    };
    client.notify(good.clone()).await.unwrap();
    let many: Vec<_> = (0..101).map(|number| format!("user-{number}")).collect();
    for (request, field) in [
        (NotifyRequest { request_id: String::new(), ..good.clone() }, "request_id"),
        (NotifyRequest { user_ids: vec![], ..good.clone() }, "user_ids"),
        (NotifyRequest { user_ids: many, ..good.clone() }, "user_ids"),
        (NotifyRequest { user_ids: vec![String::new()], ..good.clone() }, "user_ids[0]"),
        (NotifyRequest { from_user_id: String::new(), ..good.clone() }, "from_user_id"),
        (NotifyRequest { from_display_name: "\n".into(), ..good.clone() }, "from_display_name"),
        (NotifyRequest { expires_at: from_now(-1), ..good.clone() }, "expires_at"),
    ] {
        let refused = client.notify(request).await.unwrap_err();
        assert_refused(&refused, Code::InvalidArgument, field);
    }
    let refused =
        client.notify(NotifyRequest { meeting_id: "1".into(), ..good }).await.unwrap_err();
    assert_refused(&refused, Code::NotFound, "NO_SUCH_MEETING");
}

#[tokio::test]
async fn engineers_manage_every_meeting() {
    let answering = Answering::start().await;
    let mut client = MeetingServiceClient::new(answering.channel(DEVELOPMENT_ADMIN_TOKEN));
    let request = admin::CreateMeetingRequest {
        subject: "Planning".into(),
        organiser_user_id: "ann".into(),
        host_user_ids: vec!["cleo".into()],
        starts_at: from_now(3600),
        lobby: true,
        ..Default::default()
    };
    let meeting = client.create_meeting(request).await.unwrap().into_inner().meeting.unwrap();
    assert!(meeting.lobby && meeting.starts_at.is_some());
    let meeting_id = meeting.meeting_id;
    let members = vec![member("bob", MemberRole::Member)];
    let set =
        admin::SetMembersRequest { meeting_id: meeting_id.clone(), members, ..Default::default() };
    assert_eq!(client.set_members(set).await.unwrap().into_inner().members, 3);
    let user_ids = vec!["cleo".into()];
    let remove = admin::RemoveMembersRequest {
        meeting_id: meeting_id.clone(),
        user_ids,
        ..Default::default()
    };
    assert_eq!(client.remove_members(remove).await.unwrap().into_inner().members, 2);
    let list = admin::ListMembersRequest { meeting_id: meeting_id.clone(), ..Default::default() };
    let listed = client.list_members(list).await.unwrap().into_inner().members;
    let expected = [member("ann", MemberRole::Organiser), member("bob", MemberRole::Member)];
    assert_eq!(listed, expected);

    let update = admin::UpdateMeetingRequest {
        meeting_id: meeting_id.clone(),
        subject: Some("Other".into()),
        lobby: Some(false),
        ..Default::default()
    };
    let updated =
        client.update_meeting(update.clone()).await.unwrap().into_inner().meeting.unwrap();
    assert_eq!((updated.subject.as_str(), updated.lobby), ("Other", false));
    let end = admin::EndMeetingRequest { meeting_id, ..Default::default() };
    let ended = client.end_meeting(end.clone()).await.unwrap().into_inner().meeting.unwrap();
    assert!(ended.ended_at.is_some());
    let again = client.end_meeting(end).await.unwrap().into_inner().meeting.unwrap();
    assert_eq!(again.ended_at, ended.ended_at);
    let refused = client.update_meeting(update).await.unwrap_err();
    assert_refused(&refused, Code::FailedPrecondition, "MEETING_ENDED");
}
