//! Where a token comes from and whom it is for: what revocations go by.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use aws_lc_rs::rand;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use tributary_identifiers::{KeyThumbprint, OrganisationId, UserId};

use crate::{IdentityClaims, JoinClaims, SigningError};

const TOKEN_ID_BYTES: usize = 16;

/// Length in characters of a SHA-256 in base64url without padding.
const KEY_ID_LENGTH: usize = 43;

/// Names one token (`jti`): 128 random bits, as text 22 characters of base64url.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenId([u8; TOKEN_ID_BYTES]);

/// Names a signing key (`kid`): its thumbprint (RFC 7638), 43 characters of base64url.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(Arc<str>);

/// The text names no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a token id is 22 characters of base64url")]
pub struct InvalidTokenId;

/// The text names no signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key id is {KEY_ID_LENGTH} characters of base64url")]
pub struct InvalidKeyId;

/// What a verified token says, and which token it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<C> {
    /// What it says.
    pub claims: C,
    /// The token.
    pub token_id: TokenId,
    /// The key that signed it.
    pub key_id: KeyId,
}

/// All that a revocation can go by, of one token. Who keeps a session open on a token keeps this
/// with it, so that a later revocation can end the session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Provenance {
    /// The tenant.
    pub organisation: OrganisationId,
    /// The account or guest.
    pub user_id: UserId,
    /// The terminal key that the token is bound to.
    pub key_thumbprint: KeyThumbprint,
    /// The token.
    pub token_id: TokenId,
    /// The key that signed it.
    pub key_id: KeyId,
    /// When it was issued, Unix seconds.
    pub issued_at: u64,
}

impl Verified<IdentityClaims> {
    /// What revocations of this token go by.
    #[must_use]
    pub fn provenance(&self) -> Provenance {
        let IdentityClaims { organisation, user_id, key_thumbprint, issued_at, .. } = &self.claims;
        self.of(organisation, user_id, key_thumbprint, *issued_at)
    }
}

impl Verified<JoinClaims> {
    /// What revocations of this credential go by.
    #[must_use]
    pub fn provenance(&self) -> Provenance {
        let JoinClaims { organisation, user_id, key_thumbprint, issued_at, .. } = &self.claims;
        self.of(organisation, user_id, key_thumbprint, *issued_at)
    }
}

impl<C> Verified<C> {
    fn of(
        &self,
        organisation: &OrganisationId,
        user_id: &UserId,
        key_thumbprint: &KeyThumbprint,
        issued_at: u64,
    ) -> Provenance {
        Provenance {
            organisation: organisation.clone(),
            user_id: user_id.clone(),
            key_thumbprint: key_thumbprint.clone(),
            token_id: self.token_id,
            key_id: self.key_id.clone(),
            issued_at,
        }
    }
}

impl TokenId {
    /// Draws a new one.
    pub(crate) fn generate() -> Result<Self, SigningError> {
        let mut random = [0; TOKEN_ID_BYTES];
        rand::fill(&mut random).map_err(|_| SigningError::Failed)?;
        Ok(Self(random))
    }
}

impl FromStr for TokenId {
    type Err = InvalidTokenId;

    fn from_str(text: &str) -> Result<Self, InvalidTokenId> {
        // Decoding is strict: no padding, and no bits that do not count.
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidTokenId)?;
        bytes.try_into().map(Self).map_err(|_| InvalidTokenId)
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenId({self})")
    }
}

impl Serialize for TokenId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TokenId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl KeyId {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// From a thumbprint that was just computed.
    pub(crate) fn of_thumbprint(thumbprint: &str) -> Self {
        Self(thumbprint.into())
    }
}

impl Borrow<str> for KeyId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyId {
    type Err = InvalidKeyId;

    fn from_str(text: &str) -> Result<Self, InvalidKeyId> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if text.len() != KEY_ID_LENGTH || !text.bytes().all(allowed) {
            return Err(InvalidKeyId);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_id_has_one_spelling() {
        let text = "AAECAwQFBgcICQoLDA0ODw";
        assert_eq!(text.parse::<TokenId>().unwrap().to_string(), text);
        for wrong in
            ["", "AAECAwQFBgcICQoLDA0OD", "AAECAwQFBgcICQoLDA0ODx", "AAECAwQFBgcICQoLDA0ODw=="]
        {
            assert_eq!(wrong.parse::<TokenId>(), Err(InvalidTokenId), "{wrong:?}");
        }
    }

    #[test]
    fn a_key_id_is_a_thumbprint() {
        let text = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
        assert_eq!(text.parse::<KeyId>().unwrap().as_str(), text);
        for wrong in ["", &text[1..], "../../../../../../../../../../../etc/passwd"] {
            assert_eq!(wrong.parse::<KeyId>(), Err(InvalidKeyId), "{wrong:?}");
        }
    }
}
