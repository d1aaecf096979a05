//! A string that never shows itself: not in `Debug`, not in logs, not in `--print-config`.
//!
//! **Invariant:** [`Secret::expose`] is the only way to the content; serialising gives a marker.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// What a secret with content looks like in printed configuration.
pub(crate) const SET: &str = "<secret>";
/// What an empty secret looks like in printed configuration.
pub(crate) const UNSET: &str = "<unset>";
/// What a built-in development secret looks like in printed configuration.
pub(crate) const DEVELOPMENT: &str = "<development secret>";
/// Every built-in secret begins so, which is how one is known again wherever it was typed.
const DEVELOPMENT_PREFIX: &str = "development-only-";

/// A password or token. Empty by default.
///
/// In the configuration, a field `x: Secret` can be given as `x` or as `x_file`, the path of a file
/// that holds it (one trailing newline is cut off).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(content: impl Into<String>) -> Self {
        Self(content.into())
    }

    /// The content. Keep it out of logs, errors and labels.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is no content.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this is one of the built-in secrets that anybody can read in the source.
    pub fn is_development(&self) -> bool {
        self.0.starts_with(DEVELOPMENT_PREFIX)
    }

    fn marker(&self) -> &'static str {
        if self.is_empty() {
            UNSET
        } else if self.is_development() {
            DEVELOPMENT
        } else {
            SET
        }
    }
}

impl From<String> for Secret {
    fn from(content: String) -> Self {
        Self(content)
    }
}

impl From<&str> for Secret {
    fn from(content: &str) -> Self {
        Self::new(content)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.marker())
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.marker())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let content = String::deserialize(deserializer)?;
        if [SET, UNSET, DEVELOPMENT].contains(&content.as_str()) {
            return Err(D::Error::custom("this is the mark of a redacted secret, not a secret"));
        }
        Ok(Self(content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_shows_neither_in_debug_nor_when_serialised() {
        for (content, marker) in
            [("correct horse", SET), ("", UNSET), ("development-only-x", DEVELOPMENT)]
        {
            let secret = Secret::new(content);
            assert_eq!(format!("{secret:?}"), marker);
            assert_eq!(serde_json::to_value(&secret).unwrap(), marker);
            assert_eq!(secret.expose(), content);
        }
    }

    #[test]
    fn a_redacted_mark_is_refused_as_a_secret() {
        serde_json::from_str::<Secret>("\"<secret>\"").unwrap_err();
    }
}
