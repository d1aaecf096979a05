//! What is said of a relay in its TXT record (RFC 6763 §6).

use std::collections::HashMap;

use tributary_identifiers::RelayId;

/// Version of the record's format (RFC 6763 §6.7).
const FORMAT: &str = "1";
const FORMAT_KEY: &str = "txtvers";
const ID_KEY: &str = "id";
const NAME_KEY: &str = "name";
const VERSION_KEY: &str = "version";
const PATH_KEY: &str = "path";
const TLS_KEY: &str = "tls";

/// Longest value that is taken from somebody else, in characters.
const TEXT_MAX: usize = 100;
/// Longest label of a name in the DNS, in bytes (RFC 1035 §2.3.4).
const LABEL_BYTES_MAX: usize = 63;

/// What a relay says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayRecord {
    /// Its id.
    pub relay_id: RelayId,
    /// Its name, for people.
    pub relay_name: String,
    /// Version of its software.
    pub version: String,
    /// Where it serves the terminal protocol: `/terminal/v1`.
    pub path: String,
    /// True if it speaks TLS.
    pub tls: bool,
}

/// A record that says nothing usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no relay's record: its {0:?} can't be used")]
pub struct Malformed(&'static str);

impl RelayRecord {
    /// Keys and values of the TXT record.
    #[must_use]
    pub fn to_properties(&self) -> Vec<(String, String)> {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        vec![
            // First, as the RFC asks.
            pair(FORMAT_KEY, FORMAT),
            pair(ID_KEY, self.relay_id.as_str()),
            pair(NAME_KEY, &self.relay_name),
            pair(VERSION_KEY, &self.version),
            pair(PATH_KEY, &self.path),
            pair(TLS_KEY, if self.tls { "1" } else { "0" }),
        ]
    }

    /// Reads a TXT record that somebody has sent; keys that are not known don't matter.
    ///
    /// # Errors
    /// There is no usable id or path, or the format is another.
    pub fn from_properties(properties: &HashMap<String, String>) -> Result<Self, Malformed> {
        let value = |key: &str| properties.get(key).map(String::as_str).unwrap_or_default();
        if value(FORMAT_KEY) != FORMAT {
            return Err(Malformed(FORMAT_KEY));
        }
        let path = value(PATH_KEY);
        let visible = path.chars().all(|character| character.is_ascii_graphic());
        if !path.starts_with('/') || !visible || path.len() > TEXT_MAX {
            return Err(Malformed(PATH_KEY));
        }
        Ok(Self {
            relay_id: value(ID_KEY).parse().map_err(|_| Malformed(ID_KEY))?,
            relay_name: shown(value(NAME_KEY)),
            version: shown(value(VERSION_KEY)),
            path: path.to_owned(),
            tls: match value(TLS_KEY) {
                "1" => true,
                "0" => false,
                _ => return Err(Malformed(TLS_KEY)),
            },
        })
    }

    /// The name of the instance: the relay's, cut to what a label holds.
    #[must_use]
    pub fn instance(&self) -> String {
        let mut name = String::new();
        for character in shown(&self.relay_name).chars() {
            if name.len() + character.len_utf8() > LABEL_BYTES_MAX {
                break;
            }
            name.push(character);
        }
        if name.is_empty() { self.relay_id.to_string() } else { name }
    }

    /// A host name of the relay's own (RFC 6762 §3): whatever else the machine is called.
    pub(crate) fn host(&self) -> String {
        let letter = |character: char| match character {
            'A'..='Z' | 'a'..='z' | '0'..='9' => character.to_ascii_lowercase(),
            _ => '-',
        };
        let id: String = self.relay_id.as_str().chars().map(letter).collect();
        let label = format!("tributary-{}", id.trim_matches('-'));
        let label = label.get(..LABEL_BYTES_MAX).unwrap_or(&label).trim_end_matches('-');
        format!("{label}.local.")
    }
}

/// Without what would take hold of a screen, and not too long.
fn shown(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).take(TEXT_MAX).collect();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record() -> RelayRecord {
        RelayRecord {
            relay_id: "Berlin_3".parse().unwrap(),
            relay_name: "Berlin, 3rd floor".into(),
            version: "0.1.0".into(),
            path: "/terminal/v1".into(),
            tls: true,
        }
    }

    #[test]
    fn what_is_said_is_read() {
        for tls in [true, false] {
            let record = RelayRecord { tls, ..record() };
            let properties = record.to_properties();
            assert_eq!(properties[0].0, "txtvers");
            let read = RelayRecord::from_properties(&properties.into_iter().collect());
            assert_eq!(read, Ok(record));
        }
    }

    #[test]
    fn what_is_no_relay_is_left_alone() {
        for (key, value) in [
            ("txtvers", "2"),
            ("id", "not an id"),
            ("id", ""),
            ("path", "terminal"),
            ("path", "/a b"),
            ("path", ""),
            ("tls", "yes"),
        ] {
            let mut properties: HashMap<_, _> = record().to_properties().into_iter().collect();
            properties.insert(key.into(), value.into());
            RelayRecord::from_properties(&properties).unwrap_err();
            properties.remove(key);
            RelayRecord::from_properties(&properties).unwrap_err();
        }
    }

    #[test]
    fn names_in_the_dns_are_short_enough_and_never_empty() {
        let long = RelayRecord {
            relay_id: "x_".repeat(32).parse().unwrap(),
            relay_name: "会".repeat(64),
            ..record()
        };
        assert_eq!(long.instance(), "会".repeat(21));
        assert!(long.host().trim_end_matches(".local.").len() <= LABEL_BYTES_MAX);
        assert_eq!(record().host(), "tributary-berlin-3.local.");
        let unnamed = RelayRecord { relay_name: "\n".into(), ..record() };
        assert_eq!(unnamed.instance(), "Berlin_3");
    }

    proptest! {
        #[test]
        fn nothing_that_is_sent_takes_hold_of_a_screen(
            name in "\\PC{0,80}[\u{0}-\u{1f}]{0,3}\\PC{0,80}", path in "/\\PC{0,120}",
        ) {
            let mut properties: HashMap<_, _> = record().to_properties().into_iter().collect();
            properties.insert("name".into(), name);
            properties.insert("path".into(), path);
            if let Ok(read) = RelayRecord::from_properties(&properties) {
                prop_assert!(!read.relay_name.chars().any(char::is_control));
                prop_assert!(read.relay_name.chars().count() <= TEXT_MAX);
                prop_assert!(read.path.chars().all(|c| c.is_ascii_graphic()));
                prop_assert!(read.instance().len() <= LABEL_BYTES_MAX);
            }
        }
    }
}
