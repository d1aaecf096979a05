//! Administrators and relays: setting up, listing, changing.

use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use tributary_contracts::{
    admin::v1::{
        CreateRelayEnrolmentRequest, ListRelaysRequest, Relay, RelayPrefixes, UpdateRelayRequest,
        relay_admin_service_client::RelayAdminServiceClient,
    },
    credential::v1::{GetRelayRequest, relay_identity_service_client::RelayIdentityServiceClient},
};
use tributary_database::scratch::{self, ScratchDatabase};
use tributary_service_runtime::{DEVELOPMENT_SERVICE_TOKEN, Secret, ServiceChannel};

use crate::{
    on_both_databases,
    relays::{Office, enrolment, get, setup, update},
    world::{Setting, World, manual_clock},
};

async fn page(world: &World, page_size: i32, page_token: &str) -> (Vec<Relay>, String) {
    let request = ListRelaysRequest {
        organisation: String::new(),
        page_size,
        page_token: page_token.to_owned(),
    };
    let answer = world.relays_admin.clone().list_relays(request).await.unwrap().into_inner();
    (answer.relays, answer.next_page_token)
}

async fn only(world: &World) -> Relay {
    let (mut relays, next) = page(world, 0, "").await;
    assert_eq!((relays.len(), next.as_str()), (1, ""));
    relays.remove(0)
}

fn field(status: &Status) -> (Code, String) {
    let details = status.get_error_details();
    let field = details.bad_request().unwrap().field_violations[0].field.clone();
    (status.code(), field)
}

async fn what_is_not_named_in_a_change_stays(database: ScratchDatabase) {
    let world = World::start(&database).await;
    let _office = Office::enrolled(&world, "office-a").await;
    let before = only(&world).await;
    let mut client = world.relays_admin.clone();
    let nothing = UpdateRelayRequest { relay_id: "office-a".to_owned(), ..Default::default() };
    let same = client.update_relay(nothing.clone()).await.unwrap().into_inner().relay.unwrap();
    assert_eq!(same, before);
    let named = client.update_relay(update("office-a", " New ")).await.unwrap().into_inner();
    assert_eq!(named.relay, Some(Relay { name: "New".to_owned(), ..before.clone() }));
    let all = UpdateRelayRequest {
        room: Some(true),
        uplink_limit_kbit: Some(0),
        voices_max: Some(16),
        prefixes: Some(RelayPrefixes { prefixes: vec!["2001:db8::/48".to_owned()] }),
        ..nothing.clone()
    };
    let changed = client.update_relay(all).await.unwrap().into_inner().relay.unwrap();
    assert_eq!((changed.room, changed.uplink_limit_kbit, changed.voices_max), (true, 0, 16));
    assert_eq!(changed.prefixes, ["2001:db8::/48"]);
    assert_eq!(only(&world).await, changed);
    let identity = get(&world, "office-a").await.unwrap();
    assert_eq!(identity.prefixes, ["2001:db8::/48"]);
    assert_eq!(identity.settings.unwrap().relay_name, "New");
    let none = UpdateRelayRequest { prefixes: Some(RelayPrefixes::default()), ..nothing };
    let cleared = client.update_relay(none).await.unwrap().into_inner().relay.unwrap();
    assert!(cleared.prefixes.is_empty());

    let unknown = client.update_relay(update("nobody", "Name")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    let elsewhere =
        UpdateRelayRequest { organisation: "acme".to_owned(), ..update("office-a", "Name") };
    assert_eq!(client.update_relay(elsewhere).await.unwrap_err().code(), Code::NotFound);
}

async fn what_a_relay_can_not_be_is_refused_by_field(database: ScratchDatabase) {
    let world = World::start(&database).await;
    let mut client = world.relays_admin.clone();
    let create = |how: &dyn Fn(&mut Relay)| {
        let mut relay = setup("office-a");
        how(&mut relay);
        CreateRelayEnrolmentRequest { relay: Some(relay), valid_for: None }
    };
    let networks = |count: usize| (0..count).map(|one| format!("10.0.{one}.0/24")).collect();
    for (request, expected) in [
        (create(&|relay| relay.relay_id = "a.b".to_owned()), "relay_id"),
        (create(&|relay| relay.organisation = "a b".to_owned()), "organisation"),
        (create(&|relay| relay.name = String::new()), "name"),
        (create(&|relay| relay.name = "a\u{202e}b".to_owned()), "name"),
        (create(&|relay| relay.uplink_limit_kbit = 63), "uplink_limit_kbit"),
        (create(&|relay| relay.voices_max = 17), "voices_max"),
        (create(&|relay| relay.prefixes = networks(65)), "prefixes"),
        (create(&|relay| relay.prefixes = vec!["10.0.0.1/24".to_owned()]), "prefixes"),
        (CreateRelayEnrolmentRequest::default(), "relay"),
    ] {
        let refused = client.create_relay_enrolment(request).await.unwrap_err();
        assert_eq!(field(&refused), (Code::InvalidArgument, expected.to_owned()));
    }
    for seconds in [-1, 0, 30 * 24 * 3600 + 1] {
        let valid_for = Some(prost_types::Duration { seconds, nanos: 0 });
        let request = CreateRelayEnrolmentRequest { valid_for, ..enrolment("office-a") };
        let refused = client.create_relay_enrolment(request).await.unwrap_err();
        assert_eq!(field(&refused).1, "valid_for", "{seconds}");
    }
    assert_eq!(page(&world, 0, "").await.0, [], "nothing was set up");
    client.create_relay_enrolment(create(&|relay| relay.prefixes = networks(64))).await.unwrap();
    let refused = client.update_relay(update("office-a", "")).await.unwrap_err();
    assert_eq!(field(&refused).1, "name");
    for (size, token) in [(-1, ""), (0, "!"), (0, "YS5i")] {
        let request = ListRelaysRequest {
            page_size: size,
            page_token: token.to_owned(),
            ..Default::default()
        };
        assert_eq!(client.list_relays(request).await.unwrap_err().code(), Code::InvalidArgument);
    }
}

async fn relays_are_listed_by_id_in_pages(database: ScratchDatabase) {
    let world = World::start(&database).await;
    for number in (0..7).rev() {
        Office::token(&world, &format!("relay-{number}")).await;
    }
    let mut acme = enrolment("relay-0");
    acme.relay.as_mut().unwrap().organisation = "acme".to_owned();
    world.relays_admin.clone().create_relay_enrolment(acme).await.unwrap();
    let (mut ids, mut sizes, mut token) = (Vec::new(), Vec::new(), String::new());
    loop {
        let (relays, next) = page(&world, 3, &token).await;
        sizes.push(relays.len());
        ids.extend(relays.into_iter().map(|relay| relay.relay_id));
        token = next;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(sizes, [3, 3, 1]);
    assert_eq!(ids, (0..7).map(|number| format!("relay-{number}")).collect::<Vec<_>>());
    assert_eq!(page(&world, 0, "").await.0.len(), 7);
}

async fn when_a_relay_attached_is_known_to_the_minute(database: ScratchDatabase) {
    let (clock, hands) = manual_clock();
    let world = World::start_as(&database, Setting { clock, ..Setting::default() }).await;
    let office = Office::enrolled(&world, "office-a").await;
    assert_eq!(only(&world).await.attached_at, None);
    let attached = async |expected: u64| {
        office.attach(&world).await.unwrap();
        assert_eq!(only(&world).await.attached_at.unwrap().seconds as u64, expected);
    };
    let first = hands.seconds();
    attached(first).await;
    hands.forward(59);
    attached(first).await;
    hands.forward(1);
    attached(first + 60).await;

    // Set up anew it keeps its key and its times; enrolled anew they are new.
    let before = only(&world).await;
    hands.forward(100);
    let mut renamed = enrolment("office-a");
    renamed.relay.as_mut().unwrap().name = "Renamed".to_owned();
    let answer = world.relays_admin.clone().create_relay_enrolment(renamed).await.unwrap();
    let answer = answer.into_inner();
    let expected = Relay { name: "Renamed".to_owned(), ..before.clone() };
    assert_eq!(answer.relay, Some(expected.clone()));
    assert!(office.attach(&world).await.is_ok());
    Office::enrol(&world, "office-a", &answer.token).await.unwrap();
    let after = only(&world).await;
    assert_eq!(after.enrolled_at.unwrap().seconds as u64, hands.seconds());
    assert_eq!((after.key_since, after.revoked_at), (after.enrolled_at, None));
    Office::revoke(&world, "office-a").await.unwrap();
    let revoked_at = only(&world).await.revoked_at;
    assert_eq!(revoked_at.unwrap().seconds as u64, hands.seconds());
    hands.forward(10);
    Office::revoke(&world, "office-a").await.unwrap();
    assert_eq!(only(&world).await.revoked_at, revoked_at, "it keeps the first time");
}

on_both_databases!(
    what_is_not_named_in_a_change_stays,
    what_a_relay_can_not_be_is_refused_by_field,
    relays_are_listed_by_id_in_pages,
    when_a_relay_attached_is_known_to_the_minute,
);

#[tokio::test]
async fn each_service_is_opened_by_its_own_token_only() {
    let world = World::start(&scratch::sqlite()).await;
    let service = Secret::new(DEVELOPMENT_SERVICE_TOKEN);
    let channel = ServiceChannel::lazy("credential", &world.address, &service).unwrap();
    let mut admin = RelayAdminServiceClient::new(channel);
    let refused = admin.create_relay_enrolment(enrolment("office-a")).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let wrong = Secret::new("wrong");
    let channel = ServiceChannel::lazy("credential", &world.address, &wrong).unwrap();
    let mut relays = RelayIdentityServiceClient::new(channel);
    let refused = relays.get_relay(GetRelayRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}
