//! JWK thumbprints (RFC 7638): SHA-256 over the required members in lexical order.

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tributary_identifiers::KeyThumbprint;

use crate::KeyId;

/// Length in bytes of a P-256 public key as an uncompressed point: 0x04, x, y.
pub const PUBLIC_KEY_LENGTH: usize = 65;

const UNCOMPRESSED_POINT: u8 = 4;
const COORDINATE_LENGTH: usize = 32;

/// Thumbprint of an Ed25519 key (RFC 8037 section 2); names the key as its `kid`.
pub(crate) fn of_ed25519(public_key: &[u8]) -> KeyId {
    let x = URL_SAFE_NO_PAD.encode(public_key);
    let jwk = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    KeyId::of_thumbprint(&sha256_base64url(&jwk))
}

/// Thumbprint of a P-256 key (RFC 7638 section 3.2); `None` unless it has the form of an
/// uncompressed point. Whether the point is on the curve is not looked at.
pub(crate) fn of_p256(public_key: &[u8]) -> Option<KeyThumbprint> {
    if public_key.len() != PUBLIC_KEY_LENGTH {
        return None;
    }
    let (&form, point) = public_key.split_first()?;
    let (x, y) = point.split_at_checked(COORDINATE_LENGTH)?;
    if form != UNCOMPRESSED_POINT {
        return None;
    }
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    let jwk = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    sha256_base64url(&jwk).parse().ok()
}

fn sha256_base64url(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ed25519_key_of_rfc_8037_has_the_thumbprint_given_there() {
        let x = URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        assert_eq!(of_ed25519(&x).as_str(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn only_uncompressed_points_have_a_thumbprint() {
        let mut key = [7_u8; PUBLIC_KEY_LENGTH];
        assert_eq!(of_p256(&key), None);
        key[0] = UNCOMPRESSED_POINT;
        assert_eq!(of_p256(&key).unwrap().as_str().len(), 43);
        assert_eq!(of_p256(&key[..64]), None);
        assert_eq!(of_p256(&[]), None);
    }
}
