//! What an OpenID Connect provider says about a person, made into an account's names.
//!
//! **Invariant:** names decide nothing: an account belongs to the provider's issuer and subject.

use tributary_shown_text::{DisplayName, NAME_LENGTH_MAX};

use crate::text::UserName;

const USER_NAME_LENGTH_MAX: usize = 64;

/// How many numbered names are tried before a random one.
pub const NUMBERED_NAMES: u32 = 20;

/// The claims that name a person (OpenID Connect Core section 5.1); any may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// `name`.
    pub name: Option<String>,
    /// `preferred_username`.
    pub preferred_username: Option<String>,
    /// `email`.
    pub email: Option<String>,
    /// `email_verified`: the provider has made sure that the address is this person's.
    pub email_verified: bool,
}

impl Profile {
    /// This profile, with what it lacks from another. An address and its verification stay
    /// together.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let (email, email_verified) = match self.email {
            Some(email) => (Some(email), self.email_verified),
            None => (other.email, other.email_verified),
        };
        Self {
            name: self.name.or(other.name),
            preferred_username: self.preferred_username.or(other.preferred_username),
            email,
            email_verified,
        }
    }

    /// Whether the person has a verified address in one of these domains. With no domains,
    /// everybody may come.
    #[must_use]
    pub fn is_of(&self, allowed_domains: &[String]) -> bool {
        if allowed_domains.is_empty() {
            return true;
        }
        let domain = self.verified_email().and_then(|email| email.rsplit_once('@'));
        let Some((local, domain)) = domain else { return false };
        !local.is_empty()
            && !local.contains('@')
            && allowed_domains.iter().any(|allowed| allowed.eq_ignore_ascii_case(domain))
    }

    /// The address, if it is this person's. Any other would let somebody pass for whose it is.
    fn verified_email(&self) -> Option<&str> {
        self.email.as_deref().filter(|_| self.email_verified)
    }

    /// The name shown to others: what can be shown of the best that is there.
    #[must_use]
    pub fn display_name(&self, fallback: &UserName) -> Option<DisplayName> {
        [self.name.as_deref(), self.preferred_username.as_deref(), self.verified_email()]
            .into_iter()
            .flatten()
            .chain([fallback.as_str()])
            .find_map(shown)
    }

    /// A log-in name to begin with, of the characters that one may have.
    #[must_use]
    pub fn user_name(&self) -> Option<UserName> {
        [self.preferred_username.as_deref(), self.verified_email(), self.name.as_deref()]
            .into_iter()
            .flatten()
            .find_map(user_name_of)
            .or_else(|| "user".parse().ok())
    }
}

/// The same name with a suffix, cut where it would be too long.
#[must_use]
pub fn suffixed(name: &UserName, suffix: &str) -> Option<UserName> {
    let room = USER_NAME_LENGTH_MAX.checked_sub(suffix.len() + 1)?;
    // Names are ASCII, so any length is a border of characters.
    let kept = name.as_str().get(..room.min(name.as_str().len()))?;
    format!("{kept}-{suffix}").parse().ok()
}

fn shown(text: &str) -> Option<DisplayName> {
    // Character by character: what could disturb others goes, the rest stays.
    let harmless: String = text
        .chars()
        .filter(|character| {
            *character == ' ' || character.to_string().parse::<DisplayName>().is_ok()
        })
        .collect();
    let cut: String = harmless.trim().chars().take(NAME_LENGTH_MAX).collect();
    cut.parse().ok()
}

fn user_name_of(text: &str) -> Option<UserName> {
    let mut name = String::new();
    for character in text.to_lowercase().chars() {
        let allowed = character.is_ascii_lowercase()
            || character.is_ascii_digit()
            || matches!(character, '.' | '_' | '@' | '-');
        if allowed {
            name.push(character);
        } else if character.is_whitespace() && !name.ends_with('.') {
            name.push('.');
        }
        if name.len() == USER_NAME_LENGTH_MAX {
            break;
        }
    }
    let name = name.trim_matches('.');
    name.chars().any(|character| character.is_ascii_alphanumeric()).then(|| name.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn profile(name: &str, preferred: &str, email: &str) -> Profile {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Profile {
            name: some(name),
            preferred_username: some(preferred),
            email: some(email),
            email_verified: true,
        }
    }

    #[test]
    fn names_are_made_of_the_best_that_is_there() {
        let check = |profile: Profile, user_name: &str, display_name: &str| {
            let name = profile.user_name().unwrap();
            assert_eq!(name.as_str(), user_name, "{profile:?}");
            assert_eq!(profile.display_name(&name).unwrap().as_str(), display_name);
        };
        check(profile("Zoë Wu", "zoe", "z@x.org"), "zoe", "Zoë Wu");
        check(profile("", "Zoe.Wu", "z@x.org"), "zoe.wu", "Zoe.Wu");
        check(profile("", "", "z@x.org"), "z@x.org", "z@x.org");
        let unverified = |profile| Profile { email_verified: false, ..profile };
        check(unverified(profile("", "", "boss@x.org")), "user", "user");
        check(unverified(profile("Zoe", "", "boss@x.org")), "zoe", "Zoe");
        check(profile("Zoe  Wu", "", ""), "zoe.wu", "Zoe  Wu");
        check(profile("王", "王", ""), "user", "王");
        check(profile("", "", ""), "user", "user");
        check(profile("a\u{202e}b\n", "..", "--"), "ab", "ab");
        check(profile(&"x".repeat(70), &"y".repeat(70), ""), &"y".repeat(64), &"x".repeat(64));
    }

    #[test]
    fn only_a_verified_address_of_an_allowed_domain_counts() {
        let domains = ["example.org".to_owned()];
        let check = |email: &str| profile("", "", email).is_of(&domains);
        assert!(check("z@example.org") && check("z@EXAMPLE.ORG"));
        for wrong in ["", "z@example.org.evil", "example.org", "@example.org", "z@sub.example.org"]
        {
            assert!(!check(wrong), "{wrong}");
        }
        assert!(!check("z@example.org@evil.org") && !check("z@evil.org@example.org"));
        let unverified = Profile { email_verified: false, ..profile("", "", "z@example.org") };
        assert!(!unverified.is_of(&domains));
        assert!(unverified.is_of(&[]));
    }

    #[test]
    fn an_address_does_not_borrow_the_verification_of_another() {
        let token = Profile { email_verified: false, ..profile("", "", "a@x.org") };
        let both = token.or(profile("Zoë", "", "b@x.org"));
        assert_eq!((both.email.as_deref(), both.email_verified), (Some("a@x.org"), false));
        assert_eq!(both.name.as_deref(), Some("Zoë"));
    }

    #[test]
    fn a_suffixed_name_is_not_too_long() {
        let name: UserName = "x".repeat(64).parse().unwrap();
        let suffixed = suffixed(&name, "12").unwrap();
        assert_eq!(suffixed.as_str(), format!("{}-12", "x".repeat(61)));
    }

    proptest! {
        #[test]
        fn any_profile_has_names(name: String, preferred: String, email: String) {
            let profile = profile(&name, &preferred, &email);
            let user_name = profile.user_name().unwrap();
            prop_assert!(profile.display_name(&user_name).is_some());
            prop_assert!(suffixed(&user_name, "0123456789").is_some());
        }
    }
}
