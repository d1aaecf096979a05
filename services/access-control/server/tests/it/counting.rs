//! Accesses, refusals and wrong passwords are counted, once, by all replicas, over restarts.

use std::time::Duration;

use tributary_access_control_server::Config;
use tributary_contracts::access::v1::{DecideRequest, Reason, Told};
use tributary_database::scratch::{self, ScratchDatabase};

use crate::{
    on_both_databases,
    registry::FakeMeeting,
    world::{
        DAY, MEETING, MEMBER, OUTSIDER, PASSWORD, World, generous, join, join_as_guest, lasting,
        meeting, password_hash,
    },
};

const PARALLEL: usize = 200;

fn unknown(number: u64) -> DecideRequest {
    let meeting_id = (1_000_000 + number).to_string();
    DecideRequest { meeting_id, ..join(OUTSIDER, "") }
}

async fn of_many_at_once_below_the_limit_exactly_one_is_let_in(database: ScratchDatabase) {
    let config = Config { access_limit: 5, ..lasting() };
    let world = World::start(&database, config).await;
    world.share().await;
    for _ in 0..4 {
        assert_eq!(world.join(OUTSIDER, "").await, Reason::Shared);
    }
    let asking: Vec<_> = (0..PARALLEL)
        .map(|_| {
            let mut access = world.access.clone();
            tokio::spawn(async move {
                access.decide(join(OUTSIDER, "")).await.unwrap().into_inner().reason()
            })
        })
        .collect();
    let mut reasons = Vec::new();
    for answer in asking {
        reasons.push(answer.await.unwrap());
    }
    let let_in = reasons.iter().filter(|reason| **reason == Reason::Shared).count();
    let over = reasons.iter().filter(|reason| **reason == Reason::OverCount).count();
    assert_eq!((let_in, over), (1, PARALLEL - 1));
}

async fn over_the_count_valid_ids_are_refused_too_until_the_window_has_slid(
    database: ScratchDatabase,
) {
    let config = Config { access_limit: 3, ..lasting() };
    let world = World::start(&database, config).await;
    world.share().await;
    for _ in 0..3 {
        assert_eq!(world.join(OUTSIDER, "").await, Reason::Shared);
        world.pass(Duration::from_secs(60));
    }
    assert_eq!(world.join(OUTSIDER, "").await, Reason::OverCount);
    assert_eq!(world.reason(unknown(1)).await, Reason::OverCount);
    assert_eq!(world.join(MEMBER, "").await, Reason::Member);
    assert_eq!(world.join("user-else", "").await, Reason::Shared);
    // The first access leaves the window, no other.
    world.pass(DAY - Duration::from_secs(180));
    assert_eq!(world.join(OUTSIDER, "").await, Reason::Shared);
    assert_eq!(world.join(OUTSIDER, "").await, Reason::OverCount);
}

async fn ten_different_unknown_ids_use_up_the_misses(database: ScratchDatabase) {
    let world = World::start(&database, lasting()).await;
    world.share().await;
    for _ in 0..3 {
        assert_eq!(world.reason(unknown(0)).await, Reason::Absent);
    }
    for number in 1..10 {
        assert_eq!(world.reason(unknown(number)).await, Reason::Absent, "{number}");
    }
    assert_eq!(world.reason(unknown(10)).await, Reason::OverCount);
    assert_eq!(world.join(OUTSIDER, "").await, Reason::OverCount);
    world.pass(DAY);
    assert_eq!(world.join(OUTSIDER, "").await, Reason::Shared);
}

async fn wrong_passwords_lock_the_right_one_out_over_all_clients(database: ScratchDatabase) {
    let config = Config { wrong_password_limit: 3, ..generous() };
    let world = World::start(&database, config).await;
    let password_hash = password_hash().await;
    world.registry.put(MEETING, FakeMeeting { password_hash, ..meeting() });
    let (secret, _) = world.share().await;
    // Who opens a link before typing anything guesses nothing.
    for _ in 0..4 {
        assert_eq!(world.join("user-0", "").await, Reason::WrongPassword);
    }
    for guesser in 1..=3 {
        let user = format!("user-{guesser}");
        assert_eq!(world.join(&user, "guess").await, Reason::WrongPassword);
    }
    assert_eq!(world.join(OUTSIDER, PASSWORD).await, Reason::PasswordLocked);
    let share_secret = secret.clone();
    let holder = DecideRequest { share_secret, ..join(OUTSIDER, PASSWORD) };
    let told = world.ask(holder).await.unwrap();
    assert_eq!((told.reason(), told.told()), (Reason::PasswordLocked, Told::TryLater));
    // Somebody who was in already is not thrown out by what others type.
    let back = DecideRequest { reconnect: true, ..join(OUTSIDER, PASSWORD) };
    assert_eq!(world.reason(back).await, Reason::Shared);
    assert_eq!(world.join(MEMBER, "").await, Reason::Member);
    world.pass(Duration::from_secs(3600));
    assert_eq!(world.join(OUTSIDER, PASSWORD).await, Reason::Shared);
}

async fn who_comes_back_can_not_guess_the_password_without_end(database: ScratchDatabase) {
    let config = Config { wrong_password_limit: 3, ..generous() };
    let world = World::start(&database, config).await;
    let password_hash = password_hash().await;
    world.registry.put(MEETING, FakeMeeting { password_hash, ..meeting() });
    world.share().await;
    let back = |user, password| DecideRequest { reconnect: true, ..join(user, password) };
    for _ in 0..3 {
        assert_eq!(world.reason(back(OUTSIDER, "guess")).await, Reason::WrongPassword);
    }
    for typed in ["guess", PASSWORD, ""] {
        assert_eq!(world.reason(back(OUTSIDER, typed)).await, Reason::PasswordLocked, "{typed}");
    }
    // Nobody else is shut out by it.
    assert_eq!(world.reason(back("user-else", PASSWORD)).await, Reason::Shared);
    assert_eq!(world.join("user-new", PASSWORD).await, Reason::Shared);
    world.pass(Duration::from_secs(3600));
    assert_eq!(world.reason(back(OUTSIDER, PASSWORD)).await, Reason::Shared);
}

async fn who_holds_a_link_misses_nothing_by_a_password(database: ScratchDatabase) {
    let config = Config { miss_limit: 1, wrong_password_limit: 1, ..lasting() };
    let world = World::start(&database, config).await;
    let password_hash = password_hash().await;
    world.registry.put(MEETING, FakeMeeting { password_hash, ..meeting() });
    let (share_secret, _) = world.share().await;
    let holder =
        |password| DecideRequest { share_secret: share_secret.clone(), ..join(OUTSIDER, password) };
    for (typed, expected) in [
        ("", Reason::WrongPassword),
        ("guess", Reason::WrongPassword),
        ("guess", Reason::PasswordLocked),
        (PASSWORD, Reason::PasswordLocked),
    ] {
        assert_eq!(world.reason(holder(typed)).await, expected, "{typed}");
    }
    // The one miss is still there, and is used up by a refusal that tells nothing.
    assert_eq!(world.reason(unknown(1)).await, Reason::Absent);
    assert_eq!(world.reason(holder("")).await, Reason::OverCount);
    // Without the link, the same refusal is one.
    assert_eq!(world.join("user-else", "").await, Reason::PasswordLocked);
    let elsewhere = DecideRequest { user_id: "user-else".to_owned(), ..unknown(1) };
    assert_eq!(world.reason(elsewhere).await, Reason::OverCount);
}

async fn counts_shares_and_revocations_outlive_the_process(database: ScratchDatabase) {
    let config = Config { access_limit: 2, ..lasting() };
    let mut world = World::start(&database, config.clone()).await;
    let (_, share_id) = world.share().await;
    assert_eq!(world.join(OUTSIDER, "").await, Reason::Shared);
    world.restart(&database, config.clone()).await;
    assert_eq!(world.join(OUTSIDER, "").await, Reason::Shared);
    assert_eq!(world.join(OUTSIDER, "").await, Reason::OverCount);
    world.revoke(&share_id).await.unwrap();
    world.restart(&database, config).await;
    assert_eq!(world.join(OUTSIDER, "").await, Reason::OverCount);
    assert_eq!(world.join("user-else", "").await, Reason::ShareRevoked);
}

on_both_databases!(
    of_many_at_once_below_the_limit_exactly_one_is_let_in,
    over_the_count_valid_ids_are_refused_too_until_the_window_has_slid,
    ten_different_unknown_ids_use_up_the_misses,
    wrong_passwords_lock_the_right_one_out_over_all_clients,
    who_comes_back_can_not_guess_the_password_without_end,
    who_holds_a_link_misses_nothing_by_a_password,
    counts_shares_and_revocations_outlive_the_process,
);

#[tokio::test]
async fn a_guest_is_known_by_the_terminal_and_by_the_place() {
    let config = Config { access_limit: 2, prefix_guest_access_limit: 5, ..lasting() };
    let world = World::start(&scratch::sqlite(), config).await;
    world.share().await;
    let join = async |user: &str, client: &str, address: &str| {
        world.reason(join_as_guest(user, client, address)).await
    };
    let here = "2001:db8:1:2::1";
    assert_eq!(join("guest-1", "key-1", here).await, Reason::Shared);
    assert_eq!(join("guest-2", "key-1", here).await, Reason::Shared);
    assert_eq!(join("guest-3", "key-1", here).await, Reason::OverCount);
    for (key, address) in
        [("key-2", "2001:db8:1:2::2"), ("key-3", "2001:db8:1:2:3::"), ("key-4", here)]
    {
        assert_eq!(join("guest-4", key, address).await, Reason::Shared, "{key}");
    }
    assert_eq!(join("guest-5", "key-5", "2001:db8:1:2:ffff::").await, Reason::OverCount);
    assert_eq!(join("guest-5", "key-5", "2001:db8:1:3::").await, Reason::Shared);
    // Accounts at that place are counted by themselves.
    let account =
        DecideRequest { client_address: here.to_owned(), ..crate::world::join("user-9", "") };
    assert_eq!(world.reason(account).await, Reason::Shared);
}

#[tokio::test]
async fn refusals_are_counted_by_place_too() {
    let config = Config { prefix_miss_limit: 3, ..lasting() };
    let world = World::start(&scratch::sqlite(), config).await;
    world.share().await;
    for number in 0..3 {
        let meeting_id = (1_000_000 + number).to_string();
        let user = format!("guest-{number}");
        let request = DecideRequest { meeting_id, ..join_as_guest(&user, &user, "192.0.2.1") };
        assert_eq!(world.reason(request).await, Reason::Absent);
    }
    let fresh = |address| join_as_guest("guest-9", "guest-9", address);
    assert_eq!(world.reason(fresh("192.0.2.1")).await, Reason::OverCount);
    assert_eq!(world.reason(fresh("::ffff:192.0.2.1")).await, Reason::OverCount);
    assert_eq!(world.reason(fresh("192.0.2.2")).await, Reason::Shared);
}

#[tokio::test]
async fn who_comes_back_is_not_counted() {
    let config = Config { access_limit: 1, ..lasting() };
    let world = World::start(&scratch::sqlite(), config).await;
    world.share().await;
    let back = DecideRequest { reconnect: true, ..join(OUTSIDER, "") };
    assert_eq!(world.reason(back.clone()).await, Reason::Shared);
    assert_eq!(world.join(OUTSIDER, "").await, Reason::Shared);
    assert_eq!(world.reason(back.clone()).await, Reason::Shared);
    assert_eq!(world.join(OUTSIDER, "").await, Reason::OverCount);
    world.revoke("").await.unwrap();
    assert_eq!(world.reason(back).await, Reason::ShareRevoked);
}

#[tokio::test]
async fn members_are_counted_where_that_is_wanted() {
    let config = Config { access_limit: 2, count_members: true, ..lasting() };
    let world = World::start(&scratch::sqlite(), config).await;
    assert_eq!(world.join(MEMBER, "").await, Reason::Member);
    assert_eq!(world.join(MEMBER, "").await, Reason::Member);
    let answer = world.ask(join(MEMBER, "")).await.unwrap();
    assert_eq!((answer.reason(), answer.told()), (Reason::OverCount, Told::TryLater));
    let back = DecideRequest { reconnect: true, ..join(MEMBER, "") };
    assert_eq!(world.reason(back).await, Reason::Member);
}

#[tokio::test]
async fn a_member_who_is_counted_is_not_shut_out_by_what_others_miss() {
    let config = Config { miss_limit: 2, prefix_miss_limit: 2, count_members: true, ..lasting() };
    let world = World::start(&scratch::sqlite(), config).await;
    let from_here = |request: DecideRequest| DecideRequest {
        client_address: "192.0.2.1".to_owned(),
        ..request
    };
    for number in 0..2 {
        let missed = DecideRequest { user_id: MEMBER.to_owned(), ..unknown(number) };
        assert_eq!(world.reason(from_here(missed)).await, Reason::Absent);
    }
    assert_eq!(world.reason(from_here(join(OUTSIDER, ""))).await, Reason::OverCount);
    assert_eq!(world.reason(from_here(join(MEMBER, ""))).await, Reason::Member);
}

#[tokio::test]
async fn replicas_count_together() {
    let database = scratch::postgres().await;
    let config = Config { access_limit: 2, ..lasting() };
    let world = World::start(&database, config.clone()).await;
    world.share().await;
    let mut replica = world.replica(&database, config).await.access;
    assert_eq!(world.join(OUTSIDER, "").await, Reason::Shared);
    let answer = replica.decide(join(OUTSIDER, "")).await.unwrap().into_inner();
    assert_eq!(answer.reason(), Reason::Shared);
    assert_eq!(world.join(OUTSIDER, "").await, Reason::OverCount);
    let answer = replica.decide(join(OUTSIDER, "")).await.unwrap().into_inner();
    assert_eq!(answer.reason(), Reason::OverCount);
}
