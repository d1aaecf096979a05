//! Texts that people see: subjects, their own names, the names of relays.
//!
//! **Invariant:** none of them can end a line, hide, or turn round the text beside it, and each has
//! a bounded length.

use std::{fmt, str::FromStr};

/// The longest subject, in characters.
pub const SUBJECT_LENGTH_MAX: usize = 200;

/// The longest name of a person or a relay, in characters.
pub const NAME_LENGTH_MAX: usize = 64;

/// The text can't be shown as what it is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be 1 to {length_max} characters, without control characters")]
pub struct InvalidText {
    what: &'static str,
    length_max: usize,
}

macro_rules! shown_text {
    ($(#[$doc:meta])* $name:ident, $what:literal, $length_max:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidText;

            fn from_str(text: &str) -> Result<Self, InvalidText> {
                check(text, $what, $length_max).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }
    };
}

shown_text!(
    /// What a meeting is about: 1 to 200 characters; space at the ends is cut off.
    Subject,
    "a subject",
    SUBJECT_LENGTH_MAX
);
shown_text!(
    /// A person's name as others see it: 1 to 64 characters; space at the ends is cut off.
    DisplayName,
    "a display name",
    NAME_LENGTH_MAX
);
shown_text!(
    /// A relay's name, shown as its group's: 1 to 64 characters; space at the ends is cut off.
    RelayName,
    "a relay name",
    NAME_LENGTH_MAX
);

fn check(text: &str, what: &'static str, length_max: usize) -> Result<String, InvalidText> {
    let text = text.trim();
    let length = text.chars().take(length_max + 1).count();
    if length == 0 || length > length_max || !text.chars().all(is_harmless) {
        return Err(InvalidText { what, length_max });
    }
    Ok(text.to_owned())
}

/// False for what would end a line, hide, or turn round the text of others (Unicode UAX #9).
fn is_harmless(character: char) -> bool {
    let hidden = matches!(
        character,
        '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
    );
    !character.is_control() && !hidden
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_are_counted_in_characters_after_trimming() {
        assert_eq!(
            "  Quartalszahlen 季度 ".parse::<Subject>().unwrap().as_str(),
            "Quartalszahlen 季度"
        );
        assert!("王".repeat(200).parse::<Subject>().is_ok());
        assert!("王".repeat(201).parse::<Subject>().is_err());
        assert!("王".repeat(64).parse::<DisplayName>().is_ok());
        assert!("王".repeat(65).parse::<RelayName>().is_err());
    }

    #[test]
    fn texts_that_would_disturb_others_are_refused() {
        for text in ["", "  ", "a\nb", "a\0", "a\u{85}b", "a\u{202e}b", "a\u{2066}b", "\u{feff}"] {
            assert!(text.parse::<Subject>().is_err(), "{text:?}");
            assert!(text.parse::<DisplayName>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_trimmed_or_refused(text: String) {
            if let Ok(subject) = text.parse::<Subject>() {
                prop_assert_eq!(subject.as_str(), text.trim());
                prop_assert_eq!(subject.as_str().parse::<Subject>().unwrap(), subject);
            }
        }
    }
}
