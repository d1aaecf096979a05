//! The 64-bit meeting id and its layout.
//!
//! ```text
//! 63    60 59                          32 31                           0
//! ┌───────┬──────────────────────────────┬──────────────────────────────┐
//! │version│ 28 random bits               │ Unix time of creation, s     │
//! └───────┴──────────────────────────────┴──────────────────────────────┘
//! ```
//!
//! The version nibble says which algorithm made the rest. Versions are below 8, so that an id is
//! never negative as a database's signed 64-bit integer. In JSON an id is a string: JavaScript
//! numbers lose bits above 2^53.

use std::{fmt, str::FromStr};

/// Seconds since 1970-01-01 UTC; 32 bits reach to the year 2106.
pub type UnixSeconds = u32;

const VERSION_SHIFT: u32 = 60;
const RANDOM_SHIFT: u32 = 32;
const RANDOM_MASK: u32 = (1 << 28) - 1;
const VERSION_LIMIT: u8 = 8;

/// Which algorithm made an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MeetingIdVersion {
    /// 28 random bits from the operating system and 32 bits of Unix seconds.
    RandomAndSeconds,
}

impl MeetingIdVersion {
    /// The newest version, for new meetings.
    pub const CURRENT: Self = Self::RandomAndSeconds;

    const fn nibble(self) -> u8 {
        match self {
            Self::RandomAndSeconds => 1,
        }
    }
}

/// Names a meeting.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MeetingId(u64);

impl MeetingId {
    /// Lays out an id. Of `random`, the lower 28 bits count; they must come from the operating
    /// system's generator. The caller makes sure that the id is new, and draws again if not.
    #[must_use]
    pub fn generate(version: MeetingIdVersion, random: u32, now: UnixSeconds) -> Self {
        match version {
            MeetingIdVersion::RandomAndSeconds => Self(
                u64::from(version.nibble()) << VERSION_SHIFT
                    | u64::from(random & RANDOM_MASK) << RANDOM_SHIFT
                    | u64::from(now),
            ),
        }
    }

    /// The number of the algorithm that made it, 0 to 7; may be newer than this software knows.
    #[must_use]
    pub const fn version(self) -> u8 {
        (self.0 >> VERSION_SHIFT) as u8
    }

    /// When it was made, for version 1.
    #[must_use]
    pub const fn created_at(self) -> UnixSeconds {
        self.0 as u32
    }

    /// As a database stores it; never negative.
    #[must_use]
    pub const fn to_i64(self) -> i64 {
        self.0 as i64
    }

    /// From a database.
    ///
    /// # Errors
    /// Negative numbers are not meeting ids.
    pub fn from_i64(value: i64) -> Result<Self, InvalidMeetingId> {
        Self::try_from(u64::try_from(value).map_err(|_| InvalidMeetingId)?)
    }

    /// As a number.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for MeetingId {
    type Error = InvalidMeetingId;

    fn try_from(value: u64) -> Result<Self, InvalidMeetingId> {
        if (value >> VERSION_SHIFT) as u8 >= VERSION_LIMIT {
            return Err(InvalidMeetingId);
        }
        Ok(Self(value))
    }
}

impl FromStr for MeetingId {
    type Err = InvalidMeetingId;

    /// Reads 1 to 19 decimal digits, without sign, space or leading zero.
    fn from_str(text: &str) -> Result<Self, InvalidMeetingId> {
        let plain = !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && (text.len() == 1 || !text.starts_with('0'));
        if !plain {
            return Err(InvalidMeetingId);
        }
        Self::try_from(text.parse::<u64>().map_err(|_| InvalidMeetingId)?)
    }
}

impl fmt::Display for MeetingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for MeetingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MeetingId({})", self.0)
    }
}

impl serde::Serialize for MeetingId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for MeetingId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The text or number is not a meeting id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a meeting id is a decimal number below 9223372036854775808")]
pub struct InvalidMeetingId;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn layout_keeps_version_random_bits_and_seconds(random: u32, now: u32) {
            let id = MeetingId::generate(MeetingIdVersion::CURRENT, random, now);
            prop_assert_eq!(id.version(), 1);
            prop_assert_eq!(id.created_at(), now);
            prop_assert_eq!((id.to_u64() >> 32) as u32 & RANDOM_MASK, random & RANDOM_MASK);
            prop_assert!(id.to_i64() > 0);
        }

        #[test]
        fn text_json_and_database_give_the_same_id_back(value in 0..1u64 << 63) {
            let id = MeetingId::try_from(value).unwrap();
            prop_assert_eq!(id.to_string().parse::<MeetingId>().unwrap(), id);
            prop_assert_eq!(MeetingId::from_i64(id.to_i64()).unwrap(), id);
            let json = serde_json::to_string(&id).unwrap();
            prop_assert_eq!(&json, &format!("\"{value}\""));
            prop_assert_eq!(serde_json::from_str::<MeetingId>(&json).unwrap(), id);
        }

        #[test]
        fn any_text_is_read_or_refused_without_panic(text: String) {
            if let Ok(id) = text.parse::<MeetingId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }

        #[test]
        fn versions_from_eight_on_are_refused(value in 1u64 << 63..) {
            prop_assert_eq!(MeetingId::try_from(value), Err(InvalidMeetingId));
        }
    }

    #[test]
    fn odd_spellings_are_refused() {
        for text in ["", "+1", "-1", " 1", "01", "1e3", "0x10", "9223372036854775808", "１"] {
            assert_eq!(text.parse::<MeetingId>(), Err(InvalidMeetingId), "{text:?}");
        }
    }
}
