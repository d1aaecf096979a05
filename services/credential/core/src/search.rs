//! Looking for users by the beginning of a name.

/// The most users that are found at once.
pub const FOUND_MAX: u64 = 20;

/// Stands before a character that is to be taken as itself.
pub const LIKE_ESCAPE: char = '\\';

const LENGTH_MAX: usize = 64;

/// The beginning of a log-in name or a name shown to others: 1 to 64 characters, in any case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameBeginning {
    folded: String,
}

/// The text can't be the beginning of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {LENGTH_MAX} characters, without control characters")]
pub struct InvalidBeginning;

/// A name as it is compared: without regard to case.
#[must_use]
pub fn folded(name: &str) -> String {
    name.to_lowercase()
}

impl NameBeginning {
    /// Reads what somebody typed; space before it does not count.
    ///
    /// # Errors
    /// It is empty, too long or holds control characters.
    pub fn read(text: &str) -> Result<Self, InvalidBeginning> {
        let text = text.trim_start();
        let length = text.chars().take(LENGTH_MAX + 1).count();
        if length == 0 || length > LENGTH_MAX || text.chars().any(char::is_control) {
            return Err(InvalidBeginning);
        }
        Ok(Self { folded: folded(text) })
    }

    /// A pattern for SQL's `LIKE` with [`LIKE_ESCAPE`], for folded names.
    #[must_use]
    pub fn like_pattern(&self) -> String {
        let mut pattern = String::with_capacity(self.folded.len() + 1);
        for character in self.folded.chars() {
            if matches!(character, '%' | '_' | LIKE_ESCAPE) {
                pattern.push(LIKE_ESCAPE);
            }
            pattern.push(character);
        }
        pattern.push('%');
        pattern
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_to_like_is_taken_as_itself() {
        for (text, pattern) in [
            ("zo", "zo%"),
            (" Zoë", "zoë%"),
            ("100%", "100\\%%"),
            ("a_b", "a\\_b%"),
            ("a\\", "a\\\\%"),
            ("' or 1=1 --", "' or 1=1 --%"),
        ] {
            assert_eq!(NameBeginning::read(text).unwrap().like_pattern(), pattern);
        }
    }

    #[test]
    fn no_beginning_finds_nobody() {
        for wrong in ["", "  ", "a\0", "a\nb", &"x".repeat(65)] {
            assert_eq!(NameBeginning::read(wrong), Err(InvalidBeginning), "{wrong:?}");
        }
        assert!(NameBeginning::read(&"王".repeat(64)).is_ok());
    }
}
