//! Sharing, which may take as long as a mail server does.

use tributary_contracts::{
    access::v1::{EmailForm, Role, ShareForm, share_form::Form},
    terminal::v1::{
        Ping, RefusalCode, ShareMeeting, relay_message::Body as Reply, terminal_message::Body,
    },
};
use tributary_terminal::protocol::{Connection, RequestError};

use crate::{
    fake_access::Verdict,
    world::{World, eventually, meeting},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_goes_on_while_a_share_is_carried_out() {
    let world = World::start().await;
    world.access.decide(meeting(1), Verdict::Allowed(Role::Host));
    let identity_token = world.account("bob").await.identity().unwrap().identity_token;
    let form = Form::Email(EmailForm { addresses: vec!["eve@example.org".into()] });
    let share = Body::ShareMeeting(ShareMeeting {
        identity_token,
        meeting_id: meeting(1).to_string(),
        form: Some(ShareForm { form: Some(form) }),
        ..<_>::default()
    });
    let connection = Connection::connect(&world.url).await.unwrap();

    let mail_server = world.access.sharing.lock().await;
    let (requests, body) = (connection.requests(), share.clone());
    let first = tokio::spawn(async move { requests.request(body).await });
    eventually("access control is asked", || *world.access.shares.lock().unwrap() == 1).await;
    let answer = connection.request(Body::Ping(Ping {})).await;
    assert!(matches!(answer, Ok(Reply::Pong(_))), "{answer:?}");
    let second = connection.request(share.clone()).await;
    let is_refused = matches!(&second, Err(RequestError::Refused { code: RefusalCode::Limit, .. }));
    assert!(is_refused, "{second:?}");
    assert!(!first.is_finished());

    drop(mail_server);
    let answer = first.await.unwrap();
    let Ok(Reply::MeetingShared(shared)) = answer else { panic!("{answer:?}") };
    assert_eq!(shared.share.unwrap().created_by, "bob");
    assert_eq!(*world.access.shares.lock().unwrap(), 1);
    let answer = connection.request(share).await;
    assert!(matches!(answer, Ok(Reply::MeetingShared(_))), "{answer:?}");
}
