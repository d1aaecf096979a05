//! Texts that people type to log in: names and passwords.

use std::{fmt, str::FromStr};

const NAME_LENGTH_MAX: usize = 64;
const PASSWORD_BYTES_MIN: usize = 8;
const PASSWORD_BYTES_MAX: usize = 1024;

/// A log-in name: 1 to 64 of `a-z 0-9 . _ @ -`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserName(String);

/// The text can't be a log-in name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a user name must be 1 to {NAME_LENGTH_MAX} of the characters a-z, 0-9, '.', '_', '@', '-'"
)]
pub struct InvalidUserName;

/// The text can't be a new password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a password must be {PASSWORD_BYTES_MIN} to {PASSWORD_BYTES_MAX} bytes long")]
pub struct InvalidPassword;

/// Whether a new password is neither too short nor too long.
///
/// # Errors
/// It is.
pub fn check_new_password(password: &str) -> Result<(), InvalidPassword> {
    if (PASSWORD_BYTES_MIN..=PASSWORD_BYTES_MAX).contains(&password.len()) {
        Ok(())
    } else {
        Err(InvalidPassword)
    }
}

impl UserName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserName {
    type Err = InvalidUserName;

    fn from_str(text: &str) -> Result<Self, InvalidUserName> {
        let allowed = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._@-".contains(&byte)
        };
        if text.is_empty() || text.len() > NAME_LENGTH_MAX || !text.bytes().all(allowed) {
            return Err(InvalidUserName);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn user_names_are_of_the_documented_characters() {
        for name in ["a", "alice", "zoe.w_2@example-1.org", &"x".repeat(64)] {
            assert_eq!(name.parse::<UserName>().unwrap().as_str(), name);
        }
        for name in ["", "Alice", "a b", "a\0", "ä", "a/b", "a'--", "%", &"x".repeat(65)] {
            assert_eq!(name.parse::<UserName>(), Err(InvalidUserName), "{name:?}");
        }
    }

    #[test]
    fn new_passwords_have_eight_to_1024_bytes() {
        for (length, accepted) in [(0, false), (7, false), (8, true), (1024, true), (1025, false)] {
            assert_eq!(check_new_password(&"x".repeat(length)).is_ok(), accepted, "{length}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_name_or_refused_without_panic(text: String) {
            if let Ok(name) = text.parse::<UserName>() {
                prop_assert_eq!(name.as_str(), text);
            }
        }
    }
}
