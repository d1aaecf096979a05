//! What outsiders see, and who may do what.

use prost::Message as _;
use tributary_contracts::{
    access::v1::{LinkForm, Role, ShareForm, Told, share_form::Form},
    registry::v1::MemberRole,
    terminal::v1::{
        ChangeMembers, CreateMeeting, DeleteAttachment, ListShares, ReadMeeting, RefusalCode,
        RelayMessage, RequestJoinCredential, RevokeShare, ShareMeeting, TerminalMessage,
        UpdateMeeting, relay_message::Body as Reply, terminal_message::Body,
    },
};
use tributary_join_credential::TerminalKey;
use tributary_terminal::{
    Account,
    protocol::{Connection, RequestError},
};

use crate::{
    fake_access::Verdict,
    world::{World, meeting, target},
};

/// Why somebody is refused: nobody outside may see a difference. `None`: the meeting is absent.
const REASONS: [Option<&str>; 6] = [
    None,
    Some("NOT_SHARED"),
    Some("SHARE_REVOKED"),
    Some("ENDED_LONG_AGO"),
    Some("OVER_COUNT"),
    Some("OTHER_ORGANISATION"),
];

/// Ids that can't be one; the last is of a version that is not made.
const NO_IDS: [&str; 6] = ["", "x", "007", "9223372036854775808", "-1", "5"];

/// Everything that can be asked about a meeting.
fn requests(token: &str, meeting_id: &str) -> Vec<Body> {
    let identity_token = token.to_owned();
    let meeting_id = meeting_id.to_owned();
    let form = Some(ShareForm { form: Some(Form::Link(LinkForm {})) });
    vec![
        Body::ReadMeeting(ReadMeeting {
            identity_token: identity_token.clone(),
            meeting_id: meeting_id.clone(),
            ..<_>::default()
        }),
        Body::UpdateMeeting(UpdateMeeting {
            identity_token: identity_token.clone(),
            meeting_id: meeting_id.clone(),
            ..<_>::default()
        }),
        Body::ChangeMembers(ChangeMembers {
            identity_token: identity_token.clone(),
            meeting_id: meeting_id.clone(),
            remove_user_ids: vec!["ada".into()],
            ..<_>::default()
        }),
        Body::ShareMeeting(ShareMeeting {
            identity_token: identity_token.clone(),
            meeting_id: meeting_id.clone(),
            form,
            ..<_>::default()
        }),
        Body::ListShares(ListShares {
            identity_token: identity_token.clone(),
            meeting_id: meeting_id.clone(),
        }),
        Body::RevokeShare(RevokeShare {
            identity_token: identity_token.clone(),
            meeting_id: meeting_id.clone(),
            ..<_>::default()
        }),
        Body::DeleteAttachment(DeleteAttachment {
            identity_token: identity_token.clone(),
            meeting_id: meeting_id.clone(),
            attachment_id: "file".into(),
        }),
        Body::RequestJoinCredential(RequestJoinCredential {
            identity_token,
            meeting_id,
            public_key: TerminalKey::generate().unwrap().public_key().to_vec(),
            ..<_>::default()
        }),
    ]
}

/// The answer's bytes.
async fn bytes(connection: &mut Connection, body: Body) -> Vec<u8> {
    let message = TerminalMessage { request_id: 7_777, body: Some(body) };
    connection.send_bytes(message.encode_to_vec()).await.unwrap();
    loop {
        let message = connection.next().await.unwrap();
        if message.in_reply_to == 7_777 {
            return message.encode_to_vec();
        }
    }
}

fn meeting_for(world: &World, reason: Option<&'static str>) -> String {
    let number = reason.map_or(0, |reason| reason.len() as u64);
    let id = meeting(1_000 + number).to_string();
    if let Some(reason) = reason {
        world.access.decide(&id, Verdict::Refused(Told::Nothing, reason));
    }
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn outsiders_get_the_same_bytes_whatever_the_reason_and_only_access_control_is_asked() {
    let world = World::start().await;
    let account = Account::guest(&world.url, "eve").await.unwrap();
    let token = account.identity().unwrap().identity_token;
    let mut ids: Vec<String> =
        REASONS.into_iter().map(|reason| meeting_for(&world, reason)).collect();
    ids.extend(NO_IDS.map(str::to_owned));
    let mut seen = Vec::new();
    for id in &ids {
        // One connection an id: nobody sends too many messages.
        let mut connection = Connection::connect(&world.url).await.unwrap();
        for body in requests(&token, id) {
            seen.push((id.clone(), bytes(&mut connection, body).await));
        }
    }
    assert_eq!(seen.len(), ids.len() * 8);
    let (_, expected) = &seen[0];
    let Some(Reply::Refusal(refusal)) = RelayMessage::decode(&expected[..]).unwrap().body else {
        panic!("no refusal")
    };
    assert_eq!(refusal.code(), RefusalCode::NotAdmitted);
    for (id, bytes) in &seen {
        assert_eq!(bytes, expected, "meeting {id:?}");
    }
    assert_eq!(*world.registry.calls.lock().unwrap(), [""; 0], "the registry was asked");
    assert_eq!(*world.access.shares.lock().unwrap(), 0);
    // Everything but the requests for join credentials, of which credential asks itself; of ids that
    // can't be one nobody is asked, except of the last.
    assert_eq!(world.access.decisions.lock().unwrap().len(), (REASONS.len() + 1) * 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_access_control_allows_is_told() {
    let world = World::start().await;
    let account = Account::guest(&world.url, "eve").await.unwrap();
    for (number, (told, reason, code)) in (0..).zip([
        (Told::WrongPassword, "WRONG_PASSWORD", RefusalCode::WrongPassword),
        (Told::Ended, "MEETING_ENDED", RefusalCode::MeetingEnded),
        (Told::TryLater, "TRY_LATER", RefusalCode::Limit),
    ]) {
        world.access.decide(meeting(number), Verdict::Refused(told, reason));
        let mut texts = Vec::new();
        for error in [
            account.read(meeting(number)).await.unwrap_err(),
            account.join_credential(meeting(number)).await.unwrap_err(),
        ] {
            let RequestError::Refused { code: found, message } = error else { panic!("{error}") };
            assert_eq!(found, code);
            assert!(!message.contains("refused"), "inner words: {message}");
            texts.push(message);
        }
        assert_eq!(texts[0], texts[1]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn access_control_hears_who_asks_with_what() {
    let world = World::start().await;
    let account = Account::guest(&world.url, "eve").await.unwrap();
    let shown = target(1).with_password("open sesame").with_share_secret("AAECAwQFBgcICQoLDA0ODw");
    account.read(&shown).await.unwrap_err();
    let decision = world.access.decisions.lock().unwrap()[0].clone();
    assert_eq!(decision.user_id, "eve");
    assert!(decision.guest && !decision.reconnect);
    assert_eq!(decision.client_id, account.key_thumbprint().to_string());
    assert_eq!(decision.client_address, "127.0.0.1");
    assert_eq!(decision.password, "open sesame");
    assert_eq!(decision.share_secret, "AAECAwQFBgcICQoLDA0ODw");
    account.join_credential(&shown).await.unwrap_err();
    let issued = world.credential.issued.lock().unwrap()[0].clone();
    assert_eq!(issued.client_address, "127.0.0.1");
    assert_eq!(issued.share_secret, "AAECAwQFBgcICQoLDA0ODw");
    assert_eq!(issued.key_thumbprint, account.key_thumbprint().to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_read_may_not_therefore_change() {
    let world = World::start().await;
    world.access.decide(meeting(1), Verdict::Allowed(Role::Outsider));
    let account = world.account("eve").await;
    let details = account.read(meeting(1)).await.unwrap();
    assert_eq!((details.role(), details.members.len()), (Role::Outsider, 0));
    assert_eq!(details.meeting.unwrap().subject, "Tests");
    let token = account.identity().unwrap().identity_token;
    for role in [Role::Outsider, Role::Member] {
        world.access.decide(meeting(1), Verdict::Allowed(role));
        // Reading and joining are allowed; taking a file away is the registry's to refuse.
        for body in requests(&token, &meeting(1).to_string()).into_iter().skip(1).take(6) {
            let error = account.request(body.clone()).await.unwrap_err();
            let forbidden =
                matches!(error, RequestError::Refused { code: RefusalCode::Forbidden, .. });
            assert!(forbidden, "{role:?} {body:?}: {error}");
        }
    }
    assert!(!world.registry.calls.lock().unwrap().contains(&"update_meeting"));
    assert_eq!(*world.access.shares.lock().unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_change_and_share_their_meeting() {
    let world = World::start().await;
    let id = meeting(1);
    world.access.decide(id, Verdict::Allowed(Role::Host));
    let account = world.account("bob").await;
    let details = account.read(id).await.unwrap();
    assert_eq!((details.role(), details.members.len()), (Role::Host, 1));
    let subject = Some("Newer".to_owned());
    let update = UpdateMeeting { meeting_id: id.to_string(), subject, ..<_>::default() };
    assert_eq!(account.update_meeting(update).await.unwrap().subject, "Newer");
    assert_eq!(account.set_members(id, &[("eve", MemberRole::Member)]).await.unwrap(), 2);
    assert_eq!(account.remove_members(id, &["eve"]).await.unwrap(), 1);
    let (share, link) = account.share_link(id).await.unwrap();
    assert_eq!((share.created_by.as_str(), link.text.as_str()), ("bob", "bob"));
    account.shares(id).await.unwrap();
    account.revoke_share(id, "").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_meeting_is_made_as_asked_and_shared_by_a_link() {
    let world = World::start().await;
    let account = world.account("ada").await;
    let create = CreateMeeting {
        subject: "New".into(),
        shared: true,
        member_user_ids: vec!["bob".into(), "eve".into()],
        host_user_ids: vec!["bob".into()],
        starts_at: Some(prost_types::Timestamp { seconds: 9, nanos: 0 }),
        lobby: true,
        ..<_>::default()
    };
    let created = account.create_meeting(create.clone()).await.unwrap();
    assert!(created.share.unwrap().link.unwrap().url.contains(&created.meeting_id));
    let asked = world.registry.created.lock().unwrap()[0].clone();
    assert_eq!(asked.organiser_user_id, "ada");
    assert_eq!(asked.organiser_display_name, "ada");
    assert_eq!(
        (asked.host_user_ids, asked.starts_at),
        (create.host_user_ids.clone(), create.starts_at)
    );
    assert!(asked.lobby);
    let guest = Account::guest(&world.url, "eve").await.unwrap();
    let error = guest.create_meeting(create).await.unwrap_err();
    assert!(matches!(error, RequestError::Refused { code: RefusalCode::Forbidden, .. }));
}
