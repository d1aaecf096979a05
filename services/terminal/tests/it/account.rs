//! What somebody does at a terminal besides being in a meeting, and what a terminal shows to get in.

use std::time::Duration;

use tributary_contracts::{
    access::v1::share_form::Form,
    notice::v1::Notice,
    registry::v1::MemberRole,
    terminal::v1::{
        CreateMeeting, Refusal, RefusalCode, RequestJoinCredential, UpdateMeeting,
        relay_message::Body as Reply, terminal_message::Body,
    },
};
use tributary_terminal::{
    Account, IdentitySource, MeetingTarget, Options, Target, Terminal, protocol::RequestError,
};

use crate::stub_relay::{SHARE_SECRET, StubRelay, meeting_id, share_link};

const SOON: Duration = Duration::from_secs(20);

fn credential_requests(relay: &StubRelay) -> Vec<RequestJoinCredential> {
    let bodies = relay.bodies("request_join_credential").into_iter();
    let requests = bodies.map(|body| match body {
        Body::RequestJoinCredential(request) => request,
        other => panic!("{other:?}"),
    });
    requests.collect()
}

#[tokio::test]
async fn everything_of_a_terminal_is_bound_to_one_key() {
    let relay = StubRelay::start().await;
    let _a = Terminal::join(Options::guest(&relay.url, "A", meeting_id())).await.unwrap();
    let guests = relay.bodies("enter_as_guest");
    let [Body::EnterAsGuest(guest)] = guests.as_slice() else { panic!("{guests:?}") };
    assert_eq!(guest.public_key.len(), 65);
    assert_eq!(credential_requests(&relay)[0].public_key, guest.public_key);
    assert_eq!(relay.joins()[0].public_key, guest.public_key);
}

#[tokio::test]
async fn who_comes_back_shows_the_credential_from_before() {
    let relay = StubRelay::start().await;
    let target = Target::link(&share_link()).unwrap().with_password("open sesame");
    let identity = IdentitySource::Guest { display_name: "A".into() };
    let options = Options::new(&relay.url, identity, MeetingTarget::Existing(target));
    let a = Terminal::join(options).await.unwrap();
    relay.refuse_next("join", RefusalCode::CredentialExpired);
    relay.drop_connections();
    a.wait_until(|s| s.connections == 2, SOON).await.unwrap();
    let requests = credential_requests(&relay);
    let shown =
        |request: &RequestJoinCredential| (request.share_secret.clone(), request.password.clone());
    let expected = (SHARE_SECRET.to_owned(), "open sesame".to_owned());
    assert_eq!(requests.iter().map(shown).collect::<Vec<_>>(), [expected.clone(), expected]);
    let previous: Vec<_> =
        requests.iter().map(|request| request.previous_join_credential.as_str()).collect();
    assert_eq!(previous, ["", "credential-1"]);
}

#[tokio::test]
async fn an_identity_is_made_new_with_a_proof() {
    let relay = StubRelay::start().await;
    let account = Account::guest(&relay.url, "A").await.unwrap();
    assert_eq!(account.identity().unwrap().identity_token, "identity");
    assert_eq!(account.refresh().await.unwrap().identity_token, "identity again");
    assert_eq!(account.identity().unwrap().identity_token, "identity again");
    account.log_out().await.unwrap();
    assert!(account.identity().is_none());
}

#[tokio::test]
async fn an_identity_that_is_refused_is_forgotten_and_an_account_is_not_replaced() {
    let relay = StubRelay::start().await;
    let account = Account::guest(&relay.url, "A").await.unwrap();
    relay.refuse_next("request_join_credential", RefusalCode::NotLoggedIn);
    let error = Terminal::join(account.options(meeting_id())).await.unwrap_err();
    assert_eq!(error.refusal(), Some(RefusalCode::NotLoggedIn));
    assert_eq!(relay.count("enter_as_guest"), 1);
    Terminal::join(account.options(meeting_id())).await.unwrap();
    assert_eq!(relay.joins()[0].public_key, account.public_key());
    relay.refuse_next("refresh_identity", RefusalCode::NotLoggedIn);
    assert!(account.refresh().await.is_err());
    assert!(account.identity().is_none());
}

#[tokio::test]
async fn a_lost_connection_is_made_again_for_the_next_request() {
    let relay = StubRelay::start().await;
    let account = Account::guest(&relay.url, "A").await.unwrap();
    let mut notices = account.notices().await.unwrap();
    relay.drop_connections();
    assert_eq!(notices.next().await, None);
    // The account's own connection was cut at the same time.
    let mut answer = account.read(meeting_id()).await;
    while matches!(answer, Err(RequestError::Lost)) {
        answer = account.read(meeting_id()).await;
    }
    assert_eq!(answer.unwrap().meeting.unwrap().subject, "Tests");
}

#[tokio::test]
async fn meetings_are_made_changed_and_shared() {
    let relay = StubRelay::start().await;
    let account = Account::logged_in(&relay.url, "ada", "secret").await.unwrap();
    let create = CreateMeeting { subject: "New".into(), shared: true, ..CreateMeeting::default() };
    let created = account.create_meeting(create).await.unwrap();
    let link = created.share.unwrap().link.unwrap();
    assert_eq!(Target::link(&link.url).unwrap().share_secret, SHARE_SECRET);
    let id = meeting_id();
    let subject = Some("Newer".to_owned());
    let update = UpdateMeeting { meeting_id: id.to_string(), subject, ..UpdateMeeting::default() };
    assert_eq!(account.update_meeting(update).await.unwrap().subject, "Newer");
    let members = [("bob", MemberRole::Host), ("eve", MemberRole::Member)];
    assert_eq!(account.set_members(id, &members).await.unwrap(), 3);
    assert_eq!(account.remove_members(id, &["eve"]).await.unwrap(), 1);
    assert_eq!(account.meetings().await.unwrap().len(), 1);
    let share = account.share_with_users(id, &["bob"]).await.unwrap();
    let form = share.form.unwrap().form.unwrap();
    assert!(matches!(form, Form::Users(users) if users.user_ids == ["bob"]));
    let share = account.share_by_email(id, &["bob@example.org"]).await.unwrap();
    account.share_link(id).await.unwrap();
    assert_eq!(account.shares(id).await.unwrap().len(), 1);
    account.revoke_share(id, &share.share_id).await.unwrap();
    account.delete_attachment(id, "file").await.unwrap();
    assert!(account.log_in_options().await.unwrap().guests);
    let tokens = relay.bodies("share_meeting").into_iter().map(|body| match body {
        Body::ShareMeeting(share) => share.identity_token,
        other => panic!("{other:?}"),
    });
    assert!(tokens.into_iter().all(|token| token == "identity"));
}

#[tokio::test]
async fn notices_come_and_the_reason_of_the_end_is_kept() {
    let relay = StubRelay::start().await;
    let account = Account::guest(&relay.url, "A").await.unwrap();
    let mut notices = account.notices().await.unwrap();
    assert_eq!(notices.listed()[0].notice_id, "first");
    let second = Notice { notice_id: "second".into(), ..Notice::default() };
    relay.say(Reply::Notice(second.clone()));
    assert_eq!(notices.next().await, Some(second));
    account.dismiss("second").await.unwrap();
    let refusal = Refusal { code: RefusalCode::NotLoggedIn.into(), message: "why".into() };
    relay.say(Reply::Refusal(refusal.clone()));
    relay.drop_connections();
    assert_eq!(notices.next().await, None);
    assert_eq!(notices.refusal(), Some(&refusal));
}
