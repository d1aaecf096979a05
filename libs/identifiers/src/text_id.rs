//! Ids that are short texts: safe in a NATS subject token, a path and a log line.

use std::{fmt, str::FromStr, sync::Arc};

use sha2::{Digest as _, Sha256};

/// The longest id, in bytes.
pub const LENGTH_MAX: usize = 64;

/// The text can't be such an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} must be 1 to {LENGTH_MAX} of the characters a-z, A-Z, 0-9, '-' and '_'")]
pub struct InvalidTextId {
    kind: &'static str,
}

fn check(text: &str, kind: &'static str) -> Result<Arc<str>, InvalidTextId> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if text.is_empty() || text.len() > LENGTH_MAX || !text.bytes().all(allowed) {
        return Err(InvalidTextId { kind });
    }
    Ok(text.into())
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidTextId;

            fn from_str(text: &str) -> Result<Self, InvalidTextId> {
                check(text, $kind).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

text_id!(
    /// Names a tenant. Everything belongs to one.
    OrganisationId,
    "an organisation id"
);
text_id!(
    /// Names an account or guest.
    UserId,
    "a user id"
);
text_id!(
    /// Names a relay gateway.
    RelayId,
    "a relay id"
);
impl RelayId {
    /// Names the room that the relay stands in, among the rooms of a relay on the way to it; never 0: the
    /// first four bytes, big endian, of the SHA-256 of the id.
    #[must_use]
    pub fn room_id(&self) -> u32 {
        let hash: [u8; 32] = Sha256::digest(self.0.as_bytes()).into();
        let [a, b, c, d, ..] = hash;
        u32::from_be_bytes([a, b, c, d]).max(1)
    }
}
text_id!(
    /// Names one run of a relay's process.
    RelaySessionId,
    "a relay session id"
);
text_id!(
    /// Names one run of a terminal, chosen by it, a UUID; its operations are counted in it.
    TerminalSessionId,
    "a session id"
);
text_id!(
    /// Names an operation; chosen by the terminal, a UUID.
    OperationId,
    "an operation id"
);
text_id!(
    /// Names a request of another service, so that it is done once however often it comes.
    RequestId,
    "a request id"
);
text_id!(
    /// Names something that one user is told.
    NoticeId,
    "a notice id"
);
text_id!(
    /// Names a file in its meeting.
    AttachmentId,
    "an attachment id"
);
text_id!(
    /// JWK thumbprint (RFC 7638, SHA-256, base64url without padding) of a terminal's key.
    KeyThumbprint,
    "a key thumbprint"
);

impl OrganisationId {
    /// The organisation of an installation that has only one.
    #[must_use]
    pub fn default_organisation() -> Self {
        Self("default".into())
    }

    /// Reads an id as it comes in a request, where empty means the default organisation.
    ///
    /// # Errors
    /// The text can't be an organisation id.
    pub fn from_request(text: &str) -> Result<Self, InvalidTextId> {
        if text.is_empty() { Ok(Self::default_organisation()) } else { text.parse() }
    }
}

impl Default for RelayId {
    /// The relay of an installation that has only one.
    fn default() -> Self {
        Self("relay".into())
    }
}

impl RelaySessionId {
    /// Names a run of a process by random bytes, at most 32 of them.
    #[must_use]
    pub fn from_random(bytes: &[u8]) -> Self {
        Self(hexadecimal(bytes).into())
    }
}

impl AttachmentId {
    /// Names a file by random bytes, at most 32 of them.
    #[must_use]
    pub fn from_random(bytes: &[u8]) -> Self {
        Self(hexadecimal(bytes).into())
    }
}

impl NoticeId {
    /// Names one of many notices that are made at once: by the same 16 random bytes and its number
    /// among them.
    #[must_use]
    pub fn of_many(bytes: [u8; 16], number: usize) -> Self {
        Self(format!("{}-{number}", hexadecimal(&bytes)).into())
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().take(LENGTH_MAX / 2).map(|byte| format!("{byte:02x}")).collect()
}

impl Default for OrganisationId {
    fn default() -> Self {
        Self::default_organisation()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_change_a_subject_is_refused() {
        for text in ["", "a.b", "*", ">", "a b", "a\n", "ä", "a/b", &"x".repeat(65)] {
            assert!(text.parse::<RelayId>().is_err(), "{text:?}");
        }
        assert_eq!("office-a_1".parse::<RelayId>().unwrap().as_str(), "office-a_1");
    }

    #[test]
    fn ids_made_of_random_bytes_are_ids() {
        assert_eq!(AttachmentId::from_random(&[0xa0, 1]).as_str(), "a001");
        for made in [
            AttachmentId::from_random(&[0xff; 40]).to_string(),
            RelaySessionId::from_random(&[0xff; 16]).to_string(),
            NoticeId::of_many([0xff; 16], usize::MAX).to_string(),
        ] {
            assert!(made.parse::<NoticeId>().is_ok(), "{made}");
        }
    }

    #[test]
    fn an_empty_organisation_in_a_request_is_the_default_one() {
        assert_eq!(OrganisationId::from_request("").unwrap().as_str(), "default");
        assert!(OrganisationId::from_request("a.b").is_err());
    }
}
