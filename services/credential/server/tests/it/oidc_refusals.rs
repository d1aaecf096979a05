//! What a provider, or somebody in its place, can send that proves nothing.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tonic::Code;
use tributary_contracts::credential::v1::BeginOidcLogInRequest;
use tributary_credential_server::{Config, Limits, OidcProvider};
use tributary_database::scratch;
use tributary_join_credential::SigningKey;

use crate::{
    forged_provider::{Answer, ForgedProvider, keyed, signed, unsigned},
    provider::{Returned, configured, with},
    world::{Setting, World, manual_clock, now, shape},
};

async fn start() -> (ForgedProvider, World) {
    let provider = ForgedProvider::start().await;
    let config = with(vec![configured(&provider.issuer, "corp")]);
    (provider, World::start_with(&scratch::sqlite(), config).await)
}

#[tokio::test]
async fn what_is_right_is_accepted() {
    let (provider, world) = start().await;
    let returned = provider.returned(&world).await;
    assert_eq!(world.finish(&returned).await.unwrap().display_name, "Ada");
}

#[tokio::test]
async fn every_identity_token_but_a_right_one_is_refused_in_the_same_words() {
    let (provider, world) = start().await;
    let mut refusals = Vec::new();
    let wrong = |name: &'static str, value: Value| (name, value);
    for (name, value) in [
        wrong("iss", json!("https://other.example")),
        wrong("iss", json!(format!("{}/", provider.issuer))),
        wrong("aud", json!("somebody-else")),
        wrong("aud", json!(["tributary", "somebody-else"])),
        wrong("azp", json!("somebody-else")),
        wrong("exp", json!(now() - 1)),
        wrong("exp", json!("soon")),
        wrong("exp", Value::Null),
        wrong("iat", json!(now() - 3600)),
        wrong("iat", json!(now() + 3600)),
        wrong("sub", json!("")),
        wrong("sub", json!("x".repeat(256))),
        wrong("nonce", json!("another")),
        wrong("nonce", Value::Null),
        wrong("at_hash", json!("AAAAAAAAAAAAAAAAAAAAAA")),
    ] {
        let returned = provider.returned(&world).await;
        let mut claims = provider.claims();
        claims[name] = value;
        let token = provider.signed(&provider.header(), &claims);
        provider.set(|script| script.token = Some(token));
        let refused = world.finish(&returned).await;
        let status = refused.expect_err(&format!("{name}: {claims}"));
        // A token that can't be read is no answer at all.
        if status.code() != Code::Unavailable {
            refusals.push(shape(&status));
        }
    }
    assert!(refusals.len() >= 12, "{}", refusals.len());
    assert_eq!(refusals[0].0, Code::Unauthenticated);
    refusals.dedup();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
}

#[tokio::test]
async fn only_the_providers_own_keys_count() {
    let (provider, world) = start().await;
    let forger = SigningKey::generate().unwrap();
    let key_id = provider.key.key_id().as_str();
    for (what, forge) in [
        ("another key with its id", 0),
        ("another key", 1),
        ("no algorithm", 2),
        ("no signature", 3),
        ("the shared secret", 4),
        ("a key that it brings along", 5),
    ] {
        let returned = provider.returned(&world).await;
        let claims = provider.claims();
        let jwk: Value =
            serde_json::from_str(&tributary_join_credential::KeySet::of([&forger]).to_jwks())
                .unwrap();
        let token = match forge {
            0 => signed(&forger, &provider.header(), &claims),
            1 => {
                let header = json!({ "alg": "EdDSA", "kid": forger.key_id().as_str() });
                signed(&forger, &header, &claims)
            }
            2 => format!("{}.", unsigned(&json!({ "alg": "none", "kid": key_id }), &claims)),
            3 => format!("{}.", unsigned(&provider.header(), &claims)),
            4 => keyed(&claims),
            _ => {
                let header = json!({ "alg": "EdDSA", "jwk": jwk["keys"][0] });
                signed(&forger, &header, &claims)
            }
        };
        provider.set(|script| script.token = Some(token));
        assert!(world.finish(&returned).await.is_err(), "{what}");
    }
    provider.set(|script| script.token = None);
    let returned = provider.returned(&world).await;
    assert!(world.finish(&returned).await.is_ok());
}

#[tokio::test]
async fn what_the_user_info_endpoint_says_of_somebody_else_is_not_believed() {
    let (provider, world) = start().await;
    provider.set(|script| script.user_info = json!({ "sub": "eve", "name": "Eve" }));
    let returned = provider.returned(&world).await;
    assert_eq!(world.finish(&returned).await.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn an_address_that_was_not_verified_lets_nobody_in() {
    let provider = ForgedProvider::start().await;
    let only = OidcProvider {
        allowed_email_domains: vec!["example.org".into()],
        ..configured(&provider.issuer, "corp")
    };
    let world = World::start_with(&scratch::sqlite(), with(vec![only])).await;
    for (verified, right) in [(json!(false), false), (Value::Null, false), (json!(true), true)] {
        provider.set(|script| script.claims["email_verified"] = verified);
        let returned = provider.returned(&world).await;
        assert_eq!(world.finish(&returned).await.is_ok(), right);
    }
}

#[tokio::test]
async fn a_provider_that_misbehaves_is_unavailable_soon_and_leads_nowhere() {
    let (provider, world) = start().await;
    for answer in [Answer::Redirect, Answer::Huge, Answer::ServerError, Answer::Never] {
        provider.set(|script| script.token_answer = Some(answer));
        let returned = provider.returned(&world).await;
        let began = Instant::now();
        let status = world.finish(&returned).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
    assert_eq!(*provider.followed.lock().unwrap(), 0);
}

#[tokio::test]
async fn metadata_of_another_issuer_or_with_unsafe_addresses_is_not_used() {
    for other in [
        json!({ "issuer": "https://other.example" }),
        json!({ "jwks_uri": "http://192.0.2.1/jwks" }),
    ] {
        let (provider, world) = start().await;
        provider.set(|script| script.metadata = other.clone());
        let status = world.begin("corp").await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{other}");
    }
}

#[tokio::test]
async fn a_redirect_of_another_provider_is_refused_before_its_code_goes_anywhere() {
    for (announced, required) in [(true, false), (false, true), (true, true), (false, false)] {
        let provider = ForgedProvider::start().await;
        if announced {
            let metadata = json!({ "authorization_response_iss_parameter_supported": true });
            provider.set(|script| script.metadata = metadata);
        }
        let config =
            OidcProvider { iss_required: required, ..configured(&provider.issuer, "corp") };
        let world = World::start_with(&scratch::sqlite(), with(vec![config])).await;
        // Whoever asked for tokens now would be told that the provider is unavailable.
        provider.set(|script| script.token_answer = Some(Answer::ServerError));
        let other = format!("{}/", provider.issuer);
        let mut wrong = vec!["https://other.example".to_owned(), other, "x".repeat(100_000)];
        if announced || required {
            wrong.push(String::new());
        }
        for issuer in wrong {
            let returned = Returned { issuer, ..provider.returned(&world).await };
            let status = world.finish(&returned).await.unwrap_err();
            assert_eq!(status.code(), Code::Unauthenticated, "{announced} {required}");
        }
        provider.set(|script| script.token_answer = None);
        let issuer = provider.issuer.clone();
        let returned = Returned { issuer, ..provider.returned(&world).await };
        assert!(world.finish(&returned).await.is_ok(), "{announced} {required}");
    }
}

#[tokio::test]
async fn one_place_begins_so_many_log_ins_and_leaves_the_rest_to_others() {
    let provider = ForgedProvider::start().await;
    let limits = Limits { oidc_log_ins_per_prefix: 3, ..Limits::default() };
    let config = Config { limits, ..with(vec![configured(&provider.issuer, "corp")]) };
    let (clock, hands) = manual_clock();
    let setting = Setting { config, clock, ..Setting::default() };
    let world = World::start_as(&scratch::sqlite(), setting).await;
    let begin = async |address: &str| {
        let request = BeginOidcLogInRequest {
            client_address: address.to_owned(),
            ..world.begin_request("corp")
        };
        world.credential.clone().begin_oidc_log_in(request).await.map_err(|status| status.code())
    };
    for host in 1..=3 {
        assert!(begin(&format!("2001:db8::{host}")).await.is_ok());
    }
    assert_eq!(begin("2001:db8::4").await.unwrap_err(), Code::ResourceExhausted);
    assert!(begin("2001:db8:1::1").await.is_ok());
    assert!(begin("").await.is_ok());
    assert_eq!(begin("nowhere").await.unwrap_err(), Code::InvalidArgument);
    hands.forward(600);
    assert!(begin("2001:db8::4").await.is_ok());
}
