//! The relays between the core and a terminal, by name.

use crate::{RELAY_DEPTH_MAX, RelayName};

/// How long the names of a path can be together, in bytes. Who is in a full meeting by relays of the
/// longest names is still told in one message.
pub const RELAY_PATH_BYTES_MAX: usize = 512;

/// The names of the relays between the core and a terminal, from the core on: that of the terminal's own
/// relay is the last. At most [`RELAY_DEPTH_MAX`], of [`RELAY_PATH_BYTES_MAX`] together; none for a core
/// relay, or if they are not known or are longer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RelayPath(Vec<RelayName>);

/// The names are not those of the relays in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must name all {depth} relays between the core and the terminal, its own relay last, or none"
)]
pub struct InvalidRelayPath {
    depth: u32,
}

impl RelayPath {
    /// The path to the relay of that name and depth; a path that is too long is not kept.
    ///
    /// # Errors
    /// There are names, but not `depth` of them, more than there may be, or the last is another.
    pub fn new(
        relay: &RelayName,
        depth: u32,
        names: Vec<RelayName>,
    ) -> Result<Self, InvalidRelayPath> {
        let complete = depth <= RELAY_DEPTH_MAX && u32::try_from(names.len()) == Ok(depth);
        let fits = names.is_empty() || complete && names.last() == Some(relay);
        if !fits {
            return Err(InvalidRelayPath { depth });
        }
        let bytes: usize = names.iter().map(|name| name.as_str().len()).sum();
        Ok(if bytes > RELAY_PATH_BYTES_MAX { Self::default() } else { Self(names) })
    }

    /// The path as it was kept beside the relay's name and depth; not known if it is another relay's:
    /// who does not know of paths writes the relay only.
    #[must_use]
    pub fn kept<'a>(
        relay: &RelayName,
        depth: u32,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let names = names.into_iter().map(str::parse::<RelayName>).collect::<Result<_, _>>();
        let path = names.ok().and_then(|names| Self::new(relay, depth, names).ok());
        path.unwrap_or_default()
    }

    /// The names, from the core on.
    #[must_use]
    pub fn names(&self) -> &[RelayName] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> RelayName {
        text.parse().unwrap()
    }

    fn path(relay: &str, depth: u32, names: &[&str]) -> Result<Vec<String>, InvalidRelayPath> {
        let names = names.iter().map(|text| name(text)).collect();
        let path = RelayPath::new(&name(relay), depth, names)?;
        Ok(path.names().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_path_names_every_relay_or_none() {
        assert_eq!(path("Room 3", 2, &["Office A", "Room 3"]).unwrap(), ["Office A", "Room 3"]);
        assert_eq!(path("Room 3", 2, &[]).unwrap(), [""; 0]);
        assert_eq!(path("Core", 0, &[]).unwrap(), [""; 0]);
        let eight = ["1", "2", "3", "4", "5", "6", "7", "8"];
        assert_eq!(path("8", 8, &eight).unwrap(), eight);
        for (relay, depth, names) in [
            ("Core", 0, &["Core"][..]),
            ("Room 3", 2, &["Room 3"][..]),
            ("Room 3", 1, &["Office A", "Room 3"][..]),
            ("Room 3", 2, &["Room 3", "Office A"][..]),
            ("9", 9, &["1", "2", "3", "4", "5", "6", "7", "8", "9"][..]),
        ] {
            assert_eq!(path(relay, depth, names), Err(InvalidRelayPath { depth }), "{names:?}");
        }
    }

    #[test]
    fn a_path_that_is_too_long_is_not_kept() {
        let (long, longer) = ("𠀀".repeat(64), "x".repeat(64));
        assert_eq!(path(&long, 2, &[&long, &long]).unwrap().len(), 2, "512 bytes");
        assert_eq!(path(&longer, 8, &[longer.as_str(); 8]).unwrap().len(), 8, "512 bytes");
        assert_eq!(path(&long, 3, &["x", &long, &long]).unwrap(), [""; 0]);
    }

    #[test]
    fn a_path_that_was_kept_beside_another_relay_is_not_known() {
        let kept = |relay, depth, names: &[&str]| {
            RelayPath::kept(&name(relay), depth, names.iter().copied()).names().len()
        };
        assert_eq!(kept("Room 3", 2, &["Office A", "Room 3"]), 2);
        assert_eq!(kept("Room 4", 2, &["Office A", "Room 3"]), 0);
        assert_eq!(kept("Room 3", 1, &["Office A", "Room 3"]), 0);
        assert_eq!(kept("Room 3", 2, &["Office\nA", "Room 3"]), 0);
    }
}
