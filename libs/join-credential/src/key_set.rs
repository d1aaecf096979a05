//! The keys that verify tokens, and how a token is read.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, errors::ErrorKind};
use serde::{Deserialize, Serialize};

use crate::{
    KeyId, LEEWAY_SECONDS, RECONNECT_SECONDS, SigningKey, TOKEN_LENGTH_MAX, Verified,
    claims::{AUDIENCE, ISSUER, IdentityClaims, JoinClaims, Kind, Payload},
    thumbprint,
};

/// The most keys of a set: the present one, its successor, and some whose tokens still live.
pub const KEYS_MAX: usize = 16;

/// The longest JSON text of a set that is read, in bytes.
const JWKS_LENGTH_MAX: usize = 64 * 1024;

const PUBLIC_KEY_BYTES: usize = 32;

/// Public Ed25519 keys by their ids.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: BTreeMap<KeyId, VerifyingKey>,
}

#[derive(Clone, Debug)]
struct VerifyingKey {
    x: String,
    decoding_key: DecodingKey,
}

/// The text is not a key set that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeySet {
    /// Not a JSON Web Key Set (RFC 7517), or too long.
    #[error("not a JSON Web Key Set")]
    Malformed,
    /// An Ed25519 key of the set is malformed, or its id is not its thumbprint.
    #[error("a key of the set is malformed, or its id is not its thumbprint")]
    MalformedKey,
    /// More than [`KEYS_MAX`] keys.
    #[error("more than {KEYS_MAX} keys in a set")]
    TooManyKeys,
}

/// Why a token was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Longer than [`TOKEN_LENGTH_MAX`].
    #[error("the token is longer than {TOKEN_LENGTH_MAX} bytes")]
    TooLong,
    /// Not a JWT, or its header is not as it must be.
    #[error("the token is malformed")]
    Malformed,
    /// Signed, or not signed, with anything but EdDSA.
    #[error("the token's algorithm is not EdDSA")]
    WrongAlgorithm,
    /// A token of the other kind.
    #[error("the token is of another type")]
    WrongType,
    /// Signed with a key that is not in the set. The set may be old.
    #[error("the token's key is not known")]
    UnknownKey,
    /// Changed, or made by somebody else.
    #[error("the token's signature is wrong")]
    BadSignature,
    /// A claim is absent, repeated, of the wrong type or against the rules.
    #[error("the token's claims are malformed")]
    MalformedClaims,
    /// Issued by another service, or for another audience.
    #[error("the token is by another issuer or for another audience")]
    WrongAudience,
    /// Its life is over.
    #[error("the token has expired")]
    Expired,
    /// Its life has not begun.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It was revoked, or its user, terminal or signing key was.
    #[error("the token has been revoked")]
    Revoked,
}

#[derive(Deserialize)]
struct JwksRead {
    keys: Vec<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Serialize)]
struct JwksWritten<'a> {
    keys: Vec<JwkWritten<'a>>,
}

#[derive(Serialize)]
struct JwkWritten<'a> {
    kty: &'static str,
    crv: &'static str,
    #[serde(rename = "use")]
    usage: &'static str,
    alg: &'static str,
    kid: &'a str,
    x: &'a str,
}

/// What counts in a token's header; `jku`, `jwk`, `x5u` and the like are never followed.
#[derive(Deserialize)]
struct HeaderRead {
    alg: String,
    typ: String,
    kid: String,
    /// Extensions that must be understood (RFC 7515 section 4.1.11). None is.
    #[serde(default)]
    crit: Option<serde::de::IgnoredAny>,
}

impl KeySet {
    /// The public halves of some keys.
    pub fn of<'a>(signing_keys: impl IntoIterator<Item = &'a SigningKey>) -> Self {
        let keys = signing_keys.into_iter().map(|key| {
            let x = URL_SAFE_NO_PAD.encode(key.public_key());
            let decoding_key = DecodingKey::from_ed_der(key.public_key());
            (key.key_id().clone(), VerifyingKey { x, decoding_key })
        });
        Self { keys: keys.collect() }
    }

    /// Reads a JSON Web Key Set (RFC 7517). Keys of other kinds than Ed25519 are left out.
    ///
    /// # Errors
    /// The text is not a key set, is too long, has too many keys or a malformed one.
    pub fn from_jwks(json: &str) -> Result<Self, InvalidKeySet> {
        if json.len() > JWKS_LENGTH_MAX {
            return Err(InvalidKeySet::Malformed);
        }
        let set: JwksRead = serde_json::from_str(json).map_err(|_| InvalidKeySet::Malformed)?;
        if set.keys.len() > KEYS_MAX {
            return Err(InvalidKeySet::TooManyKeys);
        }
        let mut keys = BTreeMap::new();
        for jwk in &set.keys {
            let member = |name: &str| jwk.get(name).and_then(serde_json::Value::as_str);
            if member("kty") != Some("OKP") || member("crv") != Some("Ed25519") {
                continue;
            }
            let (key_id, key) =
                member("kid").zip(member("x")).ok_or(InvalidKeySet::MalformedKey)?;
            let (key_id, key) = VerifyingKey::read(key_id, key)?;
            keys.insert(key_id, key);
        }
        Ok(Self { keys })
    }

    /// As a JSON Web Key Set, in order of key ids.
    #[must_use]
    pub fn to_jwks(&self) -> String {
        let keys = self.keys.iter().map(|(key_id, key)| JwkWritten {
            kty: "OKP",
            crv: "Ed25519",
            usage: "sig",
            alg: "EdDSA",
            kid: key_id.as_str(),
            x: &key.x,
        });
        // Maps of strings always have a JSON form; an empty set would refuse everything.
        serde_json::to_string(&JwksWritten { keys: keys.collect() })
            .unwrap_or_else(|_| r#"{"keys":[]}"#.to_owned())
    }

    /// True if there is no key, so that nothing can be verified.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The ids of the keys, in order.
    pub fn key_ids(&self) -> impl Iterator<Item = &KeyId> {
        self.keys.keys()
    }

    /// Reads an identity token. `now` is in Unix seconds. Revocations are for
    /// [`Verifier`](crate::Verifier) to look at.
    ///
    /// # Errors
    /// The token is not one that an issuer of this set made, or not for now.
    pub fn verify_identity(
        &self,
        token: &str,
        now: u64,
    ) -> Result<Verified<IdentityClaims>, VerifyError> {
        let Verified { claims, token_id, key_id } = self.verify(Kind::Identity, token, now, 0)?;
        let claims = claims.into_identity().ok_or(VerifyError::MalformedClaims)?;
        Ok(Verified { claims, token_id, key_id })
    }

    /// Reads a join credential. `now` is in Unix seconds. Revocations, and that the bearer also
    /// holds the key it is bound to, are for [`Verifier`](crate::Verifier) to look at.
    ///
    /// # Errors
    /// The credential is not one that an issuer of this set made, or not for now.
    pub fn verify_join(
        &self,
        credential: &str,
        now: u64,
    ) -> Result<Verified<JoinClaims>, VerifyError> {
        self.verify_join_with_grace(credential, now, 0)
    }

    /// Reads a join credential that may have ended, at most [`RECONNECT_SECONDS`] ago.
    ///
    /// # Errors
    /// The credential is not one that an issuer of this set made, or too old.
    pub fn verify_previous_join(
        &self,
        credential: &str,
        now: u64,
    ) -> Result<Verified<JoinClaims>, VerifyError> {
        self.verify_join_with_grace(credential, now, RECONNECT_SECONDS)
    }

    fn verify_join_with_grace(
        &self,
        credential: &str,
        now: u64,
        grace: u64,
    ) -> Result<Verified<JoinClaims>, VerifyError> {
        let Verified { claims, token_id, key_id } =
            self.verify(Kind::Join, credential, now, grace)?;
        let claims = claims.into_join().ok_or(VerifyError::MalformedClaims)?;
        Ok(Verified { claims, token_id, key_id })
    }

    /// A token holds for `grace` seconds beyond its life.
    fn verify(
        &self,
        kind: Kind,
        token: &str,
        now: u64,
        grace: u64,
    ) -> Result<Verified<Payload>, VerifyError> {
        if token.len() > TOKEN_LENGTH_MAX {
            return Err(VerifyError::TooLong);
        }
        let header = read_header(token)?;
        if header.alg != "EdDSA" {
            return Err(VerifyError::WrongAlgorithm);
        }
        if header.typ != kind.typ() {
            return Err(VerifyError::WrongType);
        }
        if header.crit.is_some() {
            return Err(VerifyError::Malformed);
        }
        let (key_id, key) =
            self.keys.get_key_value(header.kid.as_str()).ok_or(VerifyError::UnknownKey)?;
        let claims = jsonwebtoken::decode::<Payload>(token, &key.decoding_key, &validation())
            .map_err(|error| refusal(error.kind()))?
            .claims;
        check_life(&claims, now, grace)?;
        Ok(Verified { token_id: claims.jti, key_id: key_id.clone(), claims })
    }
}

impl VerifyingKey {
    fn read(key_id: &str, x: &str) -> Result<(KeyId, Self), InvalidKeySet> {
        let public_key = URL_SAFE_NO_PAD.decode(x).map_err(|_| InvalidKeySet::MalformedKey)?;
        let named = thumbprint::of_ed25519(&public_key);
        if public_key.len() != PUBLIC_KEY_BYTES || named.as_str() != key_id {
            return Err(InvalidKeySet::MalformedKey);
        }
        let decoding_key = DecodingKey::from_ed_der(&public_key);
        Ok((named, Self { x: x.to_owned(), decoding_key }))
    }
}

fn read_header(token: &str) -> Result<HeaderRead, VerifyError> {
    let (header, _) = token.split_once('.').ok_or(VerifyError::Malformed)?;
    let json = URL_SAFE_NO_PAD.decode(header).map_err(|_| VerifyError::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| VerifyError::Malformed)
}

fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    // The library would read the system's clock; `check_life` does both instead.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation
}

/// A token lives from `nbf` until before `exp`, with leeway at both ends.
fn check_life(payload: &Payload, now: u64, grace: u64) -> Result<(), VerifyError> {
    if now >= payload.exp.saturating_add(grace).saturating_add(LEEWAY_SECONDS) {
        return Err(VerifyError::Expired);
    }
    if payload.nbf > now.saturating_add(LEEWAY_SECONDS) {
        return Err(VerifyError::NotYetValid);
    }
    Ok(())
}

fn refusal(kind: &ErrorKind) -> VerifyError {
    match kind {
        ErrorKind::InvalidSignature => VerifyError::BadSignature,
        ErrorKind::InvalidAlgorithm => VerifyError::WrongAlgorithm,
        ErrorKind::InvalidIssuer | ErrorKind::InvalidAudience => VerifyError::WrongAudience,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::Json(_) => VerifyError::MalformedClaims,
        _ => VerifyError::Malformed,
    }
}
