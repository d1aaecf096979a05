//! Private keys at rest: sealed with AES-256-GCM if there is a secret to do so.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use tributary_service_runtime::Secret;

use crate::store::PrivateKey;

const SECRET_BYTES: usize = 32;

/// Keeps what was sealed here apart from what the same secret may have sealed elsewhere.
const CONTEXT: &[u8] = b"tributary-signing-key-v1\0";

/// Seals and opens private keys.
pub struct Sealer {
    key: Option<RandomizedNonceKey>,
}

/// The secret is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "credential.keys_secret must be {SECRET_BYTES} random bytes in base64, as \
     `openssl rand -base64 {SECRET_BYTES}` gives them"
)]
pub struct InvalidSecret;

/// A stored key can't be read, or a new one not be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealingError {
    /// There is no secret.
    #[error(
        "signing key {generation} is stored encrypted: set credential.keys_secret (or \
         keys_secret_file) to the secret it was stored with"
    )]
    NoSecret {
        /// Which key.
        generation: i32,
    },
    /// The secret is another one, or the row was changed.
    #[error(
        "credential.keys_secret does not open signing key {generation}: it is not the secret that \
         the key was stored with, or the row was changed"
    )]
    WrongSecret {
        /// Which key.
        generation: i32,
    },
    /// The cryptographic library or the system's random generator failed.
    #[error("encrypting a signing key failed")]
    Failed,
}

impl Sealer {
    /// With a secret in base64; the empty one seals nothing.
    ///
    /// # Errors
    /// The secret is not 32 bytes in base64.
    pub fn new(secret: &Secret) -> Result<Self, InvalidSecret> {
        if secret.is_empty() {
            return Ok(Self { key: None });
        }
        let bytes = STANDARD.decode(secret.expose().trim()).map_err(|_| InvalidSecret)?;
        if bytes.len() != SECRET_BYTES {
            return Err(InvalidSecret);
        }
        let key = RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| InvalidSecret)?;
        Ok(Self { key: Some(key) })
    }

    /// Whether a key that is stored like this should be stored anew.
    pub const fn wants_sealed(&self, stored: &PrivateKey) -> bool {
        self.key.is_some() && !stored.sealed
    }

    /// A private key as it is to be stored: nonce, then ciphertext with its tag.
    ///
    /// # Errors
    /// Encryption failed.
    pub fn close(&self, generation: i32, pkcs8: &[u8]) -> Result<PrivateKey, SealingError> {
        let Some(key) = &self.key else {
            return Ok(PrivateKey { bytes: pkcs8.to_vec(), sealed: false });
        };
        let mut sealed = pkcs8.to_vec();
        let nonce = key
            .seal_in_place_append_tag(context(generation), &mut sealed)
            .map_err(|_| SealingError::Failed)?;
        let bytes = [nonce.as_ref().as_slice(), &sealed].concat();
        Ok(PrivateKey { bytes, sealed: true })
    }

    /// A private key as it was before it was stored.
    ///
    /// # Errors
    /// There is no secret for a sealed key, or it is the wrong one.
    pub fn open(&self, generation: i32, stored: PrivateKey) -> Result<Vec<u8>, SealingError> {
        if !stored.sealed {
            return Ok(stored.bytes);
        }
        let key = self.key.as_ref().ok_or(SealingError::NoSecret { generation })?;
        let wrong = SealingError::WrongSecret { generation };
        let (nonce, sealed) = stored.bytes.split_at_checked(NONCE_LEN).ok_or(wrong)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| wrong)?;
        let mut sealed = sealed.to_vec();
        let opened = key.open_in_place(nonce, context(generation), &mut sealed);
        opened.map(|pkcs8| pkcs8.to_vec()).map_err(|_| wrong)
    }
}

fn context(generation: i32) -> Aad<Vec<u8>> {
    Aad::from([CONTEXT, &generation.to_be_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(byte: u8) -> Sealer {
        Sealer::new(&STANDARD.encode([byte; SECRET_BYTES]).into()).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_with_its_secret_and_generation_only() {
        let stored = sealer(1).close(7, b"private").unwrap();
        assert!(stored.sealed);
        assert!(!stored.bytes.windows(7).any(|part| part == b"private"));
        assert_eq!(sealer(1).open(7, stored.clone()).unwrap(), b"private");
        let wrong = |generation| Err(SealingError::WrongSecret { generation });
        assert_eq!(sealer(2).open(7, stored.clone()), wrong(7));
        assert_eq!(sealer(1).open(8, stored.clone()), wrong(8));
        let mut changed = stored.clone();
        changed.bytes[20] ^= 1;
        assert_eq!(sealer(1).open(7, changed), wrong(7));
        let cut = PrivateKey { bytes: vec![1; 5], sealed: true };
        assert_eq!(sealer(1).open(7, cut), wrong(7));
        let none = Sealer::new(&Secret::default()).unwrap();
        assert_eq!(none.open(7, stored), Err(SealingError::NoSecret { generation: 7 }));
    }

    #[test]
    fn a_key_is_never_sealed_the_same_way_twice() {
        let sealer = sealer(1);
        assert!(sealer.close(7, b"private").unwrap() != sealer.close(7, b"private").unwrap());
    }

    #[test]
    fn without_a_secret_keys_are_stored_as_they_are() {
        let none = Sealer::new(&Secret::default()).unwrap();
        let stored = none.close(1, b"private").unwrap();
        assert!(!stored.sealed && !none.wants_sealed(&stored));
        assert!(sealer(1).wants_sealed(&stored));
        assert_eq!(sealer(1).open(1, stored).unwrap(), b"private");
    }

    #[test]
    fn a_secret_that_is_none_is_refused_without_showing_it() {
        for secret in ["short", "c2hvcnQ=", &STANDARD.encode([1; 33]), "!!!!"] {
            let error = Sealer::new(&Secret::new(secret)).err().unwrap();
            assert!(!error.to_string().contains(secret), "{error}");
        }
    }
}
