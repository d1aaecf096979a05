//! `[[credential.users]]`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tributary_service_runtime::Secret;

use super::secret_file::{self, SecretSourceError};

/// An account that is created at the start unless it is there.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BootstrapUser {
    /// The organisation; empty means `default`.
    pub organisation: String,
    /// The log-in name.
    pub user_name: String,
    /// The name shown to others; empty: the log-in name.
    pub display_name: String,
    /// The password; this or `password_file`.
    pub password: Secret,
    /// A file with the password; one line break at its end does not count.
    pub password_file: Option<PathBuf>,
}

impl BootstrapUser {
    /// The password, wherever it is given.
    ///
    /// # Errors
    /// It is given twice or not at all, or its file can't be read.
    pub fn read_password(&self) -> Result<Secret, SecretSourceError> {
        secret_file::read("password", &self.password, self.password_file.as_deref())
    }

    /// The name shown to others.
    #[must_use]
    pub fn shown_name(&self) -> &str {
        if self.display_name.is_empty() { &self.user_name } else { &self.display_name }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_are_refused_and_passwords_do_not_show() {
        assert!(toml::from_str::<BootstrapUser>("name = 'x'").is_err());
        let user: BootstrapUser = toml::from_str("password = 'battery staple'").unwrap();
        let shown = format!("{user:?}");
        assert!(!shown.contains("staple"), "{shown}");
    }
}
