//! What people write to each other.

use std::{fmt, str::FromStr};

/// The longest message, in characters.
pub const CHAT_LENGTH_MAX: usize = 4_000;

/// The text can't be a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {CHAT_LENGTH_MAX} characters, without control characters")]
pub struct InvalidChatText;

/// What somebody writes: 1 to 4,000 characters. It may have lines and tabs. Characters that hide, or
/// turn round the text beside them (Unicode UAX #9), are left out: they come with what is pasted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ChatText(String);

impl ChatText {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ChatText {
    type Err = InvalidChatText;

    fn from_str(text: &str) -> Result<Self, InvalidChatText> {
        let text = text.replace("\r\n", "\n");
        let shown: String = text.chars().filter(|&character| !hides(character)).collect();
        let shown = shown.trim();
        let length = shown.chars().take(CHAT_LENGTH_MAX + 1).count();
        let controls =
            |character: char| character.is_control() && !matches!(character, '\n' | '\t');
        if length == 0 || length > CHAT_LENGTH_MAX || shown.chars().any(controls) {
            return Err(InvalidChatText);
        }
        Ok(Self(shown.to_owned()))
    }
}

impl fmt::Display for ChatText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const fn hides(character: char) -> bool {
    matches!(
        character,
        '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<String, InvalidChatText> {
        text.parse::<ChatText>().map(|text| text.to_string())
    }

    #[test]
    fn lines_tabs_and_joined_emoji_stay_and_what_hides_goes() {
        assert_eq!(read(" a\r\n\tb \n"), Ok("a\n\tb".into()));
        assert_eq!(read("👩\u{200d}👩\u{200d}👧"), Ok("👩\u{200d}👩\u{200d}👧".into()));
        assert_eq!(read("\u{feff}a\u{202e}b\u{2066}c\u{200b}"), Ok("abc".into()));
    }

    #[test]
    fn nothing_too_much_and_control_characters_are_refused() {
        for text in ["", " \n ", "\u{202e}", "a\0", "a\u{1b}[2J", "a\rb", "a\u{85}b"] {
            assert_eq!(read(text), Err(InvalidChatText), "{text:?}");
        }
        assert!(read(&"王".repeat(4_000)).is_ok());
        assert_eq!(read(&"王".repeat(4_001)), Err(InvalidChatText));
    }

    proptest! {
        #[test]
        fn what_was_taken_is_taken_again_unchanged(text: String) {
            if let Ok(text) = text.parse::<ChatText>() {
                prop_assert_eq!(text.as_str().parse::<ChatText>(), Ok(text.clone()));
            }
        }
    }
}
