//! Key sets travel as JSON Web Key Sets.

use tributary_join_credential::{
    InvalidKeySet, InvalidSigningKey, KEYS_MAX, KeySet, SigningKey, VerifyError,
};

use crate::{NOW, identity};

#[test]
fn a_set_that_was_written_and_read_verifies_the_same_tokens() {
    let (old, new) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let keys = KeySet::from_jwks(&KeySet::of([&old, &new]).to_jwks()).unwrap();
    for key in [&old, &new] {
        let token = key.issue_identity(&identity()).unwrap();
        assert_eq!(keys.verify_identity(&token, NOW).unwrap().claims, identity());
    }
}

#[test]
fn a_signing_key_that_was_stored_signs_as_before() {
    let key = SigningKey::generate().unwrap();
    let stored = SigningKey::from_pkcs8(key.pkcs8()).unwrap();
    assert_eq!(stored.key_id(), key.key_id());
    let token = stored.issue_identity(&identity()).unwrap();
    let verified = KeySet::of([&key]).verify_identity(&token, NOW).unwrap();
    assert_eq!((verified.claims, &verified.key_id), (identity(), key.key_id()));
    assert_eq!(SigningKey::from_pkcs8(b"no key").unwrap_err(), InvalidSigningKey);
}

#[test]
fn an_empty_set_knows_no_key() {
    let token = SigningKey::generate().unwrap().issue_identity(&identity()).unwrap();
    let keys = KeySet::from_jwks(r#"{"keys":[]}"#).unwrap();
    assert!(keys.is_empty());
    assert_eq!(keys.verify_identity(&token, NOW), Err(VerifyError::UnknownKey));
}

#[test]
fn keys_of_other_kinds_are_left_out() {
    let jwks = r#"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","kid":"r"},
        {"kty":"oct","k":"c2VjcmV0","kid":"s"},{"kty":"OKP","crv":"X25519","x":"AA","kid":"x"}]}"#;
    assert!(KeySet::from_jwks(jwks).unwrap().is_empty());
}

#[test]
fn malformed_sets_are_refused() {
    let check = |text: &str, expected: InvalidKeySet| {
        assert_eq!(KeySet::from_jwks(text).unwrap_err(), expected, "{text:.80}");
    };
    for text in ["", "[]", "null", r#"{"keys":{}}"#, r#"{"keys":[1]}"#, &" ".repeat(70_000)] {
        check(text, InvalidKeySet::Malformed);
    }
    for key in [
        r#"{"kty":"OKP","crv":"Ed25519","kid":"a"}"#,
        r#"{"kty":"OKP","crv":"Ed25519","kid":"a","x":"AAAA"}"#,
        r#"{"kty":"OKP","crv":"Ed25519","kid":"a","x":"!"}"#,
        r#"{"kty":"OKP","crv":"Ed25519","kid":"a",
            "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
    ] {
        check(&format!(r#"{{"keys":[{key}]}}"#), InvalidKeySet::MalformedKey);
    }
    let many = vec![r#"{"kty":"RSA"}"#; KEYS_MAX + 1].join(",");
    check(&format!(r#"{{"keys":[{many}]}}"#), InvalidKeySet::TooManyKeys);
}

#[test]
fn a_private_key_is_not_shown() {
    let key = SigningKey::generate().unwrap();
    let shown = format!("{key:?}");
    assert!(shown.contains(key.key_id().as_str()));
    assert!(!shown.contains("pkcs8") && !shown.contains("encoding_key"), "{shown}");
    assert!(!KeySet::of([&key]).to_jwks().contains("\"d\""));
}
