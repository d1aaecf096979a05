//! One-time tokens by which relays are enrolled.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// Random bytes of a token: 192 bits, which nobody guesses.
pub const ENROLMENT_RANDOM_BYTES: usize = 24;

/// How long a token is good if nothing is said, in seconds: a day.
pub const ENROLMENT_LIFE_DEFAULT_SECONDS: u64 = 24 * 3600;

/// The longest that a token can be good, in seconds: 30 days.
pub const ENROLMENT_LIFE_MAX_SECONDS: u64 = 30 * 24 * 3600;

/// What tokens begin with, so that people and scanners for secrets know them.
const BEGINNING: &str = "tributary-relay-";

/// A token can't be good for so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 second to 30 days, or absent for a day")]
pub struct InvalidLife;

/// The token made of these bytes, which must come from the operating system's generator.
#[must_use]
pub fn enrolment_token(random: [u8; ENROLMENT_RANDOM_BYTES]) -> String {
    format!("{BEGINNING}{}", URL_SAFE_NO_PAD.encode(random))
}

/// Whether a text can be a token at all. Nothing else is looked up.
#[must_use]
pub fn has_token_form(text: &str) -> bool {
    let random = text.strip_prefix(BEGINNING).map(|rest| URL_SAFE_NO_PAD.decode(rest));
    matches!(random, Some(Ok(random)) if random.len() == ENROLMENT_RANDOM_BYTES)
}

/// When a token that is made now is good no longer, in Unix seconds. `valid_for` is in seconds; a
/// part of a second counts as none.
///
/// # Errors
/// It is shorter than a second or longer than [`ENROLMENT_LIFE_MAX_SECONDS`].
pub fn enrolment_end(now: u64, valid_for: Option<i64>) -> Result<u64, InvalidLife> {
    let life = match valid_for {
        None => ENROLMENT_LIFE_DEFAULT_SECONDS,
        Some(seconds) => u64::try_from(seconds).map_err(|_| InvalidLife)?,
    };
    if !(1..=ENROLMENT_LIFE_MAX_SECONDS).contains(&life) {
        return Err(InvalidLife);
    }
    Ok(now.saturating_add(life))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_token_lives_a_day_or_as_long_as_is_said_up_to_30_days() {
        for (valid_for, end) in [
            (None, Ok(1000 + 86_400)),
            (Some(1), Ok(1001)),
            (Some(30 * 86_400), Ok(1000 + 30 * 86_400)),
            (Some(30 * 86_400 + 1), Err(InvalidLife)),
            (Some(0), Err(InvalidLife)),
            (Some(-1), Err(InvalidLife)),
            (Some(i64::MIN), Err(InvalidLife)),
        ] {
            assert_eq!(enrolment_end(1000, valid_for), end, "{valid_for:?}");
        }
    }

    #[test]
    fn all_random_bits_are_in_a_token() {
        let token = enrolment_token([0xff; 24]);
        assert_eq!(token, format!("tributary-relay-{}", "_".repeat(32)));
        assert_ne!(enrolment_token([0; 24]), token);
        assert!(has_token_form(&token));
        let long = format!("{token}AAAA");
        for wrong in ["", "tributary-relay-", &token[16..], &token[..47], &long, " x"] {
            assert!(!has_token_form(wrong), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_token_or_not_without_panic(text: String) {
            let _ = has_token_form(&text);
            let _ = has_token_form(&format!("{BEGINNING}{text}"));
        }
    }
}
