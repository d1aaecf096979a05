//! Every token but a right one is refused, for the right reason.

use proptest::prelude::*;
use tributary_join_credential::{
    KeySet, RECONNECT_SECONDS, SigningError, SigningKey, TerminalKey, VerifyError,
};

use crate::{NOW, forge, identity, join};

struct World {
    key: SigningKey,
    keys: KeySet,
    credential: String,
    header: String,
    payload: String,
}

fn world() -> World {
    let key = SigningKey::generate().unwrap();
    let keys = KeySet::of([&key]);
    let terminal = TerminalKey::generate().unwrap();
    let credential = key.issue_join(&join(terminal.thumbprint().as_str())).unwrap();
    let (header, payload) = (forge::part(&credential, 0), forge::part(&credential, 1));
    World { key, keys, credential, header, payload }
}

impl World {
    #[track_caller]
    fn refuses(&self, token: &str, expected: VerifyError) {
        let name: String = token.chars().take(80).collect();
        assert_eq!(self.keys.verify_join(token, NOW).unwrap_err(), expected, "{name}");
    }

    /// Signs the right payload under another header.
    #[track_caller]
    fn refuses_header(&self, header: &str, expected: VerifyError) {
        self.refuses(&forge::signed(&self.key, header, &self.payload), expected);
    }

    /// Signs another payload under the right header.
    #[track_caller]
    fn refuses_payload(&self, payload: &str, expected: VerifyError) {
        self.refuses(&forge::signed(&self.key, &self.header, payload), expected);
    }

    /// The payload with one claim replaced by `json`, or removed.
    fn with_claim(&self, name: &str, json: Option<&str>) -> String {
        let mut claims: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&self.payload).unwrap();
        claims.remove(name).unwrap();
        let rest = serde_json::to_string(&claims).unwrap();
        match json {
            None => rest,
            Some(json) => format!("{{\"{name}\":{json},{}", &rest[1..]),
        }
    }
}

#[test]
fn a_right_token_says_what_was_put_into_it() {
    let world = world();
    let verified = world.keys.verify_join(&world.credential, NOW).unwrap();
    assert_eq!(verified.claims, join(verified.claims.key_thumbprint.as_str()));
    assert_eq!(&verified.key_id, world.key.key_id());
    let token = world.key.issue_identity(&identity()).unwrap();
    let other = world.keys.verify_identity(&token, NOW).unwrap();
    assert_eq!(other.claims, identity());
    assert_ne!(other.token_id, verified.token_id);
}

#[test]
fn a_token_signed_anew_with_the_same_parts_is_accepted() {
    let world = world();
    let token = forge::signed(&world.key, &world.header, &world.payload);
    assert!(world.keys.verify_join(&token, NOW).is_ok());
}

#[test]
fn a_token_lives_from_a_leeway_before_its_start_to_a_leeway_after_its_end() {
    let world = world();
    let check = |now| world.keys.verify_join(&world.credential, now).map(|_| ());
    assert_eq!(check(NOW - 61), Err(VerifyError::NotYetValid));
    assert_eq!(check(NOW - 59), Ok(()));
    assert_eq!(check(NOW + 300 + 59), Ok(()));
    assert_eq!(check(NOW + 300 + 61), Err(VerifyError::Expired));
    assert_eq!(check(u64::MAX), Err(VerifyError::Expired));
    assert_eq!(check(0), Err(VerifyError::NotYetValid));
}

#[test]
fn a_credential_that_has_ended_shows_for_half_a_day_that_its_user_was_in() {
    let world = world();
    let check = |now| world.keys.verify_previous_join(&world.credential, now).map(|_| ());
    assert_eq!(check(NOW), Ok(()));
    assert_eq!(check(NOW + 300 + RECONNECT_SECONDS + 59), Ok(()));
    assert_eq!(check(NOW + 300 + RECONNECT_SECONDS + 60), Err(VerifyError::Expired));
    assert_eq!(check(u64::MAX), Err(VerifyError::Expired));
    let token = world.key.issue_identity(&identity()).unwrap();
    let refused = world.keys.verify_previous_join(&token, NOW);
    assert_eq!(refused, Err(VerifyError::WrongType));
}

#[test]
fn one_kind_of_token_is_never_taken_for_the_other() {
    let world = world();
    let token = world.key.issue_identity(&identity()).unwrap();
    world.refuses(&token, VerifyError::WrongType);
    let refused = world.keys.verify_identity(&world.credential, NOW);
    assert_eq!(refused, Err(VerifyError::WrongType));
    for typ in ["JWT", "", "tributary-identity+jwt", "TRIBUTARY-JOIN+JWT"] {
        let header = world.header.replace("tributary-join+jwt", typ);
        world.refuses_header(&header, VerifyError::WrongType);
    }
    let disguised = world.header.replace("tributary-join+jwt", "tributary-identity+jwt");
    let token = forge::signed(&world.key, &disguised, &world.payload);
    let refused = world.keys.verify_identity(&token, NOW);
    assert_eq!(refused, Err(VerifyError::MalformedClaims));
}

#[test]
fn a_forgers_own_key_is_unknown_and_a_borrowed_key_id_does_not_help() {
    let world = world();
    let forger = SigningKey::generate().unwrap();
    let own = forger.issue_join(&join("x")).unwrap();
    world.refuses(&own, VerifyError::UnknownKey);
    let borrowed = forge::signed(&forger, &world.header, &world.payload);
    world.refuses(&borrowed, VerifyError::BadSignature);
    for kid in ["../../etc/passwd", "", "' or 1=1"] {
        let header = world.header.replace(world.key.key_id().as_str(), kid);
        world.refuses_header(&header, VerifyError::UnknownKey);
    }
}

#[test]
fn no_other_algorithm_is_accepted() {
    let world = world();
    for alg in ["none", "None", "HS256", "ES256", "RS256", "EdDSA ", "Ed25519", ""] {
        let header = world.header.replace("EdDSA", alg);
        world.refuses_header(&header, VerifyError::WrongAlgorithm);
        let bare = format!("{}.", forge::unsigned(&header, &world.payload));
        world.refuses(&bare, VerifyError::WrongAlgorithm);
    }
    let public_key = world.keys.to_jwks();
    let header = world.header.replace("EdDSA", "HS256");
    let keyed = forge::keyed(public_key.as_bytes(), &header, &world.payload);
    world.refuses(&keyed, VerifyError::WrongAlgorithm);
    let keyed = forge::keyed(public_key.as_bytes(), &world.header, &world.payload);
    world.refuses(&keyed, VerifyError::BadSignature);
}

#[test]
fn keys_that_a_token_brings_along_are_not_used() {
    let world = world();
    let forger = SigningKey::generate().unwrap();
    let jwk = KeySet::of([&forger]).to_jwks();
    let jwk = &jwk[r#"{"keys":["#.len()..jwk.len() - 2];
    let extras = [
        format!("\"jwk\":{jwk},"),
        "\"jku\":\"http://127.0.0.1:9/keys\",".to_owned(),
        "\"x5u\":\"http://127.0.0.1:9/chain\",".to_owned(),
    ];
    for extra in extras {
        let header = format!("{{{extra}{}", &world.header[1..]);
        let token = forge::signed(&forger, &header, &world.payload);
        world.refuses(&token, VerifyError::BadSignature);
    }
}

#[test]
fn a_header_that_is_not_as_it_must_be_is_malformed() {
    let world = world();
    let kid = world.key.key_id();
    let headers = [
        String::new(),
        "null".to_owned(),
        "{".to_owned(),
        r#"{"alg":"EdDSA","typ":"tributary-join+jwt"}"#.to_owned(),
        format!(r#"{{"alg":"EdDSA","kid":"{kid}"}}"#),
        format!(r#"{{"typ":"tributary-join+jwt","kid":"{kid}"}}"#),
        format!("{{\"crit\":[\"exp\"],{}", &world.header[1..]),
        format!("{{\"alg\":\"EdDSA\",{}", &world.header[1..]),
        format!("{{\"kid\":7,{}", &world.header[1..]),
    ];
    for header in headers {
        world.refuses_header(&header, VerifyError::Malformed);
    }
}

#[test]
fn every_claim_is_required() {
    let world = world();
    for name in ["iss", "aud", "sub", "jti", "iat", "nbf", "exp", "org", "name", "guest"] {
        world.refuses_payload(&world.with_claim(name, None), VerifyError::MalformedClaims);
        let null = world.with_claim(name, Some("null"));
        world.refuses_payload(&null, VerifyError::MalformedClaims);
    }
    for name in ["mtg", "cnf"] {
        world.refuses_payload(&world.with_claim(name, None), VerifyError::MalformedClaims);
    }
    let token = world.key.issue_identity(&identity()).unwrap();
    let (header, payload) = (forge::part(&token, 0), forge::part(&token, 1));
    let unbound = payload.replace(r#","cnf":{"jkt":"thumb"}"#, "");
    assert_ne!(unbound, payload);
    let refused = world.keys.verify_identity(&forge::signed(&world.key, &header, &unbound), NOW);
    assert_eq!(refused, Err(VerifyError::MalformedClaims));
}

#[test]
fn claims_of_another_type_are_refused_and_never_count_as_absent() {
    let world = world();
    let later = (NOW + 300).to_string();
    let quoted = format!("\"{later}\"");
    let float = format!("{later}.5");
    for name in ["exp", "nbf", "iat"] {
        for json in [&quoted, &float, "-1", "1e400", "true", "[]", "{}", "18446744073709551616"] {
            let payload = world.with_claim(name, Some(json));
            world.refuses_payload(&payload, VerifyError::MalformedClaims);
        }
    }
    for (name, json) in [
        ("guest", "\"true\""),
        ("guest", "1"),
        ("mtg", "7"),
        ("mtg", "\"-7\""),
        ("mtg", "\"9223372036854775808\""),
        ("org", "\"a.b\""),
        ("sub", "\"*\""),
        ("sub", "[\"u-1\"]"),
        ("jti", "\"x\""),
        ("jti", "7"),
        ("cnf", "\"x\""),
        ("cnf", "{\"jkt\":1}"),
        ("name", "{}"),
    ] {
        let payload = world.with_claim(name, Some(json));
        world.refuses_payload(&payload, VerifyError::MalformedClaims);
    }
}

#[test]
fn a_claim_that_comes_twice_is_refused() {
    let world = world();
    for name in ["exp", "sub", "mtg", "org"] {
        let twice = format!("{{\"{name}\":null,{}", &world.payload[1..]);
        world.refuses_payload(&twice, VerifyError::MalformedClaims);
    }
    let meeting = format!("{{\"mtg\":\"7\",{}", &world.payload[1..]);
    world.refuses_payload(&meeting, VerifyError::MalformedClaims);
}

#[test]
fn another_issuer_or_audience_is_refused() {
    let world = world();
    let check = |name, json| {
        world.refuses_payload(&world.with_claim(name, Some(json)), VerifyError::WrongAudience);
    };
    check("iss", "\"somebody\"");
    check("aud", "\"other-service\"");
    check("aud", "\"Tributary\"");
}

#[test]
fn claims_that_this_version_does_not_know_are_ignored() {
    let world = world();
    let payload = format!("{{\"later\":[1,{{}}],{}", &world.payload[1..]);
    let token = forge::signed(&world.key, &world.header, &payload);
    assert!(world.keys.verify_join(&token, NOW).is_ok());
}

#[test]
fn an_oversized_token_is_refused_unread_and_never_made() {
    let world = world();
    world.refuses(&format!("{}{}", world.credential, "A".repeat(4096)), VerifyError::TooLong);
    world.refuses(&".".repeat(64 * 1024), VerifyError::TooLong);
    let nested = format!("{}1{}", "[".repeat(1000), "]".repeat(1000));
    let payload = world.with_claim("name", Some(&nested));
    world.refuses_payload(&payload, VerifyError::MalformedClaims);
    let mut long = join("x");
    long.display_name = "x".repeat(4096);
    assert_eq!(world.key.issue_join(&long), Err(SigningError::TooLong));
}

#[test]
fn a_token_cut_at_any_place_is_refused() {
    let world = world();
    for length in 0..world.credential.len() {
        assert!(world.keys.verify_join(&world.credential[..length], NOW).is_err(), "{length}");
    }
}

#[test]
fn a_signature_has_one_spelling_only() {
    let world = world();
    let (rest, last) = world.credential.split_at(world.credential.len() - 1);
    for other in ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_', '=']) {
        let accepted = world.keys.verify_join(&format!("{rest}{other}"), NOW).is_ok();
        assert_eq!(accepted, last == other.to_string(), "{other}");
    }
}

proptest! {
    #[test]
    fn any_text_is_refused_without_panic(token in "[ -~]{0,200}|[A-Za-z0-9_.-]{0,400}") {
        prop_assert!(world().keys.verify_join(&token, NOW).is_err());
    }

    #[test]
    fn a_changed_character_is_refused(position: prop::sample::Index, new in "[A-Za-z0-9_.=+/-]") {
        let world = world();
        let position = position.index(world.credential.len());
        let mut changed = world.credential.clone();
        changed.replace_range(position..=position, &new);
        prop_assume!(changed != world.credential);
        prop_assert!(world.keys.verify_join(&changed, NOW).is_err());
    }

    #[test]
    fn what_was_issued_is_what_is_read(
        name in "\\PC{1,64}",
        user in "[A-Za-z0-9_-]{1,64}",
        guest: bool,
        meeting in 0..1_u64 << 63,
        life in 1..86_400_u64,
    ) {
        let key = SigningKey::generate().unwrap();
        let mut claims = join("thumb");
        claims.display_name = name;
        claims.user_id = user.parse().unwrap();
        claims.guest = guest;
        claims.meeting_id = meeting.try_into().unwrap();
        claims.expires_at = NOW + life;
        let token = key.issue_join(&claims).unwrap();
        prop_assert_eq!(KeySet::of([&key]).verify_join(&token, NOW).unwrap().claims, claims);
    }
}
