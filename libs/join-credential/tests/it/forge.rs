//! Tokens as an attacker, or a broken issuer, would write them.

use aws_lc_rs::{hmac, signature::Ed25519KeyPair};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tributary_join_credential::SigningKey;

/// A token of any header and payload, with a correct Ed25519 signature by `key`.
pub fn signed(key: &SigningKey, header: &str, payload: &str) -> String {
    let pair = Ed25519KeyPair::from_pkcs8(key.pkcs8()).unwrap();
    let message = unsigned(header, payload);
    let signature = URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes()));
    format!("{message}.{signature}")
}

/// A token with an HMAC-SHA256 signature.
pub fn keyed(secret: &[u8], header: &str, payload: &str) -> String {
    let message = unsigned(header, payload);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// Header and payload without a signature part.
pub fn unsigned(header: &str, payload: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
}

/// The JSON text of one part of a token: 0 is the header, 1 the payload.
pub fn part(token: &str, index: usize) -> String {
    let part = token.split('.').nth(index).unwrap();
    String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
