//! Decisions over gRPC, with facts from the registry, the database, the password and the budgets.

use tonic::Code;
use tributary_access_control_server::Config;
use tributary_contracts::access::v1::{Action, DecideRequest, DecideResponse, Reason, Role, Told};
use tributary_database::scratch::{self, ScratchDatabase};

use crate::{
    on_both_databases,
    registry::FakeMeeting,
    world::{
        DAY, HOST, MEETING, MEMBER, ORGANISER, OTHER_MEETING, OUTSIDER, PASSWORD, World, generous,
        join, lasting, meeting, password_hash, read,
    },
};

async fn the_flows_of_members_and_outsiders(database: ScratchDatabase) {
    let world = World::start(&database, lasting()).await;
    for user in [ORGANISER, HOST, MEMBER] {
        assert_eq!(world.join(user, "").await, Reason::Member, "{user}");
        assert_eq!(world.reason(read(user)).await, Reason::Member, "{user}");
    }
    assert_eq!(world.join(OUTSIDER, "").await, Reason::NotShared);
    let (secret, share_id) = world.share().await;
    assert_eq!(world.join(OUTSIDER, "").await, Reason::Shared);
    assert_eq!(world.reason(read(OUTSIDER)).await, Reason::Shared);
    world.revoke(&share_id).await.unwrap();
    let with_secret = DecideRequest { share_secret: secret, ..join(OUTSIDER, "") };
    assert_eq!(world.reason(with_secret).await, Reason::ShareRevoked);
    world.share().await;
    assert_eq!(world.join(OUTSIDER, "").await, Reason::Shared);
}

async fn ended_meetings_are_read_by_outsiders_for_a_week_and_by_members_for_ever(
    database: ScratchDatabase,
) {
    let world = World::start(&database, lasting()).await;
    world.share().await;
    world.registry.put(MEETING, FakeMeeting { ended_at: Some(world.now()), ..meeting() });
    assert_eq!(world.join(OUTSIDER, "").await, Reason::Ended);
    assert_eq!(world.reason(read(OUTSIDER)).await, Reason::Shared);
    world.pass(DAY * 8);
    assert_eq!(world.reason(read(OUTSIDER)).await, Reason::EndedLongAgo);
    assert_eq!(world.reason(read(MEMBER)).await, Reason::Member);
    let refused = world.ask(join(MEMBER, "")).await.unwrap();
    assert_eq!((refused.reason(), refused.told()), (Reason::Ended, Told::Ended));
}

async fn only_who_holds_a_share_is_told_that_the_password_is_wrong(database: ScratchDatabase) {
    let world = World::start(&database, generous()).await;
    let password_hash = password_hash().await;
    world.registry.put(MEETING, FakeMeeting { password_hash, ..meeting() });
    let (secret, _) = world.share().await;
    let told = async |share_secret: &str, password: &str| {
        let share_secret = share_secret.to_owned();
        let request = DecideRequest { share_secret, ..join(OUTSIDER, password) };
        let answer = world.ask(request).await.unwrap();
        (answer.reason(), answer.told())
    };
    let guessed = "AAAAAAAAAAAAAAAAAAAAAA";
    for (held, expected) in [
        (secret.as_str(), Told::WrongPassword),
        ("", Told::Nothing),
        (guessed, Told::Nothing),
        ("no secret at all", Told::Nothing),
    ] {
        assert_eq!(told(held, "wrong").await, (Reason::WrongPassword, expected), "{held}");
        assert_eq!(told(held, "").await, (Reason::WrongPassword, expected), "{held}");
        assert_eq!(told(held, PASSWORD).await, (Reason::Shared, Told::Unspecified), "{held}");
    }
    assert_eq!(world.join(OUTSIDER, &"x".repeat(100_000)).await, Reason::WrongPassword);
    assert_eq!(world.join(MEMBER, "").await, Reason::Member);
}

async fn an_organisation_can_want_the_secret(database: ScratchDatabase) {
    let require_share_secret_of = vec!["default".to_owned()];
    let config = Config { require_share_secret_of, ..lasting() };
    let world = World::start(&database, config).await;
    let (secret, _) = world.share().await;
    assert_eq!(world.join(OUTSIDER, "").await, Reason::SecretRequired);
    let with_secret = DecideRequest { share_secret: secret, ..join(OUTSIDER, "") };
    assert_eq!(world.reason(with_secret).await, Reason::Shared);
}

on_both_databases!(
    the_flows_of_members_and_outsiders,
    ended_meetings_are_read_by_outsiders_for_a_week_and_by_members_for_ever,
    only_who_holds_a_share_is_told_that_the_password_is_wrong,
    an_organisation_can_want_the_secret,
);

#[tokio::test]
async fn roles_are_answered_and_a_stranger_to_nothing_is_an_outsider() {
    let world = World::start(&scratch::sqlite(), lasting()).await;
    let role = async |user: &str| world.ask(join(user, "")).await.unwrap().role();
    assert_eq!(role(ORGANISER).await, Role::Organiser);
    assert_eq!(role(HOST).await, Role::Host);
    assert_eq!(role(MEMBER).await, Role::Member);
    assert_eq!(role(OUTSIDER).await, Role::Outsider);
    let absent = DecideRequest { meeting_id: OTHER_MEETING.to_owned(), ..join(MEMBER, "") };
    assert_eq!(world.ask(absent).await.unwrap().role(), Role::Outsider);
}

#[tokio::test]
async fn who_was_removed_reads_nothing_as_an_outsider_and_hears_from_the_registry_why() {
    let world = World::start(&scratch::sqlite(), lasting()).await;
    let removed = vec![OUTSIDER.to_owned(), MEMBER.to_owned()];
    world.registry.put(MEETING, FakeMeeting { removed, ..meeting() });
    let (secret, _) = world.share().await;
    let by_link = DecideRequest { share_secret: secret.clone(), ..read(OUTSIDER) };
    let answer = world.ask(by_link).await.unwrap();
    let expected = (false, Reason::Removed, Told::Nothing, Role::Outsider);
    assert_eq!((answer.allowed, answer.reason(), answer.told(), answer.role()), expected);
    let joining = DecideRequest { share_secret: secret, ..join(OUTSIDER, "") };
    assert_eq!(world.reason(joining).await, Reason::Shared);
    assert_eq!(world.reason(read("guest-1")).await, Reason::Shared, "somebody else");
    assert_eq!(world.reason(read(MEMBER)).await, Reason::Member, "on the list again");
}

#[tokio::test]
async fn what_is_not_there_is_absent_whatever_was_typed() {
    let world = World::start(&scratch::sqlite(), lasting()).await;
    for password in ["", PASSWORD] {
        let request =
            DecideRequest { meeting_id: OTHER_MEETING.to_owned(), ..join(OUTSIDER, password) };
        let answer = world.ask(request).await.unwrap();
        assert_eq!((answer.allowed, answer.reason()), (false, Reason::Absent));
    }
    let elsewhere = DecideRequest { organisation: "other".to_owned(), ..join(MEMBER, "") };
    assert_eq!(world.reason(elsewhere).await, Reason::Absent);
}

#[tokio::test]
async fn a_password_hash_that_can_not_be_read_lets_nobody_in_and_looks_like_any_refusal() {
    let world = World::start(&scratch::sqlite(), lasting()).await;
    let password_hash = "not a hash".to_owned();
    world.registry.put(MEETING, FakeMeeting { password_hash, ..meeting() });
    world.share().await;
    let answer = world.ask(join(OUTSIDER, PASSWORD)).await.unwrap();
    let expected = DecideResponse {
        allowed: false,
        reason: Reason::WrongPassword.into(),
        told: Told::Nothing.into(),
        role: Role::Outsider.into(),
    };
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn malformed_questions_are_refused() {
    let world = World::start(&scratch::sqlite(), lasting()).await;
    let good = join(MEMBER, "");
    for request in [
        DecideRequest { action: Action::Unspecified.into(), ..good.clone() },
        DecideRequest { action: 999, ..good.clone() },
        DecideRequest { meeting_id: "x".to_owned(), ..good.clone() },
        DecideRequest { meeting_id: "9223372036854775808".to_owned(), ..good.clone() },
        DecideRequest { user_id: String::new(), ..good.clone() },
        DecideRequest { user_id: "a.b".to_owned(), ..good.clone() },
        DecideRequest { organisation: "*".to_owned(), ..good.clone() },
        DecideRequest { client_id: "a b".to_owned(), ..good.clone() },
        DecideRequest { client_address: "localhost".to_owned(), ..good.clone() },
    ] {
        let status = world.ask(request.clone()).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{request:?}");
    }
    assert_eq!(world.registry.asked(), 0);
}
