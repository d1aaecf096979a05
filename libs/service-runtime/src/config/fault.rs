//! What can be wrong with a configuration, in words that name the place and the way out.

use std::fmt;

use config::ConfigError;

/// All faults that were found in a configuration; at least one.
#[derive(Debug)]
pub struct Faults(pub(super) Vec<Fault>);

impl Faults {
    /// The faults, in the order of the layers.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self(vec![fault])
    }
}

impl std::error::Error for Faults {}

impl fmt::Display for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [fault] = self.0.as_slice() {
            return write!(formatter, "configuration: {fault}");
        }
        write!(formatter, "the configuration has {} faults:", self.0.len())?;
        self.0.iter().try_for_each(|fault| write!(formatter, "\n  - {fault}"))
    }
}

/// One fault.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Fault {
    /// A file can't be read or is not TOML.
    #[error("{file}: {message}")]
    File {
        /// Its path.
        file: String,
        /// What is wrong.
        message: String,
    },
    /// A key that nobody reads.
    #[error("{origin}: unknown key {path:?}{}", suggested(.suggestion.as_deref()))]
    Unknown {
        /// The file, variable or flag.
        origin: String,
        /// The key.
        path: String,
        /// The nearest known key, in the spelling of the origin.
        suggestion: Option<String>,
    },
    /// A value that does not fit its key.
    #[error("{origin}: {path}: {message}")]
    Invalid {
        /// The file, variable or flag.
        origin: String,
        /// The key.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// A flag that is not `key=value`.
    #[error("--set {text:?}: expected key=value, as in --set log.format=json")]
    Flag {
        /// The flag's text up to the first space, as it may hold a secret.
        text: String,
    },
    /// A secret is given twice.
    #[error("{path} is set ({value}) and so is {path}_file ({file}): remove one of them")]
    SecretTwice {
        /// The secret's key.
        path: String,
        /// Where the secret itself is set.
        value: String,
        /// Where its file is set.
        file: String,
    },
    /// The file of a secret can't be used.
    #[error("{origin}: {path}_file: {file}: {message}")]
    SecretFile {
        /// Where the file is named.
        origin: String,
        /// The secret's key.
        path: String,
        /// The file.
        file: String,
        /// What is wrong.
        message: String,
    },
    /// Built-in secrets together with a listener that others can reach.
    #[error(
        "{} only for development, on loopback addresses, but {}: set the secrets (each can be \
         given as a file, with `_file` at the end of its key)",
        listed(.secrets, "has a built-in value that is", "have built-in values that are"),
        listed(.listeners, "is not on loopback", "are not on loopback")
    )]
    DevelopmentSecrets {
        /// The keys of the secrets.
        secrets: Vec<String>,
        /// The listeners and their addresses.
        listeners: Vec<String>,
    },
    /// Something that belongs to no single setting.
    #[error("{message}")]
    Whole {
        /// What is wrong.
        message: String,
    },
}

fn suggested(suggestion: Option<&str>) -> String {
    suggestion.map(|known| format!(" (did you mean {known:?}?)")).unwrap_or_default()
}

fn listed(items: &[String], one: &str, many: &str) -> String {
    format!("{} {}", items.join(", "), if items.len() == 1 { one } else { many })
}

/// The error without origin and key, which the faults say in their own way.
pub(super) fn plain(error: &ConfigError) -> String {
    match error {
        ConfigError::At { error, .. } => plain(error),
        ConfigError::Type { unexpected, expected, .. } => {
            format!("found {unexpected}, expected {expected}")
        }
        ConfigError::Message(message) => message.clone(),
        other => other.to_string(),
    }
}
