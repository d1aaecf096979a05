//! Bad inputs are refused clearly and disturb nobody.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tributary_contracts::operation::v1::{Operation, SignedOperation};
use tributary_contracts::terminal::v1::relay_message::Body as Said;
use tributary_contracts::terminal::v1::terminal_message::Body as Ask;
use tributary_contracts::terminal::v1::{LogIn, MediaOffer, Ping, RefusalCode};
use tributary_harness::{Options, RelayOptions, World};
use tributary_join_credential::{JoinClaims, SigningKey, TerminalKey};
use tributary_terminal::operations;
use tributary_terminal::protocol::{Connection, Requests};

use crate::caller::{
    Operator, SESSION, carry, check, credential, enter, guest, join, muted, next, now, refused,
    refused_or_ended, request_credential,
};

/// A world with one relay, a shared meeting, and somebody in it whom nothing must disturb.
struct Stage {
    world: World,
    meeting_id: String,
    bystander: Connection,
    operator: Operator,
}

impl Stage {
    async fn set() -> Self {
        Self::set_with(Options::default()).await
    }

    async fn set_with(options: Options) -> Self {
        let relays = vec![RelayOptions::named("Office A")];
        let world = World::start(Options { relays, ..options }).await.unwrap();
        let directory = world.directory().unwrap();
        let organiser = directory.user("ada", "Ada", "a password for tests").await.unwrap();
        let meeting_id = directory.meeting(&organiser, "Refusals", true).await.unwrap();
        let mut bystander = Connection::connect(&world.relay_url(0).unwrap()).await.unwrap();
        let operator = Operator::enter(&mut bystander, &meeting_id).await;
        tokio::spawn(stay(bystander.requests()));
        Self { world, meeting_id, bystander, operator }
    }

    async fn connect(&self) -> Connection {
        Connection::connect(&self.world.relay_url(0).unwrap()).await.unwrap()
    }

    /// Fails if the bystander's session has suffered, or the relay does not take newcomers.
    async fn is_undisturbed(&mut self) {
        assert!(matches!(self.bystander.request(Ask::Ping(Ping {})).await.unwrap(), Said::Pong(_)));
        let received = self.bystander.request(self.operator.operate(Some(muted()))).await;
        assert!(matches!(received, Ok(Said::OperationReceived(_))), "{received:?}");
        let mut newcomer = self.connect().await;
        enter(&mut newcomer, &self.meeting_id).await;
    }
}
/// Shows the relay that a terminal is still there; ends with the connection.
async fn stay(requests: Requests) {
    while requests.request(Ask::Ping(Ping {})).await.is_ok() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// A credential with everything right but the signing key.
fn forged(meeting_id: &str, key: &TerminalKey) -> String {
    let claims = JoinClaims {
        organisation: "default".parse().unwrap(),
        user_id: "mallory".parse().unwrap(),
        display_name: "Mallory".to_owned(),
        guest: false,
        meeting_id: meeting_id.parse().unwrap(),
        key_thumbprint: key.thumbprint().clone(),
        issued_at: now(),
        expires_at: now() + 300,
    };
    SigningKey::generate().unwrap().issue_join(&claims).unwrap()
}

/// The credential with its payload changed by `change`, under the old signature.
fn altered(credential: &str, change: impl Fn(&mut serde_json::Value)) -> String {
    let parts: Vec<&str> = credential.split('.').collect();
    let mut payload = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    change(&mut payload);
    let payload = URL_SAFE_NO_PAD.encode(payload.to_string());
    format!("{}.{payload}.{}", parts[0], parts[2])
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_credentials_are_refused_and_nobody_is_disturbed() {
    let mut stage = Stage::set().await;
    let key = TerminalKey::generate().unwrap();

    let connection = stage.connect().await;
    let forged = forged(&stage.meeting_id, &key);
    let ask = join(&connection, &stage.meeting_id, &forged, &key);
    check(connection.request(ask).await, RefusalCode::BadCredential);

    let mut connection = stage.connect().await;
    let good = credential(&mut connection, &stage.meeting_id, &key).await;
    let directory = stage.world.directory().unwrap();
    let organiser = directory.user("ada", "Ada", "a password for tests").await.unwrap();
    let other_meeting = directory.meeting(&organiser, "Another", true).await.unwrap();
    let ask = join(&connection, &other_meeting, &good, &key);
    check(connection.request(ask).await, RefusalCode::BadCredential);

    let connection = stage.connect().await;
    let wrong_meeting = altered(&good, |payload| {
        let text = payload.to_string().replace(&stage.meeting_id, &other_meeting);
        *payload = serde_json::from_str(&text).unwrap();
    });
    assert_ne!(wrong_meeting, good);
    let ask = join(&connection, &other_meeting, &wrong_meeting, &key);
    check(connection.request(ask).await, RefusalCode::BadCredential);

    let connection = stage.connect().await;
    let other_key = TerminalKey::generate().unwrap();
    let ask = join(&connection, &stage.meeting_id, &good, &other_key);
    check(connection.request(ask).await, RefusalCode::BadCredential);

    // A proof that was made for another connection.
    let connection = stage.connect().await;
    let elsewhere = stage.connect().await;
    let ask = join(&elsewhere, &stage.meeting_id, &good, &key);
    check(connection.request(ask).await, RefusalCode::BadCredential);

    let mut connection = stage.connect().await;
    let identity = guest(&mut connection, &key).await;
    let ask = join(&connection, &stage.meeting_id, &identity.identity_token, &key);
    check(connection.request(ask).await, RefusalCode::BadCredential);

    let connection = stage.connect().await;
    let ask = join(&connection, &stage.meeting_id, &good, &key);
    assert!(matches!(connection.request(ask).await.unwrap(), Said::Joined(_)));
    stage.is_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn log_in_with_a_wrong_password_or_an_unknown_name_gives_the_same_refusal() {
    let mut stage = Stage::set().await;
    let mut refusals = Vec::new();
    for user_name in ["ada", "nobody-of-that-name"] {
        let connection = stage.connect().await;
        let (user_name, password) = (user_name.to_owned(), "wrong".to_owned());
        let public_key = TerminalKey::generate().unwrap().public_key().to_vec();
        let ask = Ask::LogIn(LogIn { user_name, password, public_key });
        let answer = connection.request(ask).await;
        refusals.push(refused(answer));
    }
    assert_eq!(refusals[0].0, RefusalCode::NotLoggedIn);
    assert_eq!(refusals[0], refusals[1]);
    stage.is_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_that_does_not_exist_and_one_that_is_not_shared_give_the_same_refusal() {
    let mut stage = Stage::set().await;
    let directory = stage.world.directory().unwrap();
    let organiser = directory.user("ada", "Ada", "a password for tests").await.unwrap();
    let not_shared = directory.meeting(&organiser, "Private", false).await.unwrap();
    let absent = (not_shared.parse::<u64>().unwrap() ^ (1 << 40)).to_string();
    let key = TerminalKey::generate().unwrap();
    let mut refusals = Vec::new();
    for meeting_id in [&not_shared, &absent] {
        let mut connection = stage.connect().await;
        let identity = guest(&mut connection, &key).await;
        let ask = request_credential(&identity, meeting_id, &key);
        refusals.push(refused(connection.request(ask).await));
    }
    assert_eq!(refusals[0].0, RefusalCode::NotAdmitted);
    assert_eq!(refusals[0], refusals[1]);
    stage.is_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_that_has_ended_is_refused() {
    let mut stage = Stage::set().await;
    let directory = stage.world.directory().unwrap();
    let organiser = directory.user("ada", "Ada", "a password for tests").await.unwrap();
    let meeting_id = directory.meeting(&organiser, "Short", true).await.unwrap();
    let key = TerminalKey::generate().unwrap();
    let mut connection = stage.connect().await;
    let credential = credential(&mut connection, &meeting_id, &key).await;
    directory.end_meeting(&meeting_id).await.unwrap();
    let ask = join(&connection, &meeting_id, &credential, &key);
    check(connection.request(ask).await, RefusalCode::MeetingEnded);
    stage.is_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn session_descriptions_that_make_no_sense_are_refused_and_the_session_lives() {
    let mut stage = Stage::set().await;
    let mut connection = stage.connect().await;
    enter(&mut connection, &stage.meeting_id).await;
    let sections = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n".repeat(1000);
    for sdp in [
        String::new(),
        "nonsense".to_owned(),
        "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n".to_owned(),
        format!("v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n{sections}"),
        "\0\r".repeat(1000),
        format!("v=0\r\n{}", "a=x\r\n".repeat(9_000)),
    ] {
        let answer = connection.request(Ask::MediaOffer(MediaOffer { sdp })).await;
        check(answer, RefusalCode::BadSessionDescription);
        assert!(matches!(connection.request(Ask::Ping(Ping {})).await.unwrap(), Said::Pong(_)));
    }
    stage.is_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_large_ends_its_connection_only() {
    let mut stage = Stage::set().await;
    for size in [65 * 1024, 4 * 1024 * 1024] {
        let mut connection = stage.connect().await;
        // The relay may close while it is still being sent.
        let _ = connection.send_bytes(vec![0x0a; size]).await;
        refused_or_ended(&mut connection, RefusalCode::Limit).await;
    }
    stage.is_undisturbed().await;
}

/// An operation of somebody who has not joined anything.
fn stray() -> Operation {
    Operation {
        organisation: "default".to_owned(),
        meeting_id: "1".to_owned(),
        participant_id: 1,
        session_id: SESSION.to_owned(),
        ..Operation::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_that_a_relay_can_see_to_be_wrong_are_refused_and_the_session_lives() {
    let mut stage = Stage::set().await;
    let mut connection = stage.connect().await;
    let mut operator = Operator::enter(&mut connection, &stage.meeting_id).await;
    let mut wrong = Vec::new();
    for change in [
        |operation: &mut Operation| operation.participant_id += 1,
        |operation: &mut Operation| operation.organisation = "elsewhere".to_owned(),
        |operation: &mut Operation| operation.meeting_id = "1".to_owned(),
        |operation: &mut Operation| operation.session_id = operations::new_id().to_string(),
    ] {
        let mut operation = operator.operation(Some(muted()));
        change(&mut operation);
        wrong.push(operator.sign(&operation));
    }
    let operation = operator.operation(Some(muted()));
    let right = operator.sign(&operation);
    let other = operations::sign(&TerminalKey::generate().unwrap(), &operation).unwrap();
    wrong.push(SignedOperation { signature: other.signature.clone(), ..right.clone() });
    wrong.push(SignedOperation { signature: Vec::new(), ..right.clone() });
    wrong.push(SignedOperation { envelope: b"nonsense".to_vec(), ..right.clone() });
    wrong.push(SignedOperation { envelope: vec![0x0a; 20 * 1024], ..right.clone() });
    wrong.push(SignedOperation::default());
    wrong.push(other);
    let directory = stage.world.directory().unwrap();
    let before = directory.log(&stage.meeting_id).await.unwrap();
    for signed in wrong {
        let (_, message) = refused(connection.request(carry(signed)).await);
        assert!(!message.is_empty());
    }
    assert!(matches!(connection.request(Ask::Ping(Ping {})).await.unwrap(), Said::Pong(_)));
    assert_eq!(directory.log(&stage.meeting_id).await.unwrap(), before);
    // And the right one is taken all the same.
    let received = connection.request(carry(right)).await;
    assert!(matches!(received, Ok(Said::OperationReceived(_))), "{received:?}");
    stage.is_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_relay_does_not_know_is_refused_and_the_session_lives() {
    let mut stage = Stage::set().await;
    let mut connection = stage.connect().await;

    let mut operator = Operator { key: TerminalKey::generate().unwrap(), next: stray() };
    check(connection.request(operator.operate(Some(muted()))).await, RefusalCode::OutOfOrder);
    enter(&mut connection, &stage.meeting_id).await;

    // Request 77 with a body of field number 1000, empty.
    connection.send_bytes(vec![0x08, 77, 0xc2, 0x3e, 0x00]).await.unwrap();
    let refusal = loop {
        let message = next(&mut connection).await.unwrap();
        if let Some(Said::Refusal(refusal)) = message.body {
            assert_eq!(message.in_reply_to, 77);
            break refusal;
        }
    };
    assert_eq!(refusal.code(), RefusalCode::Unsupported, "{}", refusal.message);
    assert!(matches!(connection.request(Ask::Ping(Ping {})).await.unwrap(), Said::Pong(_)));
    stage.is_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_read_is_refused() {
    let mut stage = Stage::set().await;
    let mut connection = stage.connect().await;
    connection.send_bytes(vec![0xff; 100]).await.unwrap();
    refused_or_ended(&mut connection, RefusalCode::Malformed).await;
    let mut connection = stage.connect().await;
    connection.send_text("{\"json\": \"is not spoken here\"}").await.unwrap();
    refused_or_ended(&mut connection, RefusalCode::Malformed).await;
    stage.is_undisturbed().await;
}
