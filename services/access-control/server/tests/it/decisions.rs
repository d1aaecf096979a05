//! Decisions over gRPC, with facts from the registry, the database and the password.

use tonic::Code;
use tributary_access_control_core as core;
use tributary_access_control_core::{
    Decision, Entitlement, Facts, MeetingState, Membership, PasswordCheck, Refusal, ShareMark,
};
use tributary_access_control_server::Config;
use tributary_contracts::access::v1::{Action, DecideRequest, Reason};
use tributary_database::scratch::{self, ScratchDatabase};

use crate::{
    on_both_databases,
    registry::FakeMeeting,
    world::{
        LASTING, MEETING, MEMBER, ORGANISER, OTHER_MEETING, OUTSIDER, PASSWORD, World, join,
        meeting, password_hash, share,
    },
};

async fn members_and_shared_outsiders_get_in(database: ScratchDatabase) {
    let world = World::start(&database, LASTING).await;
    assert_eq!(world.join(MEMBER, "").await, Reason::Member);
    assert_eq!(world.join(ORGANISER, "").await, Reason::Member);
    assert_eq!(world.join(OUTSIDER, "").await, Reason::NotShared);
    world.share(ORGANISER, true).await.unwrap();
    let answer = world.ask(join(OUTSIDER, "")).await.unwrap();
    assert_eq!((answer.allowed, answer.reason()), (true, Reason::Shared));
}

on_both_databases!(members_and_shared_outsiders_get_in);

/// What the rules say, as the contract has it.
fn expected(action: core::Action, facts: &Facts) -> (bool, Reason) {
    match core::decide(action, facts) {
        Decision::Allowed(Entitlement::Member) => (true, Reason::Member),
        Decision::Allowed(Entitlement::Shared) => (true, Reason::Shared),
        Decision::Refused(Refusal::Absent) => (false, Reason::Absent),
        Decision::Refused(Refusal::NotShared) => (false, Reason::NotShared),
        Decision::Refused(Refusal::WrongPassword) => (false, Reason::WrongPassword),
        Decision::Refused(Refusal::Ended) => (false, Reason::Ended),
    }
}

#[tokio::test]
async fn every_combination_of_facts_is_answered_by_the_rules() {
    let world = World::start(&scratch::sqlite(), LASTING).await;
    let hash = password_hash().await;
    let mut number = 1_u64;
    let mut checked = 0;
    for state in [MeetingState::Open, MeetingState::Ended] {
        for share_mark in ShareMark::ALL {
            for password in PasswordCheck::ALL {
                number += 1;
                let id = number.to_string();
                let password_hash = match password {
                    PasswordCheck::NotNeeded => String::new(),
                    PasswordCheck::Right | PasswordCheck::Wrong => hash.clone(),
                };
                let ended = state == MeetingState::Ended;
                world.registry.put(&id, FakeMeeting { ended, password_hash, ..meeting() });
                let shared = share_mark == ShareMark::Set;
                share(&world.access, &id, ORGANISER, shared).await.unwrap();
                for (membership, user) in
                    [(Membership::Member, MEMBER), (Membership::Outsider, OUTSIDER)]
                {
                    for (action, proto) in
                        [(core::Action::Join, Action::Join), (core::Action::Read, Action::Read)]
                    {
                        let facts = Facts { meeting: state, membership, share_mark, password };
                        let typed = if password == PasswordCheck::Right { PASSWORD } else { "no" };
                        let request = DecideRequest {
                            meeting_id: id.clone(),
                            action: proto.into(),
                            ..join(user, typed)
                        };
                        let answer = world.ask(request).await.unwrap();
                        let answer = (answer.allowed, answer.reason());
                        assert_eq!(answer, expected(action, &facts), "{action:?} {facts:?}");
                        checked += 1;
                    }
                }
            }
        }
    }
    assert_eq!(checked, 48);
}

#[tokio::test]
async fn what_is_not_there_is_absent_whatever_was_typed() {
    let world = World::start(&scratch::sqlite(), LASTING).await;
    for password in ["", PASSWORD] {
        let request =
            DecideRequest { meeting_id: OTHER_MEETING.to_owned(), ..join(OUTSIDER, password) };
        let answer = world.ask(request).await.unwrap();
        assert_eq!((answer.allowed, answer.reason()), (false, Reason::Absent));
    }
    let elsewhere = DecideRequest { organisation: "other".to_owned(), ..join(MEMBER, "") };
    assert_eq!(world.ask(elsewhere).await.unwrap().reason(), Reason::Absent);
}

#[tokio::test]
async fn no_password_and_an_endless_one_are_wrong() {
    let world = World::start(&scratch::sqlite(), LASTING).await;
    let password_hash = password_hash().await;
    world.registry.put(MEETING, FakeMeeting { password_hash, ..meeting() });
    world.share(ORGANISER, true).await.unwrap();
    assert_eq!(world.join(OUTSIDER, "").await, Reason::WrongPassword);
    assert_eq!(world.join(OUTSIDER, &"x".repeat(100_000)).await, Reason::WrongPassword);
    assert_eq!(world.join(OUTSIDER, PASSWORD).await, Reason::Shared);
    assert_eq!(world.join(MEMBER, "").await, Reason::Member);
}

#[tokio::test]
async fn a_password_hash_that_can_not_be_read_lets_nobody_in() {
    let world = World::start(&scratch::sqlite(), Config::default()).await;
    let password_hash = "not a hash".to_owned();
    world.registry.put(MEETING, FakeMeeting { password_hash, ..meeting() });
    world.share(ORGANISER, true).await.unwrap();
    let status = world.ask(join(OUTSIDER, PASSWORD)).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(!status.message().contains("hash"), "{status:?}");
}

#[tokio::test]
async fn malformed_questions_are_refused() {
    let world = World::start(&scratch::sqlite(), LASTING).await;
    let good = join(MEMBER, "");
    for request in [
        DecideRequest { action: Action::Unspecified.into(), ..good.clone() },
        DecideRequest { action: 999, ..good.clone() },
        DecideRequest { meeting_id: "x".to_owned(), ..good.clone() },
        DecideRequest { meeting_id: "9223372036854775808".to_owned(), ..good.clone() },
        DecideRequest { user_id: String::new(), ..good.clone() },
        DecideRequest { user_id: "a.b".to_owned(), ..good.clone() },
        DecideRequest { organisation: "*".to_owned(), ..good.clone() },
    ] {
        let status = world.ask(request.clone()).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{request:?}");
    }
    assert_eq!(world.registry.asked(), 0);
}
