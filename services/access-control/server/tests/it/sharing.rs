//! Shares: made, used, listed, revoked, ended.

use std::time::Duration;

use tonic::Code;
use tributary_contracts::access::v1::{
    CreateShareRequest, DecideRequest, ListSharesRequest, Reason, Share, ShareForm, Told,
    UsersForm, share_form::Form,
};
use tributary_database::scratch::{self, ScratchDatabase};

use crate::{
    on_both_databases,
    registry::{FakeMeeting, timestamp},
    world::{
        HOST, MEETING, ORGANISER, OUTSIDER, PASSWORD, World, generous, join, lasting, link,
        meeting, password_hash, share,
    },
};

async fn list(world: &World) -> Vec<Share> {
    let request = ListSharesRequest {
        meeting_id: MEETING.to_owned(),
        user_id: HOST.to_owned(),
        ..ListSharesRequest::default()
    };
    world.access.clone().list_shares(request).await.unwrap().into_inner().shares
}

fn to_users(users: &[&str]) -> CreateShareRequest {
    let user_ids = users.iter().map(ToString::to_string).collect();
    CreateShareRequest {
        form: Some(ShareForm { form: Some(Form::Users(UsersForm { user_ids })) }),
        ..link()
    }
}

async fn shares_are_listed_newest_first_and_show_no_secret(database: ScratchDatabase) {
    let world = World::start(&database, lasting()).await;
    let (secret, first) = world.share().await;
    world.pass(Duration::from_secs(1));
    let expires_at = Some(timestamp(world.now() + 60_000));
    let request = CreateShareRequest {
        user_id: HOST.to_owned(),
        expires_at,
        ..to_users(&["user-b", "user-a", "user-b"])
    };
    let second = share(&world.access, request).await.unwrap();
    assert_eq!(second.link, None);
    world.revoke(&first).await.unwrap();
    let shares = list(&world).await;
    assert_eq!(shares.len(), 2);
    assert_eq!(Some(&shares[0]), second.share.as_ref());
    assert_eq!((shares[0].created_by.as_str(), shares[0].expires_at), (HOST, expires_at));
    let users = UsersForm { user_ids: vec!["user-a".to_owned(), "user-b".to_owned()] };
    assert_eq!(shares[0].form.clone().unwrap().form, Some(Form::Users(users)));
    assert_eq!((shares[1].share_id.as_str(), shares[0].revoked_at), (first.as_str(), None));
    assert_eq!(shares[1].revoked_at, Some(timestamp(world.now())));
    assert!(!format!("{shares:?}").contains(&secret));
}

async fn revoking_is_for_one_or_all_and_for_good(database: ScratchDatabase) {
    let world = World::start(&database, generous()).await;
    let (_, first) = world.share().await;
    let (_, second) = world.share().await;
    world.revoke(&first).await.unwrap();
    world.revoke(&first).await.unwrap();
    assert_eq!(world.join(OUTSIDER, "").await, Reason::Shared);
    assert_eq!(world.revoke("unknown").await.unwrap_err().code(), Code::NotFound);
    world.share().await;
    world.revoke("").await.unwrap();
    assert_eq!(world.join(OUTSIDER, "").await, Reason::ShareRevoked);
    assert!(list(&world).await.iter().all(|share| share.revoked_at.is_some()));
    assert!(list(&world).await.iter().any(|share| share.share_id == second));
}

async fn a_share_ends_by_itself(database: ScratchDatabase) {
    let world = World::start(&database, lasting()).await;
    let expires_at = Some(timestamp(world.now() + 60_000));
    share(&world.access, CreateShareRequest { expires_at, ..link() }).await.unwrap();
    world.pass(Duration::from_millis(59_999));
    assert_eq!(world.join(OUTSIDER, "").await, Reason::Shared);
    world.pass(Duration::from_millis(1));
    assert_eq!(world.join(OUTSIDER, "").await, Reason::ShareExpired);
}

async fn users_are_told_and_are_then_known_without_a_secret(database: ScratchDatabase) {
    let world = World::start(&database, lasting()).await;
    let password_hash = password_hash().await;
    world.registry.put(MEETING, FakeMeeting { password_hash, ..meeting() });
    let shared = share(&world.access, to_users(&[OUTSIDER])).await.unwrap().share.unwrap();
    let notified = world.registry.notified();
    assert_eq!(notified.len(), 1);
    assert_eq!(notified[0].user_ids, [OUTSIDER]);
    assert_eq!(notified[0].request_id, shared.share_id);
    assert_eq!(notified[0].meeting_id, MEETING);
    assert_eq!(
        (notified[0].from_user_id.as_str(), notified[0].from_display_name.as_str()),
        (ORGANISER, "Olga")
    );
    let told = async |user: &str, guest: bool| {
        let request = DecideRequest { guest, ..join(user, "wrong") };
        world.ask(request).await.unwrap().told()
    };
    assert_eq!(told(OUTSIDER, false).await, Told::WrongPassword);
    assert_eq!(told(OUTSIDER, true).await, Told::Nothing);
    assert_eq!(told("user-else", false).await, Told::Nothing);
    assert_eq!(world.join(OUTSIDER, PASSWORD).await, Reason::Shared);
}

async fn what_could_not_be_carried_out_is_not_shared(database: ScratchDatabase) {
    let world = World::start(&database, lasting()).await;
    world.registry.set_deaf(true);
    let status = share(&world.access, to_users(&[OUTSIDER])).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(world.join(OUTSIDER, "").await, Reason::NotShared);
    assert_eq!(list(&world).await, []);
    world.registry.set_deaf(false);
    share(&world.access, to_users(&[OUTSIDER])).await.unwrap();
    assert_eq!(world.join(OUTSIDER, "").await, Reason::Shared);
}

async fn a_meeting_has_a_hundred_live_shares_at_most(database: ScratchDatabase) {
    let world = World::start(&database, lasting()).await;
    let sharing: Vec<_> = (0..110)
        .map(|_| {
            let access = world.access.clone();
            tokio::spawn(async move { share(&access, link()).await.map_err(|s| s.code()) })
        })
        .collect();
    let mut refused = 0;
    for shared in sharing {
        match shared.await.unwrap() {
            Ok(_) => {}
            Err(code) => {
                assert_eq!(code, Code::ResourceExhausted);
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 10);
    world.pass(Duration::from_secs(1));
    world.revoke("").await.unwrap();
    for _ in 0..3 {
        world.share().await;
    }
    // Of those that do not hold any more the newest are kept, and the list ends at 100.
    assert_eq!(list(&world).await.len(), 100);
}

on_both_databases!(
    shares_are_listed_newest_first_and_show_no_secret,
    revoking_is_for_one_or_all_and_for_good,
    a_share_ends_by_itself,
    users_are_told_and_are_then_known_without_a_secret,
    what_could_not_be_carried_out_is_not_shared,
    a_meeting_has_a_hundred_live_shares_at_most,
);

#[tokio::test]
async fn a_link_comes_with_words_and_pictures() {
    let config = tributary_access_control_server::Config {
        public_url: "https://meet.example.org/web/".to_owned(),
        ..lasting()
    };
    let world = World::start(&scratch::sqlite(), config).await;
    let link = share(&world.access, link()).await.unwrap().link.unwrap();
    let begin = format!("https://meet.example.org/web/#/m/{MEETING}/");
    assert!(link.url.starts_with(&begin), "{}", link.url);
    assert_eq!(link.url.len(), begin.len() + 22);
    for part in ["Weekly", "Olga", &link.url, MEETING] {
        assert!(link.text.contains(part), "{part} in {}", link.text);
    }
    assert!(link.qr_svg.starts_with("<svg"), "{}", link.qr_svg);
    assert!(link.qr_png.starts_with(b"\x89PNG"));
    let chinese = CreateShareRequest { language: "zh-CN".to_owned(), ..crate::world::link() };
    let link = share(&world.access, chinese).await.unwrap().link.unwrap();
    assert!(link.text.contains("邀请"), "{}", link.text);
}

#[tokio::test]
async fn malformed_wishes_are_refused_and_share_nothing() {
    let world = World::start(&scratch::sqlite(), lasting()).await;
    let many: Vec<String> = (0..101).map(|number| format!("user-{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for request in [
        CreateShareRequest { form: None, ..link() },
        CreateShareRequest { form: Some(ShareForm { form: None }), ..link() },
        CreateShareRequest { language: "tlh".to_owned(), ..link() },
        CreateShareRequest { meeting_id: "x".to_owned(), ..link() },
        CreateShareRequest { expires_at: Some(timestamp(world.now())), ..link() },
        CreateShareRequest { expires_at: Some(timestamp(world.now() * 2)), ..link() },
        to_users(&[]),
        to_users(&["a b"]),
        to_users(&many),
    ] {
        let status = share(&world.access, request.clone()).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{request:?}");
    }
    assert_eq!(world.join(OUTSIDER, "").await, Reason::NotShared);
    assert!(world.registry.notified().is_empty());
}
