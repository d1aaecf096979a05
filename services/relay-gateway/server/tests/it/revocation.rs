//! What is revoked ends within a second, wherever it is used.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tributary_contracts::{
    access::v1::Role,
    credential::v1::{RevokedUser, revocation::What},
    event::v1::LeaveReason,
    terminal::v1::RefusalCode,
};
use tributary_join_credential::{KeySet, SigningKey};
use tributary_message_bus::subjects;
use tributary_terminal::{Account, EndReason, Notices, Options, Terminal, protocol::RequestError};

use crate::{
    fake_access::Verdict,
    world::{World, eventually, meeting},
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

async fn eventually_refused(account: &Account, token: &str) {
    let identity_token = token.to_owned();
    account.set_identity(Some(tributary_contracts::credential::v1::Identity {
        identity_token,
        ..<_>::default()
    }));
    let deadline = Instant::now() + Duration::from_secs(10);
    while account.meetings().await.is_ok() {
        assert!(Instant::now() < deadline, "the token is not revoked");
    }
    is_refused(account.meetings().await);
}
