//! What a token's end ends.

use std::time::Duration;

use prost::Message as _;
use tributary_contracts::{
    notice::v1::Notice,
    terminal::v1::{
        ReceiveNotices, RefreshIdentity, RefusalCode, relay_message::Body as Reply,
        terminal_message::Body,
    },
};
use tributary_join_credential::{LEEWAY_SECONDS, TerminalKey};
use tributary_message_bus::{permissions::User, subjects};
use tributary_terminal::protocol::Connection;

use crate::{
    fake_credential::LIFE_SECONDS,
    world::{World, now},
};

const SOON: Duration = Duration::from_secs(20);
/// So long the tokens of this test still hold.
const LEFT_SECONDS: u64 = 5;

async fn next(connection: &mut Connection) -> Option<Reply> {
    tokio::time::timeout(SOON, connection.next()).await.unwrap().and_then(|message| message.body)
}

#[tokio::test(flavor = "multi_thread")]
async fn notices_end_with_their_token_unless_it_is_made_new_on_the_connection() {
    let world = World::start().await;
    let bus = world.nats.connect(&User::MeetingRegistry).await;
    let key = TerminalKey::generate().unwrap();
    let issued_at = now() - LIFE_SECONDS - LEEWAY_SECONDS + LEFT_SECONDS;
    let thumbprint = key.thumbprint().as_str();
    let identity_token =
        world.credential.identity_at("ada", false, thumbprint, issued_at).identity_token;
    let receive = Body::ReceiveNotices(ReceiveNotices { identity_token: identity_token.clone() });
    let mut refreshed = Connection::connect(&world.url).await.unwrap();
    let mut forgetful = Connection::connect(&world.url).await.unwrap();
    refreshed.request(receive.clone()).await.unwrap();
    forgetful.request(receive).await.unwrap();
    let signed_at = now();
    let proof = key.sign_refresh_proof(signed_at, &identity_token).unwrap();
    let public_key = key.public_key().to_vec();
    let refresh = RefreshIdentity { identity_token, public_key, signed_at, proof };
    refreshed.request(Body::RefreshIdentity(refresh)).await.unwrap();

    let told = next(&mut forgetful).await;
    let Some(Reply::Refusal(refusal)) = told else { panic!("not told why: {told:?}") };
    assert_eq!(refusal.code(), RefusalCode::TryAgain);
    assert_eq!(next(&mut forgetful).await, None);
    assert_eq!(forgetful.close_code(), Some(1000));
    let notice = Notice {
        notice_id: "later".into(),
        organisation: "default".into(),
        user_id: "ada".into(),
        ..Notice::default()
    };
    let subject = subjects::notice(&"default".parse().unwrap(), &"ada".parse().unwrap());
    bus.tell(subject, notice.encode_to_vec().into()).await.unwrap();
    assert_eq!(next(&mut refreshed).await, Some(Reply::Notice(notice)));
}
