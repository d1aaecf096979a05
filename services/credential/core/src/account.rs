//! Accounts, and the ids of accounts and guests.

use std::fmt::Write as _;

use tributary_identifiers::{InvalidTextId, OrganisationId, UserId};

use tributary_shown_text::DisplayName;

use crate::text::UserName;

/// Somebody who can log in, with a password or at an OpenID Connect provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The tenant.
    pub organisation: OrganisationId,
    /// Never given to anybody else.
    pub user_id: UserId,
    /// What is typed to log in; unique in the organisation.
    pub user_name: UserName,
    /// The name shown to others.
    pub display_name: DisplayName,
    /// Unix seconds.
    pub created_at: u64,
    /// False for an account that was made by a log-in at a provider.
    pub has_password: bool,
}

/// Names an account. `random` must come from the operating system's generator.
///
/// # Errors
/// None in practice: the text always has the form of an id.
pub fn account_id(random: [u8; 16]) -> Result<UserId, InvalidTextId> {
    user_id("user", random)
}

/// Names a guest, who is stored nowhere. `random` must come from the operating system's generator.
///
/// # Errors
/// None in practice: the text always has the form of an id.
pub fn guest_id(random: [u8; 16]) -> Result<UserId, InvalidTextId> {
    user_id("guest", random)
}

fn user_id(prefix: &str, random: [u8; 16]) -> Result<UserId, InvalidTextId> {
    let mut text = format!("{prefix}-");
    for byte in random {
        // Writing into a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_accounts_and_guests_differ_and_keep_all_random_bits() {
        let account = account_id([0xab; 16]).unwrap();
        assert_eq!(account.as_str(), format!("user-{}", "ab".repeat(16)));
        assert_eq!(guest_id([1; 16]).unwrap().as_str(), format!("guest-{}", "01".repeat(16)));
    }
}
