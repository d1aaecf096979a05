//! What is revoked ends within a second, wherever it is used.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use bytes::Bytes;
use prost::Message as _;
use tributary_contracts::{
    access::v1::Role,
    credential::v1::{Identity, Revocation, RevokedUser, revocation::What},
    event::v1::LeaveReason,
    terminal::v1::{
        LogOut, Ping, ReceiveNotices, RefusalCode, relay_message::Body as Reply,
        terminal_message::Body,
    },
};
use tributary_join_credential::{KeySet, SigningKey};
use tributary_message_bus::subjects;
use tributary_terminal::{
    Account, EndReason, Notices, Options, Terminal,
    protocol::{Connection, RequestError},
};

use crate::{
    fake_access::Verdict,
    fake_credential::seconds,
    world::{World, eventually, meeting, now},
};

/// What must hold; and what a busy machine may need on top to notice it.
const PROMPTLY: Duration = Duration::from_secs(1);

fn user(user_id: &str) -> What {
    What::User(RevokedUser { organisation: "default".into(), user_id: user_id.into() })
}

async fn is_ended(notices: &mut Notices) {
    let begin = Instant::now();
    assert_eq!(notices.next().await, None);
    assert!(begin.elapsed() < PROMPTLY, "{:?}", begin.elapsed());
    assert_eq!(notices.refusal().map(|refusal| refusal.code()), Some(RefusalCode::NotLoggedIn));
}

fn is_refused<T: std::fmt::Debug>(answer: Result<T, RequestError>) {
    let refused =
        matches!(&answer, Err(RequestError::Refused { code: RefusalCode::NotLoggedIn, .. }));
    assert!(refused, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_revocation_closes_what_it_concerns_and_nothing_else() {
    let world = World::start().await;
    let bus = world.credential_bus().await;
    let bystander = world.account("bystander").await;
    let mut undisturbed = bystander.notices().await.unwrap();
    for kind in ["token", "user", "terminal"] {
        let account = world.account(kind).await;
        let mut notices = account.notices().await.unwrap();
        let token = account.identity().unwrap().identity_token;
        let what = match kind {
            "token" => What::TokenId(world.credential.verify(&token).token_id.to_string()),
            "user" => user(kind),
            _ => What::KeyThumbprint(account.key_thumbprint().to_string()),
        };
        world.revoke(&bus, what).await;
        is_ended(&mut notices).await;
        is_refused(account.read(meeting(1)).await);
        is_refused(account.notices().await.map(drop));
    }
    bystander.meetings().await.unwrap();
    let key_id = world.credential.key.key_id().to_string();
    world.revoke(&bus, What::KeyId(key_id)).await;
    is_ended(&mut undisturbed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_participant_whose_user_is_revoked_leaves_the_meeting() {
    let world = World::start().await;
    let bus = world.credential_bus().await;
    world.access.decide(meeting(1), Verdict::Allowed(Role::Outsider));
    let options = Options::guest(&world.url, "eve", meeting(1));
    let terminal = Terminal::join(options).await.unwrap();
    let participant = terminal.participant_id().0;
    let begin = Instant::now();
    world.revoke(&bus, user("eve")).await;
    let ended = terminal.wait_until(|s| s.ended.is_some(), Duration::from_secs(10)).await.unwrap();
    assert!(begin.elapsed() < PROMPTLY, "{:?}", begin.elapsed());
    assert!(matches!(ended.ended, Some(EndReason::Refused(RefusalCode::NotLoggedIn, _))));
    eventually("the registry is told", || !world.registry.leaves.lock().unwrap().is_empty()).await;
    let leave = world.registry.leaves.lock().unwrap()[0].clone();
    assert_eq!((leave.participant_id, leave.reason()), (participant, LeaveReason::TerminalLost));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_participant_whose_connection_is_lost_does_not_stay_when_revoked() {
    let world = World::start().await;
    let bus = world.credential_bus().await;
    world.access.decide(meeting(1), Verdict::Allowed(Role::Outsider));
    let terminal = Terminal::join(Options::guest(&world.url, "eve", meeting(1))).await.unwrap();
    terminal.kill();
    let begin = Instant::now();
    world.revoke(&bus, user("eve")).await;
    eventually("the registry is told", || !world.registry.leaves.lock().unwrap().is_empty()).await;
    // Well before the ten seconds that a lost participant has otherwise.
    assert!(begin.elapsed() < 5 * PROMPTLY, "{:?}", begin.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_while_nats_was_away_is_asked_for() {
    let mut world = World::start().await;
    let account = world.account("ada").await;
    let mut notices = account.notices().await.unwrap();
    world.nats.stop();
    world.revoke_silently(user("ada"));
    world.nats.start_again();
    assert_eq!(notices.next().await, None);
    assert_eq!(notices.refusal().map(|refusal| refusal.code()), Some(RefusalCode::NotLoggedIn));
    is_refused(account.read(meeting(1)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_in_what_is_heard_is_filled() {
    let world = World::start().await;
    let bus = world.credential_bus().await;
    let account = world.account("ada").await;
    let mut notices = account.notices().await.unwrap();
    world.revoke_silently(user("ada"));
    world.revoke(&bus, user("somebody-else")).await;
    is_ended(&mut notices).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_logs_out_stays_connected_as_nobody() {
    let world = World::start().await;
    let bus = world.credential_bus().await;
    let account = world.account("ada").await;
    let elsewhere = account.at(&world.url).await.unwrap();
    let mut notices = elsewhere.notices().await.unwrap();
    let identity = account.identity();
    account.meetings().await.unwrap();
    account.log_out().await.unwrap();
    let token = world.credential.logged_out.lock().unwrap()[0];
    world.revoke(&bus, What::TokenId(token.to_string())).await;
    is_ended(&mut notices).await;
    // The same connection, and another user on it.
    account.log_in("bob", "secret").await.unwrap();
    account.meetings().await.unwrap();
    account.set_identity(identity);
    is_refused(account.meetings().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refreshed_identity_goes_on_when_the_old_token_is_revoked() {
    let world = World::start().await;
    let bus = world.credential_bus().await;
    let account = world.account("ada").await;
    let first = account.identity().unwrap().identity_token;
    account.refresh().await.unwrap();
    let old = world.credential.verify(&first).token_id;
    world.revoke(&bus, What::TokenId(old.to_string())).await;
    let old = Account::connect(&world.url).await.unwrap();
    eventually_refused(&old, &first).await;
    account.meetings().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_published_no_more_verifies_nothing() {
    let world = World::start().await;
    let bus = world.credential_bus().await;
    let account = world.account("ada").await;
    account.meetings().await.unwrap();
    let other = SigningKey::generate().unwrap();
    *world.credential.published.lock().unwrap() = Some(KeySet::of([&other]));
    bus.tell(subjects::keys_changed(), Bytes::new()).await.unwrap();
    let token = account.identity().unwrap().identity_token;
    eventually_refused(&account, &token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_nats_is_back_it_is_asked_twice_what_is_revoked() {
    let mut world = World::start().await;
    world.nats.stop();
    let begin = Instant::now();
    world.nats.start_again();
    // The second time when the subscription is certain to be in force; long before the regular question.
    eventually("two questions, one second apart", || {
        let asked_at = world.credential.asked_at.lock().unwrap();
        let mut asked_at = asked_at.iter().filter(|at| **at > begin);
        let first = asked_at.next();
        first.is_some_and(|first| asked_at.any(|at| *at - *first >= Duration::from_millis(900)))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_verifies_nothing_however_long_no_newer_keys_are_heard() {
    let world = World::start().await;
    let bus = world.credential_bus().await;
    let identity = world.account("ada").await.identity();
    world.credential.is_down.store(true, Ordering::SeqCst);
    let end = now() + 1;
    let revocation = Revocation {
        number: 1,
        what: Some(What::KeyId(world.credential.key.key_id().to_string())),
        at: Some(seconds(now())),
        forget_at: Some(seconds(end)),
    };
    bus.tell(subjects::revoked(), revocation.encode_to_vec().into()).await.unwrap();
    let token = identity.unwrap().identity_token;
    eventually_refused(&Account::connect(&world.url).await.unwrap(), &token).await;
    eventually("the revocation's end", || now() > end).await;
    let asked = || world.credential.asked_at.lock().unwrap().len();
    let before = asked();
    bus.tell(subjects::keys_changed(), Bytes::new()).await.unwrap();
    eventually("the relay has asked in vain", || asked() >= before + 2).await;
    let account = Account::connect(&world.url).await.unwrap();
    account.set_identity(Some(Identity { identity_token: token, ..<_>::default() }));
    is_refused(account.meetings().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_logs_out_with_a_newer_token_stands_by_the_older_no_more() {
    let world = World::start().await;
    let bus = world.credential_bus().await;
    let account = world.account("ada").await;
    let connection = Connection::connect(&world.url).await.unwrap();
    let identity_token = account.identity().unwrap().identity_token;
    connection.request(Body::ReceiveNotices(ReceiveNotices { identity_token })).await.unwrap();
    let identity_token = account.refresh().await.unwrap().identity_token;
    let mut elsewhere = account.notices().await.unwrap();
    connection.request(Body::LogOut(LogOut { identity_token })).await.unwrap();
    world.revoke(&bus, What::KeyThumbprint(account.key_thumbprint().to_string())).await;
    is_ended(&mut elsewhere).await;
    let answer = connection.request(Body::Ping(Ping {})).await;
    assert!(matches!(answer, Ok(Reply::Pong(_))), "{answer:?}");
}

async fn eventually_refused(account: &Account, token: &str) {
    let identity_token = token.to_owned();
    account.set_identity(Some(Identity { identity_token, ..<_>::default() }));
    let deadline = Instant::now() + Duration::from_secs(10);
    while account.meetings().await.is_ok() {
        assert!(Instant::now() < deadline, "the token is not revoked");
    }
    is_refused(account.meetings().await);
}
