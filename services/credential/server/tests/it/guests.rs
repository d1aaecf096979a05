//! Guests have a name and nothing else.

use tonic::Code;
use tributary_contracts::{admin::v1::ListUsersRequest, credential::v1::RegisterGuestRequest};
use tributary_database::scratch;

use crate::world::{World, now};

#[tokio::test]
async fn a_guest_gets_an_identity_of_its_own_and_is_stored_nowhere() {
    let world = World::start(&scratch::sqlite()).await;
    let (one, other) = (world.guest(" Zoë ").await, world.guest("Zoë").await);
    assert_ne!(one.user_id, other.user_id);
    assert!(one.guest && one.user_id.starts_with("guest-"), "{one:?}");
    let claims = world.keys().await.verify_identity(&one.identity_token, now()).unwrap();
    assert!(claims.guest);
    assert_eq!((claims.display_name.as_str(), claims.organisation.as_str()), ("Zoë", "default"));
    assert_eq!(claims.user_id.as_str(), one.user_id);
    let users = world.users.clone().list_users(ListUsersRequest::default()).await.unwrap();
    assert!(users.into_inner().users.is_empty());
}

#[tokio::test]
async fn a_guest_belongs_to_the_organisation_it_named() {
    let world = World::start(&scratch::sqlite()).await;
    let request =
        RegisterGuestRequest { organisation: "acme".to_owned(), display_name: "Zoë".to_owned() };
    let identity =
        world.credential.clone().register_guest(request).await.unwrap().into_inner().identity;
    let token = identity.unwrap().identity_token;
    let claims = world.keys().await.verify_identity(&token, now()).unwrap();
    assert_eq!(claims.organisation.as_str(), "acme");
}

#[tokio::test]
async fn names_that_would_disturb_others_are_refused() {
    let world = World::start(&scratch::sqlite()).await;
    for (organisation, display_name) in
        [("", ""), ("", "a\u{202e}b"), ("", "a\0"), ("", &"x".repeat(65)), ("a b", "Zoë")]
    {
        let request = RegisterGuestRequest {
            organisation: organisation.to_owned(),
            display_name: display_name.to_owned(),
        };
        let status = world.credential.clone().register_guest(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{organisation:?} {display_name:?}");
    }
}
