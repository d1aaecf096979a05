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
//!
//! **Invariants:** the nibble of a version never changes its meaning; ids of versions that this
//! software does not know are read, passed on and compared, but never made.
//!
//! A later algorithm is a new variant of [`MeetingIdVersion`] with a nibble of its own: the compiler
//! then names every place that must learn it.

use std::{fmt, str::FromStr};

/// Seconds since 1970-01-01 UTC; 32 bits reach to the year 2106.
pub type UnixSeconds = u32;

const VERSION_SHIFT: u32 = 60;
const RANDOM_SHIFT: u32 = 32;
const RANDOM_MASK: u32 = (1 << 28) - 1;
const VERSION_LIMIT: u8 = 8;

/// How far an id's time may lie ahead of a clock that is right, in seconds. An id further ahead was
/// made by nobody whose clock could be trusted: it names nothing.
pub const AHEAD_MAX_SECONDS: UnixSeconds = 60;

/// Which algorithm makes an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MeetingIdVersion {
    /// 28 random bits from the operating system and 32 bits of Unix seconds.
    RandomAndSeconds,
}

impl MeetingIdVersion {
    /// The newest version, for new meetings.
    pub const CURRENT: Self = Self::RandomAndSeconds;

    /// All versions that this software can make and look into.
    pub const ALL: [Self; 1] = [Self::RandomAndSeconds];

    /// Its number, as it stands in the ids: 0 to 7.
    #[must_use]
    pub const fn nibble(self) -> u8 {
        match self {
            Self::RandomAndSeconds => 1,
        }
    }

    /// The version of a number; `None` for one that this software does not know.
    #[must_use]
    pub fn from_nibble(nibble: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.nibble() == nibble)
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

    /// When it was made; `None` if only a newer version can tell.
    #[must_use]
    pub fn created_at(self) -> Option<UnixSeconds> {
        match MeetingIdVersion::from_nibble(self.version())? {
            MeetingIdVersion::RandomAndSeconds => Some(self.0 as u32),
        }
    }

    /// Whether its time lies more than [`AHEAD_MAX_SECONDS`] ahead of `now`, which no id does that
    /// was given out. Never, if only a newer version could tell.
    #[must_use]
    pub fn is_ahead_of(self, now: UnixSeconds) -> bool {
        let latest = now.saturating_add(AHEAD_MAX_SECONDS);
        self.created_at().is_some_and(|created_at| created_at > latest)
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
    use std::{
        collections::HashSet,
        sync::{
            Mutex,
            atomic::{AtomicUsize, Ordering},
        },
        thread,
    };

    use proptest::prelude::*;

    use super::*;

    const CURRENT: MeetingIdVersion = MeetingIdVersion::CURRENT;

    fn version() -> impl Strategy<Value = MeetingIdVersion> {
        prop::sample::select(MeetingIdVersion::ALL.to_vec())
    }

    proptest! {
        #[test]
        fn every_version_keeps_its_nibble_and_time(version in version(), random: u32, now: u32) {
            let id = MeetingId::generate(version, random, now);
            prop_assert_eq!(id.version(), version.nibble());
            prop_assert_eq!(id.created_at(), Some(now));
            prop_assert!(id.to_i64() > 0);
            prop_assert_eq!(MeetingId::generate(version, random, now), id);
        }

        #[test]
        fn the_first_version_is_nibble_random_bits_and_seconds(random: u32, now: u32) {
            let id = MeetingId::generate(MeetingIdVersion::RandomAndSeconds, random, now).to_u64();
            let fields = (id >> 60, (id >> 32) as u32 & RANDOM_MASK, id as u32);
            prop_assert_eq!(fields, (1, random & RANDOM_MASK, now));
        }

        #[test]
        fn different_bits_or_seconds_are_different_ids(
            one in (0..=RANDOM_MASK, any::<u32>()),
            other in (0..=RANDOM_MASK, any::<u32>()),
        ) {
            let id = |(random, now)| MeetingId::generate(MeetingIdVersion::CURRENT, random, now);
            prop_assert_eq!(id(one) == id(other), one == other);
        }

        #[test]
        fn an_unknown_version_is_read_and_passed_on_but_never_made(
            nibble in 0..VERSION_LIMIT,
            rest in 0..1u64 << VERSION_SHIFT,
            now: u32,
        ) {
            let text = (u64::from(nibble) << VERSION_SHIFT | rest).to_string();
            let id: MeetingId = text.parse().unwrap();
            prop_assert_eq!((id.version(), id.to_string()), (nibble, text));
            let known = MeetingIdVersion::from_nibble(nibble);
            prop_assert_eq!(known.is_some(), nibble == 1);
            if known.is_none() {
                prop_assert_eq!((id.created_at(), id.is_ahead_of(now)), (None, false));
            }
        }

        #[test]
        fn an_id_is_ahead_when_it_was_made_over_a_minute_later(random: u32, made: u32, now: u32) {
            let id = MeetingId::generate(MeetingIdVersion::CURRENT, random, made);
            prop_assert_eq!(id.is_ahead_of(now), i64::from(made) > i64::from(now) + 60);
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

    /// As everybody who makes ids does: a taken one is drawn again. All draw in the same second, so
    /// that of 160,000 draws from 2^28 some fifty meet.
    #[test]
    fn ids_made_by_many_at_once_are_all_different() {
        const MAKERS: u64 = 8;
        const EACH: usize = 20_000;
        let taken = Mutex::new(HashSet::new());
        let drawn_again = AtomicUsize::new(0);
        thread::scope(|scope| {
            for maker in 0..MAKERS {
                let (taken, drawn_again) = (&taken, &drawn_again);
                scope.spawn(move || {
                    let mut draws = splitmix(maker);
                    for _ in 0..EACH {
                        let draw = || MeetingId::generate(CURRENT, draws.next().unwrap(), 1);
                        let mut tries = std::iter::repeat_with(draw);
                        let new = tries.position(|id| taken.lock().unwrap().insert(id)).unwrap();
                        drawn_again.fetch_add(new, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(taken.into_inner().unwrap().len(), MAKERS as usize * EACH);
        assert!(drawn_again.into_inner() > 0, "nobody has met: this shows nothing");
    }

    /// Bits as an operating system would give them, the same in each run.
    fn splitmix(seed: u64) -> impl Iterator<Item = u32> {
        let mut state = seed.wrapping_mul(0x1234_5678_9abc_def1);
        std::iter::repeat_with(move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut bits = state;
            bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (bits >> 32) as u32
        })
    }
}
