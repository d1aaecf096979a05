//! Join credentials: only for whom access-control lets in, only for the key of the identity.

use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use tributary_contracts::{
    access::v1::{Action, Reason, Told},
    credential::v1::IssueJoinCredentialRequest,
};
use tributary_database::scratch::{self, ScratchDatabase};
use tributary_join_credential::{IdentityClaims, JoinClaims, SigningKey, TerminalKey, VerifyError};
use tributary_join_credential::{RECONNECT_SECONDS, Verifier};

use crate::{
    on_both_databases,
    store::{first_key, store},
    world::{MEETING, PASSWORD, Setting, World, manual_clock, now, shape},
};

async fn refusal(world: &World, request: IssueJoinCredentialRequest) -> Status {
    world.credential.clone().issue_join_credential(request).await.unwrap_err()
}

fn reason(status: &Status) -> String {
    status.get_error_details().error_info().unwrap().reason.clone()
}

async fn who_may_join_gets_a_credential_for_this_meeting_and_key(database: ScratchDatabase) {
    let world = World::start(&database).await;
    let user = world.create_user("zoe").await;
    let identity = world.log_in("zoe", PASSWORD).await.unwrap();
    let request = IssueJoinCredentialRequest {
        share_secret: "AAECAwQFBgcICQoLDA0ODw".to_owned(),
        ..world.join_request(&identity)
    };
    let answer = world.credential.clone().issue_join_credential(request).await.unwrap();
    let answer = answer.into_inner();

    let (nonce, terminal) = ([9; 32], &world.terminal);
    let proof = terminal.sign_join_proof(&nonce, &answer.join_credential).unwrap();
    let verifier = Verifier { keys: world.keys().await, ..Verifier::default() };
    let claims = verifier
        .verify_joining(&answer.join_credential, &terminal.public_key(), &nonce, &proof, now())
        .unwrap()
        .claims;
    assert_eq!(claims.user_id.as_str(), user.user_id);
    assert_eq!(claims.meeting_id.to_string(), MEETING);
    assert_eq!((claims.display_name.as_str(), claims.guest), ("The zoe", false));
    assert_eq!(claims.expires_at - claims.issued_at, 300);
    assert_eq!(answer.expires_at.unwrap().seconds, i64::try_from(claims.expires_at).unwrap());
    let late = verifier.verify_join(&answer.join_credential, now() + 361);
    assert_eq!(late.unwrap_err(), VerifyError::Expired);

    assert_eq!(world.access.asked.lock().unwrap().len(), 1);
    let asked = world.access.last();
    assert_eq!(asked.user_id, user.user_id);
    assert_eq!((asked.organisation.as_str(), asked.meeting_id.as_str()), ("default", MEETING));
    assert_eq!((asked.action(), asked.password.as_str()), (Action::Join, "sesame"));
    assert_eq!(asked.share_secret, "AAECAwQFBgcICQoLDA0ODw");
    assert_eq!((asked.guest, asked.reconnect), (false, false));
    assert_eq!(asked.client_id, world.thumbprint());
    assert_eq!(asked.client_address, "192.0.2.1");
}

async fn a_deleted_account_gets_no_credential_with_its_old_token(database: ScratchDatabase) {
    let world = World::start(&database).await;
    let user_id = world.create_user("zoe").await.user_id;
    let identity = world.log_in("zoe", PASSWORD).await.unwrap();
    world.delete_user(&user_id).await;
    let status = world.join(&identity).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert!(world.access.asked.lock().unwrap().is_empty());
}

on_both_databases!(
    who_may_join_gets_a_credential_for_this_meeting_and_key,
    a_deleted_account_gets_no_credential_with_its_old_token,
);

#[tokio::test]
async fn a_token_is_of_no_use_for_another_key() {
    let world = World::start(&scratch::sqlite()).await;
    let identity = world.guest("Zoë").await;
    let other = TerminalKey::generate().unwrap();
    let key_thumbprint = other.thumbprint().to_string();
    let request = IssueJoinCredentialRequest { key_thumbprint, ..world.join_request(&identity) };
    let status = refusal(&world, request).await;
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unauthenticated, "OTHER_KEY"));
    assert!(world.access.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn who_comes_back_says_so_to_access_control_and_nobody_else_does() {
    let database = scratch::sqlite();
    let (clock, hands) = manual_clock();
    let world = World::start_as(&database, Setting { clock, ..Setting::default() }).await;
    let identity = world.guest("Zoë").await;
    let credential = world.join(&identity).await.unwrap();
    assert!(!world.access.last().reconnect);
    let ask = async |previous: &str| {
        let identity = world.guest("Other").await;
        let mut request = world.join_request(&identity);
        request.previous_join_credential = previous.to_owned();
        world.credential.clone().issue_join_credential(request).await.unwrap();
        world.access.last().reconnect
    };
    let come_back = async |identity: &_| {
        let mut request = world.join_request(identity);
        request.previous_join_credential = credential.clone();
        world.credential.clone().issue_join_credential(request).await.unwrap();
        world.access.last().reconnect
    };
    assert!(come_back(&identity).await);
    // Somebody else on the same terminal, and what is no credential.
    for previous in [&credential, &identity.identity_token, "x", &"x".repeat(100_000)] {
        assert!(!ask(previous).await);
    }
    // The same person in another meeting.
    let mut elsewhere = world.join_request(&identity);
    elsewhere.meeting_id = "7".to_owned();
    elsewhere.previous_join_credential = credential.clone();
    world.credential.clone().issue_join_credential(elsewhere).await.unwrap();
    assert!(!world.access.last().reconnect);

    // Hours later, with an identity that was refreshed all the time.
    let mut identity = identity;
    for _ in 0..RECONNECT_SECONDS / 3000 {
        hands.forward(3000);
        identity = world.refresh(&identity, hands.seconds()).await.unwrap();
    }
    assert!(come_back(&identity).await);
    hands.forward(1600);
    assert!(!come_back(&identity).await);
}

#[tokio::test]
async fn a_refusal_is_in_the_same_words_whatever_the_reason() {
    let world = World::start(&scratch::sqlite()).await;
    let identity = world.guest("Zoë").await;
    let mut refusals = Vec::new();
    for cause in [
        Reason::Absent,
        Reason::NotShared,
        Reason::WrongPassword,
        Reason::Ended,
        Reason::ShareRevoked,
        Reason::ShareExpired,
        Reason::SecretRequired,
        Reason::OverCount,
        Reason::PasswordLocked,
        Reason::Unspecified,
    ] {
        for told in [Told::Nothing, Told::Unspecified] {
            world.access.refuses(cause, told);
            refusals.push(shape(&world.join(&identity).await.unwrap_err()));
        }
    }
    assert_eq!(refusals[0].0, Code::PermissionDenied);
    refusals.dedup();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
}

#[tokio::test]
async fn what_may_be_told_is_told() {
    let world = World::start(&scratch::sqlite()).await;
    let identity = world.guest("Zoë").await;
    for (cause, told, code, word) in [
        (Reason::WrongPassword, Told::WrongPassword, Code::PermissionDenied, "WRONG_PASSWORD"),
        (Reason::Ended, Told::Ended, Code::FailedPrecondition, "MEETING_ENDED"),
        (Reason::OverCount, Told::TryLater, Code::ResourceExhausted, "TRY_LATER"),
        (Reason::PasswordLocked, Told::TryLater, Code::ResourceExhausted, "TRY_LATER"),
    ] {
        world.access.refuses(cause, told);
        let status = world.join(&identity).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (code, word));
    }
}

#[tokio::test]
async fn nobody_gets_in_while_access_control_can_not_be_asked() {
    let world = World::start(&scratch::sqlite()).await;
    let identity = world.guest("Zoë").await;
    for fault in [
        Status::unavailable("x"),
        Status::internal("secret detail"),
        Status::unauthenticated("x"),
        Status::permission_denied("x"),
        Status::invalid_argument("x"),
    ] {
        world.access.fails(fault.clone());
        let status = world.join(&identity).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{fault:?}");
        assert!(status.message().contains("try again"), "{status:?}");
        assert!(!status.message().contains("secret"), "{status:?}");
    }
    world.access.fails(Status::resource_exhausted("x"));
    assert_eq!(world.join(&identity).await.unwrap_err().code(), Code::ResourceExhausted);
    world.stop_access().await;
    assert_eq!(world.join(&identity).await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn only_a_valid_identity_token_identifies() {
    let database = scratch::sqlite();
    let world = World::start(&database).await;
    let identity = world.guest("Zoë").await;
    let good = identity.identity_token.clone();
    let joined = world.join(&identity).await.unwrap();
    let key = first_key(&store(&database).await).await;
    let claims = |issued_at: u64| IdentityClaims {
        organisation: "default".parse().unwrap(),
        user_id: "guest-1".parse().unwrap(),
        display_name: "Zoë".to_owned(),
        guest: true,
        key_thumbprint: world.terminal.thumbprint().clone(),
        issued_at,
        expires_at: issued_at + 3600,
    };
    let with_token = |token: &str| IssueJoinCredentialRequest {
        identity_token: token.to_owned(),
        ..world.join_request(&identity)
    };
    let fresh = key.issue_identity(&claims(now())).unwrap();
    assert!(world.credential.clone().issue_join_credential(with_token(&fresh)).await.is_ok());

    let forger = SigningKey::generate().unwrap();
    for token in [
        String::new(),
        "x".repeat(100_000),
        good[..good.len() - 1].to_owned(),
        joined,
        forger.issue_identity(&claims(now())).unwrap(),
        key.issue_identity(&claims(now() - 7200)).unwrap(),
        key.issue_identity(&claims(now() + 7200)).unwrap(),
    ] {
        let asked = world.access.asked.lock().unwrap().len();
        let status = refusal(&world, with_token(&token)).await;
        assert_eq!(status.code(), Code::Unauthenticated, "{token:.80}");
        assert_eq!(world.access.asked.lock().unwrap().len(), asked);
    }
}

#[tokio::test]
async fn a_previous_credential_of_a_forger_shows_nothing() {
    let world = World::start(&scratch::sqlite()).await;
    let identity = world.guest("Zoë").await;
    let claims = JoinClaims {
        organisation: "default".parse().unwrap(),
        user_id: identity.user_id.parse().unwrap(),
        display_name: "Zoë".to_owned(),
        guest: true,
        meeting_id: MEETING.parse().unwrap(),
        key_thumbprint: world.terminal.thumbprint().clone(),
        issued_at: now(),
        expires_at: now() + 300,
    };
    let mut request = world.join_request(&identity);
    request.previous_join_credential = SigningKey::generate().unwrap().issue_join(&claims).unwrap();
    world.credential.clone().issue_join_credential(request).await.unwrap();
    assert!(!world.access.last().reconnect);
}

#[tokio::test]
async fn malformed_requests_are_refused() {
    let world = World::start(&scratch::sqlite()).await;
    let good = world.join_request(&world.guest("Zoë").await);
    let thumbprint = world.thumbprint();
    let mut requests = Vec::new();
    for meeting_id in ["", "0x10", "-1", "9223372036854775808", "a"] {
        let meeting_id = meeting_id.to_owned();
        requests.push(IssueJoinCredentialRequest { meeting_id, ..good.clone() });
    }
    for key_thumbprint in ["", "short", &thumbprint[1..], &"*".repeat(43), &"A".repeat(44)] {
        let key_thumbprint = key_thumbprint.to_owned();
        requests.push(IssueJoinCredentialRequest { key_thumbprint, ..good.clone() });
    }
    requests.push(IssueJoinCredentialRequest { password: "x".repeat(1025), ..good.clone() });
    requests.push(IssueJoinCredentialRequest { share_secret: "x".repeat(65), ..good.clone() });
    requests.push(IssueJoinCredentialRequest { client_address: "x".into(), ..good.clone() });
    for request in requests {
        let status = refusal(&world, request.clone()).await;
        assert_eq!(status.code(), Code::InvalidArgument, "{request:?}");
    }
    assert!(world.access.asked.lock().unwrap().is_empty());
}
