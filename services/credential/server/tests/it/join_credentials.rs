//! Join credentials: only for whom access-control lets in, only for the terminal's key.

use tonic::{Code, Status};
use tributary_contracts::{
    access::v1::{Action, Reason},
    admin::v1::DeleteUserRequest,
    credential::v1::{Identity, IssueJoinCredentialRequest},
};
use tributary_database::scratch::{self, ScratchDatabase};
use tributary_join_credential::{IdentityClaims, SigningKey, TerminalKey, VerifyError};

use crate::{
    on_both_databases,
    store::store,
    world::{PASSWORD, World, now},
};

const MEETING: &str = "1152921504606846977";
const THUMBPRINT: &str = "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s";

pub fn request(identity: &Identity) -> IssueJoinCredentialRequest {
    with_token(&identity.identity_token)
}

fn with_token(identity_token: &str) -> IssueJoinCredentialRequest {
    IssueJoinCredentialRequest {
        identity_token: identity_token.to_owned(),
        meeting_id: MEETING.to_owned(),
        password: "sesame".to_owned(),
        key_thumbprint: THUMBPRINT.to_owned(),
    }
}

async fn refusal(world: &World, request: IssueJoinCredentialRequest) -> Status {
    world.credential.clone().issue_join_credential(request).await.unwrap_err()
}

async fn who_may_join_gets_a_credential_for_this_meeting_and_key(database: ScratchDatabase) {
    let world = World::start(&database).await;
    let user = world.create_user("zoe").await;
    let identity = world.log_in("zoe", PASSWORD).await.unwrap();
    let terminal = TerminalKey::generate().unwrap();
    let key_thumbprint = terminal.thumbprint().to_string();
    let request = IssueJoinCredentialRequest { key_thumbprint, ..request(&identity) };
    let answer = world.credential.clone().issue_join_credential(request).await.unwrap();
    let answer = answer.into_inner();

    let nonce = [9; 32];
    let proof = terminal.sign_join_proof(&nonce, &answer.join_credential).unwrap();
    let keys = world.keys().await;
    let claims = keys
        .verify_joining(&answer.join_credential, &terminal.public_key(), &nonce, &proof, now())
        .unwrap();
    assert_eq!(claims.user_id.as_str(), user.user_id);
    assert_eq!(claims.meeting_id.to_string(), MEETING);
    assert_eq!((claims.display_name.as_str(), claims.guest), ("The zoe", false));
    assert_eq!(claims.expires_at - claims.issued_at, 300);
    assert_eq!(answer.expires_at.unwrap().seconds, i64::try_from(claims.expires_at).unwrap());
    let late = keys.verify_join(&answer.join_credential, now() + 361);
    assert_eq!(late, Err(VerifyError::Expired));

    let asked = world.access.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].user_id, user.user_id);
    assert_eq!(
        (asked[0].organisation.as_str(), asked[0].meeting_id.as_str()),
        ("default", MEETING)
    );
    assert_eq!((asked[0].action(), asked[0].password.as_str()), (Action::Join, "sesame"));
}

async fn a_deleted_account_gets_no_credential_with_its_old_token(database: ScratchDatabase) {
    let world = World::start(&database).await;
    let user_id = world.create_user("zoe").await.user_id;
    let identity = world.log_in("zoe", PASSWORD).await.unwrap();
    let delete = DeleteUserRequest { organisation: String::new(), user_id };
    world.users.clone().delete_user(delete).await.unwrap();
    assert_eq!(refusal(&world, request(&identity)).await.code(), Code::Unauthenticated);
    assert!(world.access.asked.lock().unwrap().is_empty());
}

on_both_databases!(
    who_may_join_gets_a_credential_for_this_meeting_and_key,
    a_deleted_account_gets_no_credential_with_its_old_token,
);

#[tokio::test]
async fn a_refusal_is_in_the_same_words_whatever_the_reason() {
    let world = World::start(&scratch::sqlite()).await;
    let identity = world.guest("Zoë").await;
    let mut refusals = Vec::new();
    for reason in [
        Reason::Absent,
        Reason::NotShared,
        Reason::WrongPassword,
        Reason::Ended,
        Reason::Unspecified,
    ] {
        world.access.refuses(reason);
        let status = refusal(&world, request(&identity)).await;
        refusals.push((status.code(), status.message().to_owned(), status.details().to_vec()));
    }
    assert_eq!(refusals[0].0, Code::PermissionDenied);
    refusals.dedup();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
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
        let status = refusal(&world, request(&identity)).await;
        assert_eq!(status.code(), Code::Unavailable, "{fault:?}");
        assert!(status.message().contains("try again"), "{status:?}");
        assert!(!status.message().contains("secret"), "{status:?}");
    }
    world.access.fails(Status::resource_exhausted("x"));
    assert_eq!(refusal(&world, request(&identity)).await.code(), Code::ResourceExhausted);
    world.stop_access().await;
    assert_eq!(refusal(&world, request(&identity)).await.code(), Code::Unavailable);
}

#[tokio::test]
async fn only_a_valid_identity_token_identifies() {
    let database = scratch::sqlite();
    let world = World::start(&database).await;
    let identity = world.guest("Zoë").await;
    let good = identity.identity_token.clone();
    let joined = world.credential.clone().issue_join_credential(request(&identity)).await.unwrap();
    let stored = store(&database).await;
    let keys = stored.signing_keys(&SigningKey::generate().unwrap(), 1).await.unwrap();
    let claims = |issued_at: u64| IdentityClaims {
        organisation: "default".parse().unwrap(),
        user_id: "guest-1".parse().unwrap(),
        display_name: "Zoë".to_owned(),
        guest: true,
        issued_at,
        expires_at: issued_at + 3600,
    };
    let fresh = keys[0].issue_identity(&claims(now())).unwrap();
    assert!(world.credential.clone().issue_join_credential(with_token(&fresh)).await.is_ok());

    let forger = SigningKey::generate().unwrap();
    for token in [
        String::new(),
        "x".repeat(100_000),
        good[..good.len() - 1].to_owned(),
        joined.into_inner().join_credential,
        forger.issue_identity(&claims(now())).unwrap(),
        keys[0].issue_identity(&claims(now() - 7200)).unwrap(),
        keys[0].issue_identity(&claims(now() + 7200)).unwrap(),
    ] {
        let asked = world.access.asked.lock().unwrap().len();
        let status = refusal(&world, with_token(&token)).await;
        assert_eq!(status.code(), Code::Unauthenticated, "{token:.80}");
        assert_eq!(world.access.asked.lock().unwrap().len(), asked);
    }
}

#[tokio::test]
async fn malformed_meetings_and_keys_are_refused() {
    let world = World::start(&scratch::sqlite()).await;
    let good = request(&world.guest("Zoë").await);
    for meeting_id in ["", "x", "-1", "9223372036854775808", "1.5", "*"] {
        let meeting_id = meeting_id.to_owned();
        let status = refusal(&world, IssueJoinCredentialRequest { meeting_id, ..good.clone() });
        assert_eq!(status.await.code(), Code::InvalidArgument);
    }
    for key_thumbprint in ["", "short", &THUMBPRINT[1..], &"*".repeat(43), &"A".repeat(44)] {
        let key_thumbprint = key_thumbprint.to_owned();
        let status = refusal(&world, IssueJoinCredentialRequest { key_thumbprint, ..good.clone() });
        assert_eq!(status.await.code(), Code::InvalidArgument);
    }
    assert!(world.access.asked.lock().unwrap().is_empty());
}
