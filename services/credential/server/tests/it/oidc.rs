//! Log-in at a real OpenID Connect provider, end to end.

use futures_util::future::join_all;
use openidconnect::url::Url;
use tonic::Code;
use tonic_types::StatusExt as _;
use tributary_contracts::{
    admin::v1::GetUserRequest,
    credential::v1::{BeginOidcLogInRequest, GetLogInOptionsRequest, RefreshIdentityRequest},
};
use tributary_credential_server::OidcProvider;
use tributary_database::scratch::{self, ScratchDatabase};
use tributary_join_credential::TerminalKey;

use crate::{
    on_both_databases,
    provider::{Provider, Returned, browse, configured, with},
    world::{PASSWORD, Setting, World, manual_clock, now, until},
};

async fn somebody_logs_in_and_is_the_same_the_next_time(database: ScratchDatabase) {
    let provider = Provider::start(&[]).await;
    let world = World::start_with(&database, with(vec![provider.configured("corp")])).await;
    let begun = world.begin("corp").await.unwrap();
    let url = Url::parse(&begun.authorization_url).unwrap();
    let query: std::collections::BTreeMap<_, _> = url.query_pairs().into_owned().collect();
    assert_eq!((&query["state"], query["response_type"].as_str()), (&begun.state, "code"));
    assert_eq!(query["code_challenge_method"], "S256");
    assert!(query["nonce"].len() >= 43 && query["code_challenge"].len() == 43);
    assert_eq!(query["scope"], "openid profile email");

    let returned = browse(&begun.authorization_url, "ada.lovelace").await;
    assert_eq!(returned.state, begun.state);
    let first = world.finish(&returned).await.unwrap();
    assert_eq!((first.display_name.as_str(), first.guest), ("Ada Lovelace", false));
    let claims = world.claims(&first, now()).await;
    assert_eq!(&claims.key_thumbprint, world.terminal.thumbprint());
    assert!(world.join(&first).await.is_ok());
    let refresh: RefreshIdentityRequest = World::refresh_request(&first, &world.terminal, now());
    assert!(world.credential.clone().refresh_identity(refresh).await.is_ok());

    let request = GetUserRequest { organisation: String::new(), user_id: first.user_id.clone() };
    let user = world.users.clone().get_user(request).await.unwrap().into_inner().user.unwrap();
    assert_eq!((user.user_name.as_str(), user.has_password), ("ada.lovelace", false));
    // No password opens an account that has none.
    for word in ["", "x", PASSWORD] {
        assert!(world.log_in("ada.lovelace", word).await.is_err());
    }
    let again = world.log_in_at("corp", "ada.lovelace").await.unwrap();
    assert_eq!(again.user_id, first.user_id);
    let other = world.log_in_at("corp", "grace.hopper").await.unwrap();
    assert_ne!(other.user_id, first.user_id);
}

async fn a_name_that_is_taken_does_not_open_the_account_that_has_it(database: ScratchDatabase) {
    let provider = Provider::start(&[]).await;
    let world = World::start_with(&database, with(vec![provider.configured("corp")])).await;
    let ada = world.create_user("ada").await;
    let two = world.create_user("ada-2").await;
    let identity = world.log_in_at("corp", "ada").await.unwrap();
    assert!(![ada.user_id, two.user_id].contains(&identity.user_id));
    let request = GetUserRequest { organisation: String::new(), user_id: identity.user_id.clone() };
    let user = world.users.clone().get_user(request).await.unwrap().into_inner().user.unwrap();
    assert_eq!(user.user_name, "ada-3");
}

async fn a_state_is_good_once_for_one_key_and_ten_minutes(database: ScratchDatabase) {
    let provider = Provider::start(&[]).await;
    let (clock, hands) = manual_clock();
    let config = with(vec![provider.configured("corp")]);
    let setting = Setting { config, clock, ..Setting::default() };
    let mut world = World::start_as(&database, setting).await;
    let begun = world.begin("corp").await.unwrap();
    let returned = browse(&begun.authorization_url, "ada").await;
    // Another terminal can't finish it, and does not spoil it.
    let own = std::mem::replace(&mut world.terminal, TerminalKey::generate().unwrap());
    assert_eq!(world.finish(&returned).await.unwrap_err().code(), Code::Unauthenticated);
    world.terminal = own;
    let answers = join_all((0..4).map(|_| world.finish(&returned))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let replayed = world.finish(&returned).await.unwrap_err();
    assert_eq!(replayed.code(), Code::Unauthenticated);
    assert!(replayed.message().contains("begin it again"), "{replayed:?}");

    let begun = world.begin("corp").await.unwrap();
    let returned = browse(&begun.authorization_url, "ada").await;
    hands.forward(600);
    assert_eq!(world.finish(&returned).await.unwrap_err().code(), Code::Unauthenticated);

    let begun = world.begin("corp").await.unwrap();
    let Returned { code, issuer, .. } = browse(&begun.authorization_url, "ada").await;
    for state in ["", "x", &"x".repeat(100_000), &begun.state[1..]] {
        let returned =
            Returned { state: state.to_owned(), code: code.clone(), issuer: issuer.clone() };
        assert_eq!(world.finish(&returned).await.unwrap_err().code(), Code::Unauthenticated);
    }
    for code in ["", "x", &"x".repeat(5000)] {
        let begun = world.begin("corp").await.unwrap();
        let returned =
            Returned { state: begun.state, code: code.to_owned(), issuer: issuer.clone() };
        assert_eq!(world.finish(&returned).await.unwrap_err().code(), Code::Unauthenticated);
    }
}

async fn who_was_removed_does_not_come_back_by_logging_in(database: ScratchDatabase) {
    let provider = Provider::start(&[]).await;
    let world = World::start_with(&database, with(vec![provider.configured("corp")])).await;
    let identity = world.log_in_at("corp", "ada").await.unwrap();
    world.delete_user(&identity.user_id).await;
    let status = world.log_in_at("corp", "ada").await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
}

async fn one_person_who_logs_in_twice_at_once_has_one_account(database: ScratchDatabase) {
    let provider = Provider::start(&[]).await;
    let world = World::start_with(&database, with(vec![provider.configured("corp")])).await;
    let log_ins = join_all((0..4).map(|_| world.log_in_at("corp", "ada"))).await;
    let mut ids: Vec<_> = log_ins.into_iter().map(|identity| identity.unwrap().user_id).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1);
}

on_both_databases!(
    somebody_logs_in_and_is_the_same_the_next_time,
    a_name_that_is_taken_does_not_open_the_account_that_has_it,
    a_state_is_good_once_for_one_key_and_ten_minutes,
    who_was_removed_does_not_come_back_by_logging_in,
    one_person_who_logs_in_twice_at_once_has_one_account,
);

#[tokio::test]
async fn a_code_of_one_provider_is_of_no_use_at_another() {
    let (corp, other) = (Provider::start(&[]).await, Provider::start(&[]).await);
    let providers = vec![corp.configured("corp"), other.configured("other")];
    let world = World::start_with(&scratch::sqlite(), with(providers)).await;
    let at_corp = world.begin("corp").await.unwrap();
    let at_other = world.begin("other").await.unwrap();
    let Returned { code, issuer, .. } = browse(&at_other.authorization_url, "ada").await;
    assert_eq!(issuer, other.issuer);
    let mixed = Returned { state: at_corp.state, code, issuer };
    assert_eq!(world.finish(&mixed).await.unwrap_err().code(), Code::Unauthenticated);
    // The same subject at two issuers is two people.
    let one = world.log_in_at("corp", "ada").await.unwrap();
    let two = world.log_in_at("other", "ada").await.unwrap();
    assert_ne!(one.user_id, two.user_id);
}

#[tokio::test]
async fn a_code_of_another_log_in_is_of_no_use_either() {
    let provider = Provider::start(&[]).await;
    let config = with(vec![provider.configured("corp")]);
    let world = World::start_with(&scratch::sqlite(), config).await;
    let victim = world.begin("corp").await.unwrap();
    let attacker = world.begin("corp").await.unwrap();
    let Returned { code, issuer, .. } = browse(&attacker.authorization_url, "mallory").await;
    // Without the verifier of the log-in it was made for (RFC 7636).
    let injected = Returned { state: victim.state, code, issuer };
    assert_eq!(world.finish(&injected).await.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn only_verified_addresses_of_allowed_domains_may_enter() {
    let provider = Provider::start(&[]).await;
    let allowed = OidcProvider {
        allowed_email_domains: vec!["Example.org".into()],
        ..provider.configured("allowed")
    };
    let elsewhere = OidcProvider {
        allowed_email_domains: vec!["example.com".into()],
        ..provider.configured("elsewhere")
    };
    let world = World::start_with(&scratch::sqlite(), with(vec![allowed, elsewhere])).await;
    let status = world.log_in_at("elsewhere", "ada").await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    let reason = status.get_error_details().error_info().unwrap().reason.clone();
    assert_eq!(reason, "EMAIL_NOT_ALLOWED");
    assert!(world.log_in_at("allowed", "ada").await.is_ok());
}

#[tokio::test]
async fn options_and_requests_are_of_the_organisation() {
    let provider = configured("http://127.0.0.1:9", "corp");
    let acme = OidcProvider { organisation: "acme".into(), ..configured("http://[::1]:9", "a") };
    let config = with(vec![provider, acme]);
    let world = World::start_with(&scratch::sqlite(), config).await;
    let options = async |organisation: &str| {
        let request = GetLogInOptionsRequest { organisation: organisation.to_owned() };
        let options = world.credential.clone().get_log_in_options(request).await.unwrap();
        let providers = options.into_inner().oidc_providers.into_iter();
        providers.map(|provider| (provider.provider_id, provider.name)).collect::<Vec<_>>()
    };
    let pair = |id: &str, name: &str| (id.to_owned(), name.to_owned());
    assert_eq!(options("").await, [pair("corp", "The corp")]);
    assert_eq!(options("acme").await, [pair("a", "The a")]);
    assert_eq!(options("other").await, []);
    let good = world.begin_request("corp");
    let elsewhere = "https://evil.example/".to_owned();
    for (field, request) in [
        ("provider_id", BeginOidcLogInRequest { provider_id: "a".into(), ..good.clone() }),
        ("provider_id", BeginOidcLogInRequest { organisation: "acme".into(), ..good.clone() }),
        ("redirect_uri", BeginOidcLogInRequest { redirect_uri: elsewhere, ..good.clone() }),
        ("key_thumbprint", BeginOidcLogInRequest { key_thumbprint: "x".into(), ..good.clone() }),
    ] {
        let status = world.credential.clone().begin_oidc_log_in(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{field}");
        assert!(status.message().starts_with(field), "{status:?}");
    }
}

#[tokio::test]
async fn a_provider_that_is_down_is_no_harm_and_comes_back_with_new_keys() {
    let provider = Provider::start(&[]).await;
    let (port, config) = (provider.port().to_owned(), with(vec![provider.configured("corp")]));
    drop(provider);
    let database = scratch::sqlite();
    // It is not asked at the start.
    let world = World::start_with(&database, config).await;
    let status = world.begin("corp").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(world.guest("Zoë").await.guest);
    let restart = async || {
        let provider = Provider::start(&["--port", &port]).await;
        until("the provider is asked again", || async { world.begin("corp").await.is_ok() }).await;
        provider
    };
    let provider = restart().await;
    let first = world.log_in_at("corp", "ada").await.unwrap();
    let begun = world.begin("corp").await.unwrap();
    let returned = browse(&begun.authorization_url, "ada").await;
    drop(provider);
    let away = world.finish(&returned).await.unwrap_err();
    assert_eq!(away.code(), Code::Unavailable);
    assert!(away.message().contains("try again"), "{away:?}");
    // What it has said is remembered, so that log-ins can be begun.
    assert!(world.begin("corp").await.is_ok());
    drop(first);
}

#[tokio::test]
async fn other_signature_algorithms_of_providers_are_understood() {
    for algorithm in ["ES256", "EdDSA"] {
        let provider = Provider::start(&["--algorithm", algorithm]).await;
        let config = with(vec![provider.configured("corp")]);
        let world = World::start_with(&scratch::sqlite(), config).await;
        assert!(world.log_in_at("corp", "ada").await.is_ok(), "{algorithm}");
    }
}

#[tokio::test]
async fn a_public_client_logs_in_without_a_secret_and_a_wrong_secret_does_not() {
    let public = Provider::start(&["--client-secret", ""]).await;
    let none = OidcProvider { client_secret: "".into(), ..public.configured("public") };
    let private = Provider::start(&[]).await;
    let wrong = OidcProvider { client_secret: "wrong".into(), ..private.configured("wrong") };
    let world = World::start_with(&scratch::sqlite(), with(vec![none, wrong])).await;
    assert!(world.log_in_at("public", "ada").await.is_ok());
    let status = world.log_in_at("wrong", "ada").await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert!(!status.message().contains("wrong"), "{status:?}");
}
