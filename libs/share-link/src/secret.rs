//! The secret of a share, and what is kept of it.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// The length of a secret: 16 bytes, 128 bits.
pub const SECRET_LENGTH: usize = 16;

/// The length of a secret's text, in characters.
pub const SECRET_TEXT_LENGTH: usize = 22;

/// Keeps the hashes of share secrets apart from hashes of anything else.
const DOMAIN: &[u8] = b"tributary share secret v1\0";

/// What a share carries besides the meeting's id; whoever shows it was given the share.
#[derive(Clone)]
pub struct ShareSecret([u8; SECRET_LENGTH]);

impl ShareSecret {
    /// Wraps bytes, which must come from the operating system's generator.
    #[must_use]
    pub const fn new(random: [u8; SECRET_LENGTH]) -> Self {
        Self(random)
    }

    /// The secret as it stands in a link: 22 characters of base64url (RFC 4648 section 5) without
    /// padding. Keep it out of logs, errors and labels.
    #[must_use]
    pub fn expose(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What is kept. Of a random secret a fast hash is enough: there is nothing to guess.
    #[must_use]
    pub fn hash(&self) -> SecretHash {
        SecretHash(Sha256::new().chain_update(DOMAIN).chain_update(self.0).finalize().into())
    }
}

impl FromStr for ShareSecret {
    type Err = InvalidSecret;

    fn from_str(text: &str) -> Result<Self, InvalidSecret> {
        if text.len() != SECRET_TEXT_LENGTH {
            return Err(InvalidSecret);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidSecret)?;
        bytes.try_into().map(Self).map_err(|_| InvalidSecret)
    }
}

impl PartialEq for ShareSecret {
    /// In the same time wherever two secrets differ.
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for ShareSecret {}

impl fmt::Debug for ShareSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShareSecret(<secret>)")
    }
}

/// The text is no share secret; it is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a share secret is {SECRET_TEXT_LENGTH} characters of base64url")]
pub struct InvalidSecret;

/// SHA-256 of a secret, under a tag of its own. It opens nothing.
#[derive(Clone)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// As a database stores it.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether it is the hash of `secret`; in the same time for any other secret.
    #[must_use]
    pub fn matches(&self, secret: &ShareSecret) -> bool {
        *self == secret.hash()
    }
}

impl TryFrom<&[u8]> for SecretHash {
    type Error = InvalidHash;

    /// From a database.
    fn try_from(bytes: &[u8]) -> Result<Self, InvalidHash> {
        bytes.try_into().map(Self).map_err(|_| InvalidHash)
    }
}

impl PartialEq for SecretHash {
    /// In the same time wherever two hashes differ.
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SecretHash {}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

/// The bytes are no hash of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the hash of a share secret is 32 bytes")]
pub struct InvalidHash;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_gives_the_same_secret_back(bytes: [u8; SECRET_LENGTH]) {
            let secret = ShareSecret::new(bytes);
            let text = secret.expose();
            prop_assert_eq!(text.len(), SECRET_TEXT_LENGTH);
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            prop_assert_eq!(text.parse::<ShareSecret>().unwrap().0, bytes);
        }

        #[test]
        fn a_secret_has_one_text(text in "[A-Za-z0-9_-]{22}|.{0,40}") {
            if let Ok(secret) = text.parse::<ShareSecret>() {
                prop_assert_eq!(secret.expose(), text);
            }
        }

        #[test]
        fn a_hash_matches_its_own_secret_only(a: [u8; SECRET_LENGTH], bit in 0..128_usize) {
            let mut b = a;
            b[bit / 8] ^= 1 << (bit % 8);
            let (a, b) = (ShareSecret::new(a), ShareSecret::new(b));
            let kept = SecretHash::try_from(a.hash().as_bytes().as_slice()).unwrap();
            prop_assert!(kept.matches(&a));
            prop_assert!(!kept.matches(&b));
            prop_assert!(a != b);
        }
    }

    #[test]
    fn the_hash_is_sha_256_of_tag_and_secret() {
        // printf 'tributary share secret v1\0\0…\0' | sha256sum
        let expected = "4bad42fc4c87546af8961d705e9c883fcf62d2171ee81ff68518f84cdfde67d9";
        let hash = ShareSecret::new([0; SECRET_LENGTH]).hash();
        let hex: String = hash.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    }

    #[test]
    fn nothing_shows_the_secret() {
        let secret = ShareSecret::new([0xab; SECRET_LENGTH]);
        assert_eq!(format!("{secret:?}"), "ShareSecret(<secret>)");
        assert_eq!(format!("{:?}", secret.hash()), "SecretHash(…)");
        let wrong = format!("{}x", secret.expose()).parse::<ShareSecret>().unwrap_err();
        assert!(!format!("{wrong} {wrong:?}").contains(&secret.expose()[..8]));
        SecretHash::try_from([0; 31].as_slice()).unwrap_err();
    }
}
