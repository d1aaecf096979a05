//! The service's section of the configuration, `[credential]`.

mod bootstrap_user;
mod oidc;
mod secret_file;

use serde::{Deserialize, Serialize};
use tributary_credential_core::rotation::RotationPolicy;
use tributary_service_runtime::Secret;

pub use bootstrap_user::BootstrapUser;
pub use oidc::{OidcProvider, is_safe};

const DAY_SECONDS: u64 = 86_400;

/// `[credential]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Accounts that are created at the start unless they are there. One that is there stays as
    /// it is.
    pub users: Vec<BootstrapUser>,
    /// Whether people without an account may enter.
    pub guests: bool,
    /// How long a signing key signs, in days: 1 to 365.
    pub rotate_days: u64,
    /// How long a signing key is published before it signs, in seconds: 60 to 43,200. Verifiers
    /// that hear of nothing look for keys more often than that.
    pub publish_ahead_seconds: u64,
    /// What encrypts the signing keys in the database: 32 bytes in base64. Empty: nothing does.
    pub keys_secret: Secret,
    /// How much may be tried.
    pub limits: Limits,
    /// OpenID Connect providers to log in with.
    pub oidc: Vec<OidcProvider>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            users: Vec::new(),
            guests: true,
            rotate_days: 30,
            publish_ahead_seconds: 600,
            keys_secret: Secret::default(),
            limits: Limits::default(),
            oidc: Vec::new(),
        }
    }
}

/// `[credential.limits]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Wrong passwords at one log-in name within the lockout time, whether or not there is such an
    /// account: 1 to 1,000. When they are used up, no password is right.
    pub wrong_passwords_per_user: u32,
    /// Wrong passwords from one IPv4 address or IPv6 /64 within the lockout time: 1 to 100,000.
    pub wrong_passwords_per_prefix: u32,
    /// How long a wrong password counts, in minutes: 1 to 60.
    pub lockout_minutes: u64,
    /// New guests from one IPv4 address or IPv6 /64 in an hour: 1 to 100,000.
    pub guests_per_hour: u32,
    /// Log-ins begun at providers from one IPv4 address or IPv6 /64 in ten minutes: 1 to 20,000.
    pub oidc_log_ins_per_prefix: u32,
    /// Searches of one user for others in a minute: 1 to 10,000.
    pub searches_per_minute: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wrong_passwords_per_user: 10,
            wrong_passwords_per_prefix: 100,
            lockout_minutes: 15,
            guests_per_hour: 500,
            oidc_log_ins_per_prefix: 100,
            searches_per_minute: 60,
        }
    }
}

impl Limits {
    /// How long a wrong password counts, in seconds.
    #[must_use]
    pub const fn lockout_seconds(&self) -> u64 {
        self.lockout_minutes * 60
    }
}

/// The section holds what can't work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConfig {
    /// A number is out of its bounds.
    #[error("credential.{key} must be {least} to {most}")]
    OutOfBounds {
        /// The key.
        key: &'static str,
        /// The least value.
        least: u64,
        /// The greatest value.
        most: u64,
    },
    /// Something about a provider.
    #[error("credential.oidc: {id:?}: {reason}")]
    Provider {
        /// Its id.
        id: String,
        /// What is wrong, and what to do.
        reason: String,
    },
}

impl Config {
    /// Checks what does not depend on files.
    ///
    /// # Errors
    /// The first value that can't work.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        let Limits {
            wrong_passwords_per_user,
            wrong_passwords_per_prefix,
            lockout_minutes,
            guests_per_hour,
            oidc_log_ins_per_prefix,
            searches_per_minute,
        } = self.limits;
        for (key, value, least, most) in [
            ("rotate_days", self.rotate_days, 1, 365),
            ("publish_ahead_seconds", self.publish_ahead_seconds, 60, DAY_SECONDS / 2),
            ("limits.wrong_passwords_per_user", wrong_passwords_per_user.into(), 1, 1000),
            ("limits.wrong_passwords_per_prefix", wrong_passwords_per_prefix.into(), 1, 100_000),
            ("limits.lockout_minutes", lockout_minutes, 1, 60),
            ("limits.guests_per_hour", guests_per_hour.into(), 1, 100_000),
            ("limits.oidc_log_ins_per_prefix", oidc_log_ins_per_prefix.into(), 1, 20_000),
            ("limits.searches_per_minute", searches_per_minute.into(), 1, 10_000),
        ] {
            if !(least..=most).contains(&value) {
                return Err(InvalidConfig::OutOfBounds { key, least, most });
            }
        }
        oidc::check_all(&self.oidc)
    }

    /// How often keys change.
    #[must_use]
    pub const fn rotation(&self) -> RotationPolicy {
        RotationPolicy {
            rotate_seconds: self.rotate_days * DAY_SECONDS,
            publish_ahead_seconds: self.publish_ahead_seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use tributary_service_runtime::config::ConfigArgs;

    use super::*;

    /// The section as it stands in the one configuration of a process.
    #[derive(Debug, Default, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Process {
        credential: Config,
    }

    fn load(text: &str) -> Result<Process, tributary_service_runtime::Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tributary.toml");
        fs::write(&path, text).unwrap();
        let args = ConfigArgs { files: vec![path], ..ConfigArgs::default() };
        tributary_service_runtime::config::load(&args, [])
    }

    #[test]
    fn configured_users_and_providers_are_tables_of_the_file() {
        let text = "[[credential.users]]\nuser_name = 'zoe'\npassword = 'battery staple'\n\
                    [[credential.users]]\nuser_name = 'adam'\ndisplay_name = 'Adam'\n\
                    password_file = '/run/secrets/adam'\n\
                    [[credential.oidc]]\nid = 'corp'\nname = 'Corp'\nclient_id = 't'\n\
                    client_secret = 'hush'\nissuer = 'https://id.example.org'\n\
                    redirect_uris = ['https://meet.example.org/']\n";
        let config = load(text).unwrap().credential;
        assert_eq!(config.check(), Ok(()));
        let users = &config.users;
        let names: Vec<_> = users.iter().map(|u| (u.user_name.as_str(), u.shown_name())).collect();
        assert_eq!(names, [("zoe", "zoe"), ("adam", "Adam")]);
        assert_eq!(users[0].password.expose(), "battery staple");
        assert_eq!(users[1].password_file.as_deref(), Some(Path::new("/run/secrets/adam")));
        let printed = toml::to_string(&config).unwrap();
        assert!(!printed.contains("staple") && !printed.contains("hush"), "{printed}");
        assert!(load("[[credential.users]]\nuser_nam = 'zoe'\n").is_err());
        assert!(load("[[credential.oidc]]\nisuer = 'x'\n").is_err());
    }

    #[test]
    fn the_secret_of_the_keys_can_stand_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, "c2VjcmV0\n").unwrap();
        let text = format!("[credential]\nkeys_secret_file = {:?}\n", path.display().to_string());
        assert_eq!(load(&text).unwrap().credential.keys_secret.expose(), "c2VjcmV0");
    }

    #[test]
    fn values_that_can_not_work_are_refused() {
        assert_eq!(Config::default().check(), Ok(()));
        let refused = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            config.check().unwrap_err().to_string()
        };
        assert_eq!(refused(|c| c.rotate_days = 0), "credential.rotate_days must be 1 to 365");
        assert!(refused(|c| c.rotate_days = 366).contains("rotate_days"));
        assert!(refused(|c| c.publish_ahead_seconds = 59).contains("60 to 43200"));
        assert!(refused(|c| c.publish_ahead_seconds = u64::MAX).contains("publish_ahead"));
        assert!(refused(|c| c.limits.wrong_passwords_per_user = 0).contains("per_user"));
        assert!(refused(|c| c.limits.wrong_passwords_per_prefix = 0).contains("per_prefix"));
        assert!(refused(|c| c.limits.lockout_minutes = 61).contains("lockout_minutes"));
        assert!(refused(|c| c.limits.guests_per_hour = 0).contains("guests_per_hour"));
        assert!(refused(|c| c.limits.oidc_log_ins_per_prefix = 0).contains("oidc_log_ins"));
        assert!(refused(|c| c.limits.searches_per_minute = 0).contains("searches_per_minute"));
    }
}
