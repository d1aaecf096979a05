//! What goes wrong, and how a terminal gets over it.

use std::time::{Duration, Instant};

use tributary_contracts::terminal::v1::{
    Draining, Refusal, RefusalCode, UplinkChanged, relay_message::Body as Reply,
};
use tributary_terminal::{EndReason, Event, JoinError, Options, Terminal};

use crate::{
    conversation::tone,
    stub_relay::{StubRelay, meeting_id},
};

const SOON: Duration = Duration::from_secs(20);

fn guest(relay: &StubRelay) -> Options {
    let mut options = Options::guest(&relay.url, "A", meeting_id());
    options.listen_for_hz = vec![440.0];
    options
}

/// A talks, B listens; something happens to both; both come back and B hears A again.
async fn check_comes_back(relay: &StubRelay, disturb: impl FnOnce()) -> (Terminal, Terminal) {
    let mut options = guest(relay);
    options.source = tone(440.0);
    let a = Terminal::join(options).await.unwrap();
    let b = Terminal::join(guest(relay)).await.unwrap();
    b.wait_until(|s| s.hearing.heard_ms(440.0) >= 200, SOON).await.unwrap();
    let before = (a.participant_id(), b.participant_id());
    disturb();
    for terminal in [&a, &b] {
        terminal.wait_until(|s| s.connections == 2 && s.connected, SOON).await.unwrap();
    }
    assert_eq!((a.participant_id(), b.participant_id()), before);
    b.reset_hearing();
    b.wait_until(|s| s.hearing.heard_ms(440.0) >= 500, SOON).await.unwrap();
    (a, b)
}

#[tokio::test]
async fn a_lost_connection_is_made_again_with_the_held_credential() {
    let relay = StubRelay::start().await;
    let (a, _b) = check_comes_back(&relay, || relay.drop_connections()).await;
    assert_eq!(relay.count("request_join_credential"), 2, "one for each terminal");
    assert_eq!(relay.count("enter_as_guest"), 2);
    assert!(a.snapshot().ended.is_none());
}

#[tokio::test]
async fn a_lost_peer_connection_is_made_again() {
    let relay = StubRelay::start().await;
    check_comes_back(&relay, || relay.close_media()).await;
}

#[tokio::test]
async fn a_draining_relay_is_joined_again() {
    let relay = StubRelay::start().await;
    check_comes_back(&relay, || relay.say(Reply::Draining(Draining {}))).await;
}

#[tokio::test]
async fn a_relay_that_restarts_is_joined_again_and_no_other() {
    let relay = StubRelay::start().await;
    let sibling = relay.sibling().await;
    let mut options = guest(&relay);
    options.other_relay_urls = vec![sibling.url.clone()];
    let a = Terminal::join(options).await.unwrap();
    let before = a.participant_id();
    drop(sibling);
    relay.restart();
    a.wait_until(|s| s.connections == 2 && s.connected, SOON).await.unwrap();
    assert_eq!(a.participant_id(), before);
}

#[tokio::test]
async fn a_relay_that_is_gone_or_silent_is_left_for_the_next_one() {
    let relay = StubRelay::start().await;
    // Takes connections and never says anything.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent_url = format!("http://{}", silent.local_addr().unwrap());
    let sibling = relay.sibling().await;
    let mut options = guest(&relay);
    options.other_relay_urls = vec![silent_url, sibling.url.clone()];
    let a = Terminal::join(options).await.unwrap();
    let before = a.participant_id();
    a.chat("before", &[]).await.unwrap();
    let cursor = a.snapshot().cursor;
    drop(relay);
    a.wait_until(|s| s.connections == 2 && s.connected, 2 * SOON).await.unwrap();
    assert_eq!(a.participant_id(), before);
    let rejoined = sibling.joins().pop().unwrap();
    assert_eq!(rejoined.cursor, cursor);
    assert_eq!(sibling.count("request_join_credential"), 1, "the credential goes along");
    a.chat("after", &[]).await.unwrap();
    assert_eq!(a.snapshot().repeated_events, 0);
}

#[tokio::test]
async fn a_relay_that_is_cut_off_is_left_when_nothing_is_held_and_another_one_says_welcome() {
    let relay = StubRelay::start().await;
    let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut options = guest(&relay);
    options.other_relay_urls = vec![format!("http://{}", other.local_addr().unwrap())];
    let moving = Terminal::join(options).await.unwrap();
    let staying = Terminal::join(guest(&relay)).await.unwrap();
    let before = moving.participant_id();
    let lost = |lost_ms| UplinkChanged { attached: false, hold_ms: 5_000, lost_ms };
    relay.say(Reply::UplinkChanged(lost(3_000)));
    for terminal in [&moving, &staying] {
        terminal.wait_until(|s| s.uplink_lost && s.connected, SOON).await.unwrap();
    }
    // Nobody looks for another one while places are held.
    let looked = tokio::time::timeout(Duration::from_secs(2), other.accept()).await;
    assert!(looked.is_err(), "{looked:?}");
    relay.say(Reply::UplinkChanged(lost(5_000)));
    // This one takes the connection and says nothing.
    let silent = tokio::time::timeout(SOON, other.accept()).await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(moving.snapshot().connected && moving.snapshot().connections == 1);
    let sibling = relay.sibling().await;
    let way = tokio::spawn(async move {
        loop {
            let (mut from, _) = other.accept().await.unwrap();
            let at = sibling.url.trim_start_matches("http://").to_owned();
            let mut to = tokio::net::TcpStream::connect(at).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
        }
    });
    moving.wait_until(|s| s.connections == 2 && s.connected, SOON).await.unwrap();
    assert_eq!(moving.participant_id(), before);
    assert!(!moving.snapshot().uplink_lost);
    let stayed = staying.snapshot();
    assert!(stayed.connected && stayed.connections == 1 && stayed.uplink_lost);
    relay.say(Reply::UplinkChanged(UplinkChanged { attached: true, ..lost(0) }));
    staying.wait_until(|s| !s.uplink_lost, SOON).await.unwrap();
    drop((silent, way));
}

#[tokio::test]
async fn an_expired_credential_is_replaced_and_an_expired_identity_too() {
    let relay = StubRelay::start().await;
    let a = Terminal::join(guest(&relay)).await.unwrap();
    relay.refuse_next("join", RefusalCode::CredentialExpired);
    relay.refuse_next("request_join_credential", RefusalCode::NotLoggedIn);
    relay.drop_connections();
    a.wait_until(|s| s.connections == 2, SOON).await.unwrap();
    assert_eq!(relay.count("join"), 3);
    assert_eq!(relay.count("request_join_credential"), 3);
    assert_eq!(relay.count("enter_as_guest"), 2);
}

#[tokio::test]
async fn who_was_revoked_while_away_does_not_come_back_as_somebody_else() {
    let relay = StubRelay::start().await;
    let a = Terminal::join(guest(&relay)).await.unwrap();
    relay.refuse_next("join", RefusalCode::NotLoggedIn);
    relay.drop_connections();
    let snapshot = a.wait_until(|s| s.ended.is_some(), SOON).await.unwrap();
    let end = EndReason::Refused(RefusalCode::NotLoggedIn, "by order".into());
    assert_eq!(snapshot.ended, Some(end));
    assert_eq!(relay.count("enter_as_guest"), 1);
}

#[tokio::test]
async fn the_microphone_is_as_it_was_switched_while_out() {
    let relay = StubRelay::start().await;
    let a = Terminal::join(guest(&relay)).await.unwrap();
    for _ in 0..3 {
        relay.refuse_next("join", RefusalCode::TryAgain);
    }
    relay.drop_connections();
    a.wait_until(|s| !s.connected, SOON).await.unwrap();
    a.set_muted(true).await.unwrap();
    a.wait_until(|s| s.connections == 2, SOON).await.unwrap();
    let told_by_operation = relay.count("operate") == 1;
    assert!(told_by_operation || relay.joins().last().unwrap().muted);
    assert!(a.snapshot().muted);
}

#[tokio::test]
async fn a_terminal_that_is_not_let_in_is_told_why_at_once() {
    let relay = StubRelay::start().await;
    for (request, code) in [
        ("enter_as_guest", RefusalCode::Malformed),
        ("request_join_credential", RefusalCode::NotAdmitted),
        ("join", RefusalCode::MeetingEnded),
        ("join", RefusalCode::BadCredential),
        ("join", RefusalCode::MeetingLocked),
        ("join", RefusalCode::Removed),
        ("media_offer", RefusalCode::BadSessionDescription),
    ] {
        relay.refuse_next(request, code);
        let error = Terminal::join(guest(&relay)).await.unwrap_err();
        assert_eq!(error.refusal(), Some(code), "{request}: {error}");
    }
    Terminal::join(guest(&relay)).await.unwrap();
}

#[tokio::test]
async fn what_may_pass_is_tried_again_until_the_time_is_over() {
    let relay = StubRelay::start().await;
    relay.refuse_next("join", RefusalCode::TryAgain);
    relay.refuse_next("request_join_credential", RefusalCode::TryAgain);
    Terminal::join(guest(&relay)).await.unwrap();
    let url = relay.url.clone();
    drop(relay);
    let started = Instant::now();
    let mut options = Options::guest(url, "A", meeting_id());
    options.join_time_max = Duration::from_secs(1);
    let error = Terminal::join(options).await.unwrap_err();
    assert!(matches!(error, JoinError::Connect(_)), "{error}");
    assert!((Duration::from_secs(1)..SOON).contains(&started.elapsed()));
}

#[tokio::test]
async fn the_end_of_the_meeting_and_a_newer_connection_end_the_stay() {
    let relay = StubRelay::start().await;
    for code in [RefusalCode::MeetingEnded, RefusalCode::Replaced] {
        let a = Terminal::join(guest(&relay)).await.unwrap();
        let mut events = a.events();
        relay.say(Reply::Refusal(Refusal { code: code.into(), message: "why".into() }));
        let snapshot = a.wait_until(|s| s.ended.is_some(), SOON).await.unwrap();
        let end = EndReason::Refused(code, "why".into());
        assert_eq!(snapshot.ended, Some(end.clone()));
        assert!(!snapshot.connected);
        assert_eq!(events.recv().await.unwrap(), Event::Ended(end));
        assert!(a.set_muted(true).await.is_err());
    }
}
