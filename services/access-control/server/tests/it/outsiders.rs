//! Outsiders learn nothing: not from the bytes of a refusal, not from when it comes.

use std::time::{Duration, Instant};

use tonic::Code;
use tributary_access_control_server::Config;
use tributary_contracts::access::v1::{
    CreateShareRequest, DecideRequest, DecideResponse, ListSharesRequest, Reason,
    RevokeShareRequest,
};
use tributary_database::scratch;

use crate::{
    registry::FakeMeeting,
    world::{
        BEGIN, DAY, MEETING, MEMBER, ORGANISER, OTHER_MEETING, OUTSIDER, World, generous, join,
        lasting, link, meeting, password_hash, read,
    },
};

/// One request of an outsider for each reason to be refused, made against `world`.
async fn refusals(world: &World) -> Vec<(Reason, DecideRequest)> {
    let at =
        |id: &str, request: DecideRequest| DecideRequest { meeting_id: id.to_owned(), ..request };
    let ended_at = Some(BEGIN - u64::try_from((DAY * 8).as_millis()).unwrap());
    let password_hash = password_hash().await;
    world.registry.put("11", FakeMeeting { ended_at, ..meeting() });
    world.registry.put("12", FakeMeeting { password_hash, ..meeting() });
    world.registry.put("13", meeting());
    world.registry.put("14", meeting());
    for id in ["11", "12", "13", "14"] {
        let mut request = CreateShareRequest { meeting_id: id.to_owned(), ..link() };
        if id == "14" {
            request.expires_at = Some(crate::registry::timestamp(BEGIN + 1));
        }
        crate::world::share(&world.access, request).await.unwrap();
    }
    let revoke = RevokeShareRequest {
        meeting_id: "13".to_owned(),
        user_id: ORGANISER.to_owned(),
        ..RevokeShareRequest::default()
    };
    world.access.clone().revoke_share(revoke).await.unwrap();
    world.pass(Duration::from_millis(1));
    let elsewhere = DecideRequest { organisation: "other".to_owned(), ..join(OUTSIDER, "") };
    vec![
        (Reason::Absent, at(OTHER_MEETING, join(OUTSIDER, ""))),
        (Reason::Absent, elsewhere),
        (Reason::NotShared, join(OUTSIDER, "")),
        (Reason::EndedLongAgo, at("11", read(OUTSIDER))),
        (Reason::Ended, at("11", join(OUTSIDER, ""))),
        (Reason::WrongPassword, at("12", join(OUTSIDER, ""))),
        (Reason::ShareRevoked, at("13", join(OUTSIDER, ""))),
        (Reason::ShareExpired, at("14", join(OUTSIDER, ""))),
    ]
}

/// An answer as it came, without its reason and when it was sent.
fn bytes(answer: tonic::Response<DecideResponse>) -> (String, Vec<u8>) {
    let mut headers = answer.metadata().clone();
    headers.remove("date");
    let body = DecideResponse { reason: 0, ..answer.into_inner() };
    (format!("{headers:?}"), prost::Message::encode_to_vec(&body))
}

#[tokio::test]
async fn all_refusals_of_outsiders_have_the_same_bytes_but_for_the_reason() {
    let config = Config { access_limit: 100, ..generous() };
    let world = World::start(&scratch::sqlite(), config).await;
    let mut seen = Vec::new();
    for (reason, request) in refusals(&world).await {
        let answer = world.access.clone().decide(request.clone()).await.unwrap();
        assert_eq!(answer.get_ref().reason(), reason, "{request:?}");
        seen.push(bytes(answer));
    }
    // Over the budget, at a meeting that is there and at one that is not.
    for _ in 0..100 {
        world.ask(join("user-busy", "")).await.unwrap();
    }
    for id in [MEETING, OTHER_MEETING] {
        let request = DecideRequest { meeting_id: id.to_owned(), ..join("user-busy", "") };
        let answer = world.access.clone().decide(request).await.unwrap();
        assert_eq!(answer.get_ref().reason(), Reason::OverCount);
        seen.push(bytes(answer));
    }
    assert_eq!(seen.len(), 10);
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
}

#[tokio::test]
async fn refusals_of_outsiders_wait_for_the_grid_and_nothing_else_does() {
    let step = Duration::from_millis(300);
    let config = Config { refusal_grid_ms: 300, ..generous() };
    let world = World::start(&scratch::sqlite(), config).await;
    for (reason, request) in refusals(&world).await {
        let start = Instant::now();
        assert_eq!(world.reason(request).await, reason);
        assert!(start.elapsed() >= step, "{reason:?} after {:?}", start.elapsed());
    }
    world.share().await;
    let mut fastest = Duration::MAX;
    for _ in 0..10 {
        let start = Instant::now();
        assert_eq!(world.join(OUTSIDER, "").await, Reason::Shared);
        fastest = fastest.min(start.elapsed());
    }
    assert!(fastest < step, "{fastest:?}");
}

#[tokio::test]
async fn nobody_but_organiser_and_hosts_shares_lists_or_revokes_and_nobody_learns_why_not() {
    let world = World::start(&scratch::sqlite(), lasting()).await;
    let mut seen = Vec::new();
    for (meeting, user) in [(MEETING, MEMBER), (MEETING, OUTSIDER), (OTHER_MEETING, ORGANISER)] {
        let (meeting_id, user_id) = (meeting.to_owned(), user.to_owned());
        let mut access = world.access.clone();
        let request = CreateShareRequest {
            meeting_id: meeting_id.clone(),
            user_id: user_id.clone(),
            ..link()
        };
        seen.push(access.create_share(request).await.unwrap_err());
        let request = ListSharesRequest {
            meeting_id: meeting_id.clone(),
            user_id: user_id.clone(),
            ..ListSharesRequest::default()
        };
        seen.push(access.list_shares(request).await.unwrap_err());
        let request = RevokeShareRequest { meeting_id, user_id, ..RevokeShareRequest::default() };
        seen.push(access.revoke_share(request).await.unwrap_err());
    }
    let mut seen: Vec<_> = seen
        .into_iter()
        .map(|status| (status.code(), status.message().to_owned(), status.details().to_vec()))
        .collect();
    assert_eq!((seen.len(), seen[0].0), (9, Code::PermissionDenied));
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(world.join(OUTSIDER, "").await, Reason::NotShared);
}
