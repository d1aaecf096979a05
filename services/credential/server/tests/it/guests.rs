//! Guests have a name and nothing else.

use tonic::Code;
use tributary_contracts::{
    admin::v1::ListUsersRequest,
    credential::v1::{GetLogInOptionsRequest, RegisterGuestRequest},
};
use tributary_credential_server::{Config, Limits};
use tributary_database::scratch::{self, ScratchDatabase};

use crate::{
    on_both_databases,
    world::{Setting, World, manual_clock, now},
};

#[tokio::test]
async fn a_guest_gets_an_identity_of_its_own_and_is_stored_nowhere() {
    let world = World::start(&scratch::sqlite()).await;
    let (one, other) = (world.guest(" Zoë ").await, world.guest("Zoë").await);
    assert_ne!(one.user_id, other.user_id);
    assert!(one.guest && one.user_id.starts_with("guest-"), "{one:?}");
    let claims = world.claims(&one, now()).await;
    assert!(claims.guest);
    assert_eq!(&claims.key_thumbprint, world.terminal.thumbprint());
    assert_eq!((claims.display_name.as_str(), claims.organisation.as_str()), ("Zoë", "default"));
    assert_eq!(claims.user_id.as_str(), one.user_id);
    let users = world.users.clone().list_users(ListUsersRequest::default()).await.unwrap();
    assert!(users.into_inner().users.is_empty());
}

#[tokio::test]
async fn a_guest_belongs_to_the_organisation_it_named() {
    let world = World::start(&scratch::sqlite()).await;
    let request =
        RegisterGuestRequest { organisation: "acme".to_owned(), ..world.guest_request("Zoë") };
    let identity =
        world.credential.clone().register_guest(request).await.unwrap().into_inner().identity;
    let claims = world.claims(&identity.unwrap(), now()).await;
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
            ..world.guest_request(display_name)
        };
        let status = world.credential.clone().register_guest(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{organisation:?} {display_name:?}");
    }
}

#[tokio::test]
async fn guests_may_be_turned_away_and_options_say_so() {
    let database = scratch::sqlite();
    let options = |world: &World| {
        let mut client = world.credential.clone();
        async move {
            let request = GetLogInOptionsRequest::default();
            client.get_log_in_options(request).await.unwrap().into_inner().guests
        }
    };
    let open = World::start(&database).await;
    assert!(options(&open).await);
    let identity = open.guest("Zoë").await;
    drop(open);
    let config = Config { guests: false, ..Config::default() };
    let closed = World::start_with(&database, config).await;
    assert!(!options(&closed).await);
    let request = closed.guest_request("Zoë");
    let status = closed.credential.clone().register_guest(request).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    // Who was here before stays no longer either.
    assert_eq!(closed.join(&identity).await.unwrap_err().code(), Code::Unauthenticated);
}

async fn only_so_many_guests_come_from_one_place(database: ScratchDatabase) {
    let limits = Limits { guests_per_hour: 3, ..Limits::default() };
    let config = Config { limits, ..Config::default() };
    let (clock, hands) = manual_clock();
    let setting = Setting { config, clock, ..Setting::default() };
    let world = World::start_as(&database, setting).await;
    let from = |client_address: &str| {
        let mut client = world.credential.clone();
        let client_address = client_address.to_owned();
        let request = RegisterGuestRequest { client_address, ..world.guest_request("Zoë") };
        async move { client.register_guest(request).await.map_err(|status| status.code()) }
    };
    // All addresses of a network are one place.
    for address in ["2001:db8::1", "2001:db8::2:2", "2001:db8:0:0:ffff::"] {
        assert!(from(address).await.is_ok());
    }
    assert_eq!(from("2001:db8::9").await.unwrap_err(), Code::ResourceExhausted);
    assert!(from("2001:db8:0:1::9").await.is_ok());
    assert!(from("192.0.2.9").await.is_ok());
    hands.forward(3600);
    assert!(from("2001:db8::9").await.is_ok());
}

on_both_databases!(only_so_many_guests_come_from_one_place);
