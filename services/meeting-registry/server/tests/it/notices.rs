//! What users are told: once, until they have dealt with it or it means nothing any more.

use std::time::Duration;

use tributary_identifiers::{NoticeId, OrganisationId};
use tributary_meeting_registry_core::{
    INVITATION_LIFE, NoticeKind, Occasion, Proposal, SHARED_LIFE, Sender, UnixMillis,
};
use tributary_meeting_registry_server::{Outbox, Scheduler, Shared, StoreError};
use tributary_message_bus::subjects::MeetingScope;

use crate::{Base, of_ann, on_both, scope};

on_both!(
    members_of_a_meeting_that_runs_from_its_creation_are_invited_at_once,
    who_is_added_to_a_running_meeting_is_invited_once,
    a_share_tells_each_user_once,
    a_dismissed_notice_does_not_come_back,
    an_invitation_means_something_for_a_day_and_while_the_meeting_lasts,
    notices_that_mean_nothing_are_forgotten_in_the_end,
    notices_about_a_deleted_meeting_go_with_it,
    the_newest_hundred_are_listed_oldest_first,
    a_share_of_a_meeting_that_is_not_there_is_refused,
    a_notice_is_about_the_meeting_as_it_is_now,
);

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn share(base: &Base, meeting: &MeetingScope, request: &str, users: &[&str]) {
    share_until(base, meeting, request, users, base.now() + SHARED_LIFE).await.unwrap();
}

async fn share_until(
    base: &Base,
    meeting: &MeetingScope,
    request: &str,
    users: &[&str],
    expires_at: UnixMillis,
) -> Result<(), StoreError> {
    let shared = Shared {
        request: request.parse().unwrap(),
        from: Sender { user: "ann".parse().unwrap(), name: None },
        users: users.iter().map(|user| user.parse().unwrap()).collect(),
        expires_at,
    };
    base.store.share(meeting, &shared, base.now()).await
}

async fn dismiss(base: &Base, name: &str, notice: &NoticeId) {
    let (organisation, user) = (OrganisationId::default(), name.parse().unwrap());
    base.store.dismiss(&organisation, &user, notice, base.now()).await.unwrap();
}

async fn members_of_a_meeting_that_runs_from_its_creation_are_invited_at_once(base: Base) {
    let members = ["bob", "cleo"].map(str::to_owned);
    let proposal = Proposal { members: &members, ..of_ann() };
    base.registry.create(OrganisationId::default(), &proposal).await.unwrap();
    for (name, expected) in [("ann", 0), ("bob", 1), ("cleo", 1)] {
        let notices = base.notices(name).await;
        assert_eq!(notices.len(), expected, "{name}");
        assert!(notices.iter().all(|one| one.kind == NoticeKind::Invitation(Occasion::Added)));
    }
    assert_eq!(base.store.untold(Outbox::Notices, 10).await.unwrap().len(), 2);
}

async fn who_is_added_to_a_running_meeting_is_invited_once(base: Base) {
    let meeting = base.meeting().await;
    base.add(&meeting, "bob").await;
    base.add(&meeting, "bob").await;
    let notices = base.notices("bob").await;
    assert_eq!(notices.len(), 1);
    assert_eq!((notices[0].from.shown(), notices[0].meeting), ("ann", meeting.meeting));
    base.end(&meeting).await;
    base.add(&meeting, "cleo").await;
    assert_eq!(base.notices("cleo").await, []);
}

async fn a_share_tells_each_user_once(base: Base) {
    let meeting = base.scheduled(DAY, &[]).await;
    let replica = base.another_replica().await;
    let sharing: Vec<_> = (0..10)
        .map(|number| {
            let store = if number % 2 == 0 { base.store.clone() } else { replica.clone() };
            let (meeting, now) = (meeting.clone(), base.now());
            let shared = Shared {
                request: "share-1".parse().unwrap(),
                from: Sender { user: "ann".parse().unwrap(), name: None },
                users: ["bob".parse().unwrap(), "cleo".parse().unwrap()].into(),
                expires_at: now + SHARED_LIFE,
            };
            tokio::spawn(async move { store.share(&meeting, &shared, now).await })
        })
        .collect();
    for one in sharing {
        one.await.unwrap().unwrap();
    }
    share(&base, &meeting, "share-1", &["bob", "dan"]).await;
    let starts_at = Some(crate::START + 24 * 3600 * 1000);
    for name in ["bob", "cleo", "dan"] {
        let kinds: Vec<_> = base.notices(name).await.into_iter().map(|one| one.kind).collect();
        assert_eq!(kinds, [NoticeKind::Shared { starts_at }], "{name}");
    }
    assert_eq!(base.store.untold(Outbox::Notices, 10).await.unwrap().len(), 3);
    share(&base, &meeting, "share-2", &["bob"]).await;
    assert_eq!(base.notices("bob").await.len(), 2, "another request is another share");
}

async fn a_dismissed_notice_does_not_come_back(base: Base) {
    let meeting = base.meeting().await;
    base.add(&meeting, "bob").await;
    share(&base, &meeting, "share-1", &["bob"]).await;
    let notices = base.notices("bob").await;
    dismiss(&base, "eve", &notices[0].id).await;
    assert_eq!(base.notices("bob").await.len(), 2, "not for somebody else to dismiss");
    dismiss(&base, "bob", &notices[0].id).await;
    dismiss(&base, "bob", &notices[0].id).await;
    dismiss(&base, "bob", &"unknown".parse().unwrap()).await;
    assert_eq!(base.notices("bob").await, notices[1..]);
    dismiss(&base, "bob", &notices[1].id).await;

    base.add(&meeting, "bob").await;
    share(&base, &meeting, "share-1", &["bob"]).await;
    let base = base.restart().await;
    assert_eq!(base.notices("bob").await, []);
}

async fn an_invitation_means_something_for_a_day_and_while_the_meeting_lasts(base: Base) {
    let (meeting, other) = (base.meeting().await, base.meeting().await);
    base.add(&meeting, "bob").await;
    base.add(&other, "bob").await;
    share(&base, &meeting, "share-1", &["bob"]).await;
    let soon = base.now() + 3600 * 1000;
    share_until(&base, &meeting, "share-2", &["bob"], soon).await.unwrap();
    assert_eq!(base.notices("bob").await.len(), 4);
    base.end(&other).await;
    assert_eq!(base.notices("bob").await.len(), 3);
    base.pass(Duration::from_secs(3600));
    assert_eq!(base.notices("bob").await.len(), 2);
    base.pass(Duration::from_millis(INVITATION_LIFE));
    let kinds: Vec<_> = base.notices("bob").await.into_iter().map(|one| one.kind).collect();
    assert_eq!(kinds, [NoticeKind::Shared { starts_at: None }]);
    base.pass(DAY * 30);
    assert_eq!(base.notices("bob").await, []);
}

async fn notices_that_mean_nothing_are_forgotten_in_the_end(base: Base) {
    let meeting = base.meeting().await;
    let names: Vec<_> = (0..30).map(|number| format!("user-{number}")).collect();
    let users: Vec<_> = names.iter().map(String::as_str).collect();
    share(&base, &meeting, "share-1", &users).await;
    base.add(&meeting, "bob").await;
    base.pass(DAY + DAY / 2);
    Scheduler::new(base.store.clone()).look().await.unwrap();
    share(&base, &meeting, "share-1", &users).await;
    assert_eq!(base.notices("user-7").await.len(), 1, "not forgotten: it means something");
    base.pass(DAY * 31);
    let mut scheduler = Scheduler::new(base.store.clone());
    scheduler.look().await.unwrap();
    let left = base.store.forget_notices(u64::MAX >> 1, 100).await.unwrap();
    assert_eq!(left, 0, "all 31 were forgotten");
}

async fn notices_about_a_deleted_meeting_go_with_it(base: Base) {
    let (meeting, other) = (base.meeting().await, base.meeting().await);
    base.add(&meeting, "bob").await;
    base.add(&other, "bob").await;
    base.registry.delete(&meeting).await.unwrap();
    let left: Vec<_> = base.notices("bob").await.into_iter().map(|one| one.meeting).collect();
    assert_eq!(left, [other.meeting]);
    assert_eq!(base.store.untold(Outbox::Notices, 10).await.unwrap().len(), 1);
}

async fn the_newest_hundred_are_listed_oldest_first(base: Base) {
    let meeting = base.meeting().await;
    for number in 0..105 {
        share(&base, &meeting, &format!("share-{number}"), &["bob"]).await;
        base.pass(Duration::from_millis(1));
    }
    let notices = base.notices("bob").await;
    assert_eq!((notices.len(), notices[0].at), (100, crate::START + 5));
    assert!(notices.is_sorted_by_key(|notice| notice.at));
}

async fn a_share_of_a_meeting_that_is_not_there_is_refused(base: Base) {
    let mut meeting = base.meeting().await;
    meeting.organisation = "other".parse().unwrap();
    let until = base.now() + SHARED_LIFE;
    let refused = share_until(&base, &meeting, "share-1", &["bob"], until).await.unwrap_err();
    assert!(matches!(refused, StoreError::NoSuchMeeting));
}

async fn a_notice_is_about_the_meeting_as_it_is_now(base: Base) {
    let members = ["bob".to_owned()];
    let proposal = Proposal { members: &members, ..of_ann() };
    let created = base.registry.create(OrganisationId::default(), &proposal).await.unwrap();
    let update = tributary_meeting_registry_core::Update {
        by: tributary_meeting_registry_core::Caller::Platform,
        subject: Some("Renamed".parse().unwrap()),
        starts_at: None,
        lobby: None,
        password: None,
    };
    base.registry.update(&scope(&created), update, None).await.unwrap();
    assert_eq!(base.notices("bob").await[0].subject.as_str(), "Renamed");
}
