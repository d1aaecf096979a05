//! Log-in with a password.

use tonic::Code;
use tributary_contracts::credential::v1::LogInRequest;
use tributary_database::scratch::{self, ScratchDatabase};

use crate::{
    on_both_databases,
    world::{PASSWORD, World, now, shape},
};

async fn who_logs_in_gets_an_identity_for_an_hour_on_this_terminal(database: ScratchDatabase) {
    let world = World::start(&database).await;
    let user = world.create_user("zoe").await;
    let identity = world.log_in("zoe", PASSWORD).await.unwrap();
    assert_eq!(identity.user_id, user.user_id);
    assert_eq!((identity.display_name.as_str(), identity.guest), ("The zoe", false));
    let claims = world.claims(&identity, now()).await;
    assert_eq!(claims.user_id.as_str(), user.user_id);
    assert_eq!(&claims.key_thumbprint, world.terminal.thumbprint());
    assert_eq!(claims.expires_at - claims.issued_at, 60 * 60);
    assert_eq!(identity.expires_at.unwrap().seconds, i64::try_from(claims.expires_at).unwrap());
}

async fn a_deleted_account_can_not_log_in(database: ScratchDatabase) {
    let world = World::start(&database).await;
    let user_id = world.create_user("zoe").await.user_id;
    world.delete_user(&user_id).await;
    assert_eq!(world.log_in("zoe", PASSWORD).await.unwrap_err().code(), Code::Unauthenticated);
}

on_both_databases!(
    who_logs_in_gets_an_identity_for_an_hour_on_this_terminal,
    a_deleted_account_can_not_log_in,
);

#[tokio::test]
async fn a_refusal_does_not_say_what_was_wrong() {
    let world = World::start(&scratch::sqlite()).await;
    world.create_user("zoe").await;
    let mut refusals = Vec::new();
    for (organisation, user_name, password) in [
        ("", "zoe", "wrong horse"),
        ("", "zoe", ""),
        ("", "nobody", PASSWORD),
        ("", "no such name!", PASSWORD),
        ("", "zoe'--", PASSWORD),
        ("", "", ""),
        ("other", "zoe", PASSWORD),
        ("a.b", "zoe", PASSWORD),
    ] {
        let request = LogInRequest {
            organisation: organisation.to_owned(),
            ..world.log_in_request(user_name, password)
        };
        let status = world.credential.clone().log_in(request).await.unwrap_err();
        refusals.push(shape(&status));
    }
    assert_eq!(refusals[0].0, Code::Unauthenticated);
    assert_eq!(refusals[0].1, "the user name or the password is wrong");
    refusals.dedup();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
}

#[tokio::test]
async fn a_name_is_found_however_it_was_capitalised() {
    let world = World::start(&scratch::sqlite()).await;
    world.create_user("zoe").await;
    assert!(world.log_in(" Zoe ", PASSWORD).await.is_ok());
}

#[tokio::test]
async fn an_oversized_password_is_refused_before_it_is_hashed() {
    let world = World::start(&scratch::sqlite()).await;
    let status = world.log_in("zoe", &"x".repeat(1025)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_malformed_key_or_address_is_refused_by_name() {
    let world = World::start(&scratch::sqlite()).await;
    let good = world.log_in_request("zoe", PASSWORD);
    for (field, request) in [
        ("key_thumbprint", LogInRequest { key_thumbprint: String::new(), ..good.clone() }),
        ("key_thumbprint", LogInRequest { key_thumbprint: "x".repeat(44), ..good.clone() }),
        ("client_address", LogInRequest { client_address: "here".into(), ..good.clone() }),
    ] {
        let status = world.credential.clone().log_in(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().starts_with(field), "{status:?}");
    }
}
