//! A join credential is no way around a share that was revoked after it was issued.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tributary_contracts::{
    access::v1::Role,
    terminal::v1::{
        EnterAsGuest, Join, RefusalCode, RequestJoinCredential, relay_message::Body as Said,
        terminal_message::Body as Ask,
    },
};
use tributary_identifiers::OrganisationId;
use tributary_join_credential::TerminalKey;
use tributary_message_bus::{
    permissions::User,
    subjects::{self, MeetingScope},
};
use tributary_terminal::protocol::{Connection, RequestError};

use crate::{
    fake_access::Verdict,
    world::{World, meeting},
};

async fn credential(connection: &Connection, key: &TerminalKey, number: u64) -> String {
    let public_key = key.public_key().to_vec();
    let enter = EnterAsGuest { display_name: "eve".into(), public_key: public_key.clone() };
    let Said::Identity(identity) = connection.request(Ask::EnterAsGuest(enter)).await.unwrap()
    else {
        panic!("expected an identity")
    };
    let ask = RequestJoinCredential {
        identity_token: identity.identity_token,
        meeting_id: meeting(number).to_string(),
        public_key,
        ..RequestJoinCredential::default()
    };
    match connection.request(Ask::RequestJoinCredential(ask)).await.unwrap() {
        Said::JoinCredential(issued) => issued.join_credential,
        other => panic!("expected a join credential, got {other:?}"),
    }
}

/// Joins by a connection of its own, which ends at once.
async fn join(world: &World, key: &TerminalKey, credential: &str) -> Result<Said, RequestError> {
    let connection = Connection::connect(&world.url).await.unwrap();
    let join = Join {
        join_credential: credential.to_owned(),
        public_key: key.public_key().to_vec(),
        proof: key.sign_join_proof(&connection.welcome().nonce, credential).unwrap(),
        session_id: "narrowing".into(),
        ..Join::default()
    };
    connection.request(Ask::Join(join)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_issued_before_fewer_could_enter_is_stale_and_a_new_one_is_not() {
    let world = World::start().await;
    let bus = world.nats.connect(&User::AccessControl).await;
    let key = TerminalKey::generate().unwrap();
    let connection = Connection::connect(&world.url).await.unwrap();
    for number in [1, 2] {
        world.access.decide(meeting(number), Verdict::Allowed(Role::Outsider));
    }
    let before = credential(&connection, &key, 1).await;
    let other_meeting = credential(&connection, &key, 2).await;
    let scope = MeetingScope { organisation: OrganisationId::default(), meeting: meeting(1) };
    let tell = async |payload: &'static [u8]| {
        bus.tell(scope.shares_changed(), Bytes::from_static(payload)).await.unwrap();
    };
    tell(subjects::WIDENED).await;
    join(&world, &key, &before).await.unwrap();
    tell(subjects::NARROWED).await;
    let deadline = Instant::now() + Duration::from_secs(5);
    let code = loop {
        match join(&world, &key, &before).await {
            Ok(_) => assert!(Instant::now() < deadline, "the old credential still works"),
            Err(RequestError::Refused { code, .. }) => break code,
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(code, RefusalCode::CredentialExpired);
    join(&world, &key, &other_meeting).await.unwrap();
    let after = credential(&connection, &key, 1).await;
    join(&world, &key, &after).await.unwrap();
}
